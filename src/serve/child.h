/* One job's child: started, followed, ended, and all of it written into the state. */
#ifndef PGSTOW_SERVE_CHILD_H
#define PGSTOW_SERVE_CHILD_H

#include <stdatomic.h>

#include "base/text.h"
#include "flow/cancel.h"
#include "state/state_job.h"

/* Why it is to stop. */
typedef enum ChildStop {
    CHILD_GOES_ON,
    CHILD_CANCELLED,    /* somebody wants it so */
    CHILD_SERVICE_ENDS, /* it ends as interrupted */
    CHILD_TIMED_OUT
} ChildStop;

typedef struct ChildOptions {
    State *state;
    int64_t job;
    const char *kind;
    const StrList *argv; /* without --events */
    const StrList *env;
    int64_t timeout_ms;                      /* 0: none */
    void (*started)(void *ctx, int64_t job); /* when the state says that it runs; may be NULL */
    void *ctx;
    Cancel *wake;      /* requested after `stop` has been set */
    atomic_int *stop;  /* ChildStop */
    atomic_bool *over; /* set when the process is gone, before the job's end is written */
} ChildOptions;

/* Returns when the job's end is in the state, or, where that could not be written for a while, has
 * been logged; false where it was not to be run any more (cancelled while it waited). */
bool child_run(const ChildOptions *options);

#endif
