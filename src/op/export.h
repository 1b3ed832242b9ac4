/* export: a backup as a stock archive that pg_restore reads without pgstow. */
#ifndef PGSTOW_OP_EXPORT_H
#define PGSTOW_OP_EXPORT_H

#include "op/op.h"

typedef struct ExportOptions {
    const char *backup;
    const char *output; /* a path, or "-" for standard output */
    bool overwrite;
} ExportOptions;
typedef struct ExportResult {
    char *backup_id;
    uint64_t bytes;
} ExportResult;
void export_result_clear(ExportResult *r);
DEFINE_AUTO_VALUE(ExportResult, export_result_clear)
/* A file appears under its name only when it is complete (ERR_EXISTS where it is there and not to
 * be overwritten). */
Error *op_export(const OpContext *c, const ExportOptions *options, ExportResult *out) MUST_CHECK;

#endif
