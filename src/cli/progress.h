/* One line on the terminal that says how a job goes on: phase, table, bytes, rate, what was there
 * already, time left. A thread of its own reads the job's counters a few times a second.
 *
 * There is none where standard error is no terminal. Whoever else writes to standard error calls
 * progress_hide first.
 */
#ifndef PGSTOW_CLI_PROGRESS_H
#define PGSTOW_CLI_PROGRESS_H

#include "flow/job.h"

typedef struct Progress Progress;
/* *out NULL where nothing is to be shown (`wanted` false, no terminal). The job must outlive it. */
Error *progress_start(Job *job, bool wanted, Progress **out) MUST_CHECK;
void progress_stop(Progress *p); /* the line is taken away; NULL is fine */
DEFINE_AUTO(Progress, progress_stop)
/* Takes the line away until the next tick. */
void progress_hide(void);
/* Takes it away, and keeps it away while somebody is asked; then it may come again. */
void progress_hold(bool hold);

/* A phase begins, as its JobEvent tells: rate and time left count from here. With `silent` no line
 * is shown until the next phase: the terminal is somebody else's. */
void progress_phase(const JobProgress *now, bool silent);

/* The text of the line, at most `columns` wide; for tests. Caller frees. */
char *progress_line(const JobProgress *p, int64_t elapsed_ms, size_t columns);

#endif
