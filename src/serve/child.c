#include "serve/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "op/job_part.h"
#include "serve/event_lines.h"
#include "serve/launch.h"
#include "state/state_log.h"

#define FLUSH_MS 1000
#define KILL_AFTER_MS 20000 /* from SIGTERM to SIGKILL */
#define LINES_WAITING 1000  /* written at once, however often there is something to say */
#define PARTS_WAITING 10000
#define FINISH_ATTEMPTS 10

typedef struct Said {
    Instant at;
    const char *level;
    char *line;
} Said;

typedef struct Child {
    const ChildOptions *o;
    Proc *proc;
    Fd events;
    EventLines lines;
    bool news;
    Said *said;
    size_t said_count, said_cap;
    Doc **parts; /* of several databases, not yet written */
    size_t part_count, part_cap;
    StateProgress progress; /* its texts are ours */
    Doc *end;
    ChildStop why;
    int64_t begun, flushed, kill_at; /* by clock_mono_ms; kill_at 0: not asked to stop */
    StateJobEnd *finish;
    bool finished;
} Child;

static void forget_said(Child *c)
{
    for (size_t i = 0; i < c->said_count; i++)
        free(c->said[i].line);
    c->said_count = 0;
}

static void forget_parts(Child *c)
{
    for (size_t i = 0; i < c->part_count; i++)
        doc_free(c->parts[i]);
    c->part_count = 0;
}

static void child_clear(Child *c)
{
    forget_said(c);
    free(c->said);
    forget_parts(c);
    free(c->parts);
    free(c->progress.phase);
    free(c->progress.object);
    doc_free(c->end);
    event_lines_clear(&c->lines);
    fd_close(&c->events);
    if (c->proc)
        proc_free(c->proc);
}
DEFINE_AUTO_VALUE(Child, child_clear)

static void say(Child *c, Instant at, const char *level, const char *line)
{
    mem_grow(c->said, c->said_count, c->said_cap);
    c->said[c->said_count++] = (Said){at, level, mem_strdup(line)};
    c->news = true;
}

/* -- what it tells --------------------------------------------------------------------------------
 */

static void take_progress(Child *c, const Doc *d)
{
    StateProgress *p = &c->progress;
    free(p->phase);
    free(p->object);
    *p = (StateProgress){.phase = mem_strdup(doc_str(d, "phase", "")),
                         .object = mem_strdup(doc_str(d, "object", "")),
                         .bytes_done = (uint64_t)doc_int(d, "bytesDone", 0),
                         .bytes_total = (uint64_t)doc_int(d, "bytesTotal", 0),
                         .bytes_new = (uint64_t)doc_int(d, "bytesNew", 0),
                         .bytes_reused = (uint64_t)doc_int(d, "bytesReused", 0),
                         .items_done = (uint64_t)doc_int(d, "itemsDone", 0),
                         .items_total = (uint64_t)doc_int(d, "itemsTotal", 0)};
    c->news = true;
}

static void take_part(Child *c, const Doc *part)
{
    if (!*doc_str(part, "database", "") || c->part_count >= PARTS_WAITING)
        return;
    mem_grow(c->parts, c->part_count, c->part_cap);
    c->parts[c->part_count++] = doc_copy(part);
    c->news = true;
}

static void take_event(void *ctx, Doc *event)
{
    Child *c = ctx;
    AUTO(Doc) d = event;
    const char *name = doc_str(d, "event", "");
    Instant at = doc_int(d, "at", clock_now());
    if (!strcmp(name, "phase") || !strcmp(name, "progress"))
        take_progress(c, d);
    else if (!strcmp(name, "log") || !strcmp(name, "warning"))
        say(c, at, !strcmp(name, "log") ? "info" : "warning", doc_str(d, "message", ""));
    else if (!strcmp(name, "part"))
        take_part(c, doc_get(d, "part"));
    else if (!strcmp(name, "end") && !c->end)
        c->end = STEAL(d);
}

