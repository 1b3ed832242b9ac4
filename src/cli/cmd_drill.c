#include "cli/cmd_drill.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "op/drill.h"

Error *drill_refuse_flags(const Run *run)
{
    static const SettingId only[] = {SETTING_DRILL_DB, SETTING_ASSERTIONS, SETTING_REPORT,
                                     SETTING_DRILL_VALIDATE};
    for (size_t i = 0; i < sizeof only / sizeof *only; i++)
        if (config_source(run->config, only[i]) == CONFIG_FLAG)
            return error_hint(
                ERROR_NEW(ERR_USAGE, "--%s goes with --level drill", setting_info(only[i])->flag),
                "the other levels restore nothing");
    return NULL;
}

typedef struct Work {
    StrList names, ids;
    DrillOptions options;
    DrillResult *results;
    size_t count, cap;
} Work;
static void work_clear(Work *w)
{
    for (size_t i = 0; i < w->count; i++)
        drill_result_clear(&w->results[i]);
    free(w->results);
    strlist_free(&w->names);
    strlist_free(&w->ids);
}
DEFINE_AUTO_VALUE(Work, work_clear)

/* One after the other; a bad one does not keep the next from being looked at. */
static Error *work_drill(Run *run, void *arg)
{
    Work *w = arg;
    Error *first = NULL;
    TRY(op_drill_find(&run->op, &w->names, &w->ids));
    for (size_t i = 0; i < w->ids.count; i++) {
        mem_grow(w->results, w->count, w->cap);
        DrillResult *r = &w->results[w->count++];
        *r = (DrillResult){0};
        w->options.backup = w->ids.items[i];
        Error *e = op_drill(&run->op, &w->options, r);
        bool go_on = !e || r->outcome == DRILL_BAD;
        first = error_first(first, e);
        if (!go_on)
            break;
    }
    return first;
}

/* It lies outside the repository, whose place and rights are not to blame. */
static Error *not_written(Error *e)
{
    return e ? error_rekind(error_context(e, "the report"), ERR_IO) : NULL;
}

static Error *write_report(const Work *w, const char *path)
{
    AUTO_VALUE(Buf) out = {0};
    if (text_ends(path, ".json")) {
        AUTO(Doc) d = drills_doc(w->results, w->count);
        AUTO(char) text = doc_print(d, true);
        buf_printf(&out, "%s\n", text);
    } else {
        for (size_t i = 0; i < w->count; i++) {
            if (i)
                buf_add_str(&out, "\n\n");
            drill_text(&w->results[i], &out);
        }
    }
    return not_written(file_write_atomic(path, out.data, out.len, 0600));
}

static void print_failures(const DrillResult *r)
{
    for (size_t i = 0; i < r->table_count; i++) {
        const DrillTable *t = &r->tables[i];
        AUTO(char) name = text_printable(t->name);
        char rows[32], restored[32];
        if (!t->same)
            printf("DIFFERENT %s: %s rows in the backup, %s restored%s\n", name,
                   output_count(t->rows[0], rows), output_count(t->rows[1], restored),
                   t->rows[0] == t->rows[1] ? ", with other contents" : "");
    }
    if (r->compared && !r->objects_same)
        puts("DIFFERENT large objects");
    for (size_t i = 0; i < r->sequences_different.count; i++) {
        AUTO(char) text = text_printable(r->sequences_different.items[i]);
        printf("DIFFERENT sequence %s\n", text);
    }
    for (size_t i = 0; i < r->assertions.count; i++) {
        const Assertion *a = &r->assertions.items[i];
        AUTO(char) sql = text_printable(a->sql);
        AUTO(char) detail = text_printable(a->detail ? a->detail : "");
        if (!a->good)
            printf("FAILED %s, statement %zu: %s\n  %s\n", a->file, a->number, sql, detail);
    }
    for (size_t i = 0; i < r->findings.count; i++) {
        AUTO(char) text = text_printable(r->findings.items[i]);
        printf("validate: %s\n", text);
    }
}

static void print_result(const Run *run, const DrillResult *r)
{
    char tables[32], took[32], all[32];
    if (!r->backup_id)
        return;
    print_failures(r);
    if (r->outcome == DRILL_GOOD && !run->quiet)
        printf("%s tables, %llu large objects and %llu sequences are the same; %zu assertions "
               "hold; restored in %s, all in %s\n",
               output_count(r->table_count, tables), (unsigned long long)r->objects[0],
               (unsigned long long)r->sequences, r->assertions.count,
               text_duration(r->restore_ms, took), text_duration(r->duration_ms, all));
    printf("drill of %s: %s\n", r->backup_id,
           r->outcome == DRILL_GOOD  ? "good"
           : r->outcome == DRILL_BAD ? "BAD"
                                     : "not done, which says nothing of the backup");
}

Error *drill_run(Run *run)
{
    const Config *c = run->config;
    const char *report = config_str(c, SETTING_REPORT);
    AUTO_VALUE(Work)
    w = {.options = {.db_url = config_str(c, SETTING_DRILL_DB),
                     .assertions = config_list(c, SETTING_ASSERTIONS),
                     .search_path = config_list(c, SETTING_SEARCH_PATH),
                     .validate = (ValidateMode)config_int(c, SETTING_DRILL_VALIDATE),
                     .timeout_ms = config_duration(c, SETTING_RESTORE_TIMEOUT)}};
    if (config_duration(c, SETTING_OLDER_THAN) || config_str(c, SETTING_SAMPLE))
        return error_hint(ERROR_NEW(ERR_USAGE, "a drill restores whole backups"),
                          "--older-than and --sample go with level data");
    for (size_t i = 0; i < run->args->word_count; i++)
        strlist_add(&w.names, run->args->words[i]);
    if (report)
        TRY(not_written(file_try_atomic(report)));
    Error *e = run_with_progress(run, work_drill, &w);
    bool began = w.count && w.results[0].backup_id;
    if (began && report)
        e = error_first(e, write_report(&w, report));
    if (run->json) {
        if (began)
            run_result(run, drills_doc(w.results, w.count));
        return e;
    }
    for (size_t i = 0; i < w.count; i++)
        print_result(run, &w.results[i]);
    return e;
}
