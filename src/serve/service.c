#include "serve/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "op/op.h"

/* -- settings -------------------------------------------------------------------------------------
 */

ServiceConfig *service_config_keep(ServiceConfig *c)
{
    atomic_fetch_add(&c->owners, 1);
    return c;
}

void service_config_release(ServiceConfig *c)
{
    if (!c || atomic_fetch_sub(&c->owners, 1) > 1)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->entries[i].database);
        shelf_free(c->entries[i].shelf);
        if (c->entries[i].config != c->config)
            config_free(c->entries[i].config);
    }
    free(c->entries);
    notifier_free(c->notifier);
    if (c->config)
        config_free(c->config);
    free(c);
}

static char *database_of(const Config *c)
{
    char *name = config_bool(c, SETTING_ALL_DATABASES)
                     ? NULL
                     : op_database_name(&(OpContext){.db_url = config_str(c, SETTING_DB)});
    return name ? name : mem_strdup("");
}

static Error *load_entry(const ConfigInputs *in, const char *name, Config **out)
{
    FlagValue *flags = mem_calloc(in->flag_count + 1, sizeof *flags);
    if (in->flag_count)
        memcpy(flags, in->flags, in->flag_count * sizeof *flags);
    flags[in->flag_count] = (FlagValue){SETTING_ENTRY, name};
    ConfigInputs inputs = *in;
    inputs.flags = flags;
    inputs.flag_count++;
    Error *e = config_load(&inputs, out);
    free(flags);
    return e;
}

Error *service_config_load(const ConfigInputs *in, ServiceConfig **out)
{
    AUTO(ServiceConfig) c = mem_new(ServiceConfig);
    c->owners = 1;
    TRY(config_load(in, &c->config));
    const StrList *names = config_entries(c->config);
    c->entries = mem_calloc(names->count + 1, sizeof *c->entries);
    for (size_t i = 0; i < names->count; i++) {
        ServiceEntry *entry = &c->entries[c->count++];
        entry->name = names->items[i];
        TRY(load_entry(in, entry->name, &entry->config));
        entry->database = database_of(entry->config);
    }
    if (!names->count)
        c->entries[c->count++] = (ServiceEntry){"", database_of(c->config), c->config};
    c->notifier = notifier_new();
    for (size_t i = 0; i < c->count; i++)
        c->entries[i].shelf = shelf_new(c->entries[i].config);
    for (size_t i = 0; i < c->count; i++)
        TRY(notifier_add(c->notifier, c->entries[i].name, c->entries[i].config));
    *out = STEAL(c);
    return NULL;
}

const ServiceEntry *service_entry(const ServiceConfig *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(c->entries[i].name, name))
            return &c->entries[i];
    return NULL;
}

ServiceConfig *service_config(Service *s)
{
    pthread_mutex_lock(&s->lock);
    ServiceConfig *c = service_config_keep(s->config);
    pthread_mutex_unlock(&s->lock);
    return c;
}

Error *service_reload(Service *s)
{
    AUTO(ServiceConfig) fresh = NULL;
    TRY(service_config_load(s->inputs, &fresh));
    runner_set_backups(s->runner,
                       (unsigned)config_int(fresh->config, SETTING_MAX_CONCURRENT_BACKUPS));
    pthread_mutex_lock(&s->lock);
    ServiceConfig *old = s->config;
    s->config = STEAL(fresh);
    pthread_mutex_unlock(&s->lock);
    service_config_release(old);
    return NULL;
}

/* -- the state ------------------------------------------------------------------------------------
 */

/* The lock goes with the process, however it ends. */
static Error *lock_state(Service *s)
{
    AUTO(char) path = file_join(s->state_dir, "service.lock");
    s->locked.n = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->locked.n < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot open %s", path);
    if (flock(s->locked.n, LOCK_EX | LOCK_NB) == 0)
        return NULL;
    if (errno != EWOULDBLOCK)
        return error_errno(ERR_IO, ERR_IO, "cannot lock %s", path);
    return error_hint(
        ERROR_NEW(ERR_BUSY, "a service with the state in %s runs already", s->state_dir),
        "server.stateDir gives each its own");
}

/* No backup is in it: a new one is begun where it is damaged, and the old one kept aside. */
static Error *set_aside(const char *folder)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char at[CLOCK_TEXT];
    clock_compact(clock_now(), at);
    for (size_t i = 0; i < 3; i++) {
        AUTO(char) name = mem_printf("state.db%s", endings[i]);
        AUTO(char) aside = mem_printf("state.db.damaged-%s%s", at, endings[i]);
        AUTO(char) from = file_join(folder, name);
        AUTO(char) to = file_join(folder, aside);
        if (rename(from, to) < 0 && errno != ENOENT)
            return error_errno(ERR_IO, ERR_IO, "cannot move %s away", from);
    }
    return NULL;
}

static Error *open_checked(const char *folder, State **out)
{
    AUTO(State) state = NULL;
    TRY(state_open(folder, NULL, &state));
    TRY(state_check(state));
    *out = STEAL(state);
    return NULL;
}

static Error *open_state(Service *s)
{
    const char *set = config_str(s->config->config, SETTING_STATE_DIR);
    AUTO(char) usual = state_default_folder();
    if (!set && !usual)
        return error_hint(ERROR_NEW(ERR_CONFIG, "there is no folder for the service's state"),
                          "set server.stateDir");
    s->state_dir = mem_strdup(set ? set : usual);
    TRY(file_make_dir(s->state_dir, 0700));
    TRY(lock_state(s));
    Error *e = open_checked(s->state_dir, &s->state);
    if (!e || error_kind(e) != ERR_DAMAGED)
        return e;
    log_warning("the state is damaged and set aside: history, tokens and audit log begin anew: %s",
                error_message(e));
    error_free(e);
    TRY(set_aside(s->state_dir));
    return open_checked(s->state_dir, &s->state);
}

Error *service_open(const ConfigInputs *inputs, const StrList *words, RunnerStarted started,
                    RunnerEnded ended, void *ctx, Service **out, StateJobs *interrupted)
{
    AUTO(Service) s = mem_new(Service);
    s->inputs = inputs;
    s->locked.n = -1;
    s->started = clock_now();
    pthread_mutex_init(&s->lock, NULL);
    TRY(service_config_load(inputs, &s->config));
    const Config *c = s->config->config;
    if (config_yaml_file(c))
        s->config_file = file_real_path(config_yaml_file(c));
    TRY(open_state(s));
    /* Without --config a child finds the same file by itself, and trusts it no more than we do. */
    bool chosen = config_str(c, SETTING_CONFIG) != NULL;
    TRY(runner_new(
        &(RunnerOptions){.state = s->state,
                         .config_file = chosen ? s->config_file : NULL,
                         .words = words,
                         .backups = (unsigned)config_int(c, SETTING_MAX_CONCURRENT_BACKUPS),
                         .started = started,
                         .ended = ended,
                         .ctx = ctx},
        &s->runner));
    TRY(runner_resume(s->runner, interrupted));
    *out = STEAL(s);
    return NULL;
}

void service_end_jobs(Service *s)
{
    atomic_store(&s->stopping, true); /* what ends now is not repeated by this one */
    runner_free(STEAL(s->runner));
}

void service_close(Service *s)
{
    if (!s)
        return;
    runner_free(s->runner);
    if (s->state)
        state_close(s->state);
    service_config_release(s->config);
    fd_close(&s->locked);
    free(s->config_file);
    free(s->state_dir);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
