/* What became of one database of `backup --all-databases`: a document, which the run tells the
 * program that started it (docs/events.md), and the row of the history that is made of it
 * (state_job_add_part), whoever writes that: the service or the command line itself. */
#ifndef PGSTOW_OP_JOB_PART_H
#define PGSTOW_OP_JOB_PART_H

#include "base/doc.h"
#include "op/backup_all.h"
#include "state/state_job.h"

/* database, started, ended (ms), and result, as `backup --json` has it, or error. */
Doc *job_part_doc(const BackupOutcome *o);
/* Records it as a part of that job. ERR_DAMAGED where it names no database. */
Error *job_part_record(State *s, int64_t of, const Doc *part) MUST_CHECK;

#endif
