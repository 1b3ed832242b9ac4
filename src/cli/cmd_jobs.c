/* jobs [ID]: the history. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/log_print.h"
#include "op/job_cancel.h"
#include "op/job_doc.h"

#define NAMES_WIDTH 11 /* of what is known of one */

static char *took(const StateJob *j)
{
    char text[32];
    if (!j->started)
        return mem_strdup("-");
    return mem_strdup(text_duration((j->ended ? j->ended : clock_now()) - j->started, text));
}

static const char *subject(const StateJob *j)
{
    return *j->entry ? j->entry : *j->database ? j->database : "-";
}

static Error *list(Run *run, State *state)
{
    static const char *const headings[] = {">ID", "KIND",    "OF",    "STATUS",
                                           "BY",  "CREATED", ">TOOK", "WHAT"};
    AUTO_VALUE(StateJobs) jobs = {0};
    AUTO_VALUE(Table) t = {0};
    uint32_t limit = (uint32_t)config_int(run->config, SETTING_JOBS_LIMIT);
    TRY(state_job_list(state, &(StateJobFilter){.limit = limit}, &jobs));
    if (run->json) {
        run_result(run, job_list_doc(&jobs));
        return NULL;
    }
    table_head(&t, sizeof headings / sizeof *headings, headings);
    for (size_t i = 0; i < jobs.count; i++) {
        const StateJob *j = &jobs.items[i];
        char text[CLOCK_TEXT];
        table_own(&t, mem_printf("%lld", (long long)j->id));
        table_add(&t, j->kind);
        table_add(&t, subject(j));
        table_add(&t, state_job_status_name(j->status));
        table_add(&t, j->trigger);
        table_add(&t, clock_human(j->created, text));
        table_own(&t, took(j));
        table_add(&t, j->error_message                                ? j->error_message
                      : j->backup                                     ? j->backup
                      : j->status == JOB_RUNNING && j->progress.phase ? j->progress.phase
                                                                      : "");
    }
    table_print(&t);
    return NULL;
}

static void print_job(const StateJob *j)
{
    AUTO(char) id = mem_printf("%lld", (long long)j->id);
    AUTO(char) long_it_took = took(j);
    AUTO(char)
    repeats =
        j->retry_of ? mem_printf("job %lld, attempt %d", (long long)j->retry_of, j->attempt) : NULL;
    output_fact(NAMES_WIDTH, "job", id);
    output_fact(NAMES_WIDTH, "kind", j->kind);
    output_fact(NAMES_WIDTH, "entry", j->entry);
    output_fact(NAMES_WIDTH, "database", j->database);
    output_fact(NAMES_WIDTH, "status", state_job_status_name(j->status));
    output_fact(NAMES_WIDTH, "by", j->trigger);
    output_fact(NAMES_WIDTH, "actor", j->actor);
    output_fact(NAMES_WIDTH, "repeats", repeats);
    output_time(NAMES_WIDTH, "created", j->created);
    output_time(NAMES_WIDTH, "started", j->started);
    output_time(NAMES_WIDTH, "ended", j->ended);
    output_fact(NAMES_WIDTH, "took", long_it_took);
    output_fact(NAMES_WIDTH, "phase", j->progress.phase);
    output_fact(NAMES_WIDTH, "backup", j->backup);
    output_fact(NAMES_WIDTH, "error", j->error_kind);
    output_fact(NAMES_WIDTH, "", j->error_message);
    output_fact(NAMES_WIDTH, "hint", j->error_hint);
}

static Error *read_log(State *s, const void *of, int64_t after, StateLog *out)
{
    const StateJob *job = of;
    return state_log_read(s, job->id, after, 0, out);
}

static Error *show(Run *run, State *state, int64_t id)
{
    AUTO(StateJob) job = NULL;
    TRY(state_job_get(state, id, &job));
    if (!run->json) {
        print_job(job);
        return log_print(state, read_log, job, NULL);
    }
    Doc *d = job_doc(job), *lines = doc_array();
    doc_set(d, "log", lines);
    run_result(run, d);
    return log_print(state, read_log, job, lines);
}

Error *cmd_JOBS(Run *run)
{
    AUTO(State) state = NULL;
    const char *word = run_word(run, 0);
    int64_t id = 0;
    bool cancel = config_bool(run->config, SETTING_JOBS_CANCEL);
    if (cancel && !word)
        FAIL(ERR_USAGE, "--cancel needs the number of a job");
    if (word) {
        Error *e = text_parse_int(word, 1, INT64_MAX, &id);
        if (e)
            return error_rekind(error_hint(e, "`pgstow jobs` shows their numbers"), ERR_USAGE);
    }
    TRY(run_state(run, "`pgstow serve` begins the history; server.stateDir says where it is",
                  &state));
    if (cancel)
        return op_cancel_job(state, id, clock_now());
    return word ? show(run, state, id) : list(run, state);
}
