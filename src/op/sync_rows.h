/* Rows of one database as batches of JSON, for a sync whose source has no pg_dump (docs/sync.md,
 * "Method http", has the format): made here, carried to or from a peer, kept in a spool
 * (op/sync_spool.h), and made into a backup of rows alone in this host's repository, which then
 * is merged like any other.
 *
 * All rows come from one snapshot. What of them has arrived is worth nothing until the last batch
 * has, with the counts and hashes of all tables: then, and only then, a backup is made.
 */
#ifndef PGSTOW_OP_SYNC_ROWS_H
#define PGSTOW_OP_SYNC_ROWS_H

#include "op/backup.h"
#include "op/op.h"

/* What was read, or has arrived. */
typedef struct SyncRowsSum {
    uint64_t tables, rows, batches;
    uint64_t bytes; /* of the batches */
    Instant taken;  /* when the snapshot was */
    char *filter;   /* as BackupInfo has it; owned */
    StrList warnings;
} SyncRowsSum;
void sync_rows_sum_clear(SyncRowsSum *s);
DEFINE_AUTO_VALUE(SyncRowsSum, sync_rows_sum_clear)

/* One batch, without a line break in it and behind it; borrowed for the call. seq: from 1, without
 * gaps. */
typedef struct SyncRowsBatch {
    const char *json;
    size_t n;
    uint64_t seq, rows;
    bool last;
} SyncRowsBatch;
typedef Error *(*SyncRowsTake)(void *ctx, const SyncRowsBatch *batch);

/* -- the source -------------------------------------------------------------------------------- */

/* Reads the context's database: of `options` what says which rows (exclude_tables,
 * exclude_table_data, schemas, where, masks, cascade) and how (timeout_ms, lock_wait_ms). Needs no
 * pg_dump. An attempt is one run of this: its batches bear the number, and belong to no other's.
 * Errors as op_backup's, and what `take` returns. */
Error *op_sync_rows_send(const OpContext *c, const BackupOptions *options, const char *session,
                         uint64_t attempt, SyncRowsTake take, void *ctx,
                         SyncRowsSum *out) MUST_CHECK;

struct SyncHost; /* op/sync.h */
/* The rows of a pull's remote, for the session that a peer has opened here, with the filters of its
 * options and those that always count; it tells the session how far it is. ERR_NOT_FOUND,
 * ERR_FENCED, ERR_CANCELLED: there is no such session under way. */
Error *op_sync_rows_serve(const struct SyncHost *h, const char *session, uint64_t attempt,
                          SyncRowsTake take, void *ctx, SyncRowsSum *out) MUST_CHECK;

/* -- between two services -----------------------------------------------------------------------
 */

typedef struct Link Link; /* net/link.h */

/* How batches travel. */
typedef struct SyncRowsWay {
    bool compress;
    uint64_t max_rate; /* bytes a second over the wire; 0: no limit */
} SyncRowsWay;

/* PUSH: op_sync_rows_send to the peer's POST /api/sync/receive, for a session that is open there.
 * A batch that was not acknowledged is sent again, for as long as this runs; a run that begins anew
 * takes a new attempt, with which the peer drops what it has of the one before. When this returns
 * NULL all of it is durable at the peer, and checked. ERR_MISMATCH where the peer has something
 * else than was sent; otherwise the peer's own errors, ERR_NETWORK, those of op_backup. */
Error *op_sync_rows_push(const OpContext *c, Link *link, const char *session,
                         const BackupOptions *options, const SyncRowsWay *way,
                         SyncRowsSum *out) MUST_CHECK;
/* PULL: the peer's GET /api/sync/rows (which reads with the filters of the session that is open
 * there) into the session's spool below state_dir. One that breaks off begins anew with another
 * snapshot, a few times. */
Error *op_sync_rows_pull(const OpContext *c, Link *link, const char *session, const char *state_dir,
                         const SyncRowsWay *way, SyncRowsSum *out) MUST_CHECK;

/* -- the target ---------------------------------------------------------------------------------
 */

typedef struct SyncRowsApply {
    const char *state_dir, *session; /* of the spool */
    const char *database, *server;   /* recorded where the batches do not say it */
    StrList tags;                    /* key=value */
    const char *parent;              /* as BackupOptions */
    int level;
    uint64_t max_rate;
} SyncRowsApply;

/* The session's spool becomes a backup (`rows-only`) of the source's lineage in the context's
 * repository; *out gets its facts. The spool stays until sync_spool_remove. ERR_PREFLIGHT where it
 * is not complete, ERR_NOT_FOUND where there is none, ERR_DAMAGED where it is not what was written:
 * then there is no backup. */
Error *op_sync_rows_apply(const OpContext *c, const SyncRowsApply *a, BackupInfo *out) MUST_CHECK;

#endif
