/* Sessions: opened, led from status to status, ended. */
#include "state/state_session.h"

#include <string.h>

#include "base/proc_id.h"
#include "base/text.h"
#include "state/session_rows.h"

/* -- the log --------------------------------------------------------------------------------------
 */

Error *session_add_line(State *s, int64_t n, Instant at, const char *level, const char *line)
{
    AUTO_VALUE(Query) q = {0};
    AUTO_VALUE(Query) away = {0};
    TRY(query_open(s,
                   "INSERT INTO full_sync_log (session, n, at, level, line) SELECT ?1,"
                   " ifnull((SELECT max(n) FROM full_sync_log WHERE session = ?1), 0) + 1, ?2, ?3,"
                   " ?4",
                   &q));
    query_int(&q, n);
    query_int(&q, at);
    query_text(&q, level);
    query_text(&q, line);
    TRY(query_run(&q, NULL));
    query_close(&q);
    TRY(query_open(s,
                   "DELETE FROM full_sync_log WHERE session = ?1 AND n <="
                   " (SELECT max(n) FROM full_sync_log WHERE session = ?1) - ?2",
                   &away));
    query_int(&away, n);
    query_int(&away, SYNC_LOG_LINES);
    return query_run(&away, NULL);
}

typedef struct Line {
    const char *id, *level, *line;
    SyncRole role;
    Instant at;
} Line;

static Error *add_line(State *s, void *ctx)
{
    const Line *c = ctx;
    AUTO(StateSession) one = NULL;
    TRY(session_row(s, c->id, c->role, &one));
    return one ? session_add_line(s, one->n, c->at, c->level, c->line) : session_missing(c->id);
}

Error *state_session_log(State *s, const char *id, SyncRole role, Instant at, const char *level,
                         const char *line)
{
    Line c = {id, level, line, role, at};
    return state_together(s, add_line, &c);
}

/* -- opening --------------------------------------------------------------------------------------
 */

static const char *what(const StateSession *one)
{
    return one->database && *one->database ? one->database
           : one->target                   ? one->target
           : one->place                    ? one->place
                                           : "this database";
}

static Error *busy(const StateSession *one, Instant now)
{
    char age[32];
    return error_hint(
        ERROR_NEW(ERR_BUSY, "a sync into %s is under way: session %s (%s, peer %s, %s, for %s)",
                  what(one), one->id, state_session_direction_name(one->direction), one->peer,
                  state_session_status_name(one->status),
                  text_duration(now > one->started ? now - one->started : 0, age)),
        "wait for its end (pgstow sync status %s), or stop it: pgstow sync cancel %s; one whose "
        "process is gone gives way by itself within a minute",
        one->id, one->id);
}

static Error *check_free(State *s, const char *target, const char *place, const char *id,
                         Instant now)
{
    AUTO(StateSession) other = NULL;
    TRY(state_session_holder(s, target, place, id, &other));
    return other ? busy(other, now) : NULL;
}

typedef struct Opening {
    const StateSessionNew *new;
    const char *id;
    StateSession *out;
} Opening;

static void bind_process(Query *q, int64_t pid, const char *boot)
{
    query_maybe_int(q, pid);
    query_maybe_int(q, pid ? proc_id_start(pid) : 0);
    query_text(q, boot);
}

static Error *insert(State *s, const Opening *c)
{
    const StateSessionNew *n = c->new;
    AUTO(char) boot = proc_id_boot();
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "INSERT INTO full_sync_sessions (id, role, direction, status, peer, entry,"
                   " database, target, place, method, options, actor, created, started, heartbeat,"
                   " beat_mono, job, pid, pid_start, boot)"
                   " VALUES (?, ?, ?, 'PREPARING', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   &q));
    query_text(&q, c->id);
    query_text(&q, state_session_role_name(n->role));
    query_text(&q, state_session_direction_name(n->direction));
    query_text(&q, n->peer);
    query_text(&q, n->entry);
    query_text(&q, n->database);
    query_maybe_text(&q, n->target);
    query_maybe_text(&q, n->place);
    query_text(&q, n->method);
    query_whole_text(&q, n->options);
    query_text(&q, n->actor);
    query_int(&q, n->now);
    query_int(&q, n->now);
    query_int(&q, n->now);
    query_int(&q, clock_mono_ms());
    query_maybe_int(&q, n->job);
    bind_process(&q, n->pid, boot);
    return query_run(&q, NULL);
}

