/* Sessions of other hosts that came through this one's service (serve/sync_store.h): beside each
 * lies whose it is, and, once its sync is over, that it is. So nobody waits for one whose host
 * cannot be asked: it counts as dead (and is fenced like any dead one before its packs are taken
 * over, so that a mistake costs no more than a run).
 *
 * Works on the store, without keys.
 */
#ifndef PGSTOW_REPO_SESSION_PEER_H
#define PGSTOW_REPO_SESSION_PEER_H

#include "repo/names.h"
#include "store/store.h"

typedef struct SessionPeer {
    SessionId id;
    char *sync, *node; /* the sync session that put it, and the host's node id */
    bool gone;         /* that sync is over */
} SessionPeer;
void session_peer_clear(SessionPeer *p);
DEFINE_AUTO_VALUE(SessionPeer, session_peer_clear)

/* Before the session is there. One that is there already must be the same sync's: else ERR_EXISTS.
 */
Error *session_peer_put(Store *s, SessionId id, const char *sync, const char *node) MUST_CHECK;
/* ERR_NOT_FOUND where the session is nobody's who came through a service. */
Error *session_peer_get(Store *s, SessionId id, SessionPeer *out) MUST_CHECK;
/* Its sync is over. */
Error *session_peer_give_up(Store *s, SessionId id) MUST_CHECK;
/* The session is no longer there. */
Error *session_peer_drop(Store *s, SessionId id) MUST_CHECK;
typedef Error *(*SessionPeerEach)(void *ctx, const SessionPeer *p);
/* All that are there; those that cannot be read are passed over. */
Error *session_peer_list(Store *s, SessionPeerEach each, void *ctx) MUST_CHECK;

/* Ids of those whose sync is over, sorted. */
typedef struct SessionsGone {
    SessionId *items;
    size_t count, cap;
} SessionsGone;
void sessions_gone_clear(SessionsGone *g);
DEFINE_AUTO_VALUE(SessionsGone, sessions_gone_clear)
Error *sessions_gone_list(Store *s, SessionsGone *out) MUST_CHECK;
bool sessions_gone_has(const SessionsGone *g, SessionId id);

#endif
