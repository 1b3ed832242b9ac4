#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/events.h"
#include "cli/help.h"
#include "cli/hooked.h"
#include "cli/keys_from.h"
#include "cli/progress.h"
#include "cli/recorded.h"
#include "cli/signals.h"
#include "op/guard.h"

extern char **environ;

static Error *(*const functions[COMMANDS])(Run *) = {
#define COMMAND(id, name, alias, arguments, least, most, summary, help, examples, settings,        \
                statuses)                                                                          \
    [COMMAND_##id] = cmd_##id,
#include "spec/commands.def"
#undef COMMAND
};

const char *run_word(const Run *run, size_t i)
{
    return i < run->args->word_count ? run->args->words[i] : NULL;
}

Error *run_state(const Run *run, const char *hint, State **out)
{
    const char *folder = config_str(run->config, SETTING_STATE_DIR);
    *out = NULL;
    Error *e = state_open(folder, &(StateOptions){.existing = true}, out);
    if (!e || error_kind(e) != ERR_NOT_FOUND)
        return e;
    if (hint)
        return error_hint_text(e) ? e : error_hint(e, "%s", hint);
    error_free(e);
    return NULL;
}

Error *run_with_progress(Run *run, Error *(*work)(Run *, void *), void *arg)
{
    AUTO(Progress) progress = NULL;
    TRY(progress_start(run->op.job, !run->quiet, &progress));
    return work(run, arg);
}

void run_result(Run *run, Doc *d)
{
    doc_free(*run->result);
    *run->result = d;
}

void run_backup(Run *run, const char *id)
{
    free(run->backup);
    run->backup = mem_strdup(id);
}

void run_fact(Run *run, const char *name, uint64_t value)
{
    strlist_own(&run->facts, mem_printf("PGSTOW_%s=%llu", name, (unsigned long long)value));
}

static void print_help(const CommandInfo *command)
{
    AUTO_VALUE(Buf) text = {0};
    if (command)
        help_command(&text, command);
    else
        help_overview(&text);
    fwrite(text.data, 1, text.len, stdout);
}

Error *cmd_HELP(Run *run)
{
    const char *name = run_word(run, 0);
    const CommandInfo *command = name ? command_find(name) : NULL;
    if (name && !command) {
        const char *near = command_nearest(name);
        AUTO(char) shown = text_printable(name);
        Error *e = ERROR_NEW(ERR_USAGE, "there is no command \"%s\"", shown);
        return near ? error_hint(e, "did you mean %s?", near)
                    : error_hint(e, "`pgstow --help` lists all");
    }
    print_help(command);
    return NULL;
}

static void on_phase(void *ctx, const JobProgress *now)
{
    (void)ctx;
    progress_phase(now, !strcmp(now->phase, GUARD_PHASE_COMMAND));
    events_phase(now);
}

/* Their runs of this program open repositories by what we were given. */
static bool hands_secrets_on(CommandId id)
{
    return id == COMMAND_SERVE || id == COMMAND_SCHEDULE;
}

/* The settings and the operation's surroundings, then the command. */
static Error *run_command(int argc, char **argv, const Args *args, Cancel *cancel, Doc **result)
{
    AUTO(Config) config = NULL;
    AUTO(Job) job = NULL;
    ConfigInputs inputs = {
        .flags = args->flags, .flag_count = args->flag_count, .environment = environ, .dir = "."};
    Error *e = config_load(&inputs, &config);
    args_hide_secrets(argc, argv);
    TRY(e);
    config_export_libpq(config);
    if (!hands_secrets_on(args->command->id))
        config_forget_secrets();
    AUTO(KeyInput) keys = keys_from_settings(config, cancel);
    TRY(job_new(cancel, on_phase, NULL, &job));
    int64_t silence = config_duration(config, SETTING_SILENCE);
    Run run = {
        .args = args,
        .config = config,
        .cancel = cancel,
        .op = {.repo_dir = config_str(config, SETTING_REPO),
               .keys = key_input_source(keys),
               .encrypt = config_bool(config, SETTING_ENCRYPTION),
               .key_given = key_input_given(keys),
               .accept_older = config_bool(config, SETTING_ACCEPT_OLDER),
               .silence_ms = silence > 0 ? silence : -1,
               .db_url = config_str(config, SETTING_DB),
               .tools = {.setting = {[TOOL_PG_DUMP] = config_str(config, SETTING_PG_DUMP),
                                     [TOOL_PG_RESTORE] = config_str(config, SETTING_PG_RESTORE),
                                     [TOOL_PSQL] = config_str(config, SETTING_PSQL)},
                         .force_pg_dump_missing =
                             config_bool(config, SETTING_FORCE_PG_DUMP_MISSING),
                         .cancel = cancel},
               .jobs = (unsigned)config_int(config, SETTING_JOBS),
               .job = job},
        .json = config_bool(config, SETTING_JSON),
        .quiet = config_bool(config, SETTING_QUIET),
        .yes = config_bool(config, SETTING_YES),
        .result = result};
    int events = (int)config_int(config, SETTING_EVENTS);
    e = events ? events_start(events, args->command->name, job) : NULL;
    if (!e) {
        run.history = recorded_begin(&run);
        e = hooked_run(&run, functions[args->command->id]);
        recorded_end(run.history, &run, e);
        free(run.backup);
        free(run.backups);
        strlist_free(&run.facts);
    }
    events_stop();
    return e;
}

static Error *run_program(int argc, char **argv, Args *args, Doc **result)
{
    TRY(args_parse(argc, argv, args));
    output_log(args_flag(args, SETTING_VERBOSE));
    if (args->version) {
        puts("pgstow " PGSTOW_VERSION);
        return NULL;
    }
    if (args->help) {
        print_help(args->command);
        return NULL;
    }
    if (!args->command) {
        print_help(NULL);
        return error_hint(ERROR_NEW(ERR_USAGE, "a command is missing"), "pgstow COMMAND --help");
    }
    if (args->command->id == COMMAND_HELP) {
        Run run = {.args = args};
        return cmd_HELP(&run);
    }
    AUTO(Cancel) cancel = NULL;
    TRY(cancel_new(NULL, &cancel));
    TRY(signals_watch(cancel));
    Error *e = run_command(argc, argv, args, cancel, result);
    signals_forget();
    return e;
}

int cli_main(int argc, char **argv)
{
    secret_protect_process();
    AUTO_VALUE(Args) args = {0};
    AUTO(Doc) result = NULL;
    output_log(false);
    AUTO(Error) e = run_program(argc, argv, &args, &result);
    /* A failure before --json was understood still answers whoever asked for JSON. */
    bool json = args_flag(&args, SETTING_JSON);
    for (int i = 1; e && i < argc && strcmp(argv[i], "--") != 0; i++)
        json = json || !strcmp(argv[i], "--json");
    if (e && json && !result)
        result = doc_object();
    if (e && json)
        doc_set(result, "error", doc_error(e));
    if (result)
        output_json(result);
    e = error_first(STEAL(e), output_finish());
    int status = e ? error_kind_info(error_kind(e))->exit_status : 0;
    events_end(result, e, status);
    if (e)
        output_error(e);
    return status;
}
