#include "op/verify.h"

#include <stdio.h>

#include "cli/command.h"

typedef struct Work {
    StrList names;
    CheckLevel level;
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
    return op_verify(&run->op, &w->names, w->level, &w->report);
}

/* As op_verify judges. */
static bool is_whole(const Work *w)
{
    return !w->report.bad.count && (w->names.count || !w->report.count);
}

static Doc *report_doc(const Work *w)
{
    const CheckReport *r = &w->report;
    Doc *d = doc_object(), *problems = doc_array();
    doc_set_str(d, "level", check_level_name(w->level));
    doc_set_bool(d, "whole", is_whole(w));
    doc_set_int(d, "backups", (int64_t)r->backups);
    doc_set_int(d, "packs", (int64_t)r->packs);
    doc_set_int(d, "bytes", (int64_t)r->bytes);
    doc_set(d, "good", doc_texts(&r->good));
    doc_set(d, "bad", doc_texts(&r->bad));
    for (size_t i = 0; i < r->count; i++) {
        Doc *p = doc_object();
        doc_set_str(p, "object", r->problems[i].object);
        doc_set_str(p, "what", r->problems[i].what);
        doc_set(p, "backups", doc_texts(&r->problems[i].backups));
        doc_set(p, "tables", doc_texts(&r->problems[i].streams));
        doc_push(problems, p);
    }
    doc_set(d, "problems", problems);
    return d;
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

static void print_report(const Work *w, bool quiet)
{
    const CheckReport *r = &w->report;
    char backups[32], packs[32], bytes[32];
    for (size_t i = 0; i < r->count; i++) {
        const CheckProblem *p = &r->problems[i];
        printf("%s %s: %s\n", is_whole(w) ? "damaged beside it:" : "DAMAGED", p->object, p->what);
        print_names("backups:", &p->backups);
        print_names("tables:", &p->streams);
    }
    if (quiet)
        return;
    for (size_t i = 0; i < r->bad.count; i++)
        printf("%s: DAMAGED\n", r->bad.items[i]);
    for (size_t i = 0; i < r->good.count; i++)
        printf("%s: whole\n", r->good.items[i]);
    printf("level %s: %s (backups: %s, packs: %s, %s looked at)\n", check_level_name(w->level),
           !is_whole(w) ? "damage found"
           : r->count   ? "no damage of these backups"
                        : "no damage",
           output_count(r->backups, backups), output_count(r->packs, packs),
           text_size(r->bytes, bytes));
}

Error *cmd_VERIFY(Run *run)
{
    AUTO_VALUE(Work) w = {.level = (CheckLevel)config_int(run->config, SETTING_LEVEL)};
    for (size_t i = 0; i < run->args->word_count; i++)
        strlist_add(&w.names, run->args->words[i]);
    Error *e = run_with_progress(run, work_verify, &w);
    /* With damage there is a report and an error; any other error comes without a report. */
    if (e && error_kind(e) != ERR_DAMAGED)
        return e;
    if (run->json)
        run_result(run, report_doc(&w));
    else
        print_report(&w, run->quiet);
    return e;
}
