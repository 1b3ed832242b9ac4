#include "op/sync_session.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "flow/cond.h"
#include "flow/speed.h"
#include "op/history.h"

#define TICK_MS 1000
#define WRITE_MS 2000                    /* between two reports of progress */
#define SILENT_MS (SYNC_DEAD_MS - 15000) /* so long it may fail to tell that it lives */
#define END_MS 30000                     /* so long its end is tried to be written */
#define JOIN_MS 10000
#define LINE_MAX_BYTES 4096

struct SyncSession {
    State *state;
    Job *job;
    char *id, *backup;
    SyncRole role;
    int attempt;
    void (*beat)(void *ctx);
    uint64_t (*ask_wire)(void *ctx);
    void *ctx;
    pthread_t heart, teller; /* the second only where there is a beat */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under the lock */
    bool stopping, cancelled;
    uint64_t wire, rows_done, rows_total;
    bool reported;
    StateSessionProgress report; /* what another host says */
    char *report_phase, *phase;  /* the second: of the step, NULL: the Job's */
    unsigned steps;              /* how often it went to another status */
    Error *why;                  /* it must not go on */
};

static StateSessionRef ref_of(const SyncSession *s)
{
    return (StateSessionRef){s->id, s->role, s->attempt};
}

/* -- the heartbeat --------------------------------------------------------------------------------
 */

typedef struct Beat {
    Speed speed;
    unsigned steps;
    int64_t written, alive; /* clock_mono_ms: the last try, the last success */
    StateSessionProgress last;
    char *last_phase;
    bool warned;
} Beat;

static char *job_phase_text(const JobProgress *p)
{
    if (!*p->phase)
        return NULL;
    return mem_printf("%s%s%s", p->phase, *p->object ? " " : "", p->object);
}

/* What is to be written now; *phase is owned by the caller. */
static void look(SyncSession *s, Beat *b, StateSessionProgress *p, char **phase)
{
    JobProgress job;
    int64_t now = clock_mono_ms();
    job_snapshot(s->job, &job);
    if (s->ask_wire)
        sync_session_wire(s, s->ask_wire(s->ctx));
    pthread_mutex_lock(&s->lock);
    *p = s->reported ? s->report
                     : (StateSessionProgress){.bytes_done = job.bytes_done,
                                              .bytes_total = job.bytes_total,
                                              .rows_done = s->rows_done,
                                              .rows_total = s->rows_total};
    p->wire_bytes = s->wire;
    if (s->reported && s->report_phase)
        *phase = mem_strdup(s->report_phase);
    else
        *phase = s->phase ? mem_strdup(s->phase) : job_phase_text(&job);
    if (b->steps != s->steps)
        b->speed = (Speed){0};
    b->steps = s->steps;
    pthread_mutex_unlock(&s->lock);
    p->phase = *phase;
    speed_add(&b->speed, now, p->bytes_done);
    p->speed = speed_rate(&b->speed);
    int64_t left = p->bytes_total ? speed_left(&b->speed, p->bytes_total) : -1;
    p->completion = left >= 0 ? clock_now() + left : 0;
}

static bool has_news(const Beat *b, const StateSessionProgress *p)
{
    const StateSessionProgress *l = &b->last;
    return p->bytes_done != l->bytes_done || p->bytes_total != l->bytes_total ||
           p->wire_bytes != l->wire_bytes || p->rows_done != l->rows_done ||
           p->rows_total != l->rows_total ||
           strcmp(p->phase ? p->phase : "", b->last_phase ? b->last_phase : "") != 0;
}

static void give_up(SyncSession *s, Error *why)
{
    pthread_mutex_lock(&s->lock);
    s->why = error_first(s->why, why);
    pthread_mutex_unlock(&s->lock);
    cancel_request(job_cancel(s->job));
}

/* Whether the heart goes on beating. Takes e over. */
static bool bear(SyncSession *s, Beat *b, Error *e)
{
    ErrorKind kind = error_kind(e);
    if (kind == ERR_FENCED || kind == ERR_CANCELLED || kind == ERR_NOT_FOUND) {
        give_up(s, e);
        return false;
    }
    if (clock_mono_ms() - b->alive >= SILENT_MS) {
        give_up(s, error_rekind(error_context(e,
                                              "the sync session %s cannot tell that it lives, "
                                              "and would be taken for dead",
                                              s->id),
                                ERR_FENCED));
        return false;
    }
    if (!b->warned)
        log_warning("the sync session %s cannot be written: %s", s->id, error_message(e));
    b->warned = true;
    error_drop(e);
    return true;
}

