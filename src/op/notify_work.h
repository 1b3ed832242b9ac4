/* What the files of op/notify share: conditions that begin and end, and what is told of them. */
#ifndef PGSTOW_OP_NOTIFY_WORK_H
#define PGSTOW_OP_NOTIFY_WORK_H

#include "op/notify.h"
#include "op/notify_note.h"

/* What every step of one call needs. */
typedef struct Telling {
    State *s;
    const Notifier *n;
    const NotifyTarget *t;
    const StateJob *job; /* may be NULL */
    Instant now;
} Telling;

/* To all channels that are told in words; *told says whether there is one. Each beginning of a
 * cause is one by itself: its instant is part of the key. */
Error *notify_tell(const Telling *c, const char *cause, Instant began, const NoteFacts *f,
                   bool *told) MUST_CHECK;
/* The condition holds: tells of it when it has begun. */
Error *notify_begin(const Telling *c, const char *cause, const char *detail,
                    const NoteFacts *f) MUST_CHECK;
/* It is over: *since is when it began where somebody was told, and stays as it is otherwise. */
Error *notify_end(const Telling *c, const char *cause, Instant *since) MUST_CHECK;

/* Both are texts that the caller frees: why the job failed, so that one cause is told once; and
 * what it is about: "failing/backup/shop/shop". */
char *notify_cause(const Telling *c);
char *notify_thing(const char *what, const char *kind, const char *entry, const char *database);
/* A thing that fails has the names of all causes that were seen, one a line: each is told of once,
 * in whatever order they take turns. */
Error *notify_add_cause(const Telling *c, const char *thing, const char *cause) MUST_CHECK;
Error *notify_end_causes(const Telling *c, const char *thing, Instant *since) MUST_CHECK;
bool notify_is_kind(const StateJob *j, ErrorKind kind);

/* What has become of syncs that died without a word, and are nobody's job (notify_sync.c); c->t and
 * c->job do not count. */
Error *notify_dead_syncs(const Telling *c) MUST_CHECK;

/* -- an entry with all databases of its server (notify_parts.c) */

/* Whether the job is of all databases. */
bool notify_is_of_all(const Telling *c);
/* The parts of such a job that has ended: of all that begin to fail one notification, as of all
 * that work again, that are unlike the last ones, and that are gone. `again`: what may pass is
 * tried once more. *told_all says whether what the job itself says of failures is told with that.
 */
Error *notify_parts(const Telling *c, bool again, bool *told_all) MUST_CHECK;
/* Of which of its databases there is no good backup since `limit`; false in *known where no run of
 * all has been done yet, so that nobody knows which there are. */
Error *notify_stale_parts(const Telling *c, Instant limit, bool *known) MUST_CHECK;

#endif
