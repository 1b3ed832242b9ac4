/* What the service sees to about syncs, whoever runs them: that dead ones are known as such, and
 * that those whose job has yet to take them over live as long as it does. */
#ifndef PGSTOW_SERVE_SYNC_WATCH_H
#define PGSTOW_SERVE_SYNC_WATCH_H

#include "state/state_job.h"

/* About once a second; *last: when it last looked (clock_mono_ms), 0 to begin with. */
void sync_watch_tick(State *s, int64_t *last);
/* A session that its job has not taken over, or left to requests and then failed, ends with it. */
void sync_watch_job_ended(State *s, const StateJob *job);

#endif
