#include "flow/rate.h"

#include <pthread.h>

#include "base/clock.h"

/* A virtual clock: each take moves `due` on by the time that its bytes cost, and waits until then.
 * A clock that lies behind is pulled up to now less the burst, so that pauses are not saved up. */
#define BURST_NS 50000000.0

struct Rate {
    pthread_mutex_t lock;
    double ns_per_byte; /* 0: no limit */
    double due;         /* on the scale of clock_mono_ms, in nanoseconds since `start` */
    int64_t start;
};

Rate *rate_new(uint64_t bytes_per_second)
{
    Rate *r = mem_new(Rate);
    pthread_mutex_init(&r->lock, NULL);
    r->ns_per_byte = bytes_per_second ? 1e9 / (double)bytes_per_second : 0;
    r->start = clock_mono_ms();
    return r;
}

void rate_free(Rate *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

Error *rate_take(Rate *r, uint64_t bytes, const Cancel *c)
{
    if (!r || r->ns_per_byte == 0)
        return NULL;
    pthread_mutex_lock(&r->lock);
    double now = (double)(clock_mono_ms() - r->start) * 1e6;
    if (r->due < now - BURST_NS)
        r->due = now - BURST_NS;
    r->due += (double)bytes * r->ns_per_byte;
    double wait_ms = (r->due - now) / 1e6;
    pthread_mutex_unlock(&r->lock);
    if (wait_ms < 1)
        return NULL;
    bool ready;
    /* Without a descriptor it is a sleep that cancellation ends. */
    return cancel_poll(c, -1, 0, wait_ms < 9e15 ? (int64_t)wait_ms : INT64_MAX, &ready);
}
