/* A peer's repository as a store: its objects behind HTTP, in the name of a sync session that the
 * peer knows. What may be read and written follows from that session, there; all else is
 * ERR_REPO_PERMISSION. Nothing that is there is ever replaced, and only what this session put can be
 * deleted.
 *
 * Round trips cost: names and sizes come by whole folders and are kept while nothing that the store
 * itself does changes them (what others do there meanwhile is seen for config, sessions/, backups/
 * and trash/ alone, which are asked for every time); small reads are made of larger ones that are
 * kept; the barrier is one request, and none where nothing was put. What a pack needs of
 * read-ahead is the caller's: ask in large ranges.
 *
 * Requests are repeated where that may help (net/link.h). A put whose answer was lost is a success
 * where the object is there with the same contents. Memory: at most PEER_PIECE a thread, and
 * PEER_KEPT in all.
 *
 * Errors: those of store.h, which the peer answers; those of net/link.h.
 */
#ifndef PGSTOW_STORE_PEER_H
#define PGSTOW_STORE_PEER_H

#include "flow/cancel.h"
#include "store/store.h"

struct Link; /* net/link.h */

#define PEER_PIECE (4u << 20) /* of an object in one request, each with its own SHA-256 */
#define PEER_KEPT (8u << 20)  /* of small objects and pieces that are read in parts */

typedef struct PeerStoreOptions {
    struct Link *link;   /* borrowed until store_free */
    const char *session; /* the sync session's id; copied */
    const char *where;   /* for messages: "the repository of peer NAME"; copied */
    Cancel *cancel;      /* borrowed; may be NULL */
} PeerStoreOptions;
/* Asks nothing yet. */
Store *store_open_peer(const PeerStoreOptions *o);

typedef struct PeerTraffic {
    uint64_t requests, sent, received; /* sent, received: bytes of bodies */
} PeerTraffic;
/* Since it was opened; zeros where it is no such store. */
PeerTraffic store_peer_traffic(const Store *s);

#endif
