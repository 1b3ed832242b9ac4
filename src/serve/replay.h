/* Signed requests are taken once. Those of the last minutes are remembered by their nonces, in
 * memory, so that a request costs no write; what a service that starts no longer knows of is told
 * by the state: nothing that a node signed before a time that is kept there, a little ahead of the
 * newest that was taken, is taken again (state/state_peer.h). Thread-safe.
 */
#ifndef PGSTOW_SERVE_REPLAY_H
#define PGSTOW_SERVE_REPLAY_H

#include "state/state_peer.h"

#define REPLAY_WINDOW_MS 300000 /* how far a request's time may be from ours, either way */
#define REPLAY_AHEAD_MS 2000    /* of the newest request, so that not each is written down */
#define REPLAY_NONCE 16         /* bytes */
#define REPLAY_MAX (1u << 20)   /* nonces that are remembered in a window; beyond that ERR_RATE */

typedef struct Replay Replay;
Replay *replay_new(State *s); /* borrowed */
void replay_free(Replay *r);
DEFINE_AUTO(Replay, replay_free)

/* Whether this request of `node`, whose signature is good, may be taken, now. ERR_TOKEN: its time
 * is too far from `now`, or it was taken before. ERR_RATE: it cannot be known yet, because the
 * service has just started; with a later time it will be taken. */
Error *replay_take(Replay *r, const char *node, Instant time, const uint8_t nonce[REPLAY_NONCE],
                   Instant now) MUST_CHECK;

#endif