/* -- the state ------------------------------------------------------------------------------------
 */

static Error *write_lines(Child *c)
{
    if (!c->said_count)
        return NULL;
    StateLogNew *lines = mem_calloc(c->said_count, sizeof *lines);
    for (size_t i = 0; i < c->said_count; i++)
        lines[i] = (StateLogNew){c->said[i].at, c->said[i].level, c->said[i].line};
    Error *e = state_log_add(c->o->state, c->o->job, lines, c->said_count);
    free(lines);
    return e;
}

static Error *write_all(State *s, void *arg)
{
    Child *c = arg;
    TRY(write_lines(c));
    for (size_t i = 0; i < c->part_count; i++)
        TRY(job_part_record(s, c->o->job, c->parts[i]));
    if (c->finish)
        return state_job_finish(s, c->o->job, c->finish, &c->finished);
    return c->progress.phase ? state_job_progress(s, c->o->job, &c->progress) : NULL;
}

/* False where it could not be written: it is tried again with what comes next. */
static bool flush(Child *c)
{
    c->flushed = clock_mono_ms();
    AUTO(Error) e = state_together(c->o->state, write_all, c);
    if (e) {
        log_warning("job %lld: what it does could not be recorded: %s", (long long)c->o->job,
                    error_message(e));
        if (c->said_count > LINES_WAITING)
            forget_said(c);
        return false;
    }
    forget_said(c);
    forget_parts(c);
    c->news = false;
    return true;
}

/* -- following it ---------------------------------------------------------------------------------
 */

static void step(Child *c)
{
    int64_t now = clock_mono_ms();
    if (!c->why) {
        c->why = (ChildStop)atomic_load(c->o->stop);
        if (!c->why && c->o->timeout_ms && now - c->begun >= c->o->timeout_ms)
            c->why = CHILD_TIMED_OUT;
        if (c->why) {
            proc_signal(c->proc, SIGTERM);
            c->kill_at = now + KILL_AFTER_MS;
        }
    } else if (now >= c->kill_at) {
        proc_signal(c->proc, SIGKILL);
        c->kill_at = INT64_MAX;
    }
    if (c->news && (now - c->flushed >= FLUSH_MS || c->said_count >= LINES_WAITING))
        flush(c);
}

/* How long until there may be something to do without a word of the child. */
static int64_t patience(const Child *c)
{
    int64_t now = clock_mono_ms(), wait = FLUSH_MS;
    if (!c->why && c->o->timeout_ms && c->begun + c->o->timeout_ms - now < wait)
        wait = c->begun + c->o->timeout_ms - now;
    return wait > 0 ? wait : 0;
}

/* Until the child has closed its end, which it does when it ends. */
static void follow(Child *c)
{
    for (;;) {
        char chunk[16384];
        bool ready = false;
        AUTO(Error)
        woken = cancel_poll(c->why ? NULL : c->o->wake, c->events.n, POLLIN, patience(c), &ready);
        step(c);
        if (woken && !c->why)
            clock_sleep_ms(100);
        if (!ready)
            continue;
        ssize_t n = read(c->events.n, chunk, sizeof chunk);
        if (n > 0)
            event_lines_take(&c->lines, chunk, (size_t)n, take_event, c);
        else if (n == 0 || errno != EINTR)
            return;
    }
}

static Error *wait_for_end(Child *c, int *status)
{
    for (bool done = false; !done;) {
        step(c);
        TRY(proc_wait_for(c->proc, 100, &done, status));
    }
    return NULL;
}

/* -- its end --------------------------------------------------------------------------------------
 */

/* The backup that it made or took. */
static bool names_it_id(const char *kind)
{
    return !strcmp(kind, "backup") || !strcmp(kind, "restore");
}

