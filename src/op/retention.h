/* Which backups stay: a pure decision over a list, a policy and an instant.
 *
 * The rules are those of restic's forget. They look at each lineage by itself (with group_by_tag:
 * at each value of that tag in it), from the newest to the oldest; a backup that any rule keeps
 * stays. Days, weeks, months and years are those of a time zone's calendar; an hour that clocks
 * show twice is two.
 *
 * Whatever the rules say: the last good backup of a lineage, the last proven one and pinned ones
 * stay. Age counts from the newest good one and not from today, so that nothing goes while no
 * backups are made; and where that one lies further from the one before it than any rule of age
 * reaches (a long pause, or a clock that is wrong), from the one before it. A backup whose time is
 * to come stays and is not counted. One that was made for a sync stays for a day. A damaged one
 * takes no good one's place: it stays as long as a good one of its age would.
 */
#ifndef PGSTOW_OP_RETENTION_H
#define PGSTOW_OP_RETENTION_H

#include "base/zone.h"
#include "repo/catalog.h"

typedef enum RetentionPeriod {
    RETENTION_LAST,
    RETENTION_HOURLY,
    RETENTION_DAILY,
    RETENTION_WEEKLY,
    RETENTION_MONTHLY,
    RETENTION_YEARLY,
    RETENTION_PERIODS
} RetentionPeriod;

#define SYNC_TAG "sync"  /* of backups that were made for a sync: the session's id */
#define SYNC_TRIAL "*.*" /* of which tables a trial of it has no rows: of all, in any schema */
#define SYNC_KEEP_MS (24 * 3600 * INT64_C(1000)) /* these stay so long: it may be resumed */

typedef struct RetentionPolicy {
    unsigned days; /* 0: no rule */
    int64_t within_ms;
    unsigned keep[RETENTION_PERIODS];
    const StrList *tags; /* "key=value", each keeps; may be NULL */
    const char *group_by_tag;
    const Zone *zone;
} RetentionPolicy;

typedef struct RetentionVerdict {
    bool keep;
    StrList why; /* what keeps it, or why it goes */
} RetentionVerdict;
/* verdicts[i] is that of list->items[i]; the caller makes the array of zeros and clears each. The
 * list is a catalog's, of whole databases. */
void retention_decide(const BackupList *list, const RetentionPolicy *policy, Instant now,
                      RetentionVerdict *verdicts);
void retention_verdict_clear(RetentionVerdict *v);

#endif
