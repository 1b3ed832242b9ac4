#include "op/restore_work.h"

#include <string.h>

#include "pg/load.h"
#include "pg/toc_search_path.h"

void restore_work_clear(RestoreWork *w)
{
    if (w->admin)
        conn_free(w->admin);
    if (w->tool)
        tool_free(w->tool);
    part_clear(&w->part);
    backup_read_clear(&w->backup);
    if (w->cancel)
        cancel_free(w->cancel);
    if (w->calm)
        cancel_free(w->calm);
    free(w->database);
    db_traits_clear(&w->old);
    globals_clear(&w->globals);
    strlist_free(&w->made);
    free(w->indexed);
    restore_missing_free(w->missing, w->missing_count);
    strlist_free(&w->loosened);
    strlist_free(&w->warnings);
    *w = (RestoreWork){0};
}

static Error *open_backup(RestoreWork *w, const char *what)
{
    if (!w->o->at_given)
        return backup_read_open(w->c, w->o->backup, what, &w->backup);
    AUTO(char) database = op_database_name(w->c);
    AUTO(Repo) repo = NULL;
    AUTO(char) id = NULL;
    if (!database)
        return error_hint(ERROR_NEW(ERR_USAGE, "of which database is the backup to be?"),
                          "name it in --db");
    TRY(op_open_repo(w->c, false, &repo));
    TRY(catalog_at(repo, database, w->o->at, &id));
    return backup_read_open_id(w->c, STEAL(repo), id, what, &w->backup);
}

Error *restore_work_open_backup(RestoreWork *w, const char *what)
{
    Error *e = open_backup(w, what);
    if (e && w->o->salvage && restore_is_damage(e))
        return restore_beyond_salvage(w, e);
    TRY(e);
    if (w->o->search_path && w->o->search_path->count)
        TRY_CTX(toc_set_search_path(&w->backup.toc, w->o->search_path), "--search-path");
    return part_choose(&w->backup, &w->o->part, &w->part);
}

static Error *settle_target(RestoreWork *w)
{
    w->database = w->o->to_db ? mem_strdup(w->o->to_db) : op_database_name(w->c);
    if (!w->database || !*w->database)
        return error_hint(ERROR_NEW(ERR_USAGE, "which database is to be restored?"),
                          "name it in --db, or with --to-db");
    if (strlen(w->database) > 63)
        FAIL(ERR_USAGE, "\"%s\" is too long for the name of a database: at most 63 bytes",
             w->database);
    TRY(op_connect_admin(w->c, w->database, w->calm, &w->admin));
    return dbadmin_traits(w->admin, w->database, &w->exists, &w->old);
}

static Error *find_tool(RestoreWork *w, FindingList *findings)
{
    Error *e = tools_find(&w->c->tools, TOOL_PG_RESTORE, conn_server_version(w->admin),
                          toc_restore_major(w->backup.toc), &w->tool);
    if (e && (error_kind(e) == ERR_TOOL_MISSING || error_kind(e) == ERR_TOOL_VERSION)) {
        w->tool_kind = error_kind(e);
        finding_add_error(findings, "pg_restore", e);
        return NULL;
    }
    TRY(e);
    AUTO(char) what = mem_printf("%s %s", w->tool->argv.items[0], w->tool->text);
    finding_add(findings, FINDING_OK, "pg_restore", what, NULL);
    return NULL;
}

Error *restore_work_preflight(RestoreWork *w, FindingList *findings)
{
    TRY(cancel_new(NULL, &w->calm));
    TRY(cancel_new(job_cancel(w->c->job), &w->cancel));
    if (w->o->timeout_ms)
        cancel_deadline(w->cancel, w->o->timeout_ms);
    TRY(settle_target(w));
    TRY(restore_globals_open(w));
    TRY(find_tool(w, findings));
    TRY(restore_check_archive(w, findings));
    return restore_check_existing(w, findings);
}
