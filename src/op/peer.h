/* Peers: other services that this one syncs with, of the file and of the state, by their names; and
 * the way to one. A sync composes; this asks and is asked.
 */
#ifndef PGSTOW_OP_PEER_H
#define PGSTOW_OP_PEER_H

#include "base/doc.h"
#include "config/peers.h"
#include "net/link.h"
#include "op/key_input.h"
#include "state/state_peer.h"

#define PEER_PROTOCOL 1 /* what two services must agree on to understand each other */

/* This host's id: sync.nodeId, or else its name. Caller frees. */
char *peer_own_node(const Config *c);

/* -- all of them --------------------------------------------------------------------------------
 */

typedef struct PeerFacts {
    ConfigPeer config;
    bool added; /* by hand: it is in the state */
    Instant created;
} PeerFacts;
typedef struct PeerList {
    PeerFacts *items;
    size_t count, cap;
} PeerList;
void peer_list_clear(PeerList *l);
DEFINE_AUTO_VALUE(PeerList, peer_list_clear)
/* Those of the file first; one of the state that has the name of one of the file is left out. s:
 * NULL where there is no state. */
Error *peer_list(const Config *c, State *s, PeerList *out) MUST_CHECK;
/* Without secrets: the words of the file, and "from". */
Doc *peer_doc(const PeerFacts *p, const char *own_node);

/* For the audit log: who adds or removes one. */
typedef struct PeerActor {
    const char *name, *role, *origin;
} PeerActor;
/* Takes nothing over. ERR_CONFIG: config_peer_check, or an address that cannot be used; ERR_EXISTS,
 * also where one of the file has the name. */
Error *op_peer_add(const Config *c, State *s, const PeerActor *who, const ConfigPeer *p) MUST_CHECK;
/* ERR_NOT_FOUND, also for one of the file. */
Error *op_peer_remove(const Config *c, State *s, const PeerActor *who, const char *name) MUST_CHECK;

/* -- one ----------------------------------------------------------------------------------------
 */

typedef struct Peer {
    ConfigPeer config;
    char *own_node; /* what it knows us by */
    Link *link;
    KeyInput *keys; /* of its repository, as far as any are named; never asks at a terminal */
    Cancel *cancel; /* borrowed */
} Peer;
void peer_close(Peer *p);
DEFINE_AUTO(Peer, peer_close)
/* Reads the secrets that prove who we are; asks the peer nothing yet. ERR_NOT_FOUND, with the names
 * that there are; ERR_CONFIG where there is neither a key of its own nor a registration key. */
Error *peer_open(const Config *c, State *s, const char *name, Cancel *cancel,
                 Peer **out) MUST_CHECK;
/* The same for one whose facts are at hand; they are copied. */
Error *peer_open_one(const Config *c, const ConfigPeer *facts, Cancel *cancel,
                     Peer **out) MUST_CHECK;
/* The error for a name that none of them has. */
Error *peer_unknown(const PeerList *l, const char *name);

/* Whether this host understands what is said in that version: else ERR_PREFLIGHT. `who`: says it.
 */
Error *peer_check_protocol(const char *who, int64_t version) MUST_CHECK;

/* The key that signs, and the registration key of this host; ERR_CONFIG where a file or command
 * does not give it. *out is NULL where none is named. What the service checks requests with. */
Error *peer_read_key(const ConfigPeer *p, const Cancel *c, Secret **out) MUST_CHECK;
Error *peer_read_registration(const Config *c, const Cancel *cancel, Secret **out) MUST_CHECK;

/* -- asked how it is ----------------------------------------------------------------------------
 */

typedef struct PeerPing {
    bool online;       /* a pgstow serve answered, whatever it said */
    bool accepted;     /* and takes us for whom we are */
    int64_t answer_ms; /* how long it took */
    int64_t clock_ms;  /* how far its clock is ahead of ours, at least */
    Doc *answer;       /* of GET /api/sync/peer; NULL where it did not accept us */
    Error *error;      /* why not; NULL */
} PeerPing;
void peer_ping_clear(PeerPing *p);
DEFINE_AUTO_VALUE(PeerPing, peer_ping_clear)
/* Asks once. What the peer does wrong is in *out; only what is wrong here is returned. */
Error *op_peer_ping(const Peer *p, PeerPing *out) MUST_CHECK;
Doc *peer_ping_doc(const ConfigPeer *p, const PeerPing *ping);

#endif
