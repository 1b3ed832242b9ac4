/* A job: what every long operation is given to report through and to be stopped by.
 *
 * Counters are atomic and may be raised from any thread; the face that made the job reads a
 * snapshot when it likes (the command line from a ticking thread) and hears events (phases) by
 * callback.
 */
#ifndef PGSTOW_FLOW_JOB_H
#define PGSTOW_FLOW_JOB_H

#include <stdint.h>
#include "flow/cancel.h"

typedef struct Job Job;

typedef struct JobProgress {
    char phase[32];        /* "locking", "copying", "indexes", ... */
    char object[96];       /* the table worked on, possibly cut; empty where there is none */
    uint64_t bytes_done;   /* logical bytes */
    uint64_t bytes_total;  /* estimate; 0 where unknown */
    uint64_t bytes_new;    /* stored bytes written */
    uint64_t bytes_reused; /* logical bytes that were stored already */
    uint64_t items_done, items_total; /* tables, packs, ...; what the phase counts */
    int64_t elapsed_ms;
} JobProgress;

/* Called, one thread at a time, when the phase changes. May be NULL. */
typedef void (*JobEvent)(void *ctx, const JobProgress *now);

/* The job's own Cancel is a child of the one given: --timeout is a deadline on job_cancel. */
Error *job_new(Cancel *cancel_or_null, JobEvent event, void *ctx, Job **out) MUST_CHECK;
void job_free(Job *j);
DEFINE_AUTO(Job, job_free)
/* All of these take NULL for "nobody looks". */
Cancel *job_cancel(Job *j);
void job_phase(Job *j, const char *phase, uint64_t bytes_total,
               uint64_t items_total); /* bytes_done and items_done start anew */
void job_object(Job *j, const char *object);
void job_add_bytes(Job *j, uint64_t done);
void job_add_new(Job *j, uint64_t stored);
void job_add_reused(Job *j, uint64_t logical);
void job_add_items(Job *j, uint64_t done);
void job_snapshot(Job *j, JobProgress *out);

#endif