/* As it was, but for what is known better now. */
static Error *again(State *s, const Opening *c, const StateSession *old, bool next_attempt)
{
    const StateSessionNew *n = c->new;
    AUTO(char) boot = proc_id_boot();
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET status = 'PREPARING', phase = NULL, ended = NULL,"
                   " expired = 0, cancel_requested = cancel_requested AND NOT ?1,"
                   " attempt = attempt + ?1,"
                   " error_kind = NULL, error_message = NULL, error_hint = NULL, result = NULL,"
                   " target = ifnull(?2, target), place = ifnull(?3, place),"
                   " method = ifnull(?4, method), options = ifnull(?5, options),"
                   " entry = ifnull(?6, entry), database = ifnull(?7, database),"
                   " bytes_done = 0, bytes_total = 0, wire_bytes = CASE WHEN ?1 THEN 0 ELSE"
                   " wire_bytes END, rows_done = 0, rows_total = 0, speed = 0, completion = NULL,"
                   " started = ?8, heartbeat = ?8, beat_mono = ?9,"
                   /* An earlier attempt's job that ends only now is no end of this one. */
                   " job = CASE WHEN ?1 THEN ?10 ELSE ifnull(?10, job) END,"
                   " pid = ?11, pid_start = ?12, boot = ?13 WHERE n = ?14",
                   &q));
    query_int(&q, next_attempt);
    query_maybe_text(&q, n->target);
    query_maybe_text(&q, n->place);
    query_maybe_text(&q, n->method);
    query_whole_text(&q, n->options);
    query_maybe_text(&q, n->entry);
    query_maybe_text(&q, n->database);
    query_int(&q, n->now);
    query_int(&q, clock_mono_ms());
    query_maybe_int(&q, n->job);
    bind_process(&q, n->pid, boot);
    query_int(&q, old->n);
    return query_run(&q, NULL);
}

/* Whether a row of this id and role may be opened once more; *next: as another attempt. */
static Error *may_again(const Opening *c, const StateSession *old, bool *next)
{
    const StateSessionNew *n = c->new;
    *next = old->ended != 0;
    if (old->direction != n->direction || strcmp(old->peer, n->peer ? n->peer : "") != 0)
        return error_hint(ERROR_NEW(ERR_EXISTS, "the sync session %s is another one: a %s with %s",
                                    old->id, state_session_direction_name(old->direction),
                                    old->peer),
                          "take another id, or none: then one is made");
    if (!old->ended)
        return !old->pid && old->job && old->job == n->job ? NULL : busy(old, n->now);
    if (old->status == SYNC_COMPLETED)
        FAIL(ERR_EXISTS, "the sync session %s is COMPLETED", old->id);
    if (!n->resume)
        return error_hint(ERROR_NEW(ERR_EXISTS, "the sync session %s has ended: it is %s", old->id,
                                    state_session_status_name(old->status)),
                          "go on with it (pgstow sync resume %s), or take another id", old->id);
    return NULL;
}

static Error *open_session(State *s, void *ctx)
{
    Opening *c = ctx;
    const StateSessionNew *n = c->new;
    AUTO(StateSession) old = NULL;
    bool next = false;
    TRY(session_expire_all(s, n->now, NULL));
    TRY(session_row(s, c->id, n->role, &old));
    if (old)
        TRY(may_again(c, old, &next));
    /* What an earlier attempt wrote into it writes into again. */
    TRY(check_free(s,
                   n->target ? n->target
                   : old     ? old->target
                             : NULL,
                   n->place ? n->place
                   : old    ? old->place
                            : NULL,
                   c->id, n->now));
    TRY(old ? again(s, c, old, next) : insert(s, c));
    TRY(session_row(s, c->id, n->role, &c->out));
    AUTO(char)
    line = old && next ? mem_printf("PREPARING: attempt %d", c->out->attempt)
                       : mem_printf("PREPARING: %s, peer %s%s%s",
                                    state_session_direction_name(n->direction), c->out->peer,
                                    *c->out->database ? ", database " : "", c->out->database);
    return old && !next ? NULL : session_add_line(s, c->out->n, n->now, "info", line);
}

