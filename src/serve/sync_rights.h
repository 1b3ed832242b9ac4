/* What a peer may do with the repository of its sync session. That is looked up in the state now
 * and then, and remembered in between: a session that has ended, or was cancelled, is refused
 * within SYNC_RIGHT_MS. Whatever is asked for is a sign of life. Thread-safe.
 */
#ifndef PGSTOW_SERVE_SYNC_RIGHTS_H
#define PGSTOW_SERVE_SYNC_RIGHTS_H

#include "serve/api_internal.h"
#include "serve/sync_store.h"

#define SYNC_RIGHT_MS 2000

typedef struct SyncGrant {
    SyncRight right; /* its texts are those below */
    char *session, *node, *folder;
} SyncGrant;
void sync_grant_free(SyncGrant *g);
DEFINE_AUTO(SyncGrant, sync_grant_free)

typedef struct SyncRights SyncRights;
SyncRights *sync_rights_new(void);
void sync_rights_free(SyncRights *r);
DEFINE_AUTO(SyncRights, sync_rights_free)

/* What "sessionId" means. ERR_FENCED where there is no such session of this peer, or it is over. */
Error *sync_grant(Ask *a, SyncGrant **out) MUST_CHECK;

/* A session was opened, or is gone on with: what was known of it is forgotten, and what syncs that
 * are over (an earlier attempt of this one, too) have left in the entry's repository counts as dead
 * at once. */
void sync_rights_opened(Api *a, const char *session, const ServiceEntry *entry);

/* About once a second: what sessions that are over have left open is dropped, and what they have
 * put as sessions of the repository is marked (repo/session_peer.h). */
void sync_rights_tick(Api *a);

#endif
