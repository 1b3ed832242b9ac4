#include "cli/hooked.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/events.h"
#include "cli/progress.h"
#include "cli/recorded.h"
#include "op/hook.h"
#include "op/job_doc.h"

#define AFTER_STOP_MS                                                                              \
    10000                     /* what a hook gets after a run that was stopped: others wait for us \
                               */
#define INSIDE "PGSTOW_EVENT" /* is set for a hook, and so for what it runs */

static const struct {
    const char *kind;
    SettingId before, after;
} kinds[] = {
    {"backup", SETTING_HOOK_BACKUP_BEFORE, SETTING_HOOK_BACKUP_AFTER},
    {"restore", SETTING_HOOK_RESTORE_BEFORE, SETTING_HOOK_RESTORE_AFTER},
    {"verify", SETTING_HOOK_VERIFY_BEFORE, SETTING_HOOK_VERIFY_AFTER},
    {"drill", SETTING_HOOK_DRILL_BEFORE, SETTING_HOOK_DRILL_AFTER},
    {"cleanup", SETTING_HOOK_CLEANUP_BEFORE, SETTING_HOOK_CLEANUP_AFTER},
};

typedef struct Hooked {
    Run *run;
    const char *kind;
    SettingId before, after; /* SETTINGS: none */
    SettingId now;           /* the one that runs */
    int64_t begun;           /* by clock_mono_ms */
} Hooked;

/* The kind's own, but for one that a stronger source has set for all of them. */
static SettingId choose(const Config *c, SettingId own, SettingId all)
{
    SettingId id = config_str(c, own) && config_source(c, own) >= config_source(c, all) ? own : all;
    const char *command = config_str(c, id);
    return command && strcmp(command, "none") != 0 ? id : SETTINGS;
}

static bool find_hooks(Hooked *h)
{
    h->kind = recorded_kind(h->run);
    h->before = h->after = SETTINGS;
    for (size_t i = 0; h->kind && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].kind, h->kind)) {
            h->before = choose(h->run->config, kinds[i].before, SETTING_HOOK_BEFORE);
            h->after = choose(h->run->config, kinds[i].after, SETTING_HOOK_AFTER);
        }
    return h->before != SETTINGS || h->after != SETTINGS;
}

/* -- what it is told ------------------------------------------------------------------------------
 */

static void tell(StrList *env, const char *name, const char *value)
{
    AUTO(char) cut = text_cut(value, 65536); /* the system takes no more than 128 KiB of one */
    strlist_own(env, mem_printf("%s=%s", name, cut));
}

/* What may hold a password, and what is ours alone. */
static void take_secrets(StrList *env)
{
    strlist_add(env, "PGSTOW_JOB");
    strlist_add(env, "PGPASSWORD");
    for (SettingId id = 0; id < SETTINGS; id++) {
        const SettingInfo *s = setting_info(id);
        if (*s->env && (s->type == SETTING_IS_SECRET || s->type == SETTING_IS_URL))
            strlist_add(env, s->env);
    }
}

static bool is_kind(const Hooked *h, const char *kind)
{
    return !strcmp(h->kind, kind);
}

/* The one that it is about; NULL where there is not one. */
static char *database_of(const Hooked *h)
{
    const Run *run = h->run;
    if (is_kind(h, "verify") || is_kind(h, "cleanup"))
        return mem_strdup(is_kind(h, "cleanup") ? run_word(run, 0) : NULL);
    if (is_kind(h, "backup") && config_bool(run->config, SETTING_ALL_DATABASES))
        return NULL;
    const char *other = is_kind(h, "restore") ? config_str(run->config, SETTING_TO_DB) : NULL;
    return other ? mem_strdup(other) : op_database_name(&run->op);
}

static void tell_run(const Hooked *h, StrList *env)
{
    const Run *run = h->run;
    AUTO(char) database = database_of(h);
    const char *named = is_kind(h, "backup") || is_kind(h, "cleanup") ? NULL : run_word(run, 0);
    tell(env, "PGSTOW_KIND", h->kind);
    tell(env, "PGSTOW_ENTRY", config_str(run->config, SETTING_ENTRY));
    tell(env, "PGSTOW_DATABASE", database);
    tell(env, "PGSTOW_REPO", op_repo_dir(&run->op));
    tell(env, "PGSTOW_BACKUP_ID", run->backup ? run->backup : run->backups ? run->backups : named);
}

