/* Parts of jobs. */
#include "base/doc.h"
#include "state/state_event.h"
#include "state/state_internal.h"
#include "state/state_job.h"

typedef struct Part {
    int64_t of, id;
    const StateJobPart *part;
    const char *arguments;
} Part;

/* A row that is done from the beginning, so that there is never one that runs without a process. */
static Error *insert(State *s, void *ctx)
{
    Part *c = ctx;
    const StateJobPart *p = c->part;
    const StateJobEnd *end = &p->end;
    const char *status = state_job_status_name(end->status);
    int64_t changed;
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "INSERT INTO job (kind, entry, database, trigger, actor, arguments, status,"
                   " created, started, ended, bytes_done, bytes_total, bytes_new, bytes_reused,"
                   " items_done, items_total, backup, result, error_kind, error_message,"
                   " error_hint, exit_status, attempt)"
                   " SELECT kind, entry, ?, trigger, actor, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?,"
                   " ?, ?, ?, ?, attempt FROM job WHERE id = ?",
                   &q));
    query_text(&q, p->database);
    query_text(&q, c->arguments);
    query_text(&q, status);
    query_int(&q, p->started);
    query_int(&q, p->started);
    query_int(&q, end->now);
    query_int(&q, (int64_t)p->bytes_done);
    query_int(&q, (int64_t)p->bytes_done);
    query_int(&q, (int64_t)p->bytes_new);
    query_int(&q, (int64_t)p->items_done);
    query_int(&q, (int64_t)p->items_done);
    query_maybe_text(&q, end->backup);
    query_maybe_text(&q, end->result);
    query_maybe_text(&q, end->error_kind);
    query_maybe_text(&q, end->error_message);
    query_maybe_text(&q, end->error_hint);
    query_int(&q, end->exit_status);
    query_int(&q, c->of);
    TRY(query_run(&q, &changed));
    if (!changed)
        FAIL(ERR_NOT_FOUND, "there is no job %lld", (long long)c->of);
    c->id = query_last_id(&q);
    query_close(&q);
    AUTO(char) kind = mem_printf("job.%s", status);
    return state_event_add(s, &(StateEventNew){.kind = kind, .job = c->id, .now = end->now}, NULL);
}

Error *state_job_add_part(State *s, int64_t of, const StateJobPart *part, int64_t *id)
{
    AUTO(Doc) arguments = doc_object();
    doc_set_int(arguments, "partOf", of);
    AUTO(char) text = doc_print(arguments, false);
    Part c = {.of = of, .part = part, .arguments = text};
    if (part->end.status < JOB_SUCCEEDED || part->end.status >= JOB_STATUSES)
        FAIL(ERR_INTERNAL, "a part cannot end as %s", state_job_status_name(part->end.status));
    TRY(state_together(s, insert, &c));
    if (id)
        *id = c.id;
    return NULL;
}
