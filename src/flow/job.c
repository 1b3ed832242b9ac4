#include "flow/job.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"

struct Job {
    Cancel *cancel;
    JobEvent event;
    void *ctx;
    int64_t start;
    pthread_mutex_t event_lock; /* held during the callback, which may take snapshots */
    pthread_mutex_t text_lock;  /* over phase and object */
    char phase[sizeof((JobProgress *)0)->phase];
    char object[sizeof((JobProgress *)0)->object];
    atomic_uint_least64_t bytes_done, bytes_total, bytes_new, bytes_reused, items_done, items_total;
};

Error *job_new(Cancel *cancel_or_null, JobEvent event, void *ctx, Job **out)
{
    AUTO(Cancel) cancel = NULL;
    TRY(cancel_new(cancel_or_null, &cancel));
    Job *j = mem_new(Job);
    j->cancel = STEAL(cancel);
    j->event = event;
    j->ctx = ctx;
    j->start = clock_mono_ms();
    pthread_mutex_init(&j->event_lock, NULL);
    pthread_mutex_init(&j->text_lock, NULL);
    *out = j;
    return NULL;
}

void job_free(Job *j)
{
    if (!j)
        return;
    cancel_free(j->cancel);
    pthread_mutex_destroy(&j->event_lock);
    pthread_mutex_destroy(&j->text_lock);
    free(j);
}

Cancel *job_cancel(Job *j)
{
    return j ? j->cancel : NULL;
}

/* As much of the text as fits, never half a UTF-8 character. */
static void copy_cut(char *to, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size) {
        n = size - 1;
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(to, text, n);
    to[n] = 0;
}

void job_phase(Job *j, const char *phase, uint64_t bytes_total, uint64_t items_total)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->event_lock);
    pthread_mutex_lock(&j->text_lock);
    copy_cut(j->phase, sizeof j->phase, phase);
    j->object[0] = 0;
    atomic_store(&j->bytes_done, 0);
    atomic_store(&j->items_done, 0);
    atomic_store(&j->bytes_total, bytes_total);
    atomic_store(&j->items_total, items_total);
    pthread_mutex_unlock(&j->text_lock);
    if (j->event) {
        JobProgress now;
        job_snapshot(j, &now);
        j->event(j->ctx, &now);
    }
    pthread_mutex_unlock(&j->event_lock);
}

void job_object(Job *j, const char *object)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->text_lock);
    copy_cut(j->object, sizeof j->object, object ? object : "");
    pthread_mutex_unlock(&j->text_lock);
}

static void add(atomic_uint_least64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void job_add_bytes(Job *j, uint64_t done)
{
    if (j)
        add(&j->bytes_done, done);
}

void job_add_new(Job *j, uint64_t stored)
{
    if (j)
        add(&j->bytes_new, stored);
}

void job_add_reused(Job *j, uint64_t logical)
{
    if (j)
        add(&j->bytes_reused, logical);
}

void job_add_items(Job *j, uint64_t done)
{
    if (j)
        add(&j->items_done, done);
}

void job_snapshot(Job *j, JobProgress *out)
{
    *out = (JobProgress){0};
    if (!j)
        return;
    pthread_mutex_lock(&j->text_lock);
    memcpy(out->phase, j->phase, sizeof out->phase);
    memcpy(out->object, j->object, sizeof out->object);
    out->bytes_done = atomic_load(&j->bytes_done);
    out->bytes_total = atomic_load(&j->bytes_total);
    out->bytes_new = atomic_load(&j->bytes_new);
    out->bytes_reused = atomic_load(&j->bytes_reused);
    out->items_done = atomic_load(&j->items_done);
    out->items_total = atomic_load(&j->items_total);
    pthread_mutex_unlock(&j->text_lock);
    out->elapsed_ms = clock_mono_ms() - j->start;
}
