#include "lib/lib_internal.h"

#include "config/setting.h"
#include "op/cleanup.h"
#include "op/copy.h"
#include "op/delete.h"

pgstow_error *pgstow_delete(pgstow *p, const char *backup, int ignore_missing)
{
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO(char) id = NULL;
    e = op_delete(&c.context, backup, &id);
    if (e && ignore_missing &&
        (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_REPO_NOT_FOUND)) {
        error_free(e);
        e = NULL;
    }
    return call_end(&c, e);
}

typedef Error *(*Verb)(const OpContext *c, const char *name, char **id);

static pgstow_error *run_verb(pgstow *p, Verb verb, const char *backup)
{
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO(char) id = NULL;
    return call_end(&c, verb(&c.context, backup, &id));
}

pgstow_error *pgstow_undelete(pgstow *p, const char *backup)
{
    return run_verb(p, op_undelete, backup);
}

pgstow_error *pgstow_pin(pgstow *p, const char *backup)
{
    return run_verb(p, op_pin, backup);
}

pgstow_error *pgstow_unpin(pgstow *p, const char *backup, int *was)
{
    Call c;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO(char) id = NULL;
    bool pinned = false;
    e = op_unpin(&c.context, backup, &id, &pinned);
    if (!e && was)
        *was = pinned;
    return call_end(&c, e);
}

/* -- cleanup ---------------------------------------------------------------------------------- */

#define DAY_MS 86400000ll

/* What the program has where nothing is said. */
static int64_t standard(SettingId id)
{
    int64_t n = 0;
    error_drop(setting_parse(id, setting_info(id)->standard, &n));
    return n;
}

typedef struct Cleanup {
    CleanupOptions options;
    CleanupResult result;
    StrList tags;
    Zone *zone;
} Cleanup;
static void cleanup_clear(Cleanup *w)
{
    cleanup_result_clear(&w->result);
    strlist_free(&w->tags);
    zone_free(w->zone);
}
DEFINE_AUTO_VALUE(Cleanup, cleanup_clear)

static Error *take_policy(const pgstow_policy *given, Cleanup *w)
{
    pgstow_policy o = PGSTOW_POLICY_INIT;
    options_take(&o, sizeof o, given);
    int64_t none;
    TRY(zone_open(o.time_zone, &w->zone));
    if (o.group_by_tag)
        TRY_CTX(setting_parse(SETTING_GROUP_BY_TAG, o.group_by_tag, &none), "group_by_tag");
    options_add(&w->tags, o.tags);
    w->options.days_given = o.days != 0;
    w->options.policy = (RetentionPolicy){
        .days = o.days ? o.days : (unsigned)standard(SETTING_RETENTION_DAYS),
        .within_ms = o.within_ms,
        .keep = {[RETENTION_LAST] = o.last,
                 [RETENTION_HOURLY] = o.hourly,
                 [RETENTION_DAILY] = o.daily,
                 [RETENTION_WEEKLY] = o.weekly,
                 [RETENTION_MONTHLY] = o.monthly,
                 [RETENTION_YEARLY] = o.yearly},
        .tags = &w->tags,
        .group_by_tag = o.group_by_tag,
        .zone = w->zone,
    };
    return NULL;
}

static Error *check_cleanup(const pgstow_cleanup_options *o, const CleanupOptions *taken)
{
    const RetentionPolicy *p = &taken->policy;
    bool rules = taken->days_given || p->within_ms || p->tags->count || p->group_by_tag;
    for (int i = 0; i < RETENTION_PERIODS; i++)
        rules = rules || p->keep[i];
    if (o->prune_only && rules)
        FAIL(ERR_USAGE, "the policy says what is deleted, and prune_only deletes nothing");
    return NULL;
}

pgstow_error *pgstow_cleanup(pgstow *p, const pgstow_cleanup_options *given, char **json)
{
    pgstow_cleanup_options o = PGSTOW_CLEANUP_OPTIONS_INIT;
    AUTO_VALUE(Cleanup) w = {0};
    Call c;
    if (json)
        *json = NULL;
    options_take(&o, sizeof o, given);
    Error *e = take_policy(o.policy, &w);
    if (!e)
        e = check_cleanup(&o, &w.options);
    if (!e)
        e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    w.options.trash_ms = o.trash_ms < 0 ? 0
                         : o.trash_ms   ? o.trash_ms
                                        : standard(SETTING_TRASH_DAYS) * DAY_MS;
    w.options.limit_ms = o.dead_after_ms ? o.dead_after_ms : standard(SETTING_DEAD_AFTER);
    w.options.database = o.database;
    w.options.dry_run = o.dry_run != 0;
    w.options.prune_only = o.prune_only != 0;
    e = op_cleanup(&c.context, &w.options, &w.result);
    json_give(cleanup_doc(&w.result, w.options.dry_run), json);
    return call_end(&c, e);
}

/* -- copy ------------------------------------------------------------------------------------- */

static Error *allow(void *ctx, const char *question)
{
    const pgstow_copy_options *o = ctx;
    if (o->decrypt)
        return NULL;
    return error_hint(ERROR_NEW(ERR_CONFIRM, "%s Nothing was done", question),
                      "the option decrypt says that this is meant; encrypt makes an encrypted one");
}

static Error *check_copy(const pgstow_copy_options *o)
{
    if (!o->to)
        FAIL(ERR_USAGE, "it is not said where to copy to");
    if (o->backups && !*o->backups)
        FAIL(ERR_USAGE, "it is not said what to copy: NULL means all, an empty list means nothing");
    return NULL;
}

pgstow_error *pgstow_copy(pgstow *p, const pgstow_copy_options *given, char **json)
{
    pgstow_copy_options o = PGSTOW_COPY_OPTIONS_INIT;
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(CopyResult) result = {0};
    Call c;
    if (json)
        *json = NULL;
    options_take(&o, sizeof o, given);
    Error *e = check_copy(&o);
    if (!e)
        e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO(HandleKey) key = o.key ? handle_key_new(o.key) : NULL;
    c.context.encrypt = o.encrypt != 0;
    c.context.accept_older = o.accept_older != 0;
    OpContext to = c.context;
    to.repo_dir = o.to;
    to.key_given = false; /* the handle's may be meant for its own repository alone */
    if (key)
        handle_key_use(key, &to);
    options_add(&names, o.backups);
    e = op_copy(
        &c.context,
        &(CopyOptions){.names = &names, .to = &to, .max_rate = o.max_rate, .ask = allow, .ctx = &o},
        &result);
    json_give(copy_doc(&result), json);
    return call_end(&c, e ? e : copy_failures(&result));
}
