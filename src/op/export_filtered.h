/* export --where, --mask: a composite. The backup is restored into a scratch database, whose rows
 * are backed up again by the filter, into a repository that lives no longer than this; the export
 * has its rows from there and everything else from the backup.
 */
#ifndef PGSTOW_OP_EXPORT_FILTERED_H
#define PGSTOW_OP_EXPORT_FILTERED_H

#include "op/export.h"

typedef struct ExportFilter {
    const StrList *where, *masks; /* as BackupOptions has them */
    bool cascade;
} ExportFilter;

/* The scratch database is made on the server that --db names. Errors are those of restore, backup
 * and export. */
Error *op_export_filtered(const OpContext *c, const ExportOptions *options,
                          const ExportFilter *filter, ExportResult *out) MUST_CHECK;

#endif
