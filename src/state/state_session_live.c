/* Sessions: who lives, who is dead, who is in whose way. */
#include <string.h>

#include "base/proc_id.h"
#include "base/text.h"
#include "state/session_rows.h"

/* -- dead or alive --------------------------------------------------------------------------------
 */

typedef struct Present {
    Instant now;
    int64_t mono;
    const char *boot; /* its id, a space, and the PID namespace */
} Present;

static bool same_boot(const char *a, const char *b)
{
    size_t n = strcspn(b, " ");
    return n > 0 && strcspn(a, " ") == n && !memcmp(a, b, n);
}

/* Why it is dead; NULL where it lives. Caller frees. */
static char *why_dead(const StateSession *s, const Present *p)
{
    const char *boot = s->boot ? s->boot : "";
    bool here = same_boot(boot, p->boot);
    int64_t age = here ? p->mono - s->beat_mono : p->now - s->heartbeat;
    char text[32];
    if (s->pid && *boot && *p->boot && !here)
        return mem_strdup("its host was restarted");
    if (s->pid && here && !strcmp(boot, p->boot) && !proc_id_is_alive(s->pid, s->pid_start))
        return mem_printf("its process (pid %lld) is gone", (long long)s->pid);
    if (age > SYNC_DEAD_MS)
        return mem_printf("nothing was heard of it for %s", text_duration(age, text));
    if (age < -SYNC_DEAD_MS) /* the clock was set back since another boot */
        return mem_strdup("its last sign of life is in the future");
    return NULL;
}

static Error *expire_one(State *s, StateSession *one, const char *why, Instant now)
{
    AUTO_VALUE(Query) q = {0};
    const char *before = one->error_message;
    AUTO(char)
    message = mem_printf("%s%s%s while it was %s", before ? before : "", before ? "; then " : "",
                         why, state_session_status_name(one->status));
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET status = 'FAILED', ended = ?, expired = 1,"
                   " error_kind = ?, error_message = ?, error_hint = ?, pid = NULL,"
                   " speed = 0, completion = NULL WHERE n = ?",
                   &q));
    query_int(&q, now);
    query_text(&q, before && one->error_kind ? one->error_kind : error_kind_info(ERR_FENCED)->name);
    query_text(&q, message);
    query_text(&q, before && one->error_hint
                       ? one->error_hint
                       : "run it again, or go on with it: pgstow sync resume; what was transferred "
                         "is not sent again");
    query_int(&q, one->n);
    TRY(query_run(&q, NULL));
    query_close(&q);
    AUTO(char) line = mem_printf("FAILED: %s", message);
    return session_add_line(s, one->n, now, "error", line);
}

static Error *live_sessions(State *s, StateSessions *out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(
        s, "SELECT " SESSION_COLUMNS " FROM full_sync_sessions WHERE ended IS NULL ORDER BY n",
        &q));
    return session_rows(&q, UINT32_MAX, out);
}

Error *session_expire_all(State *s, Instant now, StateSessions *out)
{
    AUTO_VALUE(StateSessions) live = {0};
    AUTO(char) boot = proc_id_boot();
    Present present = {now, clock_mono_ms(), boot};
    TRY(live_sessions(s, &live));
    for (size_t i = 0; i < live.count; i++) {
        StateSession *one = &live.items[i], *ended;
        AUTO(char) why = why_dead(one, &present);
        if (!why)
            continue;
        TRY(expire_one(s, one, why, now));
        if (!out)
            continue;
        TRY(session_row(s, one->id, one->role, &ended));
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = *ended;
        free(ended);
    }
    return NULL;
}

typedef struct Expiry {
    Instant now;
    bool jobs;
    StateSessions found;
} Expiry;

/* Who waits for a job of the service, which runs, cannot tell himself that he lives. */
static Error *beat_for_jobs(State *s, Instant now)
{
    AUTO_VALUE(Query) q = {0};
    AUTO(char) boot = proc_id_boot();
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET heartbeat = ?, beat_mono = ?, boot = ?"
                   " WHERE ended IS NULL AND pid IS NULL AND job IN"
                   " (SELECT id FROM job WHERE ended IS NULL)",
                   &q));
    query_int(&q, now);
    query_int(&q, clock_mono_ms());
    query_text(&q, boot);
    return query_run(&q, NULL);
}

