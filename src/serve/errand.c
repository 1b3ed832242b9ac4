#include "serve/errand.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/event_lines.h"
#include "serve/launch.h"

struct Errand {
    ErrandOptions o;
    Proc *proc;
    Fd events;
    EventLines lines;
    Doc *end;
    int64_t deadline; /* by clock_mono_ms */
};

void errand_free(Errand *e)
{
    if (!e)
        return;
    if (e->proc)
        proc_free(e->proc);
    fd_close(&e->events);
    event_lines_clear(&e->lines);
    doc_free(e->end);
    free(e);
}

Error *errand_start(const ErrandOptions *o, Errand **out)
{
    AUTO_VALUE(StrList) argv = {0};
    AUTO(Errand) e = mem_new(Errand);
    e->o = *o;
    e->events.n = -1;
    e->deadline = o->timeout_ms ? clock_mono_ms() + o->timeout_ms : INT64_MAX;
    runner_line(o->runner, o->entry, !o->output, o->words, &argv);
    TRY(launch(&(LaunchOptions){.argv = &argv, .output = o->output}, &e->proc, &e->events));
    *out = STEAL(e);
    return NULL;
}

static void take_event(void *ctx, Doc *event)
{
    Errand *e = ctx;
    AUTO(Doc) d = event;
    const char *name = doc_str(d, "event", "");
    if (!strcmp(name, "end") && !e->end)
        e->end = STEAL(d);
    else if (!strcmp(name, "warning"))
        log_warning("%s: %s", e->o.words->items[0], doc_str(d, "message", ""));
}

/* -- its end --------------------------------------------------------------------------------------
 */

static Error *judge(const Errand *e, int status)
{
    const Doc *said = e->end ? doc_get(e->end, "error") : NULL;
    if (!status)
        return NULL;
    AUTO(char) words = said ? NULL : launch_last_words(e->proc, status);
    ErrorKind kind = said ? error_kind_named(doc_str(said, "kind", NULL)) : launch_kind(status);
    Error *error = ERROR_NEW(kind, "%s", said ? doc_str(said, "message", "") : words);
    const char *hint = said ? doc_str(said, "hint", NULL) : NULL;
    return hint ? error_hint(error, "%s", hint) : error;
}

/* Waits for one of the two; what is told is taken. *ready: the other one can be read. */
static Error *wait_for(Errand *e, int out, bool *ready)
{
    char chunk[16384];
    struct pollfd fds[] = {{.fd = e->events.n, .events = POLLIN}, {.fd = out, .events = POLLIN}};
    int64_t left = e->deadline == INT64_MAX ? -1 : e->deadline - clock_mono_ms();
    if (e->deadline != INT64_MAX && left <= 0)
        FAIL(ERR_TIMEOUT, "pgstow %s was not done after %lld seconds", e->o.words->items[0],
             (long long)(e->o.timeout_ms / 1000));
    TRY(http_wait(e->o.socket, e->o.stop, fds, 2, left));
    *ready = fds[1].revents != 0;
    if (!fds[0].revents)
        return NULL;
    ssize_t n = read(e->events.n, chunk, sizeof chunk);
    if (n > 0)
        event_lines_take(&e->lines, chunk, (size_t)n, take_event, e);
    else if (n == 0 || errno != EINTR)
        fd_close(&e->events);
    return NULL;
}

static Error *wait_for_end(Errand *e)
{
    bool ready;
    int status;
    while (e->events.n >= 0)
        TRY(wait_for(e, -1, &ready));
    /* It has closed everything: only its end is left. */
    TRY(proc_wait(e->proc, &status));
    return judge(e, status);
}

Error *errand_read(Errand *e, void *p, size_t n, size_t *got)
{
    *got = 0;
    while (proc_out(e->proc) >= 0) {
        bool ready;
        TRY(wait_for(e, proc_out(e->proc), &ready));
        if (!ready)
            continue;
        ssize_t part = read(proc_out(e->proc), p, n);
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return error_errno(ERR_IO, ERR_IO, "cannot read what a child writes");
        *got = (size_t)part;
        if (part)
            return NULL;
        proc_close_out(e->proc);
    }
    return wait_for_end(e);
}

Error *errand_result(Errand *e, Doc **result)
{
    Error *error = wait_for_end(e);
    const Doc *said = e->end ? doc_get(e->end, "result") : NULL;
    *result = said ? doc_copy(said) : NULL;
    return error;
}
