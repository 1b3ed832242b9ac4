/* What the service sees to about syncs, whoever runs them: that dead ones are known as such, and
 * that those whose job has yet to take them over live as long as it does. */
#ifndef PGSTOW_SERVE_SYNC_WATCH_H
#define PGSTOW_SERVE_SYNC_WATCH_H

#include "state/state_job.h"

typedef struct SyncLook {
    int64_t at;    /* by clock_mono_ms; 0: not yet */
    Instant death; /* of the session that died last */
} SyncLook;
/* About once a second. Whether any has been found dead, by whomever, since the last look. */
bool sync_watch_tick(State *s, SyncLook *last);
/* A session that its job has not taken over ends with it. */
void sync_watch_job_ended(State *s, const StateJob *job);

#endif
