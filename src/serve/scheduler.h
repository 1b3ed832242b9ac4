/* The scheduler: looks which schedules are due and has the runner do them, remembers in the state
 * what has become of each, and repeats runs whose failure may pass. One that is due while its last
 * run is not done is passed over.
 */
#ifndef PGSTOW_SERVE_SCHEDULER_H
#define PGSTOW_SERVE_SCHEDULER_H

#include "serve/teller.h"

typedef struct Scheduler Scheduler;
/* Both are borrowed until scheduler_free. */
Error *scheduler_new(Service *s, Teller *teller, Scheduler **out) MUST_CHECK;
void scheduler_free(Scheduler *c);
DEFINE_AUTO(Scheduler, scheduler_free)
/* The schedules of the service's settings as they are now. */
Error *scheduler_reload(Scheduler *c) MUST_CHECK;
/* Runs that a service's end has interrupted: once, at the start. */
void scheduler_resume(Scheduler *c);
/* About once a second. */
void scheduler_tick(Scheduler *c);
/* From any thread: a job has ended; one of a schedule is perhaps repeated, and then it is true. */
bool scheduler_job_ended(Scheduler *c, const StateJob *job);

#endif
