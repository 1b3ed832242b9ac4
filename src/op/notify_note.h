/* A notification as it waits in the outbox: a JSON document that is the same for every channel,
 * with all that anybody is told. No secret is in it. Its members are in docs/notifications.md. */
#ifndef PGSTOW_OP_NOTIFY_NOTE_H
#define PGSTOW_OP_NOTIFY_NOTE_H

#include "base/doc.h"
#include "state/state_job.h"

typedef enum NotifyEvent {
    NOTIFY_FAILURE,
    NOTIFY_SUCCESS,
    NOTIFY_RECOVERED,
    NOTIFY_MISSED,
    NOTIFY_STALE,
    NOTIFY_ANOMALY,
    NOTIFY_DAMAGE,
    NOTIFY_DISK_LOW,
    NOTIFY_DRILL_FAILED,
    NOTIFY_HOOK_FAILED,
    NOTIFY_TEST,
    NOTIFY_STARTED, /* for pings alone */
    NOTIFY_EVENTS
} NotifyEvent;
const char *notify_event_name(NotifyEvent event); /* "failure", ... */
bool notify_event_of(const char *name, NotifyEvent *out);
/* Whether it tells of something that is wrong, and not of something that is well. */
bool notify_event_is_bad(NotifyEvent event);

/* Borrowed; NULL, 0 where there is none. */
typedef struct NoteFacts {
    NotifyEvent event;
    const char *entry, *database, *server;
    const char *kind;    /* of the run: "backup" */
    const char *subject; /* what the title says besides: "rows 10 instead of about 8,500" */
    const StateJob *job;
    Instant since;       /* from when on it holds, or held */
    const StrList *more; /* lines with further facts */
    const char *next;    /* what to do, where that is not the event's usual */
    Instant now;
} NoteFacts;
/* With a title, what to do next and where to look. */
Doc *notify_note(const NoteFacts *f);

#endif