/* What is new, or that it lives; where it is time for neither, only whether it is to go on. */
static Error *speak(SyncSession *s, Beat *b, int64_t now, bool *cancel)
{
    StateSessionProgress p;
    AUTO(char) phase = NULL;
    StateSessionRef ref = ref_of(s);
    look(s, b, &p, &phase);
    bool due = now - b->written >= SYNC_BEAT_MS;
    if (!due && !(now - b->written >= WRITE_MS && has_news(b, &p)))
        return state_session_look(s->state, &ref, cancel);
    b->written = now;
    TRY(state_session_progress(s->state, &ref, &p, clock_now(), cancel));
    free(b->last_phase);
    b->last = p;
    b->last_phase = STEAL(phase);
    b->alive = clock_mono_ms();
    b->warned = false;
    return NULL;
}

static void stop_job(SyncSession *s)
{
    pthread_mutex_lock(&s->lock);
    s->cancelled = true;
    pthread_mutex_unlock(&s->lock);
    cancel_request(job_cancel(s->job));
}

static bool write_beat(SyncSession *s, Beat *b, int64_t now)
{
    bool cancel = false;
    Error *e = speak(s, b, now, &cancel);
    if (e)
        return bear(s, b, e);
    if (cancel)
        stop_job(s);
    return true; /* it lives until it has ended */
}

static bool is_stopping(SyncSession *s, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && cond_wait_until(&s->wake, &s->lock, until))
        ;
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

static void *heart(void *arg)
{
    SyncSession *s = arg;
    int64_t start = clock_mono_ms();
    Beat b = {.written = start, .alive = start};
    while (!is_stopping(s, TICK_MS) && write_beat(s, &b, clock_mono_ms()))
        ;
    free(b.last_phase);
    return NULL;
}

/* By itself: a peer that does not answer must not keep this side from telling that it lives. */
static void *teller(void *arg)
{
    SyncSession *s = arg;
    while (!is_stopping(s, SYNC_BEAT_MS))
        s->beat(s->ctx);
    return NULL;
}

/* -- opening --------------------------------------------------------------------------------------
 */

static void session_free(SyncSession *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    state_close(s->state);
    error_free(s->why);
    free(s->id);
    free(s->backup);
    free(s->phase);
    free(s->report_phase);
    free(s);
}
DEFINE_AUTO(SyncSession, session_free)

static int64_t own_job(void)
{
    const char *text = getenv("PGSTOW_JOB");
    int64_t job = 0;
    if (text)
        error_drop(text_parse_int(text, 1, INT64_MAX, &job));
    return job;
}

static void stop_heart(SyncSession *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->heart, NULL);
    if (s->beat)
        pthread_join(s->teller, NULL);
}

static Error *start_heart(SyncSession *s)
{
    int rc = pthread_create(&s->heart, NULL, heart, s);
    if (!rc && s->beat) {
        rc = pthread_create(&s->teller, NULL, teller, s);
        if (rc) {
            s->beat = NULL;
            stop_heart(s);
        }
    }
    return rc ? ERROR_NEW(ERR_MEMORY, "no thread for the sync session: %s", strerror(rc)) : NULL;
}

/* Takes the row's facts over and begins to beat; where that fails the session has FAILED. */
static Error *begin(const SyncSessionOptions *o, StateSession *row, SyncSession *s)
{
    s->job = o->job;
    s->id = STEAL(row->id);
    s->backup = STEAL(row->backup);
    s->role = row->role;
    s->attempt = row->attempt;
    s->beat = o->beat;
    s->ask_wire = o->wire;
    s->ctx = o->ctx;
    Error *e = start_heart(s);
    if (!e)
        return NULL;
    StateSessionRef ref = ref_of(s);
    StateSessionEnd end = {.status = SYNC_FAILED,
                           .error_kind = error_kind_info(ERR_MEMORY)->name,
                           .error_message = error_message(e),
                           .now = clock_now()};
    error_drop(state_session_end(s->state, &ref, &end, NULL));
    return e;
}

/* The service opens the session, begins the job, and notes that in the session. Meanwhile this
 * process, which is the job, may be here already. */
static Error *open_row(State *state, const StateSessionNew *new, const Cancel *c,
                       StateSession **row)
{
    for (int64_t until = clock_mono_ms() + JOIN_MS;;) {
        AUTO(StateSession) there = NULL;
        Error *e = state_session_open(state, new, row);
        if (!e || error_kind(e) != ERR_BUSY || !new->job || !new->id || clock_mono_ms() >= until)
            return e;
        Error *looked = state_session_get(state, new->id, new->role, &there);
        bool unnoted = !looked && !there->ended && !there->pid && !there->job;
        error_drop(looked);
        if (!unnoted)
            return e;
        error_drop(e);
        TRY(cancel_check(c));
        clock_sleep_ms(10);
    }
}

