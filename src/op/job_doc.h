/* A job as JSON, as `jobs --json` and the API show it. */
#ifndef PGSTOW_OP_JOB_DOC_H
#define PGSTOW_OP_JOB_DOC_H

#include "base/doc.h"
#include "state/state_job.h"
#include "state/state_log.h"

Doc *job_doc(const StateJob *j);
Doc *job_line_doc(const StateLogLine *l);

#endif
