/* backup --all-databases. */
#include "op/backup_all.h"

#include <stdio.h>

#include "cli/cmd_backup.h"
#include "cli/cmd_cleanup.h"
#include "cli/command.h"
#include "cli/events.h"
#include "cli/progress.h"
#include "op/job_part.h"

typedef struct Work {
    Run *run;
    BackupOptions each;
    BackupAllOptions options;
    BackupOutcomes outcomes;
    CleanupOptions cleanup;
    Zone *zone;
} Work;
static void work_clear(Work *w)
{
    backup_options_clear(&w->each);
    backup_outcomes_clear(&w->outcomes);
    zone_free(w->zone);
}
DEFINE_AUTO_VALUE(Work, work_clear)

/* Each database's end is told, and in the history, by itself. */
static void record_one(Run *run, const BackupOutcome *o)
{
    if (o->pattern)
        return;
    AUTO(Doc) part = job_part_doc(o);
    events_part(part);
    history_part(run->history, part);
}

/* A line for each as soon as it is done: the whole may take a night. */
static void print_one(void *ctx, const BackupOutcome *o)
{
    Run *run = ctx;
    const BackupInfo *i = &o->info;
    char rows[32], logical[32], added[32], took[32];
    AUTO(char) database = text_printable(o->database);
    record_one(run, o);
    progress_hide();
    for (size_t k = 0; k < i->warnings.count; k++) {
        AUTO(char) warning = mem_printf("%s: %s", o->database, i->warnings.items[k]);
        output_warning(warning);
    }
    if (o->error) {
        AUTO(char) what = mem_printf("%s was not backed up", o->database);
        output_warning(what);
        output_error(o->error);
        if (!run->json && !run->quiet)
            printf("%s: failed (%s)\n", database, error_kind_info(error_kind(o->error))->meaning);
        fflush(stdout);
        return;
    }
    if (run->json)
        return;
    if (run->quiet)
        puts(i->id);
    else
        printf("%s: %s rows, %s, new %s; %s  %s\n", database, output_count(i->rows, rows),
               text_size(i->logical_size, logical), text_size(i->new_bytes, added),
               text_duration(i->finished - i->started, took), i->id);
    fflush(stdout);
}

static Error *work_all(Run *run, void *arg)
{
    Work *w = arg;
    return op_backup_all(&run->op, &w->options, &w->outcomes);
}

static Doc *outcomes_doc(const BackupOutcomes *o)
{
    Doc *d = doc_object(), *backups = doc_array(), *failed = doc_array();
    for (size_t i = 0; i < o->count; i++) {
        if (!o->items[i].error) {
            doc_push(backups, backup_info_doc(&o->items[i].info));
            continue;
        }
        Doc *one = doc_object();
        doc_set_str(one, "database", o->items[i].database);
        doc_set(one, "error", doc_error(o->items[i].error));
        doc_push(failed, one);
    }
    doc_set(d, "backups", backups);
    doc_set(d, "failed", failed);
    return d;
}

/* For hooks: all ids, and sums. */
static void note_all(Run *run, const BackupOutcomes *o)
{
    AUTO_VALUE(Buf) ids = {0};
    uint64_t added = 0, rows = 0;
    for (size_t i = 0; i < o->count; i++) {
        if (o->items[i].error)
            continue;
        buf_printf(&ids, "%s%s", ids.len ? " " : "", o->items[i].info.id);
        added += o->items[i].info.new_bytes;
        rows += o->items[i].info.rows;
    }
    run->backups = buf_steal_str(&ids);
    run_fact(run, "NEW_BYTES", added);
    run_fact(run, "ROWS", rows);
}

Error *backup_all(Run *run)
{
    const Config *c = run->config;
    AUTO_VALUE(Work) w = {0};
    backup_options_from(c, &w.each);
    backup_filters_from(c, &w.each);
    TRY(cleanup_options_from(c, &w.zone, &w.cleanup));
    w.options =
        (BackupAllOptions){.each = &w.each,
                           .cleanup = config_bool(c, SETTING_NO_CLEANUP) ? NULL : &w.cleanup,
                           .include = config_list(c, SETTING_INCLUDE_DATABASE),
                           .exclude = config_list(c, SETTING_EXCLUDE_DATABASE),
                           .done = print_one,
                           .ctx = run};
    Error *e = run_with_progress(run, work_all, &w);
    note_all(run, &w.outcomes);
    if (run->json)
        run_result(run, outcomes_doc(&w.outcomes));
    return e;
}
