/* Cancels a job that is in the state, whoever runs it: one that waits ends as cancelled at once, a
 * running one's process is asked to stop (SIGTERM) and ends as it then tells.
 */
#ifndef PGSTOW_OP_JOB_CANCEL_H
#define PGSTOW_OP_JOB_CANCEL_H

#include "state/state_job.h"

/* ERR_NOT_FOUND. ERR_EXISTS: it has ended. ERR_PREFLIGHT: its process is another container's or
 * gone, ERR_REPO_PERMISSION: another user's. */
Error *op_cancel_job(State *s, int64_t id, Instant now) MUST_CHECK;
/* Whether the job's process is one of this boot and container, and lives. */
bool op_job_lives(const StateJob *job);

#endif
