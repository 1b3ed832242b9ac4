/* Sync sessions: one row for each sync that this host takes part in (table full_sync_sessions). A
 * sync between two hosts has one in the state of each, under the same id: the initiator's and the
 * remote's. One service may be both, so a session is known by its id and its role.
 *
 * Whoever works for a session tells that it lives: by what it reports, or by a heartbeat at least
 * every SYNC_BEAT_MS. One that has been silent for SYNC_DEAD_MS, or whose process is gone on this
 * host, is dead: opening, listing and getting end it as FAILED, with why, before they look, so that
 * it never blocks another. Ages are measured by a clock that nobody sets, as far as it is the same
 * boot. A session without a process (pid 0: one that is held by a peer's requests) has its
 * heartbeat alone.
 *
 * Each open of an id is an attempt (1, 2, ...): who worked for an earlier one, and comes back after
 * it was taken for dead, is ERR_FENCED and must stop.
 *
 * Each change of status adds an event (state_event.h) "sync.<STATUS>" in the same transaction, and
 * a line to the session's log.
 */
#ifndef PGSTOW_STATE_STATE_SESSION_H
#define PGSTOW_STATE_STATE_SESSION_H

#include "state/state.h"
#include "state/state_log.h"

#define SYNC_BEAT_MS 5000
#define SYNC_DEAD_MS 60000
#define SYNC_ID_MAX 64 /* bytes of an id: [A-Za-z0-9._-], the first no "." and no "-" */
#define SYNC_ID_TEXT (SYNC_ID_MAX + 1)
#define SYNC_LOG_LINES 1000 /* of one session; the oldest are dropped */
#define SYNC_RESULT_MAX (1u << 20)

typedef enum SyncRole { SYNC_INITIATOR, SYNC_REMOTE, SYNC_ROLES } SyncRole;
typedef enum SyncDirection {
    SYNC_PULL,
    SYNC_PUSH,
    SYNC_DIRECTIONS
} SyncDirection; /* seen by the
             initiator, in both rows */
/* The way goes forward, any of them may be left out. Back to PREPARING leads only from BACKING_UP
 * (another method is tried). From each that has not ended to FAILED, CANCELLED, COMPLETED. */
typedef enum SyncStatus {
    SYNC_PREPARING,
    SYNC_BACKING_UP,
    SYNC_TRANSFERRING,
    SYNC_RESTORING,
    SYNC_VERIFYING,
    SYNC_COMPLETED,
    SYNC_FAILED,
    SYNC_CANCELLED,
    SYNC_STATUSES
} SyncStatus;
#define SYNC_LIVE ((1u << SYNC_COMPLETED) - 1) /* the bits of those that have not ended */

const char *state_session_role_name(SyncRole role);                /* "initiator", "remote" */
const char *state_session_direction_name(SyncDirection direction); /* "pull", "push" */
const char *state_session_status_name(SyncStatus status);          /* "PREPARING", ... */
bool state_session_role_of(const char *name, SyncRole *out);
bool state_session_direction_of(const char *name, SyncDirection *out);
bool state_session_status_of(const char *name, SyncStatus *out);
bool state_session_may_follow(SyncStatus from, SyncStatus to);

bool state_session_id_valid(const char *id);
/* "20240115-103000-4f2a91": by the clock, and unique; returns out, which has room for SYNC_ID_TEXT.
 */
char *state_session_id_make(Instant now, char *out);

