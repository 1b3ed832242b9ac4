#include "op/validate.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"

#define LEFT_SHOWN 10 /* lines about what was left out; --json has all */

typedef struct Work {
    ValidateOptions options;
    ValidateReport report;
} Work;
static void work_clear(Work *w)
{
    validate_report_clear(&w->report);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_validate(Run *run, void *arg)
{
    Work *w = arg;
    return op_validate(&run->op, &w->options, &w->report);
}

static void print_left(const ValidateReport *r)
{
    for (size_t i = 0; i < r->left_count && i < LEFT_SHOWN; i++) {
        const ValidateLeft *l = &r->left[i];
        AUTO(char)
        line = *l->table ? mem_printf("%s.%s %s", l->schema, l->table, l->object)
                         : mem_strdup("(all)");
        AUTO(char) shown = text_printable(line);
        AUTO(char) why = text_printable(l->detail ? l->detail : "");
        printf("left out  %s %s: %s%s%s\n", validate_kind_name(l->kind), shown, l->reason,
               *why ? ", " : "", why);
    }
    if (r->left_count > LEFT_SHOWN)
        printf("left out  %zu more: --json lists all\n", r->left_count - LEFT_SHOWN);
}

static void print_report(const ValidateReport *r, bool quiet)
{
    for (size_t i = 0; i < r->count; i++) {
        AUTO(char) line = validate_line(&r->findings[i]);
        AUTO(char) shown = text_printable(line);
        printf("%-8s  %s\n", r->findings[i].error ? "error" : "warning", shown);
    }
    print_left(r);
    if (quiet)
        return;
    uint64_t done = 0, rules = 0;
    char d[32], n[32], t[32], took[32];
    for (int kind = 0; kind < VALIDATE_KINDS; kind++) {
        done += r->sums[kind].done;
        rules += r->sums[kind].rules;
    }
    if (r->sums[VALIDATE_AMCHECK].missing)
        puts("note      amcheck is not installed in this database: indexes were not looked into");
    printf("%s on %s: %llu error%s, %llu warning%s; %s of %s rules over %s tables in %s\n",
           r->database, r->server, (unsigned long long)r->errors, r->errors == 1 ? "" : "s",
           (unsigned long long)r->warnings, r->warnings == 1 ? "" : "s", output_count(done, d),
           output_count(rules, n), output_count(r->tables, t), text_duration(r->ms, took));
}

Error *cmd_VALIDATE(Run *run)
{
    AUTO_VALUE(Work)
    w = {.options = {.max_ms = config_int(run->config, SETTING_MAX_SECONDS) * 1000,
                     .heap_all_indexed = config_bool(run->config, SETTING_HEAP_ALL_INDEXED),
                     .run_functions = config_bool(run->config, SETTING_RUN_FUNCTIONS)}};
    Error *e = run_with_progress(run, work_validate, &w);
    /* With errors there is a report besides. */
    if (e && error_kind(e) != ERR_INVALID)
        return e;
    if (run->json)
        run_result(run, validate_doc(&w.report));
    else
        print_report(&w.report, run->quiet);
    return e;
}
