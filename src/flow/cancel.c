#include "flow/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"

struct Cancel {
    Cancel *parent, *children, *next; /* the tree, guarded by tree_lock */
    atomic_bool requested;
    atomic_int_least64_t deadline; /* clock_mono_ms; NEVER where there is none */
    int read_end, write_end;       /* a pipe that holds a byte once it is requested */
};

#define NEVER INT64_MAX

/* One lock for all trees, because they are small and change seldom. It is a flag and not a mutex
 * because cancel_request takes it in signal handlers: whoever holds it has all signals blocked, so
 * no handler can ever wait for the very thread that it interrupted. */
static atomic_flag tree_lock = ATOMIC_FLAG_INIT;

static void lock_tree(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, before);
    while (atomic_flag_test_and_set_explicit(&tree_lock, memory_order_acquire))
        poll(NULL, 0, 1);
}

static void unlock_tree(const sigset_t *before)
{
    atomic_flag_clear_explicit(&tree_lock, memory_order_release);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* With the tree locked. Recursion is as deep as the chain: a run, its job, its group. */
static void request(Cancel *c)
{
    if (atomic_exchange(&c->requested, true))
        return;
    /* One byte for ever; the pipe was empty, so this cannot fail or wait. */
    while (write(c->write_end, "", 1) < 0 && errno == EINTR)
        ;
    for (Cancel *child = c->children; child; child = child->next)
        request(child);
}

void cancel_request(Cancel *c)
{
    if (!c)
        return;
    int saved = errno;
    sigset_t before;
    lock_tree(&before);
    request(c);
    unlock_tree(&before);
    errno = saved;
}

static bool set_up_fd(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static Error *make_pipe(int ends[2])
{
#ifdef __linux__
    /* At once, so that no child that another thread forks in between inherits them. */
    int made = pipe2(ends, O_CLOEXEC | O_NONBLOCK);
#else
    int made = pipe(ends);
#endif
    if (made < 0 || !set_up_fd(ends[0]) || !set_up_fd(ends[1])) {
        Error *e = error_errno(ERR_IO, ERR_IO, "cannot make a pipe");
        if (made == 0) {
            close(ends[0]);
            close(ends[1]);
        }
        return e;
    }
    return NULL;
}

Error *cancel_new(Cancel *parent_or_null, Cancel **out)
{
    int ends[2];
    TRY(make_pipe(ends));
    Cancel *c = mem_new(Cancel);
    c->parent = parent_or_null;
    c->read_end = ends[0];
    c->write_end = ends[1];
    atomic_init(&c->requested, false);
    atomic_init(&c->deadline, NEVER);
    if (c->parent) {
        sigset_t before;
        lock_tree(&before);
        c->next = c->parent->children;
        c->parent->children = c;
        if (atomic_load(&c->parent->requested))
            request(c);
        unlock_tree(&before);
    }
    *out = c;
    return NULL;
}

void cancel_free(Cancel *c)
{
    if (!c)
        return;
    if (c->parent) {
        sigset_t before;
        lock_tree(&before);
        Cancel **at = &c->parent->children;
        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
        unlock_tree(&before);
    }
    close(c->read_end);
    close(c->write_end);
    free(c);
}

void cancel_deadline(Cancel *c, int64_t milliseconds)
{
    int64_t now = clock_mono_ms(), at = NEVER;
    if (milliseconds > 0 && milliseconds < NEVER - now)
        at = now + milliseconds;
    else if (milliseconds < 0)
        at = now;
    atomic_store(&c->deadline, at);
}

/* The earliest deadline of the chain. */
static int64_t deadline_of(const Cancel *c)
{
    int64_t earliest = NEVER;
    for (; c; c = c->parent) {
        int64_t at = atomic_load_explicit(&c->deadline, memory_order_relaxed);
        if (at < earliest)
            earliest = at;
    }
    return earliest;
}

static bool is_late(const Cancel *c)
{
    int64_t at = deadline_of(c);
    return at != NEVER && clock_mono_ms() >= at;
}

bool cancel_requested(const Cancel *c)
{
    return c && (atomic_load(&c->requested) || is_late(c));
}

Error *cancel_check(const Cancel *c)
{
    if (!c)
        return NULL;
    /* A parent's request has reached the child's own flag. */
    if (atomic_load(&c->requested))
        FAIL(ERR_CANCELLED, "stopped on request");
    if (is_late(c))
        FAIL(ERR_TIMEOUT, "the time limit was passed");
    return NULL;
}

int cancel_fd(const Cancel *c)
{
    return c ? c->read_end : -1;
}

Error *cancel_poll(const Cancel *c, int fd, short events, int64_t ms, bool *ready)
{
    int64_t start = clock_mono_ms(), until = NEVER;
    if (ms >= 0 && ms < NEVER - start)
        until = start + ms;
    *ready = false;
    for (;;) {
        TRY(cancel_check(c));
        int64_t deadline = deadline_of(c), wake = deadline < until ? deadline : until;
        int wait = -1;
        if (wake != NEVER) {
            int64_t left = wake - clock_mono_ms();
            wait = left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
        }
        struct pollfd fds[2] = {{.fd = fd, .events = events},
                                {.fd = cancel_fd(c), .events = POLLIN}};
        int got = poll(fds, 2, wait);
        if (got < 0 && errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot wait for input");
        TRY(cancel_check(c));
        if (got > 0 && fds[0].revents) {
            *ready = true;
            return NULL;
        }
        if (clock_mono_ms() >= until)
            return NULL;
    }
}
