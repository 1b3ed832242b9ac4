#include "serve/sync_watch.h"

#include "base/log.h"
#include "state/state_session.h"

/* A job may have ended before it was noted that it is the session's, or under another service. */
static Error *end_orphans(State *s)
{
    AUTO_VALUE(StateSessions) live = {0};
    TRY(state_session_list(s, &(StateSessionFilter){.statuses = SYNC_LIVE}, &live));
    for (size_t i = 0; i < live.count; i++) {
        AUTO(StateJob) job = NULL;
        if (!live.items[i].job || live.items[i].pid)
            continue;
        Error *e = state_job_get(s, live.items[i].job, &job);
        if (e && error_kind(e) != ERR_NOT_FOUND)
            return e;
        error_drop(e);
        if (job && job->ended)
            sync_watch_job_ended(s, job);
    }
    return NULL;
}

bool sync_watch_tick(State *s, SyncLook *last)
{
    AUTO_VALUE(StateSessions) dead = {0};
    int64_t now = clock_mono_ms();
    Instant death = last->death;
    if (last->at && now - last->at < SYNC_BEAT_MS)
        return false;
    last->at = now;
    AUTO(Error) e = state_session_expire(s, true, clock_now(), &dead);
    e = e ? e : end_orphans(s);
    e = e ? e : state_session_last_death(s, &death);
    if (e)
        log_warning("dead syncs were not looked for: %s", error_message(e));
    for (size_t i = 0; i < dead.count; i++)
        log_warning("sync %s with %s is FAILED: %s", dead.items[i].id, dead.items[i].peer,
                    dead.items[i].error_message);
    bool more = death > last->death;
    last->death = death;
    return more;
}

static Error *end_with(State *s, const StateSession *one, const StateJob *job)
{
    const char *message =
        job->error_message ? job->error_message : "its job ended without working for it";
    bool cancelled = job->status == JOB_CANCELLED;
    StateSessionEnd end = {.status = cancelled ? SYNC_CANCELLED : SYNC_FAILED,
                           .error_kind =
                               job->error_kind
                                   ? job->error_kind
                                   : error_kind_info(cancelled ? ERR_CANCELLED : ERR_FENCED)->name,
                           .error_message = message,
                           .error_hint = job->error_hint,
                           .now = clock_now()};
    return state_session_end(s, &(StateSessionRef){one->id, one->role, one->attempt}, &end, NULL);
}

/* Its backup is made, and fetched: what the job does behind that is its own matter. */
static bool is_left(const StateSession *s)
{
    return s->role == SYNC_REMOTE && s->direction == SYNC_PULL && s->status >= SYNC_TRANSFERRING;
}

void sync_watch_job_ended(State *s, const StateJob *job)
{
    AUTO_VALUE(StateSessions) live = {0};
    Error *e = state_session_list(s, &(StateSessionFilter){.statuses = SYNC_LIVE}, &live);
    for (size_t i = 0; !e && i < live.count; i++) {
        const StateSession *one = &live.items[i];
        if (one->job == job->id && !one->pid && !is_left(one) &&
            (one->role == SYNC_INITIATOR || job->status != JOB_SUCCEEDED))
            e = end_with(s, one, job);
    }
    if (e)
        log_warning("the sync of job %lld is not ended: %s", (long long)job->id, error_message(e));
    error_drop(e);
}
