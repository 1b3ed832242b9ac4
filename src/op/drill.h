/* Drill: a real restore into a scratch database, compared with what the backup recorded; the
 * highest level of verify. A composite: it restores, validates and, where damage was met, verifies.
 *
 * Of every table the rows in the scratch database are counted and summed (pg/row_sum.h) as COPY
 * gives them under the settings of the backup, and the rows in the backup's stream likewise; large
 * objects one by one by their bytes, sequences by their values. Owners, privileges and tablespaces
 * are left out, so that the server needs no roles. The scratch database is dropped in any case.
 *
 * A proof is put where the drill says something of the backup: good where all went well; bad where
 * the backup is damaged, the restored rows differ, or an assertion does not hold. That a server was
 * not there, was full, or refused something says nothing of it and leaves no proof.
 */
#ifndef PGSTOW_OP_DRILL_H
#define PGSTOW_OP_DRILL_H

#include "base/doc.h"
#include "op/consistency.h"
#include "op/op.h"
#include "pg/assertion.h"

typedef struct DrillOptions {
    const char *backup;         /* as a person writes it; NULL: the newest good one */
    const char *db_url;         /* the server to restore on; NULL: that of --db */
    const StrList *assertions;  /* files */
    const StrList *search_path; /* as for a restore */
    ValidateMode validate;      /* strict: errors make the drill fail */
    int64_t timeout_ms;         /* 0: none */
} DrillOptions;

typedef struct DrillTable {
    char *name; /* "public.orders"; "public.events (with partitions)" where rows went in by the root
                 */
    uint64_t rows[2]; /* of the backup, of the restored database */
    char sum[2][33];
    bool same;
    char *note; /* what keeps them from being compared in full; or NULL */
} DrillTable;

typedef enum DrillOutcome {
    DRILL_NOT_DONE, /* it says nothing of the backup */
    DRILL_GOOD,
    DRILL_BAD
} DrillOutcome;
const char *drill_outcome_name(DrillOutcome o); /* "good", "bad", "not done" */

typedef struct DrillResult {
    char *backup_id, *database;
    char *server, *server_version;       /* where it was restored */
    char *backup_version, *tool_version; /* of the server backed up, and its pg_dump */
    char *filter;                        /* of the backup: what was left out; "" */
    StrList masked;
    Instant backup_time, started;
    int64_t restore_ms, compare_ms, validate_ms, assert_ms, duration_ms;
    uint64_t restored_bytes;
    DrillTable *tables; /* by name */
    size_t table_count, table_cap;
    uint64_t different; /* of the tables */
    bool compared;      /* tables, large objects and sequences were looked at to the end */
    uint64_t objects[2];
    bool objects_same;
    uint64_t sequences;
    StrList sequences_different; /* "public.s: 42 in the backup, 7 restored" */
    bool validated;
    uint64_t errors, warnings;
    StrList findings; /* of validate, a line each */
    AssertionList assertions;
    uint64_t assertions_failed;
    StrList notes; /* warnings of the restore */
    DrillOutcome outcome;
    char *why;       /* where it is not good */
    bool proof_left; /* in the repository */
} DrillResult;
void drill_result_clear(DrillResult *r);
DEFINE_AUTO_VALUE(DrillResult, drill_result_clear)

/* The ids of what a person names, for whoever drills several: a slip of the hand in the last one is
 * found before the first one's long work. Without names the newest good one's. */
Error *op_drill_find(const OpContext *c, const StrList *names, StrList *ids) MUST_CHECK;
/* *out is filled as far as it went, also with an error: ERR_DAMAGED, ERR_MISMATCH, ERR_INVALID,
 * ERR_ASSERTION where the backup failed; anything else where the drill could not be done. */
Error *op_drill(const OpContext *c, const DrillOptions *o, DrillResult *out) MUST_CHECK;

/* The report, as JSON and as text for people to keep. */
Doc *drill_doc(const DrillResult *r);
Doc *drills_doc(const DrillResult *results, size_t count); /* of all that began */
void drill_text(const DrillResult *r, Buf *out);

#endif
