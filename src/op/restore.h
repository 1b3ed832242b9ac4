/* restore: a backup, or a part of one, into a database, whole or not at all.
 *
 * A part goes into a database that is there in one transaction: tables that it has must not be
 * there already. */
#ifndef PGSTOW_OP_RESTORE_H
#define PGSTOW_OP_RESTORE_H

#include "base/finding.h"
#include "op/consistency.h"
#include "pg/selection.h"

typedef enum RestoreWay { RESTORE_CREATE, RESTORE_REPLACE, RESTORE_IN_PLACE } RestoreWay;
typedef struct RestoreOptions {
    const char *backup; /* as a person writes it; NULL with `at` */
    bool at_given;
    Instant at;           /* the newest good backup not after it */
    const char *to_db;    /* NULL: the database that --db names */
    RestoreWay way;       /* CREATE: a new or an empty database only */
    const char *keep_old; /* REPLACE: keep the old one under this name; NULL: drop it */
    bool detach; /* REPLACE, IN_PLACE: go on though replication slots, subscriptions ... are lost */
    bool globals; /* the backup's roles and tablespaces that the server has not are made first */
    bool no_owner, no_privileges, no_tablespaces, no_analyze;
    bool keep_order; /* each table by one COPY: its rows lie as they did, and are frozen */
    bool salvage;    /* CREATE, the whole backup: what is damaged in it is left out */
    bool only_empty; /* REPLACE: one with contents is refused, so that nobody's data are lost */
    bool temporary;  /* whoever calls drops the database whatever comes of it: messages leave it out
                      */
    const char *role;           /* SET ROLE before restoring */
    const StrList *search_path; /* schemas that the backup's functions look into; NULL: none */
    int64_t timeout_ms;
    SelectionOptions part;   /* only some of it; with CREATE also into a database with contents */
    Consistency consistency; /* looked at before the database takes its place */
} RestoreOptions;

typedef struct RestorePlan { /* what would be done, and what stands against it */
    char *backup_id, *database, *server;
    RestoreWay way;
    bool database_exists, database_empty;
    uint64_t logical_size, rows, tables;
    bool part;              /* not the whole backup: */
    StrList chosen, needed; /* "TABLE shop.orders"; needed is made where it is not there */
    FindingList findings;
    bool possible; /* no FINDING_PROBLEM */
} RestorePlan;
void restore_plan_clear(RestorePlan *p);
DEFINE_AUTO_VALUE(RestorePlan, restore_plan_clear)

/* With salvage: data that are not in the restored database. */
typedef struct RestoreMissing {
    char *name;           /* "public.orders", "the large objects" */
    char *why;            /* what is wrong with it */
    uint64_t rows, bytes; /* that the manifest tells of */
    bool table;           /* and not large objects */
} RestoreMissing;

typedef struct RestoreResult {
    char *backup_id, *database, *kept_old; /* kept_old: NULL where none */
    uint64_t rows, bytes, fetched;         /* fetched: stored bytes read of the repository */
    int64_t duration_ms;
    StrList made; /* of the backup's globals: "role x", "tablespace y" */
    StrList warnings;
    RestoreMissing *missing;
    size_t missing_count;
    StrList loosened; /* sentences: foreign keys that could not be made as they were */
    uint64_t tables;  /* restored, of those that have rows in the archive */
} RestoreResult;
void restore_missing_free(RestoreMissing *missing, size_t count);
void restore_result_clear(RestoreResult *r);
DEFINE_AUTO_VALUE(RestoreResult, restore_result_clear)

/* Touches nothing. Problems lie in the plan; an error only where not even that could be found out.
 */
Error *op_restore_plan(const OpContext *c, const RestoreOptions *options,
                       RestorePlan *out) MUST_CHECK;
/* Makes the plan first (ERR_PREFLIGHT with all problems, before anything is touched), then
 * restores. The caller has asked for confirmation where a database is replaced. Any error: nothing
 * is called restored; with REPLACE the old database is as it was. But with salvage, where something
 * is missing, ERR_PARTIAL comes with a result. */
Error *op_restore(const OpContext *c, const RestoreOptions *options, RestoreResult *out) MUST_CHECK;

#endif
