/* What happens to jobs, for those who follow it as server-sent events: the state's numbered events
 * (state/state_event.h) with what belongs to each, put into the words of an event stream.
 *
 *   id: 4711
 *   event: started
 *   data: {"id": 17, "kind": "backup", ...}
 *
 * Events are queued, started, progress, log, ended; "job" is one job as it is when somebody begins
 * to follow it, "lost" says that some are no longer kept. A listener reads at his own pace: nothing
 * waits for him, and nothing is kept for him but what the state has anyway. Thread-safe, but each
 * listener is of one thread.
 */
#ifndef PGSTOW_SERVE_EVENTS_H
#define PGSTOW_SERVE_EVENTS_H

#include "state/state.h"

#define EVENTS_LISTENERS 64 /* each costs a thread */
#define EVENTS_HEARTBEAT_MS 15000

typedef struct Events Events;
Error *events_new(State *s, Events **out) MUST_CHECK; /* borrowed */
/* All listeners come to their end, and no new ones are let in. */
void events_close(Events *e);
void events_free(Events *e); /* when there are no listeners any more */
DEFINE_AUTO(Events, events_free)

typedef struct ListenerOptions {
    int64_t job; /* 0: of all jobs */
    /* What the client has seen last (its Last-Event-ID), or NULL: then a listener of one job begins
     * with that and its log, one of all jobs with what comes. */
    const char *last;
    int socket; /* of the client, so that it is noticed when he goes; -1: none */
    /* Asked about once a second; an error ends the stream. May be NULL. */
    Error *(*may_go_on)(void *ctx);
    void *ctx;
} ListenerOptions;

typedef struct Listener Listener;
/* *out is NULL where nothing will come any more: the job's end was seen. ERR_NOT_FOUND; ERR_RATE:
 * there are too many; ERR_BUSY: the service is about to stop; ERR_USAGE: `last` is no number. */
Error *listener_new(Events *e, const ListenerOptions *o, Listener **out) MUST_CHECK;
/* Waits for what is to be sent next, a comment where nothing has happened for so long; borrowed
 * until the next call. *n 0 is the end: of the one job, or the client has gone, or events_close. */
Error *listener_next(Listener *l, const char **text, size_t *n) MUST_CHECK;
void listener_free(Listener *l);
DEFINE_AUTO(Listener, listener_free)

#endif
