/* Holders of advisory locks in a database, which of them are stale, and their end: what migrations
 * and syncs wait for although nobody works behind it any more. */
#ifndef PGSTOW_OP_SYNC_LOCKS_H
#define PGSTOW_OP_SYNC_LOCKS_H

#include "base/doc.h"
#include "op/op.h"
#include "pg/advisory.h"
#include "state/state_session.h"

typedef enum SyncLockVerdict {
    SYNC_LOCK_STALE,     /* idle for long enough */
    SYNC_LOCK_RECENT,    /* idle, but not for so long: ended only where it is named */
    SYNC_LOCK_ELSEWHERE, /* pgstow's, idle, of a process that nobody here can ask about: as well */
    SYNC_LOCK_ACTIVE,    /* it works, or waits: never ended */
    SYNC_LOCK_LIVE,      /* of a sync or job of this host that lives: never ended */
    SYNC_LOCK_HIDDEN,    /* this user may not see what it does: never ended */
    SYNC_LOCK_PREPARED,  /* a prepared transaction's: no process is behind it */
    SYNC_LOCK_VERDICTS
} SyncLockVerdict;
const char *sync_lock_verdict_name(SyncLockVerdict verdict); /* "stale", "recent", ... */

typedef struct SyncLock {
    AdvisoryLock lock;
    SyncLockVerdict verdict;
    char *why;    /* a sentence */
    bool ended;   /* its backend is gone */
    Error *error; /* why it could not be ended; or NULL */
} SyncLock;
typedef struct SyncLocks {
    char *database; /* its name */
    SyncLock *items;
    size_t count, cap;
    uint64_t ended, failed; /* backends */
} SyncLocks;
void sync_locks_clear(SyncLocks *l);
DEFINE_AUTO_VALUE(SyncLocks, sync_locks_clear)

typedef struct SyncLocksOptions {
    State *state;    /* who lives here; NULL: nobody is known to */
    int64_t idle_ms; /* so long idle is stale */
    int64_t pid;     /* only this one; 0: all */
    bool end;        /* those that are stale, or the one that is named */
} SyncLocksOptions;
/* ERR_NOT_FOUND: that pid holds none. What could not be ended is in `out`. */
Error *op_sync_locks(const OpContext *c, const SyncLocksOptions *o, SyncLocks *out) MUST_CHECK;
Doc *sync_locks_doc(const SyncLocks *l);

#endif
