/* Events: what has happened, numbered, for whoever follows (server-sent events and their
 * Last-Event-ID; another process's jobs). Numbers only grow and are never used again. The newest
 * STATE_EVENTS_KEPT are kept: who comes later than that is told so and looks at the whole anew. */
#ifndef PGSTOW_STATE_STATE_EVENT_H
#define PGSTOW_STATE_STATE_EVENT_H

#include "state/state.h"

#define STATE_EVENTS_KEPT 10000

/* A job's kinds are "job." and its status ("job.running"), with no body: the job says the rest. */
#define STATE_EVENT_PROGRESS "job.progress" /* of each job only the newest is kept */
#define STATE_EVENT_LOG "job.log" /* body: {"after": 3, "until": 7}: lines 4 to 7 were added */

typedef struct StateEvent {
    int64_t id;
    Instant at;
    char *kind;
    int64_t job; /* or 0 */
    char *body;  /* JSON, or NULL */
} StateEvent;

typedef struct StateEvents {
    StateEvent *items; /* the oldest first */
    size_t count, cap;
    bool more; /* there are further ones behind the last */
    bool lost; /* some of what was asked for is no longer kept, or `after` is from another state */
} StateEvents;
void state_events_clear(StateEvents *l);
DEFINE_AUTO_VALUE(StateEvents, state_events_clear)

/* Borrowed; body may be NULL. */
typedef struct StateEventNew {
    const char *kind, *body;
    int64_t job;
    Instant now;
} StateEventNew;
/* id may be NULL. */
Error *state_event_add(State *s, const StateEventNew *event, int64_t *id) MUST_CHECK;
/* Those with a greater number; limit as for lists. */
Error *state_event_since(State *s, int64_t after, uint32_t limit, StateEvents *out) MUST_CHECK;
/* The newest one's number; 0 where there has been none. */
Error *state_event_newest(State *s, int64_t *id) MUST_CHECK;

#endif
