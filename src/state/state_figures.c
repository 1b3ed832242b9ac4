#include "state/state_figures.h"

#include "state/state_internal.h"

static Error *last_end(State *s, const char *kind, const char *entry, const char *database,
                       StateJobStatus status, Instant *out)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s,
                   "SELECT max(ended) FROM job"
                   " WHERE kind = ? AND entry = ? AND database = ? AND status = ?",
                   &q));
    query_text(&q, kind);
    query_text(&q, entry);
    query_text(&q, database);
    query_text(&q, state_job_status_name(status));
    TRY(query_row(&q, &more));
    *out = query_get_int(&q);
    return NULL;
}

Error *state_last_ends(State *s, const char *kind, const char *entry, const char *database,
                       StateLastEnds *out)
{
    *out = (StateLastEnds){0};
    for (StateJobStatus i = JOB_SUCCEEDED; i < JOB_STATUSES; i++)
        TRY(last_end(s, kind, entry, database, i, &out->ended[i]));
    return NULL;
}

Error *state_outbox_figures(State *s, StateOutboxFigures *out)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(
        s, "SELECT count(*), count(error), min(created) FROM outbox WHERE status = 'open'", &q));
    TRY(query_row(&q, &more));
    out->open = (uint64_t)query_get_int(&q);
    out->failing = (uint64_t)query_get_int(&q);
    out->oldest = query_get_int(&q);
    return NULL;
}
