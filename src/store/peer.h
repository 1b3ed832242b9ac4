/* A peer's repository as a store: its objects behind HTTP, in the name of a sync session that the
 * peer knows. What may be read and written follows from that session, there; all else is
 * ERR_REPO_PERMISSION, and ERR_FENCED where the session is over. Nothing that is there is ever
 * replaced, and nothing of others deleted. An object whose put has succeeded is durable.
 *
 * Round trips cost. So lists bring the contents of what is asked for next (sessions, facts of
 * backups); parts of objects, which never change, are kept, and small ones read in larger ones;
 * there is no barrier where all is durable anyway. Whether an object is there, and lists, are asked
 * for each time; of a pack alone the size is remembered, as no pack that a session may use goes
 * away. What frames need of read-ahead is the caller's: store_ahead.
 *
 * Requests are repeated where that may help (net/link.h). A put whose answer was lost is a success
 * where the object is there with the same contents. Memory: a put holds up to PEER_PIECE, a thread
 * that reads ahead STORE_AHEAD_MAX, all together PEER_KEPT.
 *
 * Errors: those of store.h, as the peer says them, and those of net/link.h.
 */
#ifndef PGSTOW_STORE_PEER_H
#define PGSTOW_STORE_PEER_H

#include "flow/cancel.h"
#include "store/store.h"

struct Link; /* net/link.h */

#define PEER_KEPT (8u << 20) /* bytes of small objects, and of parts of others, that are kept */

typedef struct PeerStoreOptions {
    struct Link *link;   /* borrowed until store_free */
    const char *session; /* the sync session's id; copied */
    const char *where;   /* for messages: "peer:NAME"; copied */
    Cancel *cancel;      /* borrowed; may be NULL */
} PeerStoreOptions;
/* Asks nothing yet. */
Store *store_open_peer(const PeerStoreOptions *o);

#endif
