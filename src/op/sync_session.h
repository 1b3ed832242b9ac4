/* What a process that works for a sync holds: its session's row (state/state_session.h), kept alive
 * and up to date by a thread of its own, which also hears that somebody wants it to stop.
 *
 *   TRY(sync_session_open(&options, &s));
 *   Error *e = the_work(...);    within: sync_session_step(s, SYNC_TRANSFERRING, "...")
 *   return sync_session_close(STEAL(s), e, &end);
 *
 * Progress is the Job's: bytes, items and phase of whatever operation runs; who follows another
 * host's work reports that instead (sync_session_report). Speed and time left are computed here.
 * Where the session was taken for dead, cancelled, or its state cannot be written for nearly as
 * long as that takes, the Job is cancelled; sync_session_close then says why.
 *
 * Thread-safe, but for open and close.
 */
#ifndef PGSTOW_OP_SYNC_SESSION_H
#define PGSTOW_OP_SYNC_SESSION_H

#include "flow/job.h"
#include "pg/conn.h"
#include "state/state_session.h"

typedef struct SyncSession SyncSession;

typedef struct SyncSessionOptions {
    const char *folder;    /* of the state; NULL: state_default_folder. Made where there is none */
    StateSessionNew state; /* pid, job, actor and now are filled in here */
    Job *job;              /* borrowed until close; not NULL */
    /* About every SYNC_BEAT_MS, on a thread of its own: for telling the peer that this side lives.
     * It should look at the job's Cancel, and take no longer than some seconds: close waits for
     * it. NULL: none. */
    void (*beat)(void *ctx);
    /* Bytes that went over the wire so far, asked for from any thread until close; NULL: what
     * sync_session_wire says. */
    uint64_t (*wire)(void *ctx);
    void *ctx;
} SyncSessionOptions;
/* A session that the service opened for the very job that this process is (PGSTOW_JOB) is taken
 * over. ERR_BUSY, ERR_EXISTS, ERR_USAGE: see state_session_open. */
Error *sync_session_open(const SyncSessionOptions *options, SyncSession **out) MUST_CHECK;

/* One that is under way, whose job this process is (PGSTOW_JOB): of `state` only id and role count.
 * Nothing of it changes but who holds it. ERR_FENCED, ERR_CANCELLED: it has ended. */
Error *sync_session_join(const SyncSessionOptions *options, SyncSession **out) MUST_CHECK;
/* Lets go of it, without an end: others hold it from then on by their requests. Frees s. */
Error *sync_session_leave(SyncSession *s) MUST_CHECK;

const char *sync_session_id(const SyncSession *s);
int sync_session_attempt(const SyncSession *s);        /* from 1 */
const char *sync_session_backup(const SyncSession *s); /* of an earlier attempt; or NULL */
State *sync_session_state(SyncSession *s);             /* borrowed */

/* To another status. `phase` for people; NULL: what the Job says from then on. It is a line of the
 * log, too. ERR_FENCED, ERR_CANCELLED: stop. */
Error *sync_session_step(SyncSession *s, SyncStatus status, const char *phase) MUST_CHECK;
/* To VERIFYING: the target has committed. Nothing stops it from here on, and that this cannot be
 * written is a warning. */
void sync_session_verify(SyncSession *s, const char *phase);
/* See state_session_learn. ERR_BUSY: another session writes into this target. */
Error *sync_session_learn(SyncSession *s, const StateSessionFacts *facts) MUST_CHECK;
/* Bytes that went over the wire, in all; rows. */
void sync_session_wire(SyncSession *s, uint64_t bytes);
void sync_session_rows(SyncSession *s, uint64_t done, uint64_t total);
/* What is shown instead of the Job's progress, until the next step: speed, completion and
 * wire_bytes in it do not count. */
void sync_session_report(SyncSession *s, const StateSessionProgress *progress);
/* A line of its log. Never fails: what cannot be written is a warning of this process. */
void sync_session_log(SyncSession *s, const char *level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether somebody asked for it to be cancelled. */
bool sync_session_cancelled(SyncSession *s);

/* All borrowed; NULL where there is none. */
typedef struct SyncSessionEnd {
    const char *backup, *result; /* result: JSON */
} SyncSessionEnd;
/* Ends it: COMPLETED where e is NULL, CANCELLED for ERR_CANCELLED, FAILED otherwise; takes e over
 * and returns it, or what was behind it: where the Job was cancelled because the session had been
 * taken for dead, that. A good end that cannot be written is an error in this process's log, after
 * some time of trying: the session then counts as dead, though the sync was done. end may be NULL.
 * Frees s (NULL: only returns e). */
Error *sync_session_close(SyncSession *s, Error *e, const SyncSessionEnd *end) MUST_CHECK;

/* What `target` in StateSessionNew is for the database of this connection: the server's system
 * identifier and the database's oid. Caller frees. */
Error *sync_target_of(Conn *c, char **out) MUST_CHECK;
/* What `place` is: of a database here, by its entry (NULL or "": none) and name. Caller frees; NULL
 * where neither is known. */
char *sync_place_here(const char *entry, const char *database);
/* ... of a peer's database (entry there; NULL: its only one), for a push's initiator. Caller frees.
 */
char *sync_place_there(const char *peer, const char *entry);

#endif
