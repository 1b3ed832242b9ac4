/* Which runs are due: a pure function of a schedule, what has become of it so far, and the time. It
 * knows no clock, no state and no job.
 *
 * A slot is an instant at which the expression is due. Each is run once, jitter later; of several
 * that have passed only the last is run, for all of them.
 */
#ifndef PGSTOW_OP_SCHEDULE_H
#define PGSTOW_OP_SCHEDULE_H

#include "base/cron.h"

/* A run that begins so much after its time has been missed, and is a catch-up. */
#define SCHEDULE_LATE_MS 60000

typedef struct ScheduleRule {
    const char *name; /* which schedule it is: its jitter is always the same */
    const Cron *cron;
    const Zone *zone;
    int64_t jitter_ms; /* the most that a run begins after its slot; 0: none */
} ScheduleRule;

/* What is known of it; both 0 where it has just been set up. */
typedef struct SchedulePast {
    Instant last_due;     /* the slot that was run last */
    Instant next_planned; /* the slot that was to be the next one */
} SchedulePast;

typedef struct ScheduleLook {
    bool due;
    Instant slot;      /* due: the one to run now */
    bool catch_up;     /* its time has passed a while ago */
    int64_t skipped;   /* earlier slots that it stands for too, at most 100000 */
    SchedulePast then; /* what is known of it from now on: that run counted, if one is due;
                          next_planned 0 where there is none */
} ScheduleLook;

/* How much later than its slots it runs: from 0 to jitter_ms, by its name alone. */
int64_t schedule_jitter(const ScheduleRule *rule);
/* A past that does not fit (next_planned is no slot of this expression: it has been changed; or it
 * lies ahead: the clock was set back) counts as none: it begins anew from now. */
void schedule_look(const ScheduleRule *rule, const SchedulePast *past, Instant now,
                   ScheduleLook *out);

#endif
