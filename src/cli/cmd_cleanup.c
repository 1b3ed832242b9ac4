#include "cli/cmd_cleanup.h"

#include <stdio.h>

#define HOUR_MS 3600000ll
#define DAY_MS (24 * HOUR_MS)

/* A number without a unit is seconds: "keepWithin: 14" is hardly meant so, and would let go nearly
 * everything. */
static Error *at_least_an_hour(const Config *c, SettingId id)
{
    int64_t ms = config_duration(c, id);
    char span[32];
    if (config_source(c, id) == CONFIG_DEFAULT || ms >= HOUR_MS)
        return NULL;
    const SettingInfo *info = setting_info(id);
    return error_hint(ERROR_NEW(ERR_CONFIG, "--%s (%s) is %s, and must be an hour at least",
                                info->flag, info->key, text_duration(ms, span)),
                      "give it with its unit: 36h, 14d, 8w");
}

Error *cleanup_options_from(const Config *c, Zone **zone, CleanupOptions *out)
{
    static const SettingId periods[RETENTION_PERIODS] = {SETTING_KEEP_LAST,    SETTING_KEEP_HOURLY,
                                                         SETTING_KEEP_DAILY,   SETTING_KEEP_WEEKLY,
                                                         SETTING_KEEP_MONTHLY, SETTING_KEEP_YEARLY};
    TRY(at_least_an_hour(c, SETTING_KEEP_WITHIN));
    TRY(at_least_an_hour(c, SETTING_DEAD_AFTER));
    TRY(zone_open(config_str(c, SETTING_TIME_ZONE), zone));
    RetentionPolicy *p = &out->policy;
    p->zone = *zone;
    p->days = (unsigned)config_int(c, SETTING_RETENTION_DAYS);
    p->within_ms = config_duration(c, SETTING_KEEP_WITHIN);
    p->tags = config_list(c, SETTING_KEEP_TAG);
    p->group_by_tag = config_str(c, SETTING_GROUP_BY_TAG);
    for (int i = 0; i < RETENTION_PERIODS; i++)
        p->keep[i] = (unsigned)config_int(c, periods[i]);
    out->days_given = config_source(c, SETTING_RETENTION_DAYS) != CONFIG_DEFAULT;
    out->trash_ms = config_int(c, SETTING_TRASH_DAYS) * DAY_MS;
    out->limit_ms = config_duration(c, SETTING_DEAD_AFTER);
    return NULL;
}

/* -- what it says ----------------------------------------------------------------------------- */

static void print_verdicts(const CleanupResult *r)
{
    static const char *const headings[] = {"ID", "TIME (UTC)", "", "WHY"};
    AUTO_VALUE(Table) t = {0};
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < r->count; i++) {
        char text[CLOCK_TEXT];
        Buf why = {0};
        clock_human(r->items[i].timestamp, text);
        text[19] = 0; /* without the zone, which stands in the heading */
        for (size_t k = 0; k < r->items[i].why.count; k++)
            buf_printf(&why, "%s%s", k ? ", " : "", r->items[i].why.items[k]);
        table_add(&t, r->items[i].id);
        table_add(&t, text);
        table_add(&t, r->items[i].keep ? "stays" : "goes");
        table_own(&t, buf_steal_str(&why));
    }
    if (r->count)
        table_print(&t);
}

static void print_summary(const CleanupResult *r, bool dry_run)
{
    const PruneResult *p = &r->prune;
    char deleted[32], purged[32], packs[32], bytes[32], kept[32];
    printf("%s%s deleted, %s purged; %s freed in %s packs, %s stay\n", dry_run ? "would be: " : "",
           output_count(r->deleted.count, deleted), output_count(p->purged.count, purged),
           text_size(p->bytes + p->file_bytes, bytes), output_count(p->packs, packs),
           text_size(p->bytes_kept, kept));
}

