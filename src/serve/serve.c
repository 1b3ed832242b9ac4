#include "serve/serve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "base/log.h"
#include "serve/api.h"
#include "serve/notice.h"
#include "serve/scheduler.h"
#include "serve/sync_watch.h"
#include "state/state_retain.h"

#define WARNINGS_KEPT 16
#define WARNING_AGAIN_MS (10 * 60 * 1000)
#define TICK_MS 1000
#define FORGET_MS 3600000
#define SWEEP_MS 60000
#define TEST_TICK_MS 50 /* with a clock that a test shifts */

typedef struct Serve {
    Service *service;
    Teller *teller;
    Scheduler *scheduler;
    Api *api;            /* NULL: there is none */
    int64_t drain_until; /* by clock_mono_ms; 0: it goes on */
    bool stopped;
    int64_t watchdog_ms, barked, forgot, swept;
    SyncLook watched;
} Serve;
static void serve_clear(Serve *s)
{
    api_stop(s->api); /* its threads use all of the others */
    /* Jobs use the two others as they end, and these use the state. */
    if (s->service)
        service_end_jobs(s->service);
    scheduler_free(s->scheduler);
    teller_free(s->teller);
    if (s->service)
        service_close(s->service);
}
DEFINE_AUTO_VALUE(Serve, serve_clear)

/* The log's sink. What many requests run into is said once in a while, not each time. */
typedef struct Sink {
    bool journal;
    struct {
        char *text;
        int64_t at; /* by clock_mono_ms */
    } warnings[WARNINGS_KEPT];
    size_t next;
} Sink;

static bool was_said(Sink *s, const char *warning)
{
    int64_t now = clock_mono_ms();
    for (size_t i = 0; i < WARNINGS_KEPT; i++)
        if (s->warnings[i].text && now - s->warnings[i].at < WARNING_AGAIN_MS &&
            !strcmp(s->warnings[i].text, warning))
            return true;
    size_t at = s->next++ % WARNINGS_KEPT;
    free(s->warnings[at].text);
    s->warnings[at].text = mem_strdup(warning);
    s->warnings[at].at = now;
    return false;
}

/* A journal has the time itself, and knows levels by a number in front. */
static void log_line(void *ctx, LogLevel level, const char *message)
{
    Sink *s = ctx;
    if (level == LOG_WARNING && was_said(s, message))
        return;
    static const char *const names[] = {"debug", "info", "warning"};
    static const char *const numbers[] = {"<7>", "<6>", "<4>"};
    char at[CLOCK_TEXT];
    AUTO(char) shown = text_printable(message);
    if (s->journal)
        fprintf(stderr, "%s%s\n", numbers[level], shown);
    else
        fprintf(stderr, "%s %s: %s\n", clock_iso(clock_now(), at), names[level], shown);
}

static void on_ended(void *ctx, const StateJob *job)
{
    Serve *s = ctx;
    const char *what = state_job_status_name(job->status);
    long long id = (long long)job->id;
    if (job->status == JOB_SUCCEEDED)
        log_info("job %lld: %s %s %s", id, job->kind, *job->entry ? job->entry : job->database,
                 what);
    else
        log_warning("job %lld: %s %s %s%s%s", id, job->kind,
                    *job->entry ? job->entry : job->database, what, job->error_message ? ": " : "",
                    job->error_message ? job->error_message : "");
    sync_watch_job_ended(s->service->state, job);
    teller_job_ended(s->teller, job->id, scheduler_job_ended(s->scheduler, job));
}

static void on_started(void *ctx, int64_t job)
{
    const Serve *s = ctx;
    teller_job_started(s->teller, job);
}

static void reload(Serve *s)
{
    notice_reloading();
    Error *e = service_reload(s->service);
    if (!e)
        e = scheduler_reload(s->scheduler);
    if (!e)
        scheduler_tick(s->scheduler);
    if (e)
        log_warning("the settings stay as they were: %s%s%s", error_message(e),
                    error_hint_text(e) ? "; " : "", error_hint_text(e) ? error_hint_text(e) : "");
    else
        log_info("the settings were read anew");
    error_drop(e);
    notice_send("READY=1");
}

static void stop(Serve *s)
{
    if (s->stopped)
        return;
    s->stopped = true;
    runner_stop(s->service->runner);
}

