/* Retention of the state itself: what is old, or too much, goes. In small transactions, so that
 * nobody waits long; what is freed goes back to the file system by and by. */
#ifndef PGSTOW_STATE_STATE_RETAIN_H
#define PGSTOW_STATE_STATE_RETAIN_H

#include "state/state.h"

/* Older than so many days goes (by the time it ended), and what is beyond so many rows, the oldest
 * first. 0: no such limit. */
typedef struct StateKeep {
    uint32_t days;
    uint64_t rows;
} StateKeep;

typedef struct StateRetention {
    StateKeep jobs; /* with their logs. Those not ended stay, and of each kind, entry and database
                       the last success */
    StateKeep audit;
    StateKeep outbox; /* those not open */
    StateKeep tokens; /* revoked or expired ones */
    StateKeep events;
    StateKeep sessions; /* of syncs, with their logs. Those not ended stay, and of each peer,
                           database, direction and role the last one that was COMPLETED */
} StateRetention;

typedef struct StateRetained {
    uint64_t jobs, audit, outbox, tokens, events, sessions; /* how many went */
} StateRetained;

/* gone may be NULL. */
Error *state_retain(State *s, const StateRetention *keep, Instant now,
                    StateRetained *gone) MUST_CHECK;

#endif
