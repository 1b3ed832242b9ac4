/* What the parts of one sync share. */
#ifndef PGSTOW_OP_SYNC_WORK_H
#define PGSTOW_OP_SYNC_WORK_H

#include <pthread.h>

#include "op/sync.h"
#include "op/sync_schema.h"

#define SYNC_FOLLOW_MS 1000 /* so often the peer says how far it is; that it is done, at once */

/* -- the database's own host --------------------------------------------------------------------
 */

/* The backup that is sent: with the filters of the sync and those that always count here. `have`
 * (or NULL): one that an earlier attempt made; where it is still good it is this one. Waits where
 * another backup of the database is running. */
Error *sync_make_backup(const SyncHost *h, SyncSession *s, const SyncOptions *o, const char *have,
                        BackupInfo *out) MUST_CHECK;
/* A backup of the target as it is, before it is changed. */
Error *sync_make_safety(const SyncHost *h, SyncSession *s, char **id, StrList *warnings) MUST_CHECK;

/* Old backups of the database go, where that is wanted; what goes wrong with it is a warning. */
void sync_clean_up(const SyncHost *h, const char *database, StrList *warnings);

/* What stands in the target: all of it or nothing. `backup` is an id of the target's repository. */
Error *sync_apply(const SyncHost *h, SyncSession *s, const SyncOptions *o, const char *backup,
                  SyncApplied *out) MUST_CHECK;
/* Whether there is nothing in the target's database, or it does not exist: then it is restored. */
Error *sync_look_at_target(const SyncHost *h, SyncSession *s, bool *exists, bool *empty) MUST_CHECK;
Error *sync_applied_read(const Doc *d, SyncApplied *out) MUST_CHECK;

/* -- the peer -----------------------------------------------------------------------------------
 */

typedef struct SyncRemote {
    const Peer *peer;
    const char *session;
    Cancel *cancel; /* the job's */
    Doc *opened;    /* what it answered to sync_remote_open; owned */
    char *trial; /* the id there of what a trial has pushed, which goes with the session; owned */
} SyncRemote;
void sync_remote_clear(SyncRemote *r);
DEFINE_AUTO_VALUE(SyncRemote, sync_remote_clear)

/* Opens the session there, or goes on with it (resume). */
Error *sync_remote_open(SyncRemote *r, const SyncOptions *o, bool resume) MUST_CHECK;
/* Where that one has COMPLETED already: its result; else NULL. Borrowed. */
const Doc *sync_remote_result(const SyncRemote *r);
Error *sync_remote_schema(const SyncRemote *r, Doc **out) MUST_CHECK;
/* Has the backup made, and follows it. Caller frees. */
Error *sync_remote_backup(const SyncRemote *r, SyncSession *s, Job *job, Doc **answer) MUST_CHECK;
/* What the source leaves out, by its own word, is added. */
void sync_add_left_out(const Doc *answer, StrList *out);
Error *sync_remote_left_out(const SyncRemote *r, StrList *out) MUST_CHECK;
/* Has it applied, and follows that to its end. */
Error *sync_remote_apply(const SyncRemote *r, SyncSession *s, Job *job, const char *backup,
                         SyncApplied *out) MUST_CHECK;
/* Tells how far this side is. *gone (may be NULL): why the peer's session has ended. */
Error *sync_remote_report(const SyncRemote *r, SyncStatus status, const JobProgress *p,
                          Error **gone) MUST_CHECK;
/* Tells how this side has ended: of a pull or a trial COMPLETED, else FAILED or CANCELLED. *answer:
 * how it stands there. Caller frees. */
Error *sync_remote_end(const SyncRemote *r, const Error *e, const Doc *result,
                       Doc **answer) MUST_CHECK;

/* -- what must fit before anything moves ---------------------------------------------------------
 */

typedef struct SyncPlan {
    bool restore; /* the target has nothing */
    SyncMethod method;
} SyncPlan;
/* ours, theirs: documents of op_sync_schema; *differences (an array) has what is harmless. */
Error *sync_plan(const SyncOptions *o, const Doc *source, const Doc *target, SyncPlan *plan,
                 Doc **differences) MUST_CHECK;
/* -- one run -------------------------------------------------------------------------------------
 */

/* What the heartbeat's thread shares with the work. */
typedef struct SyncWatch {
    pthread_mutex_t lock;
    SyncStatus status;
    bool opened; /* the peer knows the session */
    Error *gone; /* why the peer has given up */
} SyncWatch;

typedef struct SyncWork {
    const SyncHost *h;
    const SyncOptions *o;
    const Peer *peer;
    SyncSession *session;
    SyncRemote remote;
    SyncWatch watch;
    SyncPlan plan;
    SyncResult *out;
    SyncTestPhase until; /* of a test: the last phase that is tried */
    FindingList *findings;
} SyncWork;

/* The session here, `go`, and what both sides are told of the end. */
Error *sync_run(const SyncHost *h, const SyncOptions *o, SyncResult *out, Error *(*go)(SyncWork *w),
                SyncTestPhase until, FindingList *findings) MUST_CHECK;
/* The session there, and the schemas of both sides. */
Error *sync_open_there(SyncWork *w, bool resume) MUST_CHECK;
Error *sync_compare_schemas(SyncWork *w) MUST_CHECK;

/* For a target that would have to be made, and may not. */
Error *sync_no_definitions(void) MUST_CHECK;

/* Whether the target has what it needs to be made; and a warning where its disk may be too small.
 */
Error *sync_plan_tools(const SyncWork *w) MUST_CHECK;
void sync_plan_room(SyncWork *w, uint64_t size);

/* Where this side is, for the peer; and what went over the wire. */
void sync_at(SyncWork *w, SyncStatus status);
Error *sync_pull(SyncWork *w) MUST_CHECK;
Error *sync_push(SyncWork *w) MUST_CHECK;
/* The backup's copy in the other repository, and its facts; into out->packs and reused, too. `to`
 * is the peer's or this host's. */
Error *sync_transfer(SyncWork *w, const char *backup, BackupInfo *copy) MUST_CHECK;
/* The last look: what was applied is what was sent. */
Error *sync_compare(SyncWork *w) MUST_CHECK;
/* "http" instead of a backup: whether that is to be tried after this error. */
bool sync_wants_rows(const SyncWork *w, const Error *e);

#endif