Error *sync_session_open(const SyncSessionOptions *o, SyncSession **out)
{
    AUTO(SyncSession) s = mem_new(SyncSession);
    AUTO(StateSession) row = NULL;
    AUTO(char) user = history_user();
    StateSessionNew row_new = o->state;
    pthread_mutex_init(&s->lock, NULL);
    cond_init(&s->wake);
    TRY(state_open(o->folder, NULL, &s->state));
    row_new.pid = getpid();
    row_new.job = own_job();
    row_new.actor = user;
    row_new.now = clock_now();
    TRY(open_row(s->state, &row_new, job_cancel(o->job), &row));
    TRY(begin(o, row, s));
    *out = STEAL(s);
    return NULL;
}

/* The service notes the job right after it has begun it. */
static Error *wait_for_job(State *state, const SyncSessionOptions *o, StateSession **row)
{
    for (int64_t until = clock_mono_ms() + JOIN_MS;;) {
        TRY(state_session_get(state, o->state.id, o->state.role, row));
        if ((*row)->ended || (own_job() && (*row)->job == own_job()))
            return NULL;
        if (clock_mono_ms() >= until)
            FAIL(ERR_BUSY, "the sync session %s is not this process's", o->state.id);
        state_session_free(*row);
        *row = NULL;
        TRY(cancel_check(job_cancel(o->job)));
        clock_sleep_ms(10);
    }
}

Error *sync_session_join(const SyncSessionOptions *o, SyncSession **out)
{
    AUTO(SyncSession) s = mem_new(SyncSession);
    AUTO(StateSession) row = NULL;
    pthread_mutex_init(&s->lock, NULL);
    cond_init(&s->wake);
    TRY(state_open(o->folder, &(StateOptions){.existing = true}, &s->state));
    TRY(wait_for_job(s->state, o, &row));
    StateSessionRef ref = {row->id, row->role, row->attempt};
    TRY(state_session_hold(s->state, &ref, getpid(), 0, clock_now()));
    TRY(begin(o, row, s));
    *out = STEAL(s);
    return NULL;
}

const char *sync_session_id(const SyncSession *s)
{
    return s->id;
}

int sync_session_attempt(const SyncSession *s)
{
    return s->attempt;
}

const char *sync_session_backup(const SyncSession *s)
{
    return s->backup;
}

State *sync_session_state(SyncSession *s)
{
    return s->state;
}

/* -- under way ------------------------------------------------------------------------------------
 */

static Error *step(SyncSession *s, SyncStatus status, const char *phase)
{
    StateSessionRef ref = ref_of(s);
    pthread_mutex_lock(&s->lock);
    free(s->phase);
    s->phase = mem_strdup(phase);
    s->reported = false;
    s->rows_done = s->rows_total = 0;
    s->steps++;
    pthread_mutex_unlock(&s->lock);
    return state_session_step(s->state, &ref, status, phase, clock_now());
}

Error *sync_session_step(SyncSession *s, SyncStatus status, const char *phase)
{
    StateSessionRef ref = ref_of(s);
    bool cancel = false;
    TRY(step(s, status, phase));
    /* The heart hears of it within a second: what is short would be done before. */
    TRY(state_session_look(s->state, &ref, &cancel));
    if (!cancel)
        return NULL;
    stop_job(s);
    return cancel_check(job_cancel(s->job));
}

void sync_session_verify(SyncSession *s, const char *phase)
{
    AUTO(Error) e = step(s, SYNC_VERIFYING, phase);
    if (e)
        log_warning("the sync session %s is VERIFYING, which cannot be written: %s", s->id,
                    error_message(e));
}

Error *sync_session_learn(SyncSession *s, const StateSessionFacts *facts)
{
    StateSessionRef ref = ref_of(s);
    return state_session_learn(s->state, &ref, facts, clock_now());
}

void sync_session_wire(SyncSession *s, uint64_t bytes)
{
    pthread_mutex_lock(&s->lock);
    s->wire = bytes;
    pthread_mutex_unlock(&s->lock);
}

void sync_session_rows(SyncSession *s, uint64_t done, uint64_t total)
{
    pthread_mutex_lock(&s->lock);
    s->rows_done = done;
    s->rows_total = total;
    pthread_mutex_unlock(&s->lock);
}

