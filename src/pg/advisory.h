/* Advisory locks of the connected database: who holds them. Migrations of many tools take one
 * first, and wait for ever behind a session that is idle with it. */
#ifndef PGSTOW_PG_ADVISORY_H
#define PGSTOW_PG_ADVISORY_H

#include "base/clock.h"
#include "pg/conn.h"

typedef struct AdvisoryLock {
    int64_t pid;               /* of the backend; 0: a prepared transaction */
    char *key;                 /* one number, or two: "72707369", "1885828980, 1835364967" */
    char *mode;                /* "ExclusiveLock", "ShareLock" */
    const char *known;         /* whose key that is, where we know it; or NULL */
    char *user, *app, *client; /* client: address, empty for a local socket. NULL: hidden */
    char *state;               /* "idle", "idle in transaction", "active", ...; NULL: hidden */
    int64_t idle_ms;           /* since it went into that state */
    Instant connected;
    char *since, *changed; /* as the server writes them: for advisory_end */
    int64_t waiting;       /* how many wait for it */
    char *gid;             /* of the prepared transaction; or NULL */
    bool ours;             /* a key, or the name of a connection, of pgstow */
} AdvisoryLock;
void advisory_lock_clear(AdvisoryLock *l);
typedef struct AdvisoryLocks {
    AdvisoryLock *items; /* those that others wait for first */
    size_t count, cap;
} AdvisoryLocks;
void advisory_locks_clear(AdvisoryLocks *l);
DEFINE_AUTO_VALUE(AdvisoryLocks, advisory_locks_clear)

/* All but those of the connection itself. */
Error *advisory_list(Conn *c, AdvisoryLocks *out) MUST_CHECK;
bool advisory_is_idle(const AdvisoryLock *l);
/* Ends the backend, if it is still the one that was seen and has been idle since: else *ended is
 * false. Returns when its locks are gone. ERR_DB_PERMISSION; ERR_TIMEOUT where it does not go. */
Error *advisory_end(Conn *c, const AdvisoryLock *l, bool *ended) MUST_CHECK;

/* For messages of who found a lock taken: who holds the one of this key, "process 123 of user u
 * (pgstow), from 10.0.0.7, connected since ...". NULL where nobody is seen to. Caller frees. */
Error *advisory_holder(Conn *c, const char *key, char **out) MUST_CHECK;

#endif
