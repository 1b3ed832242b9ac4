#include "op/guard.h"

#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"

#define WAIT_MS 100 /* how often a cancellation is looked for while the command runs */

void guard_result_clear(GuardResult *r)
{
    free(r->backup_id);
    *r = (GuardResult){0};
}

/* The restore that is promised, asked before anything is run: it must be possible. */
static Error *check_way_back(const OpContext *c, const RestoreOptions *restore)
{
    AUTO_VALUE(RestorePlan) plan = {0};
    TRY(op_restore_plan(c, restore, &plan));
    for (size_t i = 0; i < plan.findings.count; i++) {
        const Finding *f = &plan.findings.items[i];
        if (f->level != FINDING_PROBLEM)
            continue;
        Error *e = ERROR_NEW(ERR_PREFLIGHT, "the database could not be put back afterwards: %s",
                             f->detail);
        return f->remedy ? error_hint(e, "%s", f->remedy) : e;
    }
    return NULL;
}

static Error *prepare(const OpContext *c, const BackupOptions *backup, BackupInfo *info,
                      RestoreOptions *restore)
{
    if (backup->exclude_tables.count || backup->exclude_table_data.count || backup->schemas.count ||
        backup->where.count || backup->masks.count)
        return error_hint(
            ERROR_NEW(ERR_USAGE, "only a backup of the whole database can put it back"),
            "leave out what filters and masks");
    TRY(op_backup(c, backup, info));
    *restore =
        (RestoreOptions){.backup = info->id, .to_db = info->database, .way = RESTORE_REPLACE};
    return check_way_back(c, restore);
}

/* A cancellation is handed on to the command and waited for: what it leaves is put back then. */
static Error *run_command(const OpContext *c, char *const *command, int *status)
{
    AUTO_VALUE(StrList) argv = {0};
    AUTO(Proc) p = NULL;
    for (; *command; command++)
        strlist_add(&argv, *command);
    TRY(proc_start(&(ProcOptions){.argv = &argv, .inherit = true}, &p));
    bool told = false;
    for (bool done = false; !done;) {
        TRY(proc_wait_for(p, WAIT_MS, &done, status));
        if (!done && !told && cancel_requested(job_cancel(c->job))) {
            told = true;
            proc_signal(p, SIGTERM);
        }
    }
    return NULL;
}

Error *op_guard(const OpContext *c, const BackupOptions *backup, char *const *command,
                GuardResult *out)
{
    AUTO_VALUE(BackupInfo) info = {0};
    AUTO_VALUE(RestoreResult) restored = {0};
    RestoreOptions restore;
    *out = (GuardResult){.command_status = -1};
    if (!command || !command[0])
        FAIL(ERR_USAGE, "which command is to be guarded?");
    Error *e = prepare(c, backup, &info, &restore);
    out->backup_id = mem_strdup(info.id);
    if (e) {
        if (error_kind(e) == ERR_USAGE || error_kind(e) == ERR_CANCELLED)
            return e;
        return error_rekind(error_context(e, "%s was not run", command[0]), ERR_GUARD_BACKUP);
    }
    job_phase(c->job, GUARD_PHASE_COMMAND, 0, 0);
    e = run_command(c, command, &out->command_status);
    if (e) /* nothing of it ran */
        return error_rekind(error_context(e, "the database was not touched"), ERR_GUARD_COMMAND);
    if (!out->command_status)
        return NULL;

    log_warning("%s failed (status %d): restoring %s", command[0], out->command_status, info.id);
    OpContext calm = *c; /* Ctrl-C was meant for the command: the way back is gone to its end */
    if (cancel_requested(job_cancel(c->job)))
        calm.job = NULL;
    e = op_restore(&calm, &restore, &restored);
    if (e) {
        e = error_context(e, "%s failed (status %d), and so did the restore", command[0],
                          out->command_status);
        e = error_hint(e, "the backup from before it is %s: pgstow restore %s --replace", info.id,
                       info.id);
        return error_rekind(e, ERR_GUARD_RESTORE);
    }
    out->restored = true;
    return error_hint(ERROR_NEW(ERR_GUARD_COMMAND,
                                "%s failed (status %d); database \"%s\" was restored from %s",
                                command[0], out->command_status, info.database, info.id),
                      "see what the command said; the database is as it was before it");
}
