/* export: a backup in a form that other programs read without pgstow. */
#ifndef PGSTOW_OP_EXPORT_H
#define PGSTOW_OP_EXPORT_H

#include "op/backup_read.h"
#include "pg/selection.h"

typedef enum ExportFormat { /* in the order of the setting */
                            EXPORT_AUTO,
                            EXPORT_CUSTOM,
                            EXPORT_DIRECTORY,
                            EXPORT_PLAIN,
                            EXPORT_UPSERT,
                            EXPORT_JSON,
                            EXPORT_CSV,
                            EXPORT_GLOBALS
} ExportFormat;
const char *export_format_name(ExportFormat f);

typedef struct ExportOptions {
    const char *backup;
    const char *output; /* a path, or "-" for standard output */
    bool overwrite;
    ExportFormat format;     /* AUTO: by the ending of the output's name, else CUSTOM */
    int compression;         /* 1 to 9, 0: none, -1: where the name ends in .gz */
    int restore_major;       /* the oldest pg_restore that shall read it; 0: no wish */
    SelectionOptions select; /* a part only */
    const BackupRead
        *rows; /* a filtered copy of the same tables, whose rows are exported instead */
} ExportOptions;
typedef struct ExportResult {
    char *backup_id;
    ExportFormat format;
    uint64_t bytes;        /* written */
    uint64_t tables, rows; /* in it */
    char *filter;          /* what rows were chosen and masked by; NULL: all, as they are */
    StrList warnings;
} ExportResult;
void export_result_clear(ExportResult *r);
DEFINE_AUTO_VALUE(ExportResult, export_result_clear)
/* A file or folder appears under its name only when it is complete (ERR_EXISTS where it is there
 * and not to be overwritten). */
Error *op_export(const OpContext *c, const ExportOptions *options, ExportResult *out) MUST_CHECK;
/* A name for the very bytes that an export of a whole backup to standard output gives: exports with
 * the same name are the same, byte by byte, however many jobs make them. It changes with the
 * backup's manifest, the form, and the versions of what makes them (pgstow, zlib, pg_restore). 64
 * hex digits, the caller frees. `backup` is as the catalog has it; options->format is not AUTO. */
Error *op_export_tag(const OpContext *c, const BackupInfo *backup, const ExportOptions *options,
                     char **hex) MUST_CHECK;

#endif
