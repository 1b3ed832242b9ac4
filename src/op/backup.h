/* backup: one consistent state of one database into the repository. */
#ifndef PGSTOW_OP_BACKUP_H
#define PGSTOW_OP_BACKUP_H

#include "op/consistency.h"
#include "pg/archive.h"

/* What a backup is recorded as, where that is not what is read: a dump in a scratch database. */
typedef struct BackupAs {
    const char *database, *server;
    const char *id;               /* NULL: made of database and time */
    const char *database_version; /* NULL: the server's */
    Instant at;
} BackupAs;

typedef struct BackupOptions {
    StrList exclude_tables, exclude_table_data, schemas; /* pg_dump's patterns */
    StrList where;                                       /* "schema.table: condition" */
    StrList masks;                                       /* "schema.table.column: expression" */
    bool cascade;        /* rows that refer to rows that are left out are left out too */
    bool globals;        /* the server's roles and tablespaces besides */
    bool role_passwords; /* with their hashes */
    bool fallback_rows;  /* without a fitting pg_dump: rows alone, instead of an error */
    const BackupAs *as;  /* NULL: as it is */
    const Toc
        *columns_like;  /* tables' columns in the order that these entries have; NULL: theirs */
    StrList tags;       /* key=value */
    const char *parent; /* as a person writes it; NULL: the last good one; "none": no parent */
    int level;          /* zstd level 1 to 19, 0 stores, -1 adaptive */
    uint64_t max_rate;  /* stored bytes a second, 0: no limit */
    int64_t timeout_ms; /* 0: none */
    int64_t
        lock_wait_ms; /* longest wait for a table lock before starting over; 0: default (10 s) */
    Consistency consistency; /* looked at while the snapshot is taken and the catalog read */
} BackupOptions;
void backup_options_clear(BackupOptions *o);
DEFINE_AUTO_VALUE(BackupOptions, backup_options_clear)

/* *out gets the committed backup's facts. ERR_BUSY, ERR_DB_CHANGED, ERR_TOOL_*, ERR_DB_*,
 * ERR_REPO_*, ... and then nothing of it is visible. */
Error *op_backup(const OpContext *c, const BackupOptions *options, BackupInfo *out) MUST_CHECK;

#endif
