/* Cancellation: one flag that every long loop looks at, set by a signal, a deadline or a caller.
 *
 * cancel_request may be called from a signal handler and any thread. Blocking system calls are
 * woken through cancel_fd (becomes readable, stays so). Chained: a child is cancelled when its
 * parent is, and the parent must outlive it.
 */
#ifndef PGSTOW_FLOW_CANCEL_H
#define PGSTOW_FLOW_CANCEL_H

#include <stdint.h>
#include "base/error.h"

typedef struct Cancel Cancel;
Error *cancel_new(Cancel *parent_or_null, Cancel **out) MUST_CHECK;
void cancel_free(Cancel *c);
DEFINE_AUTO(Cancel, cancel_free)
void cancel_request(Cancel *c);
/* After so many milliseconds from now it counts as cancelled, with ERR_TIMEOUT; 0 takes it away. */
void cancel_deadline(Cancel *c, int64_t milliseconds);
bool cancel_requested(const Cancel *c); /* NULL is never cancelled; deadline included */
/* NULL, or ERR_CANCELLED / ERR_TIMEOUT. The check that loops make. A NULL Cancel is never
 * cancelled. */
Error *cancel_check(const Cancel *c) MUST_CHECK;
/* For poll; -1 for NULL. Only requests show here, a parent's as well; for deadlines use
 * cancel_poll.
 */
int cancel_fd(const Cancel *c);
/* Waits until one of fd's poll events (POLLIN ...) or cancellation (error), at most ms (-1: no
 * limit); *ready says whether the event came. Wakes for deadlines too. */
Error *cancel_poll(const Cancel *c, int fd, short events, int64_t ms, bool *ready) MUST_CHECK;

#endif
