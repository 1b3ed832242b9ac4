#include <stdio.h>
#include <string.h>

#include "cli/cmd_restore.h"
#include "op/merge.h"

static Error *options_from(const Run *run, MergeOptions *out)
{
    const Config *c = run->config;
    if (config_bool(c, SETTING_REPLACE) || config_bool(c, SETTING_IN_PLACE) ||
        config_str(c, SETTING_KEEP_OLD))
        FAIL(ERR_USAGE, "--merge goes into the tables that are there: it excludes --replace, "
                        "--in-place and --keep-old");
    *out = (MergeOptions){
        .backup = run_word(run, 0),
        .at_given = config_str(c, SETTING_AT) != NULL,
        .at = config_instant(c, SETTING_AT),
        .to_db = config_str(c, SETTING_TO_DB),
        .rules = {.mode = (MergeMode)(config_int(c, SETTING_MERGE) - 1),
                  .taken = (MergeTaken)config_int(c, SETTING_ON_UNIQUE_CONFLICT)},
        .keys = config_list(c, SETTING_KEY),
        .keyless = (MergeKeyless)config_int(c, SETTING_KEYLESS),
        .base = config_str(c, SETTING_BASE),
        .triggers = config_bool(c, SETTING_TRIGGERS),
        .dry_run = config_bool(c, SETTING_DRY_RUN),
        .delta = config_bool(c, SETTING_MERGE_DELTA),
        .keep_base = config_bool(c, SETTING_MERGE_DELTA),
        .verify = config_bool(c, SETTING_MERGE_VERIFY),
        .ignore_extra_columns = config_bool(c, SETTING_MERGE_IGNORE_EXTRA),
        .masked_too = run->yes,
        .part = {.tables = config_list(c, SETTING_TABLE),
                 .schemas = config_list(c, SETTING_PART_SCHEMA),
                 .exclude_tables = config_list(c, SETTING_PART_EXCLUDE_TABLE),
                 .schema_only = config_bool(c, SETTING_SCHEMA_ONLY)},
        .role = config_str(c, SETTING_ROLE),
        .lock_wait_ms = config_duration(c, SETTING_MERGE_LOCK_WAIT),
        .timeout_ms = config_duration(c, SETTING_RESTORE_TIMEOUT),
    };
    if (out->at_given && out->backup)
        return error_hint(ERROR_NEW(ERR_USAGE, "an id and --at exclude each other"),
                          "--at chooses the backup by time");
    if (!out->backup && !out->at_given)
        return error_hint(ERROR_NEW(ERR_USAGE, "which backup is to be merged?"),
                          "name an id, latest, or a time with --at; \"pgstow list\" shows the ids");
    return merge_parse_conflict(config_str(c, SETTING_ON_CONFLICT), &out->rules);
}

typedef struct Work {
    MergeOptions options;
    MergeResult result;
} Work;
static void work_clear(Work *w)
{
    merge_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_merge(Run *run, void *arg)
{
    Work *w = arg;
    return op_merge(&run->op, &w->options, &w->result);
}

/* -- as text --------------------------------------------------------------------------------- */

typedef struct Column {
    const char *heading;
    size_t offset; /* in MergeCounts */
    bool always;
} Column;
static const Column columns[] = {
    {">INSERTED", offsetof(MergeCounts, inserted), true},
    {">UPDATED", offsetof(MergeCounts, updated), true},
    {">DELETED", offsetof(MergeCounts, deleted), true},
    {">UNCHANGED", offsetof(MergeCounts, unchanged), true},
    {">CONFLICTS", offsetof(MergeCounts, conflicts), true},
    {">KEPT", offsetof(MergeCounts, kept), false},
    {">REPLACED", offsetof(MergeCounts, replaced), false},
    {">SKIPPED", offsetof(MergeCounts, skipped), false},
    {">CASCADED", offsetof(MergeCounts, cascaded), false},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static uint64_t counted(const MergeCounts *n, const Column *c)
{
    return *(const uint64_t *)(const void *)((const char *)n + c->offset);
}

static void add_row(Table *table, const char *name, const MergeCounts *n, const MergeCounts *sums)
{
    char text[32];
    table_add(table, name);
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].always || counted(sums, &columns[i]))
            table_add(table, output_count(counted(n, &columns[i]), text));
}

static void print_tables(const MergeResult *r)
{
    AUTO_VALUE(Table) table = {0};
    const char *headings[COLUMNS + 1] = {"TABLE"};
    size_t count = 1;
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].always || counted(&r->sums, &columns[i]))
            headings[count++] = columns[i].heading;
    table_head(&table, count, headings);
    for (size_t i = 0; i < r->count; i++) {
        AUTO(char) name = mem_printf("%s.%s", r->tables[i].schema, r->tables[i].name);
        add_row(&table, name, &r->tables[i].counts, &r->sums);
    }
    if (r->count > 1)
        add_row(&table, "all", &r->sums, &r->sums);
    table_print(&table);
    for (size_t i = 0; i < r->count; i++) {
        const MergedTable *t = &r->tables[i];
        for (size_t k = 0; k < t->samples.count; k++) {
            AUTO(char) line = mem_printf("%s.%s: %s", t->schema, t->name, t->samples.items[k]);
            AUTO(char) shown = text_printable(line);
            puts(shown);
        }
    }
}

/* Where only the difference was wanted, and it was more. */
static void print_full(const MergeResult *r)
{
    if (r->full_for)
        printf("not by difference: %s\n", r->full_for);
    for (size_t i = 0; i < r->count; i++)
        if (r->tables[i].full_for)
            printf("%s.%s not by difference: %s\n", r->tables[i].schema, r->tables[i].name,
                   r->tables[i].full_for);
}

static void print_result(Run *run, const MergeResult *r, const char *mode)
{
    char rows[32], fetched[32], took[32];
    for (size_t i = 0; i < r->warnings.count; i++)
        output_warning(r->warnings.items[i]);
    for (size_t i = 0; i < r->left_out.count; i++) {
        AUTO(char) text = mem_printf("%s has no key and was left out", r->left_out.items[i]);
        output_warning(text);
    }
    if (run->json) {
        run_result(run, merge_doc(r, mode));
        return;
    }
    AUTO(char) database = text_printable(r->database);
    if (!run->quiet) {
        print_tables(r);
        print_full(r);
        printf("%s rows compared, %s of the repository read; %s\n", output_count(r->compared, rows),
               text_size(r->fetched, fetched), text_duration(r->duration_ms, took));
    }
    if (r->dry_run)
        printf("nothing was changed in %s: %s was only compared\n", database, r->backup_id);
    else
        printf("merged %s into %s (%s)\n", r->backup_id, database, mode);
}

Error *restore_merge(Run *run)
{
    static const char *const modes[] = {
        [MERGE_UPSERT] = "upsert", [MERGE_MIRROR] = "mirror", [MERGE_INSERT] = "insert"};
    AUTO_VALUE(Work) w = {0};
    TRY(options_from(run, &w.options));
    TRY(run_with_progress(run, work_merge, &w));
    run_backup(run, w.result.backup_id);
    print_result(run, &w.result, modes[w.options.rules.mode]);
    return NULL;
}
