/* What a database keeps in itself of the backups that were merged into it last: one row for each
 * source, in the table sync_base of the schema pgstow, written in the merge's own transaction. So a
 * database that was put back to an earlier state names an earlier backup, or none.
 *
 * The table is no data of the user's: backups may contain it, merges leave it out.
 */
#ifndef PGSTOW_PG_SYNC_BASE_H
#define PGSTOW_PG_SYNC_BASE_H

#include "pg/conn.h"

#define SYNC_BASE_SCHEMA "pgstow"
#define SYNC_BASE_TABLE "sync_base"

typedef struct SyncBase {
    char *system, *source; /* identifier of the source's server, or ""; database: which source */
    char *repository;      /* hex id of the one that the backup was merged from */
    char *backup;          /* id there */
    char *content;         /* hex: a hash over what its tables had */
    char *session;         /* of the sync; or NULL */
    char *mode, *conflict; /* of the merge: upsert, mirror, insert; source, target, newest:... */
    int64_t kept;          /* rows that were left as the target had them, since it was a copy */
    StrList tables;        /* schema.name in the target; empty: all of the backup's */
} SyncBase;
void sync_base_clear(SyncBase *b);
DEFINE_AUTO_VALUE(SyncBase, sync_base_clear)

bool sync_base_is_table(const char *schema, const char *name);

/* *found: false where there is no such row, or no such table. */
Error *sync_base_read(Conn *c, const char *system, const char *source, SyncBase *out,
                      bool *found) MUST_CHECK;
/* Within a transaction. Makes schema and table where they are missing and `make` is set. *done:
 * false where they are missing. ERR_DB_PERMISSION with what to grant. */
Error *sync_base_write(Conn *c, const SyncBase *b, bool make, bool *done) MUST_CHECK;

#endif
