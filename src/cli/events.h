/* What a run does, for the program that started it: one JSON object a line, on the file descriptor
 * that --events names. docs/events.md says what there is.
 *
 * One for the process. Nothing is written before events_start and after events_end; a reader that
 * has gone ends the writing and not the run. One that does not read holds the run up.
 */
#ifndef PGSTOW_CLI_EVENTS_H
#define PGSTOW_CLI_EVENTS_H

#include "base/doc.h"
#include "base/log.h"
#include "flow/job.h"

/* The descriptor is not handed on to children from here on. Progress of `job` is told about twice a
 * second until events_stop. ERR_USAGE where the descriptor is not open for writing. */
Error *events_start(int fd, const char *command, Job *job) MUST_CHECK;
/* No more progress: the job may go. */
void events_stop(void);
void events_phase(const JobProgress *now);
/* What became of one of several databases (op/job_part.h). */
void events_part(const Doc *part);
void events_log(LogLevel level, const char *message);
/* The last line: `result` is what --json prints, or NULL. */
void events_end(const Doc *result, const Error *e, int exit_status);

#endif
