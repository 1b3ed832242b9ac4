/* What is told of what happens: one notification for one cause, and one when it is over.
 *
 * A cause is a condition of the state (state/state_condition.h) that began: what has begun to fail,
 * and why. While it holds, further failures for the same reason are silent; so are those of other
 * databases whose reason is the same server that is not reached, or the same repository. A success
 * ends the conditions that its own failures set, and is told where one of them was.
 *
 * Nothing is sent here: it waits in the outbox (op/notify_send.h). Each call is one transaction,
 * which may be part of the caller's (state_together); n may be without targets.
 */
#ifndef PGSTOW_OP_NOTIFY_H
#define PGSTOW_OP_NOTIFY_H

#include "op/notify_to.h"
#include "state/state_job.h"

/* A run is unlike those before it where, of the last NOTIFY_SAMPLES that succeeded (at least
 * NOTIFY_SAMPLES_LEAST), rows or size are less than half or more than twice the median, or its
 * time three times; and by so much that small numbers don't count. */
#define NOTIFY_SAMPLES 20
#define NOTIFY_SAMPLES_LEAST 5
#define NOTIFY_LEAST_ROWS 1000
#define NOTIFY_LEAST_BYTES 10000000
#define NOTIFY_LEAST_MS 600000

/* For a backup's ping alone. */
Error *notify_job_started(State *s, const Notifier *n, int64_t job, Instant now) MUST_CHECK;
/* Of a job that has ended, whatever its status. `again`: it failed, and another attempt follows:
 * then nothing is told yet. ERR_NOT_FOUND. */
Error *notify_job_ended(State *s, const Notifier *n, int64_t job, bool again,
                        Instant now) MUST_CHECK;
/* A scheduled run that was due then (the first of so many, up to now) did not happen. Called twice
 * with the same time it is told once. */
typedef struct NotifyMissed {
    const char *kind, *entry, *database; /* borrowed; database may be "" */
    Instant due;
    int64_t runs;
    long long running; /* the job that is not done, and for which these were passed over; 0: none */
} NotifyMissed;
Error *notify_missed(State *s, const Notifier *n, const NotifyMissed *missed,
                     Instant now) MUST_CHECK;
/* What time alone brings about: no good backup for too long, little room on a disk, a sync that
 * somebody else asked for and of which nothing is heard any more. Every minute or so. */
Error *notify_tick(State *s, const Notifier *n, Instant now) MUST_CHECK;

#endif
