/* A group of threads that work on one job. The first error ends all: it sets the group's Cancel,
 * aborts the queues that were told to it, and is what group_join returns. Signals never interrupt
 * its threads: they go to those of the caller.
 */
#ifndef PGSTOW_FLOW_GROUP_H
#define PGSTOW_FLOW_GROUP_H

#include "flow/cancel.h"
#include "flow/queue.h"

typedef struct Group Group;
typedef Error *(*GroupWork)(void *arg);

Error *group_new(Cancel *parent_or_null, Group **out) MUST_CHECK;
Cancel *group_cancel(Group *g); /* what its threads must look at */
void group_watch(Group *g,
                 Queue *q); /* aborted at the first error; borrowed, must outlive the join */
Error *group_start(Group *g, GroupWork work,
                   void *arg) MUST_CHECK; /* arg is borrowed until the join */
/* Also from outside a thread of the group: takes e over, ends all. NULL does nothing. */
void group_fail(Group *g, Error *e);
/* Waits for all; the first error, or NULL. Errors that merely follow (ERR_CANCELLED after it) are
 * dropped. Once only. group_free joins (cancelling) where that was not done. */
Error *group_join(Group *g) MUST_CHECK;
void group_free(Group *g);
DEFINE_AUTO(Group, group_free)

#endif
