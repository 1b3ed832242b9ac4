/* The verbs of sync: each with a file of its own, and a row in cmd_sync.c. */
#ifndef PGSTOW_CLI_CMD_SYNC_H
#define PGSTOW_CLI_CMD_SYNC_H

#include "cli/command.h"
#include "op/sync.h"

/* The word behind the verb: a peer or a session. ERR_USAGE where it is missing. */
Error *sync_word(const Run *run, const char *what, const char **out) MUST_CHECK;

/* ERR_USAGE where the settings have a list of databases, and none is named: libpq's own default is
 * none of them, and perhaps an empty one, which a sync fills. */
Error *sync_must_name(const Run *run) MUST_CHECK;
/* This host, by the settings; borrows them and the run. */
SyncHost sync_host(Run *run); /* sync_host.c */

/* A verb of `pgstow sync`. */
typedef Error *(*SyncVerb)(Run *run);

Error *sync_run_pull(Run *run) MUST_CHECK; /* cmd_sync_run.c */
Error *sync_run_push(Run *run) MUST_CHECK;
Error *sync_run_resume(Run *run) MUST_CHECK;
Error *sync_run_test(Run *run) MUST_CHECK;
Error *sync_run_backup(Run *run) MUST_CHECK;
Error *sync_run_apply(Run *run) MUST_CHECK;
Error *sync_run_rows(Run *run) MUST_CHECK; /* cmd_sync_rows.c */
Error *sync_status(Run *run) MUST_CHECK;   /* cmd_sync_sessions.c */
Error *sync_history(Run *run) MUST_CHECK;
Error *sync_cancel(Run *run) MUST_CHECK;
Error *sync_clear_stuck(Run *run) MUST_CHECK;
Error *sync_clear_locks(Run *run) MUST_CHECK; /* cmd_sync_locks.c */

#endif
