#include <stdio.h>
#include <string.h>

#include "cli/cmd_restore.h"
#include "op/merge.h"

static Error *conflict_from(const char *text, MergeRules *rules)
{
    static const char *const words[] = {
        [MERGE_CONFLICT_SOURCE] = "source",
        [MERGE_CONFLICT_TARGET] = "target",
        [MERGE_CONFLICT_NEWEST] = "newest:",
        [MERGE_CONFLICT_FAIL] = "fail",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        bool newest = i == MERGE_CONFLICT_NEWEST;
        if (newest ? !text_starts(text, words[i]) : strcmp(text, words[i]) != 0)
            continue;
        rules->conflict = (MergeConflict)i;
        rules->newest = newest ? text + strlen(words[i]) : NULL;
        return NULL;
    }
    return error_hint(ERROR_NEW(ERR_USAGE, "--on-conflict %s is not known", text),
                      "source, target, newest:COLUMN or fail");
}

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
    return conflict_from(config_str(c, SETTING_ON_CONFLICT), &out->rules);
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

/* -- as JSON --------------------------------------------------------------------------------- */

static void set_counts(Doc *d, const MergeCounts *n)
{
    doc_set_int(d, "inserted", (int64_t)n->inserted);
    doc_set_int(d, "updated", (int64_t)n->updated);
    doc_set_int(d, "deleted", (int64_t)n->deleted);
    doc_set_int(d, "unchanged", (int64_t)n->unchanged);
    doc_set_int(d, "conflicts", (int64_t)n->conflicts);
    doc_set_int(d, "kept", (int64_t)n->kept);
    doc_set_int(d, "replaced", (int64_t)n->replaced);
    doc_set_int(d, "skipped", (int64_t)n->skipped);
    doc_set_int(d, "cascaded", (int64_t)n->cascaded);
}

static Doc *table_doc(const MergedTable *t)
{
    Doc *d = doc_object();
    doc_set_str(d, "schema", t->schema);
    doc_set_str(d, "name", t->name);
    doc_set_str(d, "key", t->key);
    doc_set_str(d, "base", t->base);
    set_counts(d, &t->counts);
    doc_set(d, "samples", doc_texts(&t->samples));
    return d;
}

static Doc *result_doc(const MergeResult *r, const char *mode)
{
    Doc *d = doc_object(), *tables = doc_array();
    doc_set_str(d, "id", r->backup_id);
    doc_set_str(d, "database", r->database);
    doc_set_str(d, "merge", mode);
    doc_set_bool(d, "dryRun", r->dry_run);
    set_counts(d, &r->sums);
    doc_set_int(d, "sequences", (int64_t)r->sequences);
    for (size_t i = 0; i < r->count; i++)
        doc_push(tables, table_doc(&r->tables[i]));
    doc_set(d, "tables", tables);
    doc_set(d, "leftOut", doc_texts(&r->left_out));
    doc_set_int(d, "rows", (int64_t)r->rows);
    doc_set_int(d, "bytes", (int64_t)r->bytes);
    doc_set_int(d, "fetchedBytes", (int64_t)r->fetched);
    doc_set_int(d, "duration", r->duration_ms);
    doc_set(d, "warnings", doc_texts(&r->warnings));
    return d;
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
        run_result(run, result_doc(r, mode));
        return;
    }
    AUTO(char) database = text_printable(r->database);
    if (!run->quiet) {
        print_tables(r);
        printf("%s rows compared, %s of the repository read; %s\n", output_count(r->rows, rows),
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
