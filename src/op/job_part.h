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

/* Each part of that job; an error of `each` ends it. */
typedef Error *(*PartsEach)(void *ctx, const StateJob *part);
Error *parts_each(State *s, int64_t job, PartsEach each, void *ctx) MUST_CHECK;
/* Whether the job was of all databases that the settings name, and came to its end: no part of
 * them, and not by the command line, whose flags nobody knows. */
bool parts_are_whole(const StateJob *job);
/* Which databases an entry with all of a server has: those of its newest whole run before the job
 * `below` (0: of all), by name. *found is false where there is none, and nobody knows. */
Error *parts_known(State *s, const char *entry, int64_t below, StrList *out,
                   bool *found) MUST_CHECK;

#endif
