/* Figures for monitoring. Each is found by an index, however long the history is: they are asked
 * for every few seconds. */
#ifndef PGSTOW_STATE_STATE_FIGURES_H
#define PGSTOW_STATE_STATE_FIGURES_H

#include "state/state_job.h"

/* When the last job of each status ended; 0: there is none. */
typedef struct StateLastEnds {
    Instant ended[JOB_STATUSES];
} StateLastEnds;
Error *state_last_ends(State *s, const char *kind, const char *entry, const char *database,
                       StateLastEnds *out) MUST_CHECK;

typedef struct StateOutboxFigures {
    uint64_t open;    /* notifications that are to be sent */
    uint64_t failing; /* of these, whose last attempt failed */
    Instant oldest;   /* when the first of these came to be; 0: none is open */
} StateOutboxFigures;
Error *state_outbox_figures(State *s, StateOutboxFigures *out) MUST_CHECK;

#endif