static void drain(Serve *s)
{
    AUTO(ServiceConfig) c = service_config(s->service);
    if (s->drain_until) {
        stop(s);
        return;
    }
    s->drain_until = clock_mono_ms() + config_duration(c->config, SETTING_DRAIN);
    atomic_store(&s->service->stopping, true);
    runner_drain(s->service->runner);
    notice_send("STOPPING=1");
    log_info("stopping; jobs that still run: %u", runner_running(s->service->runner));
}

static void bark(Serve *s)
{
    int64_t now = clock_mono_ms();
    if (!s->watchdog_ms || (s->barked && now - s->barked < s->watchdog_ms))
        return;
    s->barked = now;
    notice_send("WATCHDOG=1");
}

/* The history is kept for a while, and does not grow for ever. */
static void forget_old(Serve *s)
{
    static const StateRetention keep = {.jobs = {.days = 180, .rows = 100000},
                                        .audit = {.days = 730, .rows = 1000000},
                                        .outbox = {.days = 30, .rows = 10000},
                                        .tokens = {.days = 180},
                                        .events = {.days = 30},
                                        .sessions = {.days = 180, .rows = 10000}};
    int64_t now = clock_mono_ms();
    if (s->forgot && now - s->forgot < FORGET_MS)
        return;
    s->forgot = now;
    AUTO(Error) e = state_retain(s->service->state, &keep, clock_now(), NULL);
    if (e)
        log_warning("what is old in the history stays: %s", error_message(e));
}

static void sweep(Serve *s)
{
    AUTO_VALUE(StateJobs) lost = {0};
    int64_t now = clock_mono_ms();
    if (now - s->swept < SWEEP_MS)
        return;
    s->swept = now;
    AUTO(Error) e = runner_sweep(s->service->runner, &lost);
    if (e)
        log_warning("%s", error_message(e));
    for (size_t i = 0; i < lost.count; i++)
        on_ended(s, &lost.items[i]);
}

/* What is done about once a second. */
static void tick(Serve *s)
{
    bark(s);
    api_tick(s->api);
    if (sync_watch_tick(s->service->state, &s->watched))
        teller_look(s->teller);
    if (s->drain_until) {
        if (clock_mono_ms() >= s->drain_until)
            stop(s);
        return;
    }
    scheduler_tick(s->scheduler);
    runner_tick(s->service->runner);
    sweep(s);
    forget_old(s);
}

static void loop(Serve *s, const sigset_t *signals)
{
    int64_t ms = fault_setting("PGSTOW_CLOCK") ? TEST_TICK_MS : TICK_MS;
    if (s->watchdog_ms && s->watchdog_ms < ms)
        ms = s->watchdog_ms;
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (!s->drain_until || runner_running(s->service->runner)) {
        tick(s);
        int signal = sigtimedwait(signals, NULL, &wait);
        if (signal == SIGHUP && !s->drain_until)
            reload(s);
        else if (signal == SIGTERM || signal == SIGINT)
            drain(s);
    }
}

static Error *begin(Serve *s, const ServeOptions *o)
{
    AUTO_VALUE(StateJobs) interrupted = {0};
    TRY(service_open(o->inputs, o->words, on_started, on_ended, s, &s->service, &interrupted));
    TRY(teller_new(s->service, &s->teller));
    TRY(scheduler_new(s->service, s->teller, &s->scheduler));
    TRY(api_start(s->service, &s->api)); /* before any job: it may fail */
    scheduler_resume(s->scheduler);
    for (size_t i = 0; i < interrupted.count; i++)
        on_ended(s, &interrupted.items[i]);
    scheduler_tick(s->scheduler); /* what is set up from now on is known before READY */
    return NULL;
}

Error *serve_run(const ServeOptions *o)
{
    static Sink sink;
    AUTO_VALUE(Serve) s = {.watchdog_ms = notice_watchdog_ms()};
    sigset_t signals;
    sink.journal = getenv("JOURNAL_STREAM") != NULL;
    log_set_sink(log_line, &sink, o->verbose ? LOG_DEBUG : LOG_INFO);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    /* Before there are threads, which all have the same mask then. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    TRY(begin(&s, o));
    log_info("pgstow " PGSTOW_VERSION " serves, its state in %s", s.service->state_dir);
    notice_send("READY=1");
    loop(&s, &signals);
    log_info("stopped");
    return NULL;
}
