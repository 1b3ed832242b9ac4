/* The locks and the snapshot under which a backup is read.
 *
 * A snapshot alone loses data silently: what another session truncates or rewrites before we read
 * it is empty for us. So every table is locked (ACCESS SHARE) before the snapshot is taken, and a
 * table that appears in the TOC without being among them is locked afterwards and its file compared
 * with the one that the snapshot sees.
 */
#ifndef PGSTOW_PG_SNAPSHOT_H
#define PGSTOW_PG_SNAPSHOT_H

#include "flow/job.h"
#include "pg/conn.h"

typedef struct Snapshot Snapshot;

/* Lists the tables on one connection, locks them on another, which then holds transaction, locks
 * and snapshot; both are borrowed. A table that may not be locked is left out (pg_dump decides
 * whether that matters). ERR_DB_CHANGED: start over (a lock was not to be had within lock_wait_ms).
 */
Error *snapshot_take(Conn *list, Conn *lock, int64_t lock_wait_ms, Job *job,
                     Snapshot **out) MUST_CHECK;
const char *
snapshot_name(const Snapshot *s); /* for SET TRANSACTION SNAPSHOT and pg_dump --snapshot */
/* The OIDs of the tables that were locked before it was taken, sorted. */
const uint32_t *snapshot_tables(const Snapshot *s, size_t *count);
/* Locks these tables too, where they are not yet (never waiting). ERR_DB_CHANGED where one was
 * changed meanwhile: start over. */
Error *snapshot_cover(Snapshot *s, const uint32_t *oids, size_t count) MUST_CHECK;
/* Whether the connection that holds it all is still there: the last question before a backup may be
 * called good. */
Error *snapshot_end(Snapshot *s) MUST_CHECK;
void snapshot_free(Snapshot *s); /* rolls back where snapshot_end was not reached; the connection
                                    stays the caller's */
DEFINE_AUTO(Snapshot, snapshot_free)
/* Begins a reading transaction under the snapshot on another connection, with the settings of
 * conn_prepare_dump inside of it: a pooler may have made earlier ones in another session. */
Error *snapshot_join(const char *name, Conn *c) MUST_CHECK;

#endif
