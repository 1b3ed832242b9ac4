/* Peers that were added by hand (`pgstow peer add`), and from what time on a service that starts
 * takes signed requests. Of a peer only what may be shown is here: no secret, only the names of
 * files and commands that give one. */
#ifndef PGSTOW_STATE_STATE_PEER_H
#define PGSTOW_STATE_STATE_PEER_H

#include "state/state.h"

#define STATE_PEERS_MAX 1000

typedef struct StatePeer {
    char *name;
    char *facts; /* JSON: op/peer.h */
    Instant created;
} StatePeer;
typedef struct StatePeers {
    StatePeer *items;
    size_t count, cap;
} StatePeers;
void state_peers_clear(StatePeers *l);
DEFINE_AUTO_VALUE(StatePeers, state_peers_clear)

/* ERR_EXISTS where one of this name is there; ERR_LIMIT. */
Error *state_peer_add(State *s, const char *name, const char *facts, Instant now) MUST_CHECK;
/* ERR_NOT_FOUND. */
Error *state_peer_remove(State *s, const char *name) MUST_CHECK;
/* By name. */
Error *state_peer_list(State *s, StatePeers *out) MUST_CHECK;

/* Requests that a node signs before `until` are not taken by a service that starts from now on; it
 * never goes back. */
Error *state_peer_raise_floor(State *s, const char *node, Instant until) MUST_CHECK;
/* 0 where nothing is known of it. */
Error *state_peer_floor(State *s, const char *node, Instant *until) MUST_CHECK;

#endif
