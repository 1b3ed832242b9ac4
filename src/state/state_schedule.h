/* Schedules: of each, by its name, what has become of it: so that a restart neither runs one twice
 * nor forgets one that was missed. When one is due is decided above (op/schedule). */
#ifndef PGSTOW_STATE_STATE_SCHEDULE_H
#define PGSTOW_STATE_STATE_SCHEDULE_H

#include "state/state.h"

typedef struct StateSchedule {
    char *name;           /* "backup/shop", "verify", ...: the caller's choice */
    Instant last_due;     /* the planned time of the last run; 0: it never ran */
    Instant last_started; /* when that began, jitter and waiting included */
    int64_t last_job;     /* or 0; also where retention has taken the job away */
    char *last_result;    /* a job's status, or the caller's word; or NULL */
    Instant next_planned; /* 0: none */
} StateSchedule;
void state_schedule_free(StateSchedule *c);
DEFINE_AUTO(StateSchedule, state_schedule_free)

typedef struct StateSchedules {
    StateSchedule *items; /* by name */
    size_t count, cap;
} StateSchedules;
void state_schedules_clear(StateSchedules *l);
DEFINE_AUTO_VALUE(StateSchedules, state_schedules_clear)

/* Makes or replaces the row of this name. Borrowed. ERR_NOT_FOUND where there is no such job. */
Error *state_schedule_put(State *s, const StateSchedule *schedule) MUST_CHECK;
/* NULL where nothing is known of it. */
Error *state_schedule_get(State *s, const char *name, StateSchedule **out) MUST_CHECK;
Error *state_schedule_list(State *s, StateSchedules *out) MUST_CHECK;
/* One that is not there is fine. */
Error *state_schedule_forget(State *s, const char *name) MUST_CHECK;

#endif