typedef struct StateSession {
    int64_t n; /* counts up: the cursor of lists */
    char *id;
    SyncRole role;
    SyncDirection direction;
    SyncStatus status;
    int attempt;
    char *peer;             /* its name, or node id */
    char *entry, *database; /* here; may be empty */
    char *target;           /* what it writes into, exactly: "system identifier/oid"; or NULL */
    char *place;            /* the same as far as it is known without asking a server; or NULL */
    char *method;           /* "backup", "http"; "auto" or empty while that is open */
    char *phase;            /* what it is doing, for people; or NULL */
    uint64_t bytes_done, bytes_total, wire_bytes, rows_done, rows_total;
    uint64_t speed;                                /* bytes a second, lately; 0: not known */
    Instant completion;                            /* estimated; 0: not known */
    char *error_kind, *error_message, *error_hint; /* or NULL */
    char *backup;                                  /* id; or NULL */
    char *options, *result;                        /* JSON; or NULL */
    char *actor;                                   /* who asked for it */
    Instant created, started, ended, heartbeat;    /* started: of this attempt; ended 0: not yet */
    int64_t beat_mono;                             /* the heartbeat by clock_mono_ms of `boot` */
    int64_t pid, pid_start;                        /* 0: no process holds it */
    char *boot;                                    /* see base/proc_id.h; or NULL */
    int64_t job;                                   /* of this service; 0: none */
    bool cancel_requested;
    bool expired; /* it was taken for dead, and nobody has told its end since */
} StateSession;
void state_session_free(StateSession *s);
DEFINE_AUTO(StateSession, state_session_free)

typedef struct StateSessions {
    StateSession *items;
    size_t count, cap;
    bool more;
} StateSessions;
void state_sessions_clear(StateSessions *l);
DEFINE_AUTO_VALUE(StateSessions, state_sessions_clear)

/* Which session a call means. attempt 0: whichever is under way (a service that answers requests);
 * otherwise ERR_FENCED where it is another one by now. */
typedef struct StateSessionRef {
    const char *id;
    SyncRole role;
    int attempt;
} StateSessionRef;

/* All borrowed. */
typedef struct StateSessionNew {
    const char *id; /* NULL: one is made */
    SyncRole role;
    SyncDirection direction;
    const char *peer, *entry, *database, *method, *options, *actor;
    /* Only of a session that writes here (a pull's initiator, a push's remote) or, as "peer NAME
     * DATABASE", of a push's initiator. NULL: not known, or it only reads. */
    const char *target, *place;
    int64_t pid; /* of the process that holds it: its own getpid(); 0: none does */
    int64_t job; /* 0: none */
    bool resume; /* a session of this id and role that FAILED or was CANCELLED is opened anew: next
                    attempt, PREPARING again, its log and backup stay */
    Instant now;
} StateSessionNew;
/* Opens it as PREPARING. One that the service has opened beforehand for this very job, and that no
 * process holds yet, is taken over (options, target and place are those given now, where given).
 *
 * ERR_BUSY: another live session (by id) writes into this target or place, or this one is under
 * way; the message names it, its age, and what can be done. ERR_EXISTS: it has ended (and resume is
 * not set, or it is COMPLETED). ERR_USAGE: the id is none. */
Error *state_session_open(State *s, const StateSessionNew *session, StateSession **out) MUST_CHECK;

/* The live one that writes into this target or place (NULL: don't care), other than `except`
 * (NULL: none is excepted); *out is NULL where there is none. */
Error *state_session_holder(State *s, const char *target, const char *place, const char *except,
                            StateSession **out) MUST_CHECK;

/* All of these: ERR_NOT_FOUND; ERR_FENCED where it has ended (ERR_CANCELLED where it was cancelled)
 * or another attempt runs; and all but state_session_look count as a heartbeat. */

/* To a further status, or to the same with another phase. ERR_INTERNAL: it may not follow. */
Error *state_session_step(State *s, const StateSessionRef *ref, SyncStatus status,
                          const char *phase, Instant now) MUST_CHECK;
typedef struct StateSessionProgress {
    const char *phase; /* NULL: as it was */
    uint64_t bytes_done, bytes_total, wire_bytes, rows_done, rows_total, speed;
    Instant completion;
} StateSessionProgress;
/* Not more often than once a second or so: an fsync each. *cancel (may be NULL): somebody wants it
 * to stop. */
Error *state_session_progress(State *s, const StateSessionRef *ref,
                              const StateSessionProgress *progress, Instant now,
                              bool *cancel) MUST_CHECK;
/* The same without news. */
Error *state_session_beat(State *s, const StateSessionRef *ref, Instant now,
                          bool *cancel) MUST_CHECK;