static void tell_end(const Hooked *h, const Error *e, StrList *env)
{
    char number[32];
    tell(env, "PGSTOW_STATUS",
         !e                               ? "succeeded"
         : error_kind(e) == ERR_CANCELLED ? "cancelled"
                                          : "failed");
    tell(env, "PGSTOW_ERROR_KIND", e ? error_kind_info(error_kind(e))->name : NULL);
    tell(env, "PGSTOW_ERROR_MESSAGE", e ? error_message(e) : NULL);
    tell(env, "PGSTOW_ERROR_HINT", e ? error_hint_text(e) : NULL);
    snprintf(number, sizeof number, "%lld", (long long)(clock_mono_ms() - h->begun));
    tell(env, "PGSTOW_DURATION", number);
    strlist_copy(env, &h->run->facts);
}

/* -- running it -----------------------------------------------------------------------------------
 */

static void say_line(void *ctx, const char *line)
{
    const Hooked *h = ctx;
    AUTO(char) text = mem_printf("%s: %s", setting_info(h->now)->key, line);
    events_log(LOG_INFO, text);
    progress_hide();
    if (!h->run->quiet)
        fprintf(stderr, "%s\n", text);
}

static Error *run_one(Hooked *h, SettingId id, const char *event, const Error *e)
{
    const Config *c = h->run->config;
    AUTO_VALUE(StrList) env = {0};
    bool stopped = cancel_requested(h->run->cancel);
    h->now = id;
    take_secrets(&env);
    tell(&env, INSIDE, event);
    tell_run(h, &env);
    if (!strcmp(event, "after"))
        tell_end(h, e, &env);
    if (id == h->before) /* afterwards its counters are the run's, and stay in the history */
        job_phase(h->run->op.job, "running a hook", 0, 0);
    Hook hook = {.name = setting_info(id)->key,
                 .command = config_str(c, id),
                 .env = &env,
                 .timeout_ms = config_duration(c, SETTING_HOOK_TIMEOUT),
                 .cancel = stopped ? NULL : h->run->cancel,
                 .line = say_line,
                 .ctx = h};
    if (stopped && (!hook.timeout_ms || hook.timeout_ms > AFTER_STOP_MS))
        hook.timeout_ms = AFTER_STOP_MS;
    return hook_run(&hook);
}

/* The result with one warning more. */
static void add_to_result(Run *run, const char *warning, const Error *why)
{
    AUTO_VALUE(StrList) warnings = {0};
    if (!run->json)
        return;
    if (!*run->result)
        run_result(run, doc_object());
    const Doc *old = doc_get(*run->result, "warnings");
    for (size_t i = 0; i < doc_count(old); i++)
        if (doc_text(doc_at(old, i)))
            strlist_add(&warnings, doc_text(doc_at(old, i)));
    strlist_add(&warnings, warning);
    doc_set(*run->result, "warnings", doc_texts(&warnings));
    doc_set(*run->result, "hookError", doc_error(why));
}

static void run_after(Hooked *h, const Error *e)
{
    AUTO(Error) why = run_one(h, h->after, "after", e);
    if (!why)
        return;
    const char *hint = error_hint_text(why);
    AUTO(char)
    warning = mem_printf("%s%s%s", error_message(why), hint ? "; " : "", hint ? hint : "");
    output_warning(warning);
    add_to_result(h->run, warning, why);
}

Error *hooked_run(Run *run, Error *(*command)(Run *))
{
    Hooked h = {.run = run, .begun = clock_mono_ms()};
    if (!find_hooks(&h))
        return command(run);
    if (getenv(INSIDE)) {
        log_info("no hooks: this is run by one (" INSIDE " is set)");
        return command(run);
    }
    Error *e = h.before == SETTINGS ? NULL : run_one(&h, h.before, "before", NULL);
    if (!e) {
        h.begun = clock_mono_ms();
        e = command(run);
    }
    if (h.after != SETTINGS)
        run_after(&h, e);
    return e;
}
