/* A job as JSON, as `jobs --json` and the API show it; and lines of a log, of a session too. */
#ifndef PGSTOW_OP_JOB_DOC_H
#define PGSTOW_OP_JOB_DOC_H

#include "base/doc.h"
#include "flow/job.h"
#include "state/state_job.h"
#include "state/state_log.h"

Doc *job_doc(const StateJob *j);
Doc *job_list_doc(const StateJobs *jobs); /* "jobs", and whether there are "more" */
/* The members of a progress, as events (docs/events.md) have them too. */
void job_doc_progress(Doc *d, const StateProgress *p);
/* What a running job shows of itself; texts are borrowed. */
StateProgress job_progress_of(const JobProgress *now);
Doc *log_line_doc(const StateLogLine *l);
/* All of them, and whether there are more, as the members "log" and "moreLog". */
void log_doc_set(Doc *d, const StateLog *l);

#endif
