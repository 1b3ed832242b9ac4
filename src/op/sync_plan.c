/* What must fit before anything moves. */
#include <string.h>

#include "base/file.h"
#include "op/sync_work.h"

Error *sync_schema_here(const OpContext *c, const SyncTerms *terms, Doc **out)
{
    Error *e = op_sync_schema(c, NULL, out);
    if (e && error_kind(e) != ERR_DB_NOT_FOUND)
        return e;
    if (e) {
        error_drop(e);
        *out = doc_object();
        doc_set_bool(*out, "missing", true);
    }
    doc_set_bool(*out, "filtered", terms->exclude && terms->exclude->count);
    doc_set_bool(*out, "noDefinitions", terms->no_definitions);
    return NULL;
}

Error *sync_no_definitions(void)
{
    return error_hint(ERROR_NEW(ERR_PREFLIGHT, "the target has no tables, and its settings "
                                               "(sync.definitions) let no sync bring definitions"),
                      "make the tables there first: pg_dump --schema-only of the source, which "
                      "somebody has read, into psql");
}

/* A mirror deletes what is not sent; the merge itself would refuse it when all is there. */
static Error *check_mirror(const SyncOptions *o, const Doc *source)
{
    bool cascade = o->cascade && (o->exclude_tables.count || o->masks.count);
    const char *by = o->where.count                        ? o->where.items[0]
                     : doc_bool(source, "filtered", false) ? "sync.exclude of the source"
                     : cascade                             ? "--cascade"
                                                           : NULL;
    if (o->mode != MERGE_MIRROR || !by)
        return NULL;
    AUTO(char) shown = text_printable(by);
    return error_hint(ERROR_NEW(ERR_PREFLIGHT,
                                "only some of the rows are to be sent (%s), and a mirror would "
                                "delete the others in the target",
                                shown),
                      "--merge upsert deletes nothing; --exclude-table leaves a whole table alone");
}

static Error *check_restore(const Doc *target, const SyncPlan *plan)
{
    const char *name = doc_str(target, "database", NULL);
    if (doc_count(doc_get(target, "tables")))
        return error_hint(
            ERROR_NEW(ERR_PREFLIGHT,
                      "the target database %s has none of the source's tables, but others",
                      name ? name : ""),
            "is it the right one? An empty database, or one that does not exist, is filled whole");
    if (doc_bool(target, "noDefinitions", false))
        return sync_no_definitions();
    if (plan->method == SYNC_METHOD_HTTP)
        return error_hint(
            ERROR_NEW(ERR_PREFLIGHT, "the target has no tables, and the method http brings rows "
                                     "alone"),
            "make the tables there first; or, with pg_dump on the source, --method backup makes "
            "them too");
    return NULL;
}

/* Of the target, which makes the tables by it. */
Error *sync_plan_tools(const SyncWork *w)
{
    AUTO(Tool) tool = NULL;
    if (!w->plan.restore)
        return NULL;
    if (w->o->direction == SYNC_PULL)
        return tools_find(&w->h->op->tools, TOOL_PG_RESTORE, 0, 0, &tool);
    if (!doc_has(w->remote.opened, "pgRestore") || doc_str(w->remote.opened, "pgRestore", NULL))
        return NULL;
    const char *hint = doc_str(w->remote.opened, "pgRestoreHint", NULL);
    Error *e = ERROR_NEW(ERR_TOOL_MISSING,
                         "peer %s has no pg_restore, which makes the tables that the target lacks",
                         w->o->peer);
    return hint ? error_hint(e, "%s", hint) : e;
}

/* What the copy may need where nothing of it is there yet: no reason to stop, but to be told. */
void sync_plan_room(SyncWork *w, uint64_t size)
{
    char room[32], need[32];
    uint64_t space = (uint64_t)doc_int(w->remote.opened, "freeBytes", INT64_MAX);
    if (w->o->direction == SYNC_PULL)
        error_drop(file_free_space(op_repo_dir(w->h->op), &space));
    if (space >= size)
        return;
    AUTO(char)
    text = mem_printf("the disk of the target's repository has %s left, and the backup is %s: of "
                      "which it may have a part already",
                      text_size(space, room), text_size(size, need));
    sync_session_log(w->session, "warning", "%s", text);
    strlist_own(&w->out->warnings, STEAL(text));
}

Error *sync_plan(const SyncOptions *o, const Doc *source, const Doc *target, SyncPlan *plan,
                 Doc **differences)
{
    AUTO_VALUE(SyncDifferences) found = {0};
    if (doc_bool(source, "missing", false))
        FAIL(ERR_DB_NOT_FOUND, "the source's database does not exist");
    if (o->masks.count && !o->masked_too)
        return error_hint(ERROR_NEW(ERR_CONFIRM, "masked values would take the place of those that "
                                                 "the target has"),
                          "--yes says that they may");
    plan->restore = doc_bool(target, "missing", false);
    if (!plan->restore) {
        SyncCompareOptions c = {.ignore_extra_columns = o->ignore_extra,
                                .keyless_too = o->keyless != MERGE_KEYLESS_FAIL,
                                .mirror = o->mode == MERGE_MIRROR,
                                .exclude_tables = &o->exclude_tables};
        TRY(sync_schema_compare(source, target, &c, &found));
        plan->restore = found.no_tables;
    }
    if (plan->restore)
        return check_restore(target, plan);
    TRY(check_mirror(o, source));
    TRY(sync_differences_error(&found));
    *differences = sync_differences_doc(&found);
    return NULL;
}