/* Only looks, and writes nothing: no heartbeat. *cancel may be NULL. */
Error *state_session_look(State *s, const StateSessionRef *ref, bool *cancel) MUST_CHECK;
/* The process that holds it from now on (0: none), and the job (0: as it was). */
Error *state_session_hold(State *s, const StateSessionRef *ref, int64_t pid, int64_t job,
                          Instant now) MUST_CHECK;
/* What is found out on the way; NULL: as it was. ERR_BUSY: another session writes into it. */
typedef struct StateSessionFacts {
    const char *target, *place, *database, *method, *backup, *options;
    /* What is in its way, and whoever asks for it was told. It goes on, and a further status
     * forgets it; where it dies, that was why. */
    const char *error_kind, *error_message, *error_hint;
} StateSessionFacts;
Error *state_session_learn(State *s, const StateSessionRef *ref, const StateSessionFacts *facts,
                           Instant now) MUST_CHECK;

/* How it ended: COMPLETED, FAILED or CANCELLED; all borrowed, NULL where there is none. */
typedef struct StateSessionEnd {
    SyncStatus status;
    const char *backup, *result, *error_kind, *error_message, *error_hint;
    Instant now;
} StateSessionEnd;
/* *ended (may be NULL) is false where it had ended before, or is of another attempt: that stays. */
Error *state_session_end(State *s, const StateSessionRef *ref, const StateSessionEnd *end,
                         bool *ended) MUST_CHECK;

/* Asks for it to stop: whoever holds it hears so at its next heartbeat. One that no process holds
 * is CANCELLED at once (*at_once, may be NULL). ERR_NOT_FOUND; ERR_EXISTS: it has ended. */
Error *state_session_cancel(State *s, const char *id, SyncRole role, Instant now,
                            bool *at_once) MUST_CHECK;

/* Dead ones end as FAILED; `out` (may be NULL) has those. What open, list and get do of themselves.
 * Live ones of a job that waits or runs, and have no process, get a heartbeat of the service
 * (jobs true: for the service alone). */
Error *state_session_expire(State *s, bool jobs, Instant now, StateSessions *out) MUST_CHECK;

/* When the last one of those that were taken for dead was; 0: there is none. */
Error *state_session_last_death(State *s, Instant *out) MUST_CHECK;

/* ERR_NOT_FOUND. */
Error *state_session_get(State *s, const char *id, SyncRole role, StateSession **out) MUST_CHECK;

/* What is NULL or 0 does not matter. The newest first. filter may be NULL. */
typedef struct StateSessionFilter {
    const char *id, *peer, *entry, *database;
    unsigned statuses; /* bits, 1u << SYNC_... */
    unsigned roles;    /* bits, 1u << SYNC_INITIATOR ... */
    int64_t below;     /* numbers (n) below this one: the cursor */
    uint32_t limit;
} StateSessionFilter;
Error *state_session_list(State *s, const StateSessionFilter *filter,
                          StateSessions *out) MUST_CHECK;

/* -- what it has said ---------------------------------------------------------------------------
 */

/* ERR_NOT_FOUND. No heartbeat; also of one that has ended. */
Error *state_session_log(State *s, const char *id, SyncRole role, Instant at, const char *level,
                         const char *line) MUST_CHECK;
/* As state_log_read. */
Error *state_session_log_read(State *s, const char *id, SyncRole role, int64_t after,
                              uint32_t limit, StateLog *out) MUST_CHECK;

/* Per peer and direction: the last success. */
typedef struct StateSessionFigure {
    char *peer, *database;
    SyncDirection direction;
    SyncRole role;
    Instant last_success;
    uint64_t counts[SYNC_STATUSES]; /* sessions that are kept, by status */
    uint64_t wire_bytes;            /* of those that are kept */
} StateSessionFigure;
typedef struct StateSessionFigures {
    StateSessionFigure *items;
    size_t count, cap;
} StateSessionFigures;
void state_session_figures_clear(StateSessionFigures *l);
DEFINE_AUTO_VALUE(StateSessionFigures, state_session_figures_clear)
Error *state_session_figures(State *s, StateSessionFigures *out) MUST_CHECK;

#endif
