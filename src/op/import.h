/* import: dumps that others made (pg_dump's custom, directory, tar and plain formats, compressed or
 * not) become backups with their own time. A composite: what has to go through a server is restored
 * into a scratch database and backed up from there.
 */
#ifndef PGSTOW_OP_IMPORT_H
#define PGSTOW_OP_IMPORT_H

#include "op/backup.h"

typedef struct ImportOptions {
    const char *const *paths; /* dumps, or folders of them; NULL-terminated */
    const char *database;     /* of which they are; NULL: as they say themselves */
    bool at_given;
    Instant at; /* when they were made; otherwise as they say, or else the file's time */
    bool no_owner, no_privileges; /* of what goes through the scratch database */
    StrList tags;
    const char *parent; /* as BackupOptions has it */
    int level;
    uint64_t max_rate;
    int64_t timeout_ms; /* for each dump */
} ImportOptions;

typedef enum ImportState { IMPORT_DONE, IMPORT_THERE, IMPORT_FAILED } ImportState;
typedef struct ImportItem {
    char *path;
    const char *form;  /* "custom", ... */
    ImportState state; /* THERE: a backup of its id, made from a file of the same checksum */
    BackupInfo info;   /* DONE; THERE: id alone */
    StrList notes;     /* what was passed over */
    Error *error;      /* FAILED */
} ImportItem;
typedef struct ImportResult {
    ImportItem *items;
    size_t count, cap;
} ImportResult;
void import_result_clear(ImportResult *r);
DEFINE_AUTO_VALUE(ImportResult, import_result_clear)

/* Each dump stands by itself: one that fails is in the result, and the rest goes on. An error only
 * where nothing could be tried, or on cancellation (with what was done in `out`). */
Error *op_import(const OpContext *c, const ImportOptions *options, ImportResult *out) MUST_CHECK;

#endif
