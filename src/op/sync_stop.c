#include "op/sync_stop.h"

#include "op/job_cancel.h"

/* Those of this id that have not ended; all of them have: ERR_EXISTS. */
static Error *find(State *s, const char *id, StateSessions *out)
{
    AUTO_VALUE(StateSessions) ended = {0};
    AUTO(StateSession) none = NULL;
    TRY(state_session_list(s, &(StateSessionFilter){.id = id, .statuses = SYNC_LIVE}, out));
    if (out->count)
        return NULL;
    TRY(state_session_list(s, &(StateSessionFilter){.id = id}, &ended));
    if (!ended.count)
        return state_session_get(s, id, SYNC_INITIATOR, &none);
    FAIL(ERR_EXISTS, "the sync session %s has ended already: it is %s", id,
         state_session_status_name(ended.items[0].status));
}

static Error *look_again(State *s, const StateSessions *found, StateSessions *out)
{
    for (size_t i = 0; i < found->count; i++) {
        StateSession *one;
        TRY(state_session_get(s, found->items[i].id, found->items[i].role, &one));
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = *one;
        free(one);
    }
    return NULL;
}

static Error *stop_job_of(State *s, const StateSession *one, SyncStopJob stop_job, void *ctx,
                          Instant now)
{
    if (!one->job)
        return NULL;
    Error *e = stop_job ? stop_job(ctx, one->job) : op_cancel_job(s, one->job, now);
    /* It has ended: nothing is left to be stopped. Or its process is another container's: that one
     * hears of it at its next look. */
    ErrorKind kind = e ? error_kind(e) : ERR_EXISTS;
    bool fine = kind == ERR_EXISTS || kind == ERR_NOT_FOUND || (kind == ERR_PREFLIGHT && one->pid);
    if (!fine)
        return e;
    error_drop(e);
    return NULL;
}

Error *op_sync_cancel(State *s, const char *id, SyncStopJob stop_job, void *ctx, Instant now,
                      StateSessions *out)
{
    AUTO_VALUE(StateSessions) found = {0};
    TRY(find(s, id, &found));
    for (size_t i = 0; i < found.count; i++) {
        const StateSession *one = &found.items[i];
        Error *e = state_session_cancel(s, id, one->role, now, NULL);
        if (e && error_kind(e) != ERR_EXISTS) /* it has ended meanwhile */
            return e;
        error_drop(e);
        TRY(stop_job_of(s, one, stop_job, ctx, now));
    }
    return look_again(s, &found, out);
}

Error *op_sync_clear(State *s, const char *id, Instant now, StateSessions *out)
{
    AUTO_VALUE(StateSessions) found = {0};
    TRY(find(s, id, &found));
    for (size_t i = 0; i < found.count; i++) {
        const StateSession *one = &found.items[i];
        TRY(state_session_end(s, &(StateSessionRef){id, one->role, one->attempt},
                              &(StateSessionEnd){.status = SYNC_FAILED,
                                                 .error_kind = error_kind_info(ERR_FENCED)->name,
                                                 .error_message = "it was cleared by hand",
                                                 .error_hint = "pgstow sync resume goes on with it",
                                                 .now = now},
                              NULL));
    }
    return look_again(s, &found, out);
}
