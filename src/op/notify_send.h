/* Sending: what waits in the outbox goes to its channels; or one notification at once, as a test.
 *
 * What fails is tried again, later each time, until a day has passed since it came to be (an hour
 * for a ping): then it is given up, which is an event of the state ("notification.given-up") and a
 * warning. Errors say what the other side answered, and never an address, a secret or a text.
 */
#ifndef PGSTOW_OP_NOTIFY_SEND_H
#define PGSTOW_OP_NOTIFY_SEND_H

#include "op/notify_note.h"
#include "op/notify_to.h"
#include "state/state_outbox.h"

#define NOTIFY_GIVE_UP_MS (24 * 3600000ll)
#define NOTIFY_PING_GIVE_UP_MS 3600000ll
#define NOTIFY_SEND_MAX_MS 60000    /* that one sending may take */
#define NOTIFY_LEASE_MS (5 * 60000) /* others leave it alone for so long */

/* One, now, by this channel of the target. `delivery` is a number for receivers that want to know
 * one from another; 0 where there is none. */
Error *notify_send(const NotifyTarget *t, Channel channel, const Doc *note, int64_t delivery,
                   Instant now, const Cancel *c) MUST_CHECK;

typedef struct NotifySent {
    size_t sent, failed, given_up;
    Instant next; /* when there is something to do again; 0: nothing is open */
} NotifySent;
/* All that is due, one after the other: it may take minutes, so it has a thread of its own. Errors
 * are those of the state, and that of c; that sending failed is none. */
Error *notify_send_due(State *s, const Notifier *n, const Cancel *c, NotifySent *out) MUST_CHECK;

/* How long after its so many-th attempt one is tried again. */
int64_t notify_backoff(int attempts);

#endif
