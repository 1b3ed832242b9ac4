#include "serve/turns.h"

#include <pthread.h>

#include "serve/http_stream.h"

typedef struct Waiting {
    struct Waiting *next;
    Cancel *called; /* its turn has come */
    bool has;
} Waiting;

struct Turns {
    pthread_mutex_t lock;
    unsigned left, waiting, most_waiting;
    Waiting *first, **last;
};

Turns *turns_new(unsigned at_once, unsigned most_waiting)
{
    Turns *t = mem_new(Turns);
    pthread_mutex_init(&t->lock, NULL);
    t->left = at_once;
    t->most_waiting = most_waiting;
    t->last = &t->first;
    return t;
}

void turns_free(Turns *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Under the lock. */
static void leave(Turns *t, Waiting *w)
{
    Waiting **at = &t->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (t->last == &w->next)
        t->last = at;
    t->waiting--;
}

/* Under the lock: the turn goes to who waits longest, so that nobody who comes now is before him.
 */
static void give(Turns *t)
{
    Waiting *w = t->first;
    if (!w) {
        t->left++;
        return;
    }
    leave(t, w);
    w->has = true;
    cancel_request(w->called);
}

void turns_give(Turns *t)
{
    pthread_mutex_lock(&t->lock);
    give(t);
    pthread_mutex_unlock(&t->lock);
}

/* *waits: there is no turn for it now, and it is in the queue. */
static void enter(Turns *t, Waiting *w, bool *waits, bool *full)
{
    pthread_mutex_lock(&t->lock);
    *full = !t->left && t->waiting >= t->most_waiting;
    *waits = !t->left && !*full;
    if (t->left) {
        t->left--;
    } else if (*waits) {
        *t->last = w;
        t->last = &w->next;
        t->waiting++;
    }
    pthread_mutex_unlock(&t->lock);
}

Error *turns_take(Turns *t, int socket, const Cancel *stop, bool *full)
{
    AUTO(Cancel) called = NULL;
    bool waits;
    TRY(cancel_new(NULL, &called));
    Waiting w = {.called = called};
    enter(t, &w, &waits, full);
    if (!waits)
        return NULL;
    struct pollfd turn = {.fd = cancel_fd(called), .events = POLLIN};
    Error *e = http_wait(socket, stop, &turn, 1, -1);
    pthread_mutex_lock(&t->lock);
    if (e && w.has)
        give(t); /* it came just then */
    else if (e)
        leave(t, &w);
    pthread_mutex_unlock(&t->lock);
    return e;
}

unsigned turns_waiting(Turns *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned n = t->waiting;
    pthread_mutex_unlock(&t->lock);
    return n;
}
