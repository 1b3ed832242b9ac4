#include "lib/lib_internal.h"

#include "op/drill.h"
#include "op/verify.h"

static Error *run_check(const OpContext *c, const char *backup, CheckLevel level,
                        const pgstow_verify_options *o, char **json)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(CheckReport) report = {0};
    if (backup)
        strlist_add(&names, backup);
    VerifyOptions options = {
        .names = &names, .level = level, .older_than_ms = o->older_than_ms, .sample = o->sample};
    Error *e = op_verify(c, &options, &report);
    if (!e || error_kind(e) == ERR_DAMAGED)
        json_give(verify_doc(&options, &report), json);
    return e;
}

static Error *run_drill(const OpContext *c, const char *backup, const pgstow_verify_options *o,
                        char **json)
{
    AUTO_VALUE(StrList) assertions = {0};
    AUTO_VALUE(StrList) search_path = {0};
    AUTO_VALUE(DrillResult) result = {0};
    options_add(&assertions, o->assertions);
    options_add(&search_path, o->search_path);
    Error *e = op_drill(c,
                        &(DrillOptions){.backup = backup,
                                        .db_url = o->drill_database,
                                        .assertions = &assertions,
                                        .search_path = &search_path,
                                        .validate = options_consistency(o->consistency).mode,
                                        .timeout_ms = o->timeout_ms},
                        &result);
    if (result.backup_id)
        json_give(drills_doc(&result, 1), json);
    return e;
}

/* What a level has no use for would otherwise be passed over in silence. */
static Error *check_level(const pgstow_verify_options *o)
{
    if ((unsigned)o->level > PGSTOW_DRILL)
        FAIL(ERR_USAGE, "%d is no level of verify", (int)o->level);
    if (o->level == PGSTOW_DRILL && (o->older_than_ms || o->sample))
        FAIL(ERR_USAGE, "a drill restores whole backups: older_than_ms and sample go with level "
                        "data");
    if (o->level != PGSTOW_DRILL &&
        (o->drill_database || o->assertions || o->search_path || o->consistency || o->timeout_ms))
        FAIL(ERR_USAGE, "an option of drills is given, and the level is another one");
    return NULL;
}

pgstow_error *pgstow_verify_with(pgstow *p, const char *backup, const pgstow_verify_options *given,
                                 char **json)
{
    static const CheckLevel levels[] = {
        [PGSTOW_QUICK] = CHECK_QUICK, [PGSTOW_DATA] = CHECK_DATA, [PGSTOW_REBUILD] = CHECK_REBUILD};
    pgstow_verify_options o = PGSTOW_VERIFY_OPTIONS_INIT;
    Call c;
    if (json)
        *json = NULL;
    options_take(&o, sizeof o, given);
    Error *e = check_level(&o);
    if (!e)
        e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    return call_end(&c, o.level == PGSTOW_DRILL
                            ? run_drill(&c.context, backup, &o, json)
                            : run_check(&c.context, backup, levels[o.level], &o, json));
}

pgstow_error *pgstow_verify(pgstow *p, const char *backup, pgstow_level level)
{
    pgstow_verify_options o = PGSTOW_VERIFY_OPTIONS_INIT;
    o.level = level;
    return pgstow_verify_with(p, backup, &o, NULL);
}