static Error *expire(State *s, void *ctx)
{
    Expiry *c = ctx;
    if (c->jobs)
        TRY(beat_for_jobs(s, c->now));
    return session_expire_all(s, c->now, &c->found);
}

/* Looking takes no lock for writing as long as nothing has to be written. */
static Error *anything_to_do(State *s, bool jobs, Instant now, bool *out)
{
    AUTO_VALUE(StateSessions) live = {0};
    AUTO(char) boot = proc_id_boot();
    Present present = {now, clock_mono_ms(), boot};
    *out = false;
    TRY(live_sessions(s, &live));
    for (size_t i = 0; !*out && i < live.count; i++) {
        AUTO(char) why = why_dead(&live.items[i], &present);
        *out = why || (jobs && live.items[i].job && !live.items[i].pid);
    }
    return NULL;
}

Error *state_session_expire(State *s, bool jobs, Instant now, StateSessions *out)
{
    Expiry c = {.now = now, .jobs = jobs};
    bool needed;
    TRY(anything_to_do(s, jobs, now, &needed));
    Error *e = needed ? state_together(s, expire, &c) : NULL;
    if (e || !out) {
        state_sessions_clear(&c.found);
        return e;
    }
    *out = c.found;
    return NULL;
}

Error *state_session_last_death(State *s, Instant *out)
{
    return state_number(s, "SELECT ifnull(max(ended), 0) FROM full_sync_sessions WHERE expired",
                        out);
}

/* -- in whose way ---------------------------------------------------------------------------------
 */

Error *state_session_holder(State *s, const char *target, const char *place, const char *except,
                            StateSession **out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(state_session_expire(s, false, clock_now(), NULL));
    TRY(query_open(s,
                   "SELECT " SESSION_COLUMNS " FROM full_sync_sessions WHERE ended IS NULL"
                   " AND (target = ?1 OR place = ?2) AND (?3 IS NULL OR id <> ?3)"
                   " ORDER BY n LIMIT 1",
                   &q));
    query_maybe_text(&q, target);
    query_maybe_text(&q, place);
    query_maybe_text(&q, except);
    return session_only(&q, out);
}

/* -- asking one to stop ---------------------------------------------------------------------------
 */

typedef struct Stop {
    const char *id;
    SyncRole role;
    Instant now;
    bool at_once;
} Stop;

static Error *set_request(State *s, const StateSession *one)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "UPDATE full_sync_sessions SET cancel_requested = 1 WHERE n = ?", &q));
    query_int(&q, one->n);
    return query_run(&q, NULL);
}

static Error *stop(State *s, void *ctx)
{
    Stop *c = ctx;
    AUTO(StateSession) one = NULL;
    TRY(session_expire_all(s, c->now, NULL));
    TRY(session_row(s, c->id, c->role, &one));
    if (!one)
        return session_missing(c->id);
    if (one->ended)
        FAIL(ERR_EXISTS, "the sync session %s has ended already: it is %s", one->id,
             state_session_status_name(one->status));
    TRY(set_request(s, one));
    c->at_once = !one->pid;
    if (!c->at_once)
        return one->cancel_requested ? NULL
                                     : session_add_line(s, one->n, c->now, "warning",
                                                        "somebody asks for it to be cancelled");
    return state_session_end(s, &(StateSessionRef){one->id, one->role, one->attempt},
                             &(StateSessionEnd){.status = SYNC_CANCELLED,
                                                .error_kind = error_kind_info(ERR_CANCELLED)->name,
                                                .error_message = "it was cancelled",
                                                .now = c->now},
                             NULL);
}

Error *state_session_cancel(State *s, const char *id, SyncRole role, Instant now, bool *at_once)
{
    Stop c = {.id = id, .role = role, .now = now};
    TRY(state_together(s, stop, &c));
    if (at_once)
        *at_once = c.at_once;
    return NULL;
}
