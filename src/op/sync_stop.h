/* Syncs stopped from outside, whoever runs them: this host's side of them. */
#ifndef PGSTOW_OP_SYNC_STOP_H
#define PGSTOW_OP_SYNC_STOP_H

#include "state/state_session.h"

/* How a job of the service is stopped; NULL: by its process (op/job_cancel.h). */
typedef Error *(*SyncStopJob)(void *ctx, int64_t job);

/* Every session of this id that has not ended, in whichever role, is asked to stop; one that nobody
 * works for is CANCELLED at once. `out` has those that were meant, as they are now. ERR_NOT_FOUND;
 * ERR_EXISTS: it has ended. */
Error *op_sync_cancel(State *s, const char *id, SyncStopJob stop_job, void *ctx, Instant now,
                      StateSessions *out) MUST_CHECK;

/* A session of this id that is not done, whether it seems to live or not, becomes FAILED: who works
 * for it finds out at its next heartbeat, and stops. Errors and `out` as above. */
Error *op_sync_clear(State *s, const char *id, Instant now, StateSessions *out) MUST_CHECK;

#endif
