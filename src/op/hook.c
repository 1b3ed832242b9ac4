#include "op/hook.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"

#define LINE_MAX_BYTES 2000
#define LINES_TOLD 500
#define TAIL_KEPT 600  /* bytes of what it printed last, for the hint */
#define END_MS 5000    /* from SIGTERM to SIGKILL */
#define LOOK_MS 20     /* how often it is looked whether it has ended */
#define DRAIN_READS 64 /* of what is still in the pipe then */

typedef struct Running {
    const Hook *hook;
    Proc *proc;
    bool closed; /* nobody holds its output any more */
    Buf line, tail;
    unsigned lines;
} Running;
static void running_clear(Running *r)
{
    if (r->proc)
        proc_free(r->proc);
    buf_free(&r->line);
    buf_free(&r->tail);
}
DEFINE_AUTO_VALUE(Running, running_clear)

static void tell_line(Running *r)
{
    AUTO(char) text = buf_steal_str(&r->line);
    AUTO(char) shown = text_printable(text);
    r->lines++;
    if (r->lines <= LINES_TOLD)
        r->hook->line(r->hook->ctx, shown);
    else if (r->lines == LINES_TOLD + 1)
        r->hook->line(r->hook->ctx, "(it prints more than is shown)");
    buf_printf(&r->tail, "%s%s", r->tail.len ? "; " : "", shown);
    if (r->tail.len > TAIL_KEPT) {
        memmove(r->tail.data, r->tail.data + r->tail.len - TAIL_KEPT, TAIL_KEPT);
        r->tail.len = TAIL_KEPT;
    }
}

static void take(Running *r, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '\n' && s[i] != '\0')
            buf_u8(&r->line, (uint8_t)s[i]);
        if ((s[i] == '\n' && r->line.len) || r->line.len == LINE_MAX_BYTES)
            tell_line(r);
    }
}

static void read_some(Running *r)
{
    char chunk[4096];
    ssize_t n = read(proc_out(r->proc), chunk, sizeof chunk);
    if (n > 0)
        take(r, chunk, (size_t)n);
    else if (n == 0 || errno != EINTR)
        r->closed = true;
}

/* Until the shell has ended: what it started may hold its output for ever. */
static Error *follow(Running *r, const Cancel *cancel)
{
    while (!proc_has_ended(r->proc)) {
        bool ready = false;
        TRY(cancel_poll(cancel, r->closed ? -1 : proc_out(r->proc), POLLIN, LOOK_MS, &ready));
        if (ready)
            read_some(r);
    }
    return NULL;
}

static void drain(Running *r)
{
    struct pollfd p = {.fd = proc_out(r->proc), .events = POLLIN};
    for (int i = 0; i < DRAIN_READS && !r->closed && poll(&p, 1, 0) > 0; i++)
        read_some(r);
    if (r->line.len)
        tell_line(r);
}

static Error *with_tail(Running *r, Error *e)
{
    size_t half = 0; /* it may have been cut within a character */
    while (half < r->tail.len && half < 3 && (r->tail.data[half] & 0xc0) == 0x80)
        half++;
    AUTO(char) all = buf_steal_str(&r->tail);
    return *all ? error_hint(e, "it said: %s", all + half) : e;
}

static Error *verdict(Running *r, Error *why, int status)
{
    const Hook *h = r->hook;
    char limit[32];
    if (why && error_kind(why) == ERR_TIMEOUT) {
        error_free(why);
        return with_tail(r, ERROR_NEW(ERR_HOOK, "%s was not done after %s and was ended", h->name,
                                      text_duration(h->timeout_ms, limit)));
    }
    if (why)
        return error_context(why, "while %s ran", h->name);
    if (status > 128)
        return with_tail(r,
                         ERROR_NEW(ERR_HOOK, "%s was ended by signal %d", h->name, status - 128));
    return status ? with_tail(r, ERROR_NEW(ERR_HOOK, "%s failed with status %d", h->name, status))
                  : NULL;
}

Error *hook_run(const Hook *h)
{
    static const char *const words[] = {"/bin/sh", "-c"};
    AUTO_VALUE(Running) r = {.hook = h};
    AUTO_VALUE(StrList) argv = {0};
    AUTO(Cancel) cancel = NULL;
    int status = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        strlist_add(&argv, words[i]);
    strlist_add(&argv, h->command);
    TRY(cancel_new(h->cancel, &cancel));
    if (h->timeout_ms)
        cancel_deadline(cancel, h->timeout_ms);
    Error *e = proc_start(
        &(ProcOptions){.argv = &argv, .env = h->env, .pipe_out = true, .err_to_out = true},
        &r.proc);
    if (e)
        return error_rekind(error_context(e, "%s", h->name), ERR_HOOK);
    Error *why = follow(&r, cancel);
    e = proc_end(r.proc, END_MS, &status);
    drain(&r);
    return error_first(verdict(&r, why, status), e);
}