Error *state_session_open(State *s, const StateSessionNew *session, StateSession **out)
{
    char made[SYNC_ID_TEXT];
    Opening c = {.new = session, .id = session->id};
    if (!c.id)
        c.id = state_session_id_make(session->now, made);
    if (!state_session_id_valid(c.id))
        return error_hint(ERROR_NEW(ERR_USAGE, "that is no id of a sync session"),
                          "up to %d of A-Z a-z 0-9 . _ -, the first no dot and no dash",
                          SYNC_ID_MAX);
    if (session->options && strlen(session->options) > STATE_TEXT_MAX)
        FAIL(ERR_LIMIT, "the options of a sync are larger than %d bytes", STATE_TEXT_MAX);
    Error *e = state_together(s, open_session, &c);
    if (e) {
        state_session_free(c.out);
        return e;
    }
    *out = c.out;
    return NULL;
}

/* -- under way ------------------------------------------------------------------------------------
 */

static Error *fenced(const StateSession *one)
{
    if (one->status == SYNC_CANCELLED)
        FAIL(ERR_CANCELLED, "the sync session %s was cancelled", one->id);
    if (!one->ended)
        FAIL(ERR_FENCED, "another attempt of the sync session %s is under way", one->id);
    return error_hint(ERROR_NEW(ERR_FENCED, "the sync session %s has ended: it is %s%s%s", one->id,
                                state_session_status_name(one->status),
                                one->error_message ? ": " : "",
                                one->error_message ? one->error_message : ""),
                      "pgstow sync resume %s goes on with it", one->id);
}

/* The row that is meant, which lives. */
static Error *need(State *s, const StateSessionRef *ref, StateSession **out)
{
    AUTO(StateSession) one = NULL;
    TRY(session_row(s, ref->id, ref->role, &one));
    if (!one)
        return session_missing(ref->id);
    if (one->ended || (ref->attempt && ref->attempt != one->attempt))
        return fenced(one);
    *out = STEAL(one);
    return NULL;
}

Error *state_session_look(State *s, const StateSessionRef *ref, bool *cancel)
{
    AUTO(StateSession) one = NULL;
    TRY(need(s, ref, &one));
    if (cancel)
        *cancel = one->cancel_requested;
    return NULL;
}

static Error *beat(State *s, int64_t n, Instant now)
{
    AUTO(char) boot = proc_id_boot();
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET heartbeat = ?, beat_mono = ?,"
                   " boot = CASE WHEN pid IS NULL THEN ? ELSE boot END WHERE n = ?",
                   &q));
    query_int(&q, now);
    query_int(&q, clock_mono_ms());
    query_text(&q, boot);
    query_int(&q, n);
    return query_run(&q, NULL);
}

typedef struct Change {
    const StateSessionRef *ref;
    Instant now;
    SyncStatus status;
    const char *phase;
    const StateSessionProgress *progress;
    const StateSessionFacts *facts;
    int64_t pid, job;
    bool cancel;
} Change;

static Error *step(State *s, void *ctx)
{
    const Change *c = ctx;
    AUTO(StateSession) one = NULL;
    AUTO_VALUE(Query) q = {0};
    TRY(need(s, c->ref, &one));
    if (!state_session_may_follow(one->status, c->status) || c->status >= SYNC_COMPLETED)
        FAIL(ERR_INTERNAL, "the sync session %s cannot go from %s to %s", one->id,
             state_session_status_name(one->status), state_session_status_name(c->status));
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET status = ?1, phase = ?2,"
                   " bytes_done = CASE WHEN status = ?1 THEN bytes_done ELSE 0 END,"
                   " bytes_total = CASE WHEN status = ?1 THEN bytes_total ELSE 0 END,"
                   " rows_done = CASE WHEN status = ?1 THEN rows_done ELSE 0 END,"
                   " rows_total = CASE WHEN status = ?1 THEN rows_total ELSE 0 END,"
                   " error_kind = CASE WHEN status = ?1 THEN error_kind END,"
                   " error_message = CASE WHEN status = ?1 THEN error_message END,"
                   " error_hint = CASE WHEN status = ?1 THEN error_hint END,"
                   " speed = 0, completion = NULL WHERE n = ?3",
                   &q));
    query_text(&q, state_session_status_name(c->status));
    query_maybe_text(&q, c->phase);
    query_int(&q, one->n);
    TRY(query_run(&q, NULL));
    query_close(&q);
    TRY(beat(s, one->n, c->now));
    bool told =
        one->status == c->status && !strcmp(c->phase ? c->phase : "", one->phase ? one->phase : "");
    AUTO(char)
    line = mem_printf("%s%s%s", state_session_status_name(c->status), c->phase ? ": " : "",
                      c->phase ? c->phase : "");
    return told ? NULL : session_add_line(s, one->n, c->now, "info", line);
}

