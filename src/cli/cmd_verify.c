#include "op/verify.h"

#include <stdio.h>

#include "cli/cmd_drill.h"
#include "cli/command.h"

typedef struct Work {
    StrList names;
    VerifyOptions options;
    CheckReport report;
} Work;
static void work_clear(Work *w)
{
    strlist_free(&w->names);
    check_report_clear(&w->report);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_verify(Run *run, void *arg)
{
    Work *w = arg;
    return op_verify(&run->op, &w->options, &w->report);
}

static void print_names(const char *what, const StrList *names)
{
    if (!names->count)
        return;
    printf("  %s", what);
    for (size_t i = 0; i < names->count; i++) {
        AUTO(char) shown = text_printable(names->items[i]);
        printf("%s %s", i ? "," : "", shown);
    }
    putchar('\n');
}

static void print_loss(const CheckLoss *l)
{
    char tables[32], lost[32];
    if (!l->readable)
        printf("%s: nothing of it can be restored, its manifest cannot be read\n", l->backup);
    else if (l->definitions)
        printf("%s: nothing of it can be restored, its table of contents is lost\n", l->backup);
    else if (!l->tables_lost)
        printf("%s: all tables still restore\n", l->backup);
    else
        printf("%s: of %s tables %s still restore\n", l->backup, output_count(l->tables, tables),
               output_count(l->tables - l->tables_lost, lost));
    print_names("lost:", &l->streams);
}

static void print_report(const Work *w, bool quiet)
{
    const CheckReport *r = &w->report;
    char backups[32], packs[32], bytes[32];
    for (size_t i = 0; i < r->count; i++) {
        const CheckProblem *p = &r->problems[i];
        printf("%s %s: %s\n",
               verify_is_whole(&w->options, &w->report) ? "damaged beside it:" : "DAMAGED",
               p->object, p->what);
        print_names("backups:", &p->backups);
        print_names("tables:", &p->streams);
    }
    for (size_t i = 0; i < r->loss_count; i++)
        print_loss(&r->losses[i]);
    if (quiet)
        return;
    for (size_t i = 0; i < r->bad.count; i++)
        printf("%s: DAMAGED\n", r->bad.items[i]);
    for (size_t i = 0; i < r->partly_count; i++)
        printf("%s: nothing found, %llu of its %llu packs not read %s\n", r->partly[i].backup,
               (unsigned long long)r->partly[i].unread, (unsigned long long)r->partly[i].packs,
               w->options.older_than_ms ? "for so long" : "by this run");
    for (size_t i = 0; i < r->good.count; i++)
        printf("%s: whole\n", r->good.items[i]);
    printf("level %s: %s (backups: %s, packs: %s, %s looked at)\n",
           check_level_name(w->options.level),
           !verify_is_whole(&w->options, &w->report) ? "damage found"
           : r->count                                ? "no damage of these backups"
           : r->partly_count                         ? "no damage in what was read"
                                                     : "no damage",
           output_count(r->backups, backups), output_count(r->packs, packs),
           text_size(r->bytes, bytes));
}

Error *cmd_VERIFY(Run *run)
{
    if (config_int(run->config, SETTING_LEVEL) == LEVEL_DRILL)
        return drill_run(run);
    TRY(drill_refuse_flags(run));
    AUTO_VALUE(Work)
    w = {.options = {.level = (CheckLevel)config_int(run->config, SETTING_LEVEL),
                     .older_than_ms = config_duration(run->config, SETTING_OLDER_THAN),
                     .sample = config_str(run->config, SETTING_SAMPLE)}};
    w.options.names = &w.names;
    for (size_t i = 0; i < run->args->word_count; i++)
        strlist_add(&w.names, run->args->words[i]);
    Error *e = run_with_progress(run, work_verify, &w);
    /* With damage there is a report and an error; any other error comes without a report. */
    if (e && error_kind(e) != ERR_DAMAGED)
        return e;
    if (run->json)
        run_result(run, verify_doc(&w.options, &w.report));
    else
        print_report(&w, run->quiet);
    return e;
}
