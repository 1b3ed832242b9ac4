/* Backups of all databases of a server: a composite. Those that come new are picked up, one that
 * fails does not keep the others from theirs. */
#ifndef PGSTOW_OP_BACKUP_ALL_H
#define PGSTOW_OP_BACKUP_ALL_H

#include "op/cleanup.h"

typedef struct BackupOutcome {
    char *database; /* or the pattern that no database matches */
    BackupInfo info;
    CleanupResult cleaned;
    bool pattern;           /* it is one that no database matches */
    Instant started, ended; /* 0 of a pattern */
    Error *error;           /* NULL: it was backed up */
} BackupOutcome;
typedef struct BackupOutcomes {
    BackupOutcome *items;
    size_t count, cap;
} BackupOutcomes;
void backup_outcomes_clear(BackupOutcomes *o);
DEFINE_AUTO_VALUE(BackupOutcomes, backup_outcomes_clear)

typedef struct BackupAllOptions {
    const BackupOptions *each;
    const CleanupOptions *cleanup;    /* after each; NULL: none */
    const StrList *include, *exclude; /* patterns as pg_dump has them; no include: all */
    void (*done)(void *ctx, const BackupOutcome *o); /* after each, in this thread; or NULL */
    void *ctx;
} BackupAllOptions;

/* All that allow connections and are no templates, by name. ERR_PARTIAL where one failed or an
 * include matches none; ERR_DB_NOT_FOUND where there is none at all; `out` holds what was done in
 * any case. A cancellation ends it. The server is asked through the database that --db names,
 * postgres where it names none. */
Error *op_backup_all(const OpContext *c, const BackupAllOptions *options,
                     BackupOutcomes *out) MUST_CHECK;

#endif