Error *state_session_step(State *s, const StateSessionRef *ref, SyncStatus status,
                          const char *phase, Instant now)
{
    Change c = {.ref = ref, .now = now, .status = status, .phase = phase};
    return state_together(s, step, &c);
}

static Error *progress(State *s, void *ctx)
{
    Change *c = ctx;
    const StateSessionProgress *p = c->progress;
    AUTO(StateSession) one = NULL;
    AUTO_VALUE(Query) q = {0};
    TRY(need(s, c->ref, &one));
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET phase = ifnull(?, phase), bytes_done = ?,"
                   " bytes_total = ?, wire_bytes = ?, rows_done = ?, rows_total = ?, speed = ?,"
                   " completion = ? WHERE n = ?",
                   &q));
    query_maybe_text(&q, p->phase);
    query_int(&q, (int64_t)p->bytes_done);
    query_int(&q, (int64_t)p->bytes_total);
    query_int(&q, (int64_t)p->wire_bytes);
    query_int(&q, (int64_t)p->rows_done);
    query_int(&q, (int64_t)p->rows_total);
    query_int(&q, (int64_t)p->speed);
    query_maybe_int(&q, p->completion);
    query_int(&q, one->n);
    TRY(query_run(&q, NULL));
    query_close(&q);
    c->cancel = one->cancel_requested;
    return beat(s, one->n, c->now);
}

Error *state_session_progress(State *s, const StateSessionRef *ref, const StateSessionProgress *p,
                              Instant now, bool *cancel)
{
    Change c = {.ref = ref, .now = now, .progress = p};
    TRY(state_together(s, progress, &c));
    if (cancel)
        *cancel = c.cancel;
    return NULL;
}

static Error *only_beat(State *s, void *ctx)
{
    Change *c = ctx;
    AUTO(StateSession) one = NULL;
    TRY(need(s, c->ref, &one));
    c->cancel = one->cancel_requested;
    return beat(s, one->n, c->now);
}

Error *state_session_beat(State *s, const StateSessionRef *ref, Instant now, bool *cancel)
{
    Change c = {.ref = ref, .now = now};
    TRY(state_together(s, only_beat, &c));
    if (cancel)
        *cancel = c.cancel;
    return NULL;
}

static Error *hold(State *s, void *ctx)
{
    const Change *c = ctx;
    AUTO(StateSession) one = NULL;
    AUTO(char) boot = proc_id_boot();
    AUTO_VALUE(Query) q = {0};
    TRY(need(s, c->ref, &one));
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET job = ifnull(?, job), pid = ?, pid_start = ?,"
                   " boot = ? WHERE n = ?",
                   &q));
    query_maybe_int(&q, c->job);
    bind_process(&q, c->pid, boot);
    query_int(&q, one->n);
    TRY(query_run(&q, NULL));
    query_close(&q);
    return beat(s, one->n, c->now);
}

Error *state_session_hold(State *s, const StateSessionRef *ref, int64_t pid, int64_t job,
                          Instant now)
{
    Change c = {.ref = ref, .now = now, .pid = pid, .job = job};
    return state_together(s, hold, &c);
}

