#include "flow/group.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

struct Group {
    pthread_mutex_t lock; /* over all but cancel, which is set once */
    Cancel *cancel;
    pthread_t *threads;
    size_t thread_count, thread_cap;
    Queue **queues;
    size_t queue_count, queue_cap;
    Error *first;
    bool ended; /* failed or given up: queues that come later are aborted as well */
    bool joined;
};

typedef struct Start {
    Group *group;
    GroupWork work;
    void *arg;
} Start;

Error *group_new(Cancel *parent_or_null, Group **out)
{
    AUTO(Cancel) cancel = NULL;
    TRY(cancel_new(parent_or_null, &cancel));
    Group *g = mem_new(Group);
    g->cancel = STEAL(cancel);
    pthread_mutex_init(&g->lock, NULL);
    *out = g;
    return NULL;
}

Cancel *group_cancel(Group *g)
{
    return g->cancel;
}

void group_watch(Group *g, Queue *q)
{
    pthread_mutex_lock(&g->lock);
    mem_grow(g->queues, g->queue_count, g->queue_cap);
    g->queues[g->queue_count++] = q;
    if (g->ended)
        queue_abort(q);
    pthread_mutex_unlock(&g->lock);
}

/* With the lock held. */
static void end_all(Group *g)
{
    g->ended = true;
    cancel_request(g->cancel);
    for (size_t i = 0; i < g->queue_count; i++)
        queue_abort(g->queues[i]);
}

void group_fail(Group *g, Error *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&g->lock);
    g->first = error_first(g->first, e);
    end_all(g);
    pthread_mutex_unlock(&g->lock);
}

static void *run(void *p)
{
    Start start = *(Start *)p;
    free(p);
    group_fail(start.group, start.work(start.arg));
    return NULL;
}

/* Signals are for the threads of whoever called us: none of the group's takes one, except those
 * that its own faults raise. */
static void block_signals(sigset_t *before)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&set, own[i]);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

Error *group_start(Group *g, GroupWork work, void *arg)
{
    Start *start = mem_new(Start);
    *start = (Start){g, work, arg};
    sigset_t before;
    pthread_mutex_lock(&g->lock);
    mem_grow(g->threads, g->thread_count, g->thread_cap);
    block_signals(&before);
    int code = pthread_create(&g->threads[g->thread_count], NULL, run, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!code)
        g->thread_count++;
    pthread_mutex_unlock(&g->lock);
    if (code) {
        free(start);
        FAIL(ERR_MEMORY, "cannot start a thread: %s", strerror(code));
    }
    return NULL;
}

/* Threads may start others until the last has ended. */
static bool next_thread(Group *g, size_t i, pthread_t *thread)
{
    pthread_mutex_lock(&g->lock);
    bool more = i < g->thread_count;
    if (more)
        *thread = g->threads[i];
    pthread_mutex_unlock(&g->lock);
    return more;
}

Error *group_join(Group *g)
{
    if (g->joined)
        FAIL(ERR_INTERNAL, "a group of threads was joined twice");
    pthread_t thread;
    for (size_t i = 0; next_thread(g, i, &thread); i++)
        pthread_join(thread, NULL);
    g->joined = true;
    return STEAL(g->first);
}

void group_free(Group *g)
{
    if (!g)
        return;
    if (!g->joined) {
        pthread_mutex_lock(&g->lock);
        end_all(g);
        pthread_mutex_unlock(&g->lock);
        error_drop(group_join(g));
    }
    error_free(g->first);
    cancel_free(g->cancel);
    pthread_mutex_destroy(&g->lock);
    free(g->threads);
    free(g->queues);
    free(g);
}
