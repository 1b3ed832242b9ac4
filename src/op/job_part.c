#include "op/job_part.h"

#include <string.h>

#define RUNS_BACK 50 /* how far it is looked back for a whole one */

Doc *job_part_doc(const BackupOutcome *o)
{
    Doc *d = doc_object();
    doc_set_str(d, "database", o->database);
    doc_set_int(d, "started", o->started);
    doc_set_int(d, "ended", o->ended);
    if (o->error)
        doc_set(d, "error", doc_error(o->error));
    else
        doc_set(d, "result", backup_info_doc(&o->info));
    return d;
}

static ErrorKind kind_of(const char *name)
{
    for (ErrorKind k = 0; k < ERROR_KINDS; k++)
        if (!strcmp(error_kind_info(k)->name, name))
            return k;
    return ERR_INTERNAL;
}

Error *job_part_record(State *s, int64_t of, const Doc *d)
{
    const Doc *result = doc_get(d, "result"), *error = doc_get(d, "error");
    const char *database = doc_str(d, "database", "");
    AUTO(char) text = result ? doc_print(result, false) : NULL;
    if (!*database)
        FAIL(ERR_DAMAGED, "a part of job %lld names no database", (long long)of);
    StateJobPart part = {.database = database,
                         .started = doc_int(d, "started", clock_now()),
                         .bytes_done = (uint64_t)doc_int(result, "logicalSize", 0),
                         .bytes_new = (uint64_t)doc_int(result, "newBytes", 0),
                         .items_done = (uint64_t)doc_int(result, "tables", 0),
                         .end = {.status = error ? JOB_FAILED : JOB_SUCCEEDED,
                                 .backup = doc_str(result, "id", NULL),
                                 .result = text,
                                 .now = doc_int(d, "ended", clock_now())}};
    if (error) {
        ErrorKind kind = kind_of(doc_str(error, "kind", ""));
        part.end.error_kind = error_kind_info(kind)->name;
        part.end.exit_status = error_kind_info(kind)->exit_status;
        part.end.error_message = doc_str(error, "message", "");
        part.end.error_hint = doc_str(error, "hint", NULL);
        if (kind == ERR_CANCELLED)
            part.end.status = JOB_CANCELLED;
    }
    return state_job_add_part(s, of, &part, NULL);
}

Error *parts_each(State *s, int64_t job, PartsEach each, void *ctx)
{
    StateJobFilter f = {.part_of = job};
    for (bool more = true; more;) {
        AUTO_VALUE(StateJobs) parts = {0};
        TRY(state_job_list(s, &f, &parts));
        for (size_t i = 0; i < parts.count; i++)
            TRY(each(ctx, &parts.items[i]));
        more = parts.more;
        if (parts.count)
            f.below = parts.items[parts.count - 1].id;
    }
    return NULL;
}

bool parts_are_whole(const StateJob *j)
{
    AUTO(Doc) arguments = NULL;
    bool partial = j->status == JOB_FAILED && j->error_kind &&
                   !strcmp(j->error_kind, error_kind_info(ERR_PARTIAL)->name);
    if (!strcmp(j->trigger, "cli") || (j->status != JOB_SUCCEEDED && !partial))
        return false;
    error_drop(doc_parse(j->arguments, strlen(j->arguments), "arguments", &arguments));
    return doc_count(doc_get(arguments, "words")) == 1;
}

static Error *add_name(void *ctx, const StateJob *part)
{
    strlist_add(ctx, part->database);
    return NULL;
}

Error *parts_known(State *s, const char *entry, int64_t below, StrList *out, bool *found)
{
    AUTO_VALUE(StateJobs) runs = {0};
    StateJobFilter f = {.kind = "backup",
                        .entry = entry,
                        .database = "",
                        .statuses = 1u << JOB_SUCCEEDED | 1u << JOB_FAILED,
                        .below = below,
                        .limit = RUNS_BACK};
    *found = false;
    TRY(state_job_list(s, &f, &runs));
    for (size_t i = 0; i < runs.count && !*found; i++) {
        *found = parts_are_whole(&runs.items[i]);
        if (*found)
            TRY(parts_each(s, runs.items[i].id, add_name, out));
    }
    strlist_sort(out);
    return NULL;
}
