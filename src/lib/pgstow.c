#include "lib/lib_internal.h"

#include "op/backup.h"
#include "op/diff.h"
#include "op/list.h"
#include "op/restore.h"
#include "op/validate.h"

/* -- backup --------------------------------------------------------------------------- */

static pgstow_backup_info *info_of(const BackupInfo *b)
{
    pgstow_backup_info *info = mem_new(pgstow_backup_info);
    info->id = mem_strdup(b->id);
    info->key = mem_strdup(b->key);
    info->database = mem_strdup(b->database);
    info->timestamp_ms = b->timestamp;
    info->logical_size = b->logical_size;
    info->stored_size = b->size;
    info->new_bytes = b->new_bytes;
    info->tables = b->tables;
    info->rows = b->rows;
    info->encrypted = b->encrypted;
    info->pinned = b->pinned;
    info->proven = b->proven;
    return info;
}

void pgstow_backup_info_free(pgstow_backup_info *info)
{
    if (!info)
        return;
    free(info->id);
    free(info->key);
    free(info->database);
    free(info);
}

pgstow_error *pgstow_backup(pgstow *p, const pgstow_backup_options *given, pgstow_backup_info **out)
{
    pgstow_backup_options o = PGSTOW_BACKUP_OPTIONS_INIT;
    options_take(&o, sizeof o, given);
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO_VALUE(BackupInfo) info = {0};
    BackupOptions options = {.level = o.compression == 0  ? -1
                                      : o.compression < 0 ? 0
                                                          : o.compression,
                             .timeout_ms = o.timeout_ms,
                             .consistency = options_consistency(o.consistency)};
    options_add(&options.exclude_tables, o.exclude_tables);
    options_add(&options.exclude_table_data, o.exclude_table_data);
    options_add(&options.schemas, o.schemas);
    options_add(&options.tags, o.tags);
    c.context.encrypt = o.encrypt != 0;
    c.context.accept_older = o.accept_older != 0;
    e = op_backup(&c.context, &options, &info);
    if (!e && out)
        *out = info_of(&info);
    backup_options_clear(&options);
    return call_end(&c, e);
}

/* -- restore, list -------------------------------------------------------------------- */

pgstow_error *pgstow_restore(pgstow *p, const char *backup, const pgstow_restore_options *given)
{
    static const RestoreWay ways[] = {[PGSTOW_CREATE] = RESTORE_CREATE,
                                      [PGSTOW_REPLACE] = RESTORE_REPLACE,
                                      [PGSTOW_IN_PLACE] = RESTORE_IN_PLACE};
    pgstow_restore_options o = PGSTOW_RESTORE_OPTIONS_INIT;
    options_take(&o, sizeof o, given);
    if ((unsigned)o.way >= sizeof ways / sizeof *ways)
        return call_fail(ERROR_NEW(ERR_USAGE, "%d is no way to restore", (int)o.way));
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO_VALUE(RestoreResult) result = {0};
    e = op_restore(&c.context,
                   &(RestoreOptions){.backup = backup,
                                     .to_db = o.to_db,
                                     .way = ways[o.way],
                                     .no_owner = o.no_owner,
                                     .no_privileges = o.no_privileges,
                                     .role = o.role,
                                     .timeout_ms = o.timeout_ms,
                                     .consistency = options_consistency(o.consistency)},
                   &result);
    return call_end(&c, e);
}

pgstow_error *pgstow_list(pgstow *p, const char *database, pgstow_backup_info ***out, size_t *count)
{
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO_VALUE(BackupList) list = {0};
    e = op_list(&c.context, database, &list);
    if (!e) {
        *out = mem_calloc(list.count, sizeof **out);
        *count = list.count;
        for (size_t i = 0; i < list.count; i++)
            (*out)[i] = info_of(&list.items[i]);
    }
    return call_end(&c, e);
}

void pgstow_list_free(pgstow_backup_info **list, size_t count)
{
    for (size_t i = 0; list && i < count; i++)
        pgstow_backup_info_free(list[i]);
    free(list);
}

/* -- validate, diff --------------------------------------------------------------------------- */

pgstow_error *pgstow_validate(pgstow *p, const pgstow_validate_options *given, char **json)
{
    pgstow_validate_options o = PGSTOW_VALIDATE_OPTIONS_INIT;
    options_take(&o, sizeof o, given);
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO_VALUE(ValidateReport) report = {0};
    e = op_validate(&c.context,
                    &(ValidateOptions){.max_ms = o.max_ms,
                                       .heap_all_indexed = o.heap_all_indexed != 0,
                                       .run_functions = o.run_functions != 0},
                    &report);
    if (!e || error_kind(e) == ERR_INVALID)
        json_give(validate_doc(&report), json);
    return call_end(&c, e);
}

pgstow_error *pgstow_diff(pgstow *p, const char *a, const char *b, const pgstow_diff_options *given,
                          char **json)
{
    pgstow_diff_options o = PGSTOW_DIFF_OPTIONS_INIT;
    options_take(&o, sizeof o, given);
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO_VALUE(DiffResult) result = {0};
    DiffOptions options = {.a = a, .b = b, .rows = o.rows != 0, .limit = o.limit};
    options_add(&options.tables, o.tables);
    options_add(&options.schemas, o.schemas);
    e = op_diff(&c.context, &options, &result);
    if (!e)
        json_give(diff_doc(&result, options.rows), json);
    diff_options_clear(&options);
    return call_end(&c, e);
}

/* -- the doctor's questions ------------------------------------------------------------------- */

pgstow_error *pgstow_find_tool(pgstow *p, pgstow_tool tool, char **version)
{
    static const ToolName names[] = {[PGSTOW_PG_DUMP] = TOOL_PG_DUMP,
                                     [PGSTOW_PG_RESTORE] = TOOL_PG_RESTORE,
                                     [PGSTOW_PSQL] = TOOL_PSQL};
    if ((unsigned)tool >= sizeof names / sizeof *names)
        return call_fail(ERROR_NEW(ERR_USAGE, "%d is no tool", (int)tool));
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO(Conn) conn = NULL;
    AUTO(Tool) found = NULL;
    error_drop(op_connect(&c.context, NULL, &conn));
    e = tools_find(&c.context.tools, names[tool], conn ? conn_server_version(conn) : 0, 0, &found);
    if (!e && version)
        *version = mem_strdup(found->text);
    return call_end(&c, e);
}

char *pgstow_install_hint(int major)
{
    return tools_install_hint(NULL, major);
}
