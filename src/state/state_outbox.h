/* The outbox: notifications that are to be sent, one for each cause and channel while it is open.
 * Sending is at least once: who takes an entry has it for a while; where they die, or say nothing,
 * it is due again. What is said, to whom and how often is decided above. */
#ifndef PGSTOW_STATE_STATE_OUTBOX_H
#define PGSTOW_STATE_STATE_OUTBOX_H

#include "state/state.h"

#define STATE_PAYLOAD_MAX 262144 /* bytes */

typedef enum StateOutboxStatus {
    OUTBOX_OPEN,
    OUTBOX_SENT,
    OUTBOX_GIVEN_UP,
    OUTBOX_STATUSES
} StateOutboxStatus;
const char *state_outbox_status_name(StateOutboxStatus status); /* "open", "sent", "given-up" */

typedef struct StateNote {
    int64_t id;
    char *cause;   /* what it is one notification for: "failure/backup/shop" */
    char *channel; /* "email", "webhook", ... */
    char *event;   /* "failure", "recovered", ... */
    char *payload; /* JSON: what is told, not yet in the channel's shape; no secret */
    Instant created;
    int attempts;     /* that were begun */
    Instant next_try; /* 0 where it is not open */
    StateOutboxStatus status;
    Instant ended; /* 0 where it is open */
    char *error;   /* of the last attempt, or NULL */
} StateNote;

typedef struct StateOutbox {
    StateNote *items;
    size_t count, cap;
    bool more;
} StateOutbox;
void state_outbox_clear(StateOutbox *l);
DEFINE_AUTO_VALUE(StateOutbox, state_outbox_clear)

/* Borrowed. */
typedef struct StateNoteNew {
    const char *cause, *channel, *event, *payload;
    Instant now;
} StateNoteNew;
/* *added (may be NULL) is false where one for this cause and channel is open: nothing is added.
 * ERR_LIMIT for too large a payload. */
Error *state_outbox_put(State *s, const StateNoteNew *note, bool *added) MUST_CHECK;

/* Those that are due, the longest waiting first; each counts an attempt and is not due again for
 * lease_ms: longer than a sending may take. */
Error *state_outbox_take(State *s, Instant now, int64_t lease_ms, uint32_t limit,
                         StateOutbox *out) MUST_CHECK;
/* What came of it. Of one that is no longer open nothing changes. */
Error *state_outbox_sent(State *s, int64_t id, Instant now) MUST_CHECK;
Error *state_outbox_failed(State *s, int64_t id, const char *error, Instant next_try) MUST_CHECK;
Error *state_outbox_give_up(State *s, int64_t id, const char *error, Instant now) MUST_CHECK;
/* When the next one is due; 0 where none is open. */
Error *state_outbox_next(State *s, Instant *out) MUST_CHECK;
/* The newest first: all (statuses 0) or those of these statuses (bits, 1u << OUTBOX_...), with ids
 * below `below` (0: all). */
Error *state_outbox_list(State *s, unsigned statuses, int64_t below, uint32_t limit,
                         StateOutbox *out) MUST_CHECK;

#endif