void cleanup_print_line(const CleanupResult *r)
{
    char freed[32];
    bool back = false;
    for (size_t i = 0; i < r->deleted.count; i++)
        back = back || !strlist_has(&r->prune.purged, r->deleted.items[i]);
    if (r->deleted.count || r->prune.purged.count || r->prune.packs)
        printf("cleanup: %zu older deleted%s, %zu purged, %s freed\n", r->deleted.count,
               back ? " (undelete brings them back for a time)" : "", r->prune.purged.count,
               text_size(r->prune.bytes, freed));
}

/* -- the command ------------------------------------------------------------------------------ */

typedef struct Work {
    CleanupOptions options;
    CleanupResult result;
    Zone *zone;
} Work;
static void work_clear(Work *w)
{
    cleanup_result_clear(&w->result);
    zone_free(w->zone);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_cleanup(Run *run, void *arg)
{
    Work *w = arg;
    return op_cleanup(&run->op, &w->options, &w->result);
}

/* A misspelt name would otherwise look like a cleanup that had nothing to do. */
static void warn_of_nothing(const Run *run, const CleanupOptions *o)
{
    AUTO(char)
    text = mem_printf("there is no backup of database \"%s\" in %s: none was looked at",
                      o->database, run->op.repo_dir);
    output_warning(text);
}

static void warn_of(const CleanupResult *r)
{
    for (size_t i = 0; i < r->unreadable.count; i++) {
        AUTO(char)
        text = mem_printf("a backup cannot be read, and stays: %s", r->unreadable.items[i]);
        output_warning(text);
    }
    for (size_t i = 0; i < r->prune.waiting.count; i++) {
        AUTO(char) text = mem_printf("not purged yet: %s", r->prune.waiting.items[i]);
        output_warning(text);
    }
}

/* Those of the configuration count for other runs as well; who gives one here means it. */
static Error *refuse_rules(const Run *run)
{
    static const SettingId rules[] = {
        SETTING_RETENTION_DAYS, SETTING_KEEP_LAST,    SETTING_KEEP_HOURLY, SETTING_KEEP_DAILY,
        SETTING_KEEP_WEEKLY,    SETTING_KEEP_MONTHLY, SETTING_KEEP_YEARLY, SETTING_KEEP_WITHIN,
        SETTING_KEEP_TAG,       SETTING_GROUP_BY_TAG};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (config_source(run->config, rules[i]) == CONFIG_FLAG)
            return error_hint(ERROR_NEW(ERR_USAGE,
                                        "--%s says what is deleted, and --prune-only deletes "
                                        "nothing",
                                        setting_info(rules[i])->flag),
                              "leave one of the two away");
    return NULL;
}

Error *cmd_CLEANUP(Run *run)
{
    AUTO_VALUE(Work) w = {0};
    bool dry_run = config_bool(run->config, SETTING_DRY_RUN);
    TRY(cleanup_options_from(run->config, &w.zone, &w.options));
    w.options.database = run_word(run, 0);
    w.options.dry_run = dry_run;
    w.options.prune_only = config_bool(run->config, SETTING_PRUNE_ONLY);
    if (w.options.prune_only)
        TRY(refuse_rules(run));
    Error *e = run_with_progress(run, work_cleanup, &w);
    warn_of(&w.result);
    if (!e && w.options.database && !w.options.prune_only && !w.result.count)
        warn_of_nothing(run, &w.options);
    if (run->json) {
        run_result(run, cleanup_doc(&w.result, dry_run));
        return e;
    }
    if (dry_run)
        print_verdicts(&w.result);
    for (size_t i = 0; i < w.result.deleted.count && !dry_run; i++)
        printf("deleted %s\n", w.result.deleted.items[i]);
    for (size_t i = 0; i < w.result.prune.purged.count && !dry_run; i++)
        printf("purged %s\n", w.result.prune.purged.items[i]);
    if (!e && !run->quiet)
        print_summary(&w.result, dry_run);
    return e;
}
