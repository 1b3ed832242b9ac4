#include <stdio.h>
#include <string.h>

#include "cli/cmd_backup.h"
#include "cli/cmd_cleanup.h"
#include "cli/command.h"

void backup_filters_from(const Config *c, BackupOptions *out)
{
    strlist_copy(&out->exclude_tables, config_list(c, SETTING_EXCLUDE_TABLE));
    strlist_copy(&out->exclude_table_data, config_list(c, SETTING_EXCLUDE_TABLE_DATA));
    strlist_copy(&out->schemas, config_list(c, SETTING_SCHEMA));
    strlist_copy(&out->where, config_list(c, SETTING_WHERE));
    strlist_copy(&out->masks, config_list(c, SETTING_MASK));
    out->cascade = config_bool(c, SETTING_CASCADE);
    const char *fallback = config_str(c, SETTING_FALLBACK);
    out->fallback_rows = fallback && !strcmp(fallback, "json");
}

void backup_options_from(const Config *c, BackupOptions *out)
{
    out->globals = config_bool(c, SETTING_GLOBALS);
    out->role_passwords = config_bool(c, SETTING_ROLE_PASSWORDS);
    strlist_copy(&out->tags, config_list(c, SETTING_TAG));
    out->parent = config_str(c, SETTING_PARENT);
    out->level = (int)config_int(c, SETTING_COMPRESSION);
    out->max_rate = config_size(c, SETTING_MAX_RATE);
    out->timeout_ms = config_duration(c, SETTING_BACKUP_TIMEOUT);
    out->lock_wait_ms = config_duration(c, SETTING_LOCK_WAIT);
    out->consistency.mode = (ValidateMode)config_int(c, SETTING_BACKUP_VALIDATE);
    out->consistency.max_ms = config_int(c, SETTING_VALIDATE_SECONDS) * 1000;
}

typedef struct Work {
    BackupOptions options;
    BackupInfo info;
    bool clean;
    CleanupOptions cleanup;
    CleanupResult cleaned;
    Zone *zone;
} Work;
static void work_clear(Work *w)
{
    backup_options_clear(&w->options);
    backup_info_clear(&w->info);
    cleanup_result_clear(&w->cleaned);
    zone_free(w->zone);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_backup(Run *run, void *arg)
{
    Work *w = arg;
    return op_backup_and_cleanup(&run->op, &w->options, w->clean ? &w->cleanup : NULL, &w->info,
                                 &w->cleaned);
}

static void print_summary(const BackupInfo *i)
{
    char tables[32], rows[32], logical[32], added[32], stored[32], took[32];
    double share = i->logical_size ? 100.0 * (double)i->new_bytes / (double)i->logical_size : 0;
    printf("%s on %s, %s\n", i->database, i->server, i->database_version);
    printf("%s tables, %s rows, %s; new %s (%.1f %%), refers to %s; %s\n",
           output_count(i->tables, tables), output_count(i->rows, rows),
           text_size(i->logical_size, logical), text_size(i->new_bytes, added), share,
           text_size(i->size, stored), text_duration(i->finished - i->started, took));
    if (*i->filter) {
        AUTO(char) filter = text_printable(i->filter);
        printf("%s: %s\n", i->masked.count ? "not whole, or not as it was" : "not whole", filter);
    }
}

Error *cmd_BACKUP(Run *run)
{
    AUTO_VALUE(Work) w = {0};
    if (config_bool(run->config, SETTING_ALL_DATABASES))
        return backup_all(run);
    if (config_list(run->config, SETTING_INCLUDE_DATABASE)->count ||
        config_list(run->config, SETTING_EXCLUDE_DATABASE)->count)
        FAIL(ERR_USAGE, "--include-database and --exclude-database belong to --all-databases");
    backup_options_from(run->config, &w.options);
    backup_filters_from(run->config, &w.options);
    TRY(cleanup_options_from(run->config, &w.zone, &w.cleanup));
    w.clean = !config_bool(run->config, SETTING_NO_CLEANUP);
    Error *e = run_with_progress(run, work_backup, &w);
    if (e && (error_kind(e) == ERR_CANCELLED || error_kind(e) == ERR_TIMEOUT))
        return error_hint(e,
                          "nothing of it is visible; the next backup goes on from what is stored");
    TRY(e);
    run_backup(run, w.info.id);
    run_fact(run, "NEW_BYTES", w.info.new_bytes);
    run_fact(run, "SIZE", w.info.size);
    run_fact(run, "LOGICAL_SIZE", w.info.logical_size);
    run_fact(run, "TABLES", w.info.tables);
    run_fact(run, "ROWS", w.info.rows);
    for (size_t i = 0; i < w.info.warnings.count; i++)
        output_warning(w.info.warnings.items[i]);
    if (run->json) {
        Doc *d = backup_info_doc(&w.info);
        if (w.clean)
            doc_set(d, "cleanup", cleanup_doc(&w.cleaned, false));
        run_result(run, d);
        return NULL;
    }
    if (!run->quiet) {
        print_summary(&w.info);
        cleanup_print_line(&w.cleaned);
    }
    puts(w.info.id);
    return NULL;
}
