/* schedule list|next|run */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/service_flags.h"
#include "serve/plan_doc.h"
#include "state/state_schedule.h"

#define TIMES_SHOWN 5

static char *time_text(Instant t)
{
    char text[CLOCK_TEXT];
    return mem_strdup(t ? clock_human(t, text) : "-");
}

static Error *list(Run *run, const Plans *plans)
{
    static const char *const headings[] = {"NAME", "SCHEDULE", "LAST", ">JOB", "RESULT", "NEXT"};
    AUTO(State) state = NULL;
    AUTO_VALUE(Table) t = {0};
    TRY(run_state(run, NULL, &state));
    Instant now = plans_now();
    Doc *d = doc_object(), *all = doc_array();
    doc_set(d, "schedules", all);
    run_result(run, d);
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < plans->count; i++) {
        const Plan *p = &plans->items[i];
        AUTO(StateSchedule) row = NULL;
        if (state)
            TRY(state_schedule_get(state, p->name, &row));
        doc_push(all, plan_doc(p, row, now));
        table_add(&t, p->name);
        table_add(&t, p->text);
        table_own(&t, time_text(row ? row->last_started : 0));
        table_own(&t, row && row->last_job ? mem_printf("%lld", (long long)row->last_job)
                                           : mem_strdup("-"));
        table_add(&t, row && row->last_result ? row->last_result : "-");
        table_own(&t, time_text(plan_next(p, now)));
    }
    if (run->json)
        return NULL;
    run_result(run, NULL);
    if (plans->count)
        table_print(&t);
    else
        puts("nothing is scheduled: backup.enabled and backup.schedule are not both set");
    return NULL;
}

static Error *next(Run *run, const Plans *plans, const char *name)
{
    const Plan *one = NULL;
    Instant now = plans_now();
    Doc *d = doc_object(), *all = doc_array();
    doc_set(d, "schedules", all);
    run_result(run, d);
    if (name)
        TRY(plans_need(plans, name, &one));
    for (size_t i = 0; i < plans->count; i++) {
        const Plan *p = &plans->items[i];
        if (one && p != one)
            continue;
        Doc *times = doc_array(), *this_one = doc_object();
        Instant t = now;
        doc_set_str(this_one, "name", p->name);
        doc_set(this_one, "times", times);
        doc_push(all, this_one);
        for (size_t k = 0; k < TIMES_SHOWN && (t = plan_next(p, t)); k++) {
            char text[CLOCK_TEXT];
            doc_push_str(times, clock_iso(t, text));
            if (!run->json)
                printf("%s  %s\n", clock_human(t, text), p->name);
        }
    }
    if (!run->json)
        run_result(run, NULL);
    return NULL;
}

/* It becomes the run itself: its output, its status, its signals. */
static Error *run_now(Run *run, const Plan *p)
{
    AUTO_VALUE(StrList) argv = {0};
    strlist_add(&argv, "pgstow");
    if (config_str(run->config, SETTING_CONFIG))
        strlist_own(&argv, mem_printf("--config=%s", config_str(run->config, SETTING_CONFIG)));
    if (*p->entry->name)
        strlist_own(&argv, mem_printf("--entry=%s", p->entry->name));
    TRY(service_flags(run, &argv));
    if (run->json)
        strlist_add(&argv, "--json");
    if (run->quiet)
        strlist_add(&argv, "--quiet");
    if (args_flag(run->args, SETTING_VERBOSE))
        strlist_add(&argv, "--verbose");
    strlist_copy(&argv, &p->words);
    strlist_own(&argv, NULL);
    execv("/proc/self/exe", argv.items);
    argv.count--;
    return error_errno(ERR_IO, ERR_IO, "cannot run this program anew");
}

Error *cmd_SCHEDULE(Run *run)
{
    static const char *const actions[] = {"list", "next", "run"};
    const char *action = run_word(run, 0), *name = run_word(run, 1);
    AUTO_VALUE(StrList) unused = {0};
    AUTO(ServiceConfig) config = NULL;
    AUTO_VALUE(Plans) plans = {0};
    TRY(service_flags(run, &unused));
    ConfigInputs inputs = service_inputs(run);
    TRY(service_config_load(&inputs, &config));
    TRY(plans_make(STEAL(config), &plans));
    if (!strcmp(action, "list") && !name)
        return list(run, &plans);
    if (!strcmp(action, "next"))
        return next(run, &plans, name);
    if (!strcmp(action, "run") && name) {
        const Plan *p;
        TRY(plans_need(&plans, name, &p));
        return run_now(run, p);
    }
    const char *near = text_nearest(action, actions, 3);
    Error *e = ERROR_NEW(ERR_USAGE, "schedule does not know that");
    return error_hint(e, "there are list, next [NAME] and run NAME%s%s",
                      near && strcmp(near, action) != 0 ? "; did you mean " : "",
                      near && strcmp(near, action) != 0 ? near : "");
}
