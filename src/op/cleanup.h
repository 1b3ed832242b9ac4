/* cleanup: deletes by policy, then purges and frees space. A composite, which backups run after
 * themselves for their own lineage. */
#ifndef PGSTOW_OP_CLEANUP_H
#define PGSTOW_OP_CLEANUP_H

#include "base/doc.h"
#include "op/backup.h"
#include "op/retention.h"
#include "repo/prune.h"

typedef struct CleanupOptions {
    RetentionPolicy policy;
    bool days_given; /* policy.days was asked for: else it counts only where no other rule is given
                      */
    int64_t trash_ms, limit_ms; /* as in PruneOptions */
    const char *database;       /* NULL: of all databases */
    bool dry_run;
    bool prune_only; /* deletes nothing by policy */
} CleanupOptions;

typedef struct CleanupItem {
    char *id, *database;
    Instant timestamp;
    bool keep;
    StrList why;
} CleanupItem;
typedef struct CleanupResult {
    CleanupItem *items; /* all that were judged, as list has them */
    size_t count, cap;
    StrList deleted;    /* ids; with dry_run those that would be */
    StrList unreadable; /* "id: why": backups that cannot be judged, and stay */
    PruneResult prune;
} CleanupResult;
void cleanup_result_clear(CleanupResult *r);
DEFINE_AUTO_VALUE(CleanupResult, cleanup_result_clear)

/* What was done before an error is in *out, too. */
Error *op_cleanup(const OpContext *c, const CleanupOptions *options, CleanupResult *out) MUST_CHECK;
/* A backup, and cleanup of its lineage (cleanup NULL: none). What goes wrong with that never fails
 * the backup: it is one more of info's warnings. */
Error *op_backup_and_cleanup(const OpContext *c, const BackupOptions *backup,
                             const CleanupOptions *cleanup, BackupInfo *info,
                             CleanupResult *cleaned) MUST_CHECK;
Doc *cleanup_doc(const CleanupResult *r, bool dry_run);

#endif
