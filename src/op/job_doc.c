#include "op/job_doc.h"

#include <string.h>

void job_doc_progress(Doc *d, const StateProgress *p)
{
    doc_set_str(d, "phase", p->phase);
    doc_set_str(d, "object", p->object);
    doc_set_int(d, "bytesDone", (int64_t)p->bytes_done);
    doc_set_int(d, "bytesTotal", (int64_t)p->bytes_total);
    doc_set_int(d, "bytesNew", (int64_t)p->bytes_new);
    doc_set_int(d, "bytesReused", (int64_t)p->bytes_reused);
    doc_set_int(d, "itemsDone", (int64_t)p->items_done);
    doc_set_int(d, "itemsTotal", (int64_t)p->items_total);
}

StateProgress job_progress_of(const JobProgress *now)
{
    return (StateProgress){.phase = (char *)(uintptr_t)now->phase,
                           .object = (char *)(uintptr_t)now->object,
                           .bytes_done = now->bytes_done,
                           .bytes_total = now->bytes_total,
                           .bytes_new = now->bytes_new,
                           .bytes_reused = now->bytes_reused,
                           .items_done = now->items_done,
                           .items_total = now->items_total};
}

/* Text that is JSON, as such; anything else as text. */
static Doc *json_or_text(const char *text)
{
    Doc *d = NULL;
    if (text)
        error_drop(doc_parse(text, strlen(text), "a job", &d));
    return d;
}

Doc *job_doc(const StateJob *j)
{
    Doc *d = doc_object(), *parsed;
    doc_set_int(d, "id", j->id);
    doc_set_str(d, "kind", j->kind);
    doc_set_str(d, "entry", j->entry);
    doc_set_str(d, "database", j->database);
    doc_set_str(d, "status", state_job_status_name(j->status));
    doc_set_str(d, "trigger", j->trigger);
    doc_set_str(d, "actor", j->actor);
    if ((parsed = json_or_text(j->arguments)))
        doc_set(d, "arguments", parsed);
    doc_set_time(d, "created", j->created);
    doc_set_time(d, "started", j->started);
    doc_set_time(d, "ended", j->ended);
    Doc *progress = doc_object();
    job_doc_progress(progress, &j->progress);
    doc_set(d, "progress", progress);
    doc_set_str(d, "backup", j->backup);
    doc_set_int(d, "attempt", j->attempt);
    if (j->retry_of)
        doc_set_int(d, "retryOf", j->retry_of);
    if (j->exit_status >= 0)
        doc_set_int(d, "exitStatus", j->exit_status);
    if ((parsed = json_or_text(j->result)))
        doc_set(d, "result", parsed);
    if (j->error_message) {
        Doc *e = doc_object();
        doc_set_str(e, "kind", j->error_kind);
        doc_set_str(e, "message", j->error_message);
        doc_set_str(e, "hint", j->error_hint);
        doc_set(d, "error", e);
    }
    return d;
}

Doc *job_list_doc(const StateJobs *jobs)
{
    Doc *d = doc_object(), *all = doc_array();
    for (size_t i = 0; i < jobs->count; i++)
        doc_push(all, job_doc(&jobs->items[i]));
    doc_set(d, "jobs", all);
    doc_set_bool(d, "more", jobs->more);
    return d;
}

Doc *log_line_doc(const StateLogLine *l)
{
    Doc *d = doc_object();
    doc_set_int(d, "n", l->n);
    doc_set_time(d, "at", l->at);
    doc_set_str(d, "level", l->level);
    doc_set_str(d, "line", l->line);
    return d;
}

void log_doc_set(Doc *d, const StateLog *l)
{
    Doc *lines = doc_array();
    for (size_t i = 0; i < l->count; i++)
        doc_push(lines, log_line_doc(&l->items[i]));
    doc_set(d, "log", lines);
    doc_set_bool(d, "moreLog", l->more);
}
