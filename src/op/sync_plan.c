/* What must fit before anything moves. */
#include <string.h>

#include "op/sync_work.h"

Error *sync_schema_here(const OpContext *c, Doc **out)
{
    Error *e = op_sync_schema(c, NULL, out);
    if (!e || error_kind(e) != ERR_DB_NOT_FOUND)
        return e;
    error_drop(e);
    *out = doc_object();
    doc_set_bool(*out, "missing", true);
    return NULL;
}

static Error *check_restore(const SyncOptions *o, const Doc *target, const SyncPlan *plan)
{
    const char *name = doc_str(target, "database", NULL);
    if (plan->method == SYNC_METHOD_HTTP)
        return error_hint(
            ERROR_NEW(ERR_PREFLIGHT, "the target has no tables, and the method http brings rows "
                                     "alone"),
            "make the tables there first; or, with pg_dump on the source, --method backup makes "
            "them too");
    if (doc_count(doc_get(target, "tables")))
        return error_hint(
            ERROR_NEW(ERR_PREFLIGHT,
                      "the target database %s has none of the source's tables, but others",
                      name ? name : ""),
            "is it the right one? An empty database, or one that does not exist, is filled whole");
    (void)o;
    return NULL;
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
                                .exclude_tables = &o->exclude_tables};
        TRY(sync_schema_compare(source, target, &c, &found));
        plan->restore = found.no_tables;
    }
    if (plan->restore)
        return check_restore(o, target, plan);
    TRY(sync_differences_error(&found));
    *differences = sync_differences_doc(&found);
    return NULL;
}
