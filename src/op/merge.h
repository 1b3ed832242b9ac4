/* merge: the rows of a backup into tables that exist, in one transaction.
 *
 * The definitions must fit: every column of the backup is there, with a type that takes its values.
 * What the target has beyond them keeps its values. The rows go into staging tables, are compared
 * with the target's as whole records, and only those that differ are written, table by table as
 * sets. docs/merge.md says what becomes of each row.
 *
 * With `delta` only the rows are staged and compared that differ between this backup and the one
 * that was merged last: work in proportion to the change, for targets that are copies.
 */
#ifndef PGSTOW_OP_MERGE_H
#define PGSTOW_OP_MERGE_H

#include "base/doc.h"
#include "op/op.h"
#include "pg/merge_table.h"
#include "pg/selection.h"

typedef enum MergeKeyless {
    MERGE_KEYLESS_FAIL,
    MERGE_KEYLESS_REPLACE,
    MERGE_KEYLESS_SKIP
} MergeKeyless;
typedef struct MergeOptions {
    const char *backup; /* as a person writes it; NULL with `at` */
    bool at_given;
    Instant at;
    const char *to_db; /* NULL: the database that --db names */
    MergeRules rules;
    const StrList *keys; /* "schema.table: index"; or NULL */
    MergeKeyless keyless;
    const char *base; /* NULL: the backup that was merged last; "none"; or one that is named */
    bool triggers;    /* they fire */
    bool dry_run;     /* all is done, and rolled back */
    bool delta;       /* where the base is known; otherwise all, and MergeResult says why */
    bool verify;      /* before the commit: what was merged is there, or ERR_MISMATCH */
    /* Columns that the target has not are left out, unless they belong to a key of the backup. */
    bool ignore_extra_columns;
    /* The target is to keep in itself what was merged last (pg/sync_base.h): the delta's base,
     * then. session: the sync's, or NULL. Where there is such a row already it is kept true
     * without. */
    bool keep_base;
    const char *session;
    bool masked_too; /* masked values may take the place of real ones; else that is ERR_CONFIRM */
    SelectionOptions part; /* only some tables */
    const char *role;
    int64_t lock_wait_ms, timeout_ms; /* 0: no limit */
} MergeOptions;

typedef struct MergedTable {
    char *schema, *name;
    char *key;  /* index; NULL: rows as a whole */
    char *base; /* id; NULL: none */
    bool direct;
    bool delta;        /* only the difference from its base was looked at */
    char *full_for;    /* with `delta` asked for: why it was merged in full; else NULL */
    uint64_t compared; /* rows of the backup that were staged, or loaded */
    uint64_t verified; /* rows that were looked at again after they were written */
    MergeCounts counts;
    StrList samples; /* of conflicts and of unique values that were taken */
} MergedTable;
typedef struct MergeResult {
    char *backup_id, *database;
    bool dry_run;
    MergedTable *tables; /* by schema and name */
    size_t count, cap;
    MergeCounts sums;
    StrList left_out;   /* tables without a key, with MERGE_KEYLESS_SKIP */
    uint64_t sequences; /* set forward */
    uint64_t rows, bytes, fetched;
    bool delta;                  /* at least one table was merged as a difference */
    char *full_for;              /* with `delta` asked for: why nothing was; else NULL */
    char *base;                  /* that the target itself named; NULL: none */
    bool base_kept;              /* the target names this backup now */
    uint64_t compared, verified; /* sums over the tables */
    int64_t duration_ms;
    StrList warnings;
} MergeResult;
void merge_result_clear(MergeResult *r);
DEFINE_AUTO_VALUE(MergeResult, merge_result_clear)

/* ERR_PREFLIGHT with all that does not fit, before anything is touched; ERR_CONFLICT where rows
 * stand against it. Any error: the target is as it was (sequences may have been set forward). */
Error *op_merge(const OpContext *c, const MergeOptions *options, MergeResult *out) MUST_CHECK;
/* For a database that was restored, whole, from this backup: the target names it as merged last,
 * without looking at a row. */
Error *op_merge_keep_base(const OpContext *c, const char *backup, const char *to_db,
                          const char *session) MUST_CHECK;

/* "source", "target", "newest:COLUMN" (which borrows from the text), "fail". ERR_USAGE. */
Error *merge_parse_conflict(const char *text, MergeRules *rules) MUST_CHECK;
Doc *merge_doc(const MergeResult *r, const char *mode);

#endif