void sync_session_report(SyncSession *s, const StateSessionProgress *p)
{
    pthread_mutex_lock(&s->lock);
    s->reported = true;
    s->report = *p;
    s->report.phase = NULL;
    if (p->phase) {
        free(s->report_phase);
        s->report_phase = mem_strdup(p->phase);
    }
    pthread_mutex_unlock(&s->lock);
}

void sync_session_log(SyncSession *s, const char *level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    line[text_kept(line, sizeof line - 4)] = 0;
    Error *e = state_session_log(s->state, s->id, s->role, clock_now(), level, line);
    if (e)
        log_warning("the log of the sync session %s has nothing of this (%s): %s", s->id,
                    error_message(e), line);
    error_drop(e);
}

bool sync_session_cancelled(SyncSession *s)
{
    pthread_mutex_lock(&s->lock);
    bool yes = s->cancelled;
    pthread_mutex_unlock(&s->lock);
    return yes;
}

/* -- the end --------------------------------------------------------------------------------------
 */

static Error *write_end(SyncSession *s, const StateSessionEnd *end, bool *ended)
{
    StateSessionRef ref = ref_of(s);
    for (int64_t until = clock_mono_ms() + END_MS;;) {
        Error *e = state_session_end(s->state, &ref, end, ended);
        if (!e || error_kind(e) == ERR_NOT_FOUND || clock_mono_ms() >= until)
            return e;
        error_drop(e);
        clock_sleep_ms(500);
    }
}

static void tell_end(SyncSession *s, const Error *e, const SyncSessionEnd *how)
{
    StateSessionEnd end = {.status = SYNC_COMPLETED, .now = clock_now()};
    bool ended = false;
    if (how) {
        end.backup = how->backup;
        end.result = how->result;
    }
    if (e) {
        end.status = error_kind(e) == ERR_CANCELLED ? SYNC_CANCELLED : SYNC_FAILED;
        end.error_kind = error_kind_info(error_kind(e))->name;
        end.error_message = error_message(e);
        end.error_hint = error_hint_text(e);
    }
    /* Its last progress, so that what is kept is whole. */
    StateSessionRef ref = ref_of(s);
    StateSessionProgress p;
    Beat b = {.steps = s->steps};
    AUTO(char) phase = NULL;
    look(s, &b, &p, &phase);
    error_drop(state_session_progress(s->state, &ref, &p, clock_now(), NULL));
    Error *failed = write_end(s, &end, &ended);
    if (failed)
        log_warning("the sync session %s is %s, which cannot be written; it will be taken for one "
                    "that died: %s",
                    s->id, state_session_status_name(end.status), error_message(failed));
    else if (!ended)
        log_warning("the sync session %s is %s, but had ended, or was begun again, before", s->id,
                    state_session_status_name(end.status));
    error_drop(failed);
}

Error *sync_session_leave(SyncSession *session)
{
    AUTO(SyncSession) s = session;
    StateSessionRef ref = ref_of(s);
    stop_heart(s);
    return state_session_hold(s->state, &ref, 0, 0, clock_now());
}

Error *sync_session_close(SyncSession *session, Error *e, const SyncSessionEnd *end)
{
    AUTO(SyncSession) s = session;
    if (!s)
        return e;
    stop_heart(s);
    if (e && s->why && error_kind(e) == ERR_CANCELLED) {
        error_free(e);
        e = STEAL(s->why);
    }
    tell_end(s, e, end);
    return e;
}

/* -- what it writes into --------------------------------------------------------------------------
 */

Error *sync_target_of(Conn *c, char **out)
{
    AUTO(char) oid = NULL;
    AUTO(char) system = NULL;
    TRY(conn_value(c,
                   "SELECT oid FROM pg_catalog.pg_database WHERE datname = "
                   "pg_catalog.current_database()",
                   0, NULL, &oid));
    /* Not everybody may ask for it. */
    Error *e = conn_value(c, "SELECT system_identifier FROM pg_catalog.pg_control_system()", 0,
                          NULL, &system);
    if (e && conn_broken(c))
        return e;
    error_free(e);
    if (!system)
        system = mem_printf("%s:%s", conn_host(c), conn_port(c));
    *out = mem_printf("%s/%s", system, oid);
    return NULL;
}

char *sync_place_here(const char *entry, const char *database)
{
    if (entry && *entry)
        return mem_printf("entry %s", entry);
    return database && *database ? mem_printf("database %s", database) : NULL;
}

char *sync_place_there(const char *peer, const char *entry)
{
    return mem_printf("peer %s %s", peer, entry ? entry : "");
}
