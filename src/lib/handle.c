#include "lib/lib_internal.h"

#include <string.h>

#include "base/clock.h"
#include "flow/cond.h"

#define REPORT_MS 250 /* between two reports of progress */

struct pgstow_error {
    Error *error;
};

pgstow_error *call_fail(Error *e)
{
    if (!e)
        return NULL;
    pgstow_error *wrapped = mem_new(pgstow_error);
    wrapped->error = e;
    return wrapped;
}

const char *pgstow_version(void)
{
    return PGSTOW_VERSION;
}

const char *pgstow_error_kind(const pgstow_error *e)
{
    return error_kind_info(error_kind(e->error))->name;
}

const char *pgstow_error_message(const pgstow_error *e)
{
    return error_message(e->error);
}

const char *pgstow_error_hint(const pgstow_error *e)
{
    return error_hint_text(e->error);
}

int pgstow_error_exit_status(const pgstow_error *e)
{
    return error_kind_info(error_kind(e->error))->exit_status;
}

int pgstow_error_retryable(const pgstow_error *e)
{
    return error_kind_info(error_kind(e->error))->retryable;
}

void pgstow_error_free(pgstow_error *e)
{
    if (e)
        error_free(e->error);
    free(e);
}

void pgstow_free(void *p)
{
    free(p);
}

/* -- the handle ------------------------------------------------------------------------------- */

pgstow_error *pgstow_open(const pgstow_options *given, pgstow **out)
{
    pgstow_options o = PGSTOW_OPTIONS_INIT;
    options_take(&o, sizeof o, given);
    Cancel *cancel;
    Error *e = cancel_new(NULL, &cancel);
    if (e)
        return call_fail(e);
    pgstow *p = mem_new(pgstow);
    p->repo = mem_strdup(o.repo ? o.repo : "./backups");
    p->database = mem_strdup(o.database);
    p->tools[TOOL_PG_DUMP] = mem_strdup(o.pg_dump);
    p->tools[TOOL_PG_RESTORE] = mem_strdup(o.pg_restore);
    p->tools[TOOL_PSQL] = mem_strdup(o.psql);
    p->jobs = o.jobs;
    p->progress = o.progress;
    p->cancelled = o.cancelled;
    p->ctx = o.ctx;
    p->cancel = cancel;
    p->key = o.key ? handle_key_new(o.key) : NULL;
    *out = p;
    return NULL;
}

void pgstow_close(pgstow *p)
{
    if (!p)
        return;
    free(p->repo);
    free(p->database);
    for (int i = 0; i < TOOL_NAMES; i++)
        free(p->tools[i]);
    handle_key_free(p->key);
    cancel_free(p->cancel);
    free(p);
}

void pgstow_cancel(pgstow *p)
{
    cancel_request(p->cancel);
}

static void report(Call *c)
{
    JobProgress now;
    job_snapshot(c->job, &now);
    if (c->p->progress)
        c->p->progress(c->p->ctx, &(pgstow_progress){now.phase, now.object, now.bytes_done,
                                                     now.bytes_total, now.bytes_new});
    if (c->p->cancelled && c->p->cancelled(c->p->ctx))
        cancel_request(c->cancel);
}

static void *watch(void *arg)
{
    Call *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->over) {
        pthread_mutex_unlock(&c->lock);
        report(c);
        pthread_mutex_lock(&c->lock);
        if (!c->over)
            cond_wait_until(&c->ended, &c->lock, clock_mono_ms() + REPORT_MS);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

Error *call_begin(pgstow *p, Call *c)
{
    *c = (Call){.p = p,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .context = {.repo_dir = p->repo, .db_url = p->database, .jobs = p->jobs}};
    cond_init(&c->ended);
    for (int i = 0; i < TOOL_NAMES; i++)
        c->context.tools.setting[i] = p->tools[i];
    if (p->key)
        handle_key_use(p->key, &c->context);
    TRY(cancel_new(p->cancel, &c->cancel));
    Error *e = job_new(c->cancel, NULL, NULL, &c->job);
    if (e) {
        cancel_free(STEAL(c->cancel));
        return e;
    }
    c->context.job = c->job;
    c->context.tools.cancel = c->cancel;
    c->watching = (p->progress || p->cancelled) && pthread_create(&c->watcher, NULL, watch, c) == 0;
    return NULL;
}

pgstow_error *call_end(Call *c, Error *e)
{
    if (c->watching) {
        pthread_mutex_lock(&c->lock);
        c->over = true;
        pthread_cond_signal(&c->ended);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->watcher, NULL);
    }
    pthread_cond_destroy(&c->ended);
    if (c->job)
        job_free(c->job);
    if (c->cancel)
        cancel_free(c->cancel);
    return call_fail(e);
}

void json_give(Doc *doc, char **json)
{
    AUTO(Doc) d = doc;
    if (json)
        *json = doc_print(d, false);
}

/* -- options --------------------------------------------------------------------------------------
 */

void options_take(void *to, size_t size, const void *given)
{
    size_t known;
    if (!given)
        return;
    memcpy(&known, given, sizeof known);
    memcpy(to, given, known < size ? known : size);
}

void options_add(StrList *to, const char *const *from)
{
    for (; from && *from; from++)
        strlist_add(to, *from);
}

Consistency options_consistency(pgstow_consistency c)
{
    return (Consistency){.mode = c == PGSTOW_CONSISTENCY_OFF      ? VALIDATE_OFF
                                 : c == PGSTOW_CONSISTENCY_STRICT ? VALIDATE_STRICT
                                                                  : VALIDATE_WARN};
}