static void finish(Child *c, int status)
{
    StateJobEnd end = {.exit_status = status, .status = JOB_SUCCEEDED};
    const Doc *result = c->end ? doc_get(c->end, "result") : NULL;
    const Doc *error = c->end ? doc_get(c->end, "error") : NULL;
    AUTO(char) text = result ? doc_print(result, false) : NULL;
    AUTO(char) message = NULL;
    char took[32];
    end.result = text;
    end.progress = c->progress.phase ? &c->progress : NULL;
    if (result)
        end.backup = doc_str(result, names_it_id(c->o->kind) ? "id" : "backup", NULL);
    if (status) {
        end.status = JOB_FAILED;
        end.error_kind = doc_str(error, "kind", error_kind_info(launch_kind(status))->name);
        message = error ? NULL : launch_last_words(c->proc, status);
        end.error_message = doc_str(error, "message", message);
        end.error_hint = doc_str(error, "hint", NULL);
    }
    if (status && c->why == CHILD_TIMED_OUT) {
        free(message);
        message = mem_printf("it was not done after %s and was ended",
                             text_duration(c->o->timeout_ms, took));
        end.error_kind = error_kind_info(ERR_TIMEOUT)->name;
        end.error_message = message;
    } else if (status && c->why == CHILD_SERVICE_ENDS) {
        end.status = JOB_INTERRUPTED;
        end.error_message = "the service was stopped";
    } else if (status && (c->why == CHILD_CANCELLED ||
                          !strcmp(end.error_kind, error_kind_info(ERR_CANCELLED)->name))) {
        end.status = JOB_CANCELLED;
    }
    if (status)
        say(c, clock_now(), "error", end.error_message);
    c->finish = &end;
    for (int attempt = 1; attempt <= FINISH_ATTEMPTS; attempt++) {
        end.now = clock_now();
        if (flush(c))
            return;
        clock_sleep_ms(FLUSH_MS);
    }
}

/* It could not even be started. */
static void finish_unstarted(Child *c, const Error *e)
{
    StateJobEnd end = {.status = JOB_FAILED,
                       .exit_status = -1,
                       .error_kind = error_kind_info(error_kind(e))->name,
                       .error_message = error_message(e),
                       .error_hint = error_hint_text(e),
                       .now = clock_now()};
    say(c, end.now, "error", error_message(e));
    c->finish = &end;
    for (int attempt = 1; !flush(c) && attempt < FINISH_ATTEMPTS; attempt++)
        clock_sleep_ms(FLUSH_MS);
}

static Error *start(Child *c)
{
    AUTO_VALUE(StrList) env = {0};
    strlist_copy(&env, c->o->env);
    strlist_own(&env, mem_printf("PGSTOW_JOB=%lld", (long long)c->o->job));
    return launch(&(LaunchOptions){.argv = c->o->argv, .env = &env}, &c->proc, &c->events);
}

/* The process is there before the job counts as running, so that its number is known; it is ended
 * where it is not to run any more. */
static Error *begin(Child *c, bool *started)
{
    *started = true;
    TRY(start(c));
    FAULT_POINT("serve.job.forked");
    c->begun = c->flushed = clock_mono_ms();
    TRY(state_job_start(c->o->state, c->o->job, proc_pid(c->proc), clock_now(), started));
    FAULT_POINT("serve.job.running");
    return NULL;
}

bool child_run(const ChildOptions *o)
{
    AUTO_VALUE(Child) c = {.o = o, .events = {-1}};
    bool started;
    int status = -1;
    AUTO(Error) e = begin(&c, &started);
    if (!e && started) {
        if (o->started)
            o->started(o->ctx, o->job);
        follow(&c);
        e = wait_for_end(&c, &status);
        e = error_first(e, fault_reach("serve.job.ended"));
    }
    if ((e || !started) && c.proc) {
        proc_free(c.proc);
        c.proc = NULL;
    }
    atomic_store(o->over, true);
    if (e)
        finish_unstarted(&c, e);
    else if (started)
        finish(&c, status);
    return started;
}
