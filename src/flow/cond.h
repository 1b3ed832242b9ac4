/* Conditions that are waited for with a limit. The clock is the monotonic one: setting the host's
 * clock neither ends a wait early nor prolongs it.
 */
#ifndef PGSTOW_FLOW_COND_H
#define PGSTOW_FLOW_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* For those that cond_wait_until is given; pthread_cond_destroy ends it as any other. */
void cond_init(pthread_cond_t *c);
/* Like pthread_cond_wait, but false when clock_mono_ms() (base/clock.h) has come to `until`. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until);

#endif
