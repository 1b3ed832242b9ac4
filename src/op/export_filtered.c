#include "op/export_filtered.h"

#include <string.h>

#include "base/file.h"
#include "op/backup.h"
#include "op/restore.h"
#include "op/scratch.h"

/* What is left behind is removed by name, last first. */
typedef struct Filtered {
    char *folder; /* of the repository that is made for this */
    Scratch scratch;
    BackupRead source, rows;
} Filtered;

static void filtered_clear(Filtered *f)
{
    backup_read_clear(&f->rows);
    backup_read_clear(&f->source);
    scratch_clear(&f->scratch);
    if (f->folder)
        error_drop(file_remove_tree(f->folder));
    free(f->folder);
}
DEFINE_AUTO_VALUE(Filtered, filtered_clear)

static Error *check_options(const OpContext *c, const ExportOptions *o)
{
    AUTO(char) named = op_database_name(c);
    if (o->format == EXPORT_GLOBALS || o->select.schema_only)
        return error_hint(ERROR_NEW(ERR_USAGE, "an export without rows has none to leave out"),
                          "leave out --where and --mask");
    if (!named)
        return error_hint(ERROR_NEW(ERR_USAGE, "--where and --mask need a server that can compute "
                                               "what they say"),
                          "name one in --db: a scratch database is made there for the time of the "
                          "export; or filter when you back up");
    return NULL;
}

/* Owners and privileges are the backup's own in what is exported; the scratch database needs none,
 * so no role has to exist. */
static Error *fill(const OpContext *c, Filtered *f)
{
    AUTO_VALUE(RestoreResult) restored = {0};
    RestoreOptions options = {.backup = f->source.id,
                              .to_db = f->scratch.name,
                              .way = RESTORE_CREATE,
                              .no_owner = true,
                              .no_privileges = true,
                              .no_tablespaces = true,
                              .keep_order = true};
    return op_restore(c, &options, &restored);
}

static Error *back_up(const OpContext *inner, const ExportFilter *filter, const Filtered *f,
                      BackupInfo *out)
{
    AUTO_VALUE(BackupOptions)
    options = {
        .cascade = filter->cascade, .level = 1, .parent = "none", .columns_like = f->source.toc};
    strlist_copy(&options.where, filter->where);
    strlist_copy(&options.masks, filter->masks);
    return op_backup(inner, &options, out);
}

Error *op_export_filtered(const OpContext *c, const ExportOptions *o, const ExportFilter *filter,
                          ExportResult *out)
{
    AUTO_VALUE(Filtered) f = {0};
    AUTO_VALUE(BackupInfo) info = {0};
    TRY(check_options(c, o));
    TRY(backup_read_open(c, o->backup, "export", &f.source));
    TRY(file_temp_dir(&f.folder));
    TRY(scratch_create(c, f.source.manifest->info.database, f.source.toc, &f.scratch));
    TRY_CTX(fill(c, &f), "filling a scratch database");
    OpContext inner = *c;
    inner.db_name = f.scratch.name;
    inner.repo_dir = f.folder;
    TRY(back_up(&inner, filter, &f, &info));
    TRY(scratch_drop(&f.scratch));
    TRY(backup_read_open(&inner, info.id, "export", &f.rows));
    ExportOptions options = *o;
    options.backup = f.source.id;
    options.rows = &f.rows;
    TRY(op_export(c, &options, out));
    strlist_copy(&out->warnings, &info.warnings);
    out->filter = STEAL(info.filter);
    return NULL;
}