static Error *learn(State *s, void *ctx)
{
    const Change *c = ctx;
    const StateSessionFacts *f = c->facts;
    AUTO(StateSession) one = NULL;
    AUTO_VALUE(Query) q = {0};
    TRY(need(s, c->ref, &one));
    TRY(session_expire_all(s, c->now, NULL));
    TRY(check_free(s, f->target, f->place, one->id, c->now));
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET target = ifnull(?, target),"
                   " place = ifnull(?, place), database = ifnull(?, database),"
                   " method = ifnull(?, method), backup = ifnull(?, backup),"
                   " options = ifnull(?, options), error_kind = ifnull(?, error_kind),"
                   " error_message = ifnull(?, error_message), error_hint = ifnull(?, error_hint)"
                   " WHERE n = ?",
                   &q));
    query_maybe_text(&q, f->target);
    query_maybe_text(&q, f->place);
    query_maybe_text(&q, f->database);
    query_maybe_text(&q, f->method);
    query_maybe_text(&q, f->backup);
    query_whole_text(&q, f->options);
    query_maybe_text(&q, f->error_kind);
    query_maybe_text(&q, f->error_message);
    query_maybe_text(&q, f->error_hint);
    query_int(&q, one->n);
    TRY(query_run(&q, NULL));
    query_close(&q);
    return beat(s, one->n, c->now);
}

Error *state_session_learn(State *s, const StateSessionRef *ref, const StateSessionFacts *facts,
                           Instant now)
{
    Change c = {.ref = ref, .now = now, .facts = facts};
    if (facts->options && strlen(facts->options) > STATE_TEXT_MAX)
        FAIL(ERR_LIMIT, "the options of a sync are larger than %d bytes", STATE_TEXT_MAX);
    return state_together(s, learn, &c);
}

/* -- the end --------------------------------------------------------------------------------------
 */

typedef struct Ending {
    const StateSessionRef *ref;
    const StateSessionEnd *end;
    bool ended;
} Ending;

static Error *end_line(State *s, const StateSession *one, const StateSessionEnd *e)
{
    bool told = e->error_message && e->status != SYNC_COMPLETED;
    AUTO(char)
    line = mem_printf("%s%s%s", state_session_status_name(e->status), told ? ": " : "",
                      told ? e->error_message : "");
    const char *level = e->status == SYNC_COMPLETED   ? "info"
                        : e->status == SYNC_CANCELLED ? "warning"
                                                      : "error";
    return session_add_line(s, one->n, e->now, level, line);
}

static Error *end(State *s, void *ctx)
{
    Ending *c = ctx;
    const StateSessionEnd *e = c->end;
    AUTO(StateSession) one = NULL;
    AUTO_VALUE(Query) q = {0};
    int64_t changed;
    TRY(session_row(s, c->ref->id, c->ref->role, &one));
    if (!one)
        return session_missing(c->ref->id);
    if (c->ref->attempt && c->ref->attempt != one->attempt)
        return NULL;
    TRY(query_open(s,
                   "UPDATE full_sync_sessions SET status = ?, ended = ?, expired = 0,"
                   " backup = ifnull(?, backup), result = ?, error_kind = ?, error_message = ?,"
                   " error_hint = ?, phase = NULL, speed = 0, completion = NULL, pid = NULL,"
                   " cancel_requested = 0 WHERE n = ? AND (ended IS NULL OR expired)",
                   &q));
    query_text(&q, state_session_status_name(e->status));
    query_int(&q, e->now);
    query_maybe_text(&q, e->backup);
    query_whole_text(&q, e->result);
    query_maybe_text(&q, e->error_kind);
    query_maybe_text(&q, e->error_message);
    query_maybe_text(&q, e->error_hint);
    query_int(&q, one->n);
    TRY(query_run(&q, &changed));
    query_close(&q);
    c->ended = changed > 0;
    return c->ended ? end_line(s, one, e) : NULL;
}

Error *state_session_end(State *s, const StateSessionRef *ref, const StateSessionEnd *e,
                         bool *ended)
{
    StateSessionEnd bounded = *e;
    AUTO(char) too_large = NULL;
    Ending c = {.ref = ref, .end = &bounded};
    if (e->status < SYNC_COMPLETED || e->status >= SYNC_STATUSES)
        FAIL(ERR_INTERNAL, "a sync cannot end as %s", state_session_status_name(e->status));
    if (e->result && strlen(e->result) > SYNC_RESULT_MAX)
        bounded.result = too_large = mem_printf("{\"tooLarge\": %zu}", strlen(e->result));
    TRY(state_together(s, end, &c));
    if (ended)
        *ended = c.ended;
    return NULL;
}
