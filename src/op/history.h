/* What a run of the command line leaves in the state (state/state_job.h), so that it is in the same
 * history as the service's jobs. Only where there is a state already: who has no service gets no
 * database of it. It never fails the run: what goes wrong is a warning.
 *
 * A run that the service has started knows it by PGSTOW_JOB in its environment and records
 * nothing: the service does.
 */
#ifndef PGSTOW_OP_HISTORY_H
#define PGSTOW_OP_HISTORY_H

#include "base/doc.h"
#include "state/state_job.h"

/* The system user that this process runs as, by name where it has one. Caller frees. */
char *history_user(void);

typedef struct History History; /* one run; NULL where nothing is recorded */

/* Borrowed. No secret is in the arguments (JSON). */
typedef struct HistoryRun {
    const char *folder; /* of the state; NULL: state_default_folder */
    const char *kind, *entry, *database, *arguments;
} HistoryRun;

/* Records that this process runs it now, for the system user that it runs as. */
History *history_begin(const HistoryRun *run);

/* What became of one of several databases (op/job_part.h). h may be NULL. */
void history_part(History *h, const Doc *part);

/* Borrowed; what is not known is NULL. */
typedef struct HistoryEnd {
    const Error *error; /* NULL: it succeeded; ERR_CANCELLED: it was stopped on request */
    const char *backup, *result;
    const StateProgress *progress;
} HistoryEnd;

/* Records how it ended, and frees h. Without it, the run counts as interrupted once the process is
 * gone. h may be NULL. */
void history_end(History *h, const HistoryEnd *end);

#endif
