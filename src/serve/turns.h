/* So many at once, the others in the order in which they came. Thread-safe. */
#ifndef PGSTOW_SERVE_TURNS_H
#define PGSTOW_SERVE_TURNS_H

#include "flow/cancel.h"

typedef struct Turns Turns;
Turns *turns_new(unsigned at_once, unsigned most_waiting);
void turns_free(Turns *t); /* nobody is in it any more */
DEFINE_AUTO(Turns, turns_free)
/* Waits for a turn, which turns_give gives back. *full, at once: too many wait already, and there
 * is none. ERR_CANCELLED: see http_wait. */
Error *turns_take(Turns *t, int socket, const Cancel *stop, bool *full) MUST_CHECK;
void turns_give(Turns *t);
unsigned turns_waiting(Turns *t);

#endif
