/* Conditions: what is wrong now, by name ("failing/backup/shop", "stale/shop", "disk-low"), since
 * when, and when somebody was last told: so that one cause makes one notification, and its end
 * another ("recovered"). Which conditions there are is decided above. */
#ifndef PGSTOW_STATE_STATE_CONDITION_H
#define PGSTOW_STATE_STATE_CONDITION_H

#include "state/state.h"

typedef struct StateCondition {
    char *name;
    Instant since, last_seen;
    Instant notified; /* 0: not yet */
    char *detail;     /* of the last time it was seen; or NULL */
} StateCondition;
void state_condition_free(StateCondition *c);
DEFINE_AUTO(StateCondition, state_condition_free)

typedef struct StateConditions {
    StateCondition *items; /* by name */
    size_t count, cap;
} StateConditions;
void state_conditions_clear(StateConditions *l);
DEFINE_AUTO_VALUE(StateConditions, state_conditions_clear)

/* It holds. *began says whether it did not before. */
Error *state_condition_set(State *s, const char *name, const char *detail, Instant now,
                           bool *began) MUST_CHECK;
/* It no longer holds: `was` has what it was, NULL where it did not hold. Of two at once one gets
 * it. */
Error *state_condition_end(State *s, const char *name, StateCondition **was) MUST_CHECK;
Error *state_condition_notified(State *s, const char *name, Instant now) MUST_CHECK;
/* NULL where it does not hold. */
Error *state_condition_get(State *s, const char *name, StateCondition **out) MUST_CHECK;
Error *state_condition_list(State *s, StateConditions *out) MUST_CHECK;

#endif
