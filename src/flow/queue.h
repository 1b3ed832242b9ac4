/* A bounded queue between threads; the bound is in bytes (or any weight), so that memory has a
 * limit.
 *
 * A push waits while the queue holds max or more; one item heavier than max passes when it is
 * empty. Items left in a closed queue are freed with the free function given at the start.
 */
#ifndef PGSTOW_FLOW_QUEUE_H
#define PGSTOW_FLOW_QUEUE_H

#include "base/error.h"

typedef struct Queue Queue;
Queue *queue_new(size_t max_weight, void (*free_item)(void *));
void queue_free(Queue *q);
DEFINE_AUTO(Queue, queue_free)
/* false where the queue was closed or aborted: the item stays the caller's. */
bool queue_push(Queue *q, void *item, size_t weight) MUST_CHECK;
/* false at the end: closed and empty, or aborted. */
bool queue_pop(Queue *q, void **item) MUST_CHECK;
void queue_close(Queue *q); /* no more pushes; what is in it may still be popped */
void queue_abort(Queue *q); /* both ends give up at once */

#endif
