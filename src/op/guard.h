/* guard: backup, run a command (a schema migration, say), and if it fails put the database back. A
 * composite. */
#ifndef PGSTOW_OP_GUARD_H
#define PGSTOW_OP_GUARD_H

#include "op/backup.h"
#include "op/restore.h"

/* The phase during which the terminal is the command's. */
#define GUARD_PHASE_COMMAND "running the command"

typedef struct GuardResult {
    char *backup_id;
    int command_status; /* exit status, 128 + signal; -1: not run */
    bool restored;
} GuardResult;
void guard_result_clear(GuardResult *r);
DEFINE_AUTO_VALUE(GuardResult, guard_result_clear)
/* ERR_GUARD_BACKUP (nothing was run), ERR_GUARD_COMMAND (failed; the database was restored),
 * ERR_GUARD_RESTORE (that failed too; the message says where the backup is). The command has our
 * standard input, output and error. */
Error *op_guard(const OpContext *c, const BackupOptions *backup, char *const *command,
                GuardResult *out) MUST_CHECK;

#endif
