/* What one merge holds, and its steps, which merge.c puts in order. */
#ifndef PGSTOW_OP_MERGE_WORK_H
#define PGSTOW_OP_MERGE_WORK_H

#include "op/backup_read.h"
#include "op/merge.h"
#include "pg/merge_foreign.h"
#include "pg/row_sum.h"
#include "pg/sync_base.h"

/* A stream, and where its rows go. */
typedef struct MergeSource {
    const BackupRead *backup;
    const Stream *stream;
    size_t table; /* place in tables */
    bool base;
    StrList columns; /* in the stream's order */
} MergeSource;
typedef struct MergeSources {
    MergeSource *items; /* those of one table follow each other */
    size_t count, cap;
} MergeSources;
void merge_sources_clear(MergeSources *l);
MergeSource *merge_sources_add(MergeSources *l);

typedef struct MergeWork {
    const OpContext *c;
    const MergeOptions *o;
    Cancel *cancel; /* the job's, with the time limit */
    Cancel *calm;   /* never set */
    Conn *conn;     /* to the target; holds the lock, and the transaction that writes */
    BackupRead backup;
    Selection selection; /* where a part is wanted */
    bool selected;
    RelationList targets;
    char *schema; /* the scratch schema, quoted; NULL before it is made */
    char *system; /* the server's identifier; NULL where it is not known */
    char *database_oid;
    MergeTables tables;
    MergeSources sources;
    BackupRead **bases; /* each once */
    size_t base_count, base_cap;
    const char **table_bases; /* id, or NULL, by table */
    MergeForeigns foreigns;
    RowSum *sums;  /* by table: of what was loaded right into it, where it can be compared */
    SyncBase kept; /* what the target itself names as merged last */
    bool kept_found, base_kept;
    bool delta_used; /* at least one table is merged as a difference */
    char *stuck;     /* why the differences alone cannot be merged, but everything might; or NULL */
    char *full_for;  /* why there is no difference to be had, of no table; or NULL */
    uint64_t sequences, rows, bytes, fetched;
    StrList left_out, warnings;
} MergeWork;
void merge_work_clear(MergeWork *w);
DEFINE_AUTO_VALUE(MergeWork, merge_work_clear)

/* Which tables, columns and keys: fills tables and sources. ERR_PREFLIGHT. */
Error *merge_plan(MergeWork *w) MUST_CHECK;
/* The table that a stream's rows go into; NULL where it is not there. */
const Relation *merge_find_target(const MergeWork *w, const BackupRead *b, const Stream *s);
/* Finds the bases, and adds their streams to sources where they are needed. */
Error *merge_find_bases(MergeWork *w) MUST_CHECK;
/* The base that the target keeps: read; whether this is it; why a merge with these rules cannot go
 * on from it (NULL: it can); and written anew, within the transaction. */
Error *merge_read_kept(MergeWork *w) MUST_CHECK;
bool merge_is_kept(const MergeWork *w, const Manifest *m);
const char *merge_kept_unfit(const MergeWork *w);
Error *merge_keep_base(MergeWork *w) MUST_CHECK;
/* Why a table's difference from its base cannot be had alone; NULL: it can. Its streams are all in
 * sources, those of the base too. */
const char *merge_delta_unfit(const MergeWork *w, const MergeTable *t);
/* At most so many bytes of rows are looked at for it. */
uint64_t merge_delta_bytes(const MergeWork *w, const MergeSource *s);
typedef struct MergeDelta {
    uint64_t rows[2]; /* that differ: of the base, of the backup */
    uint64_t bytes, fetched;
} MergeDelta;
/* Both staging tables of a table, where anything differs; within a transaction. `first`: its
 * streams of the backup. */
Error *merge_delta_stage(MergeWork *w, Conn *c, const MergeSource *first, size_t count,
                         Cancel *cancel, MergeDelta *out) MUST_CHECK;
/* Leaves a note in the repository of what was merged. */
Error *merge_remember(MergeWork *w) MUST_CHECK;
/* All staging tables, by several connections. */
Error *merge_stage(MergeWork *w) MUST_CHECK;
/* A table's rows by the connection that writes: into its staging table, or (direct) right into it.
 */
Error *merge_load(MergeWork *w, size_t table) MUST_CHECK;
/* Inside the transaction: locks, differences, what stands against them. */
Error *merge_lock(MergeWork *w) MUST_CHECK;
Error *merge_compare(MergeWork *w) MUST_CHECK;
/* Inside the transaction: the rows; foreign keys, triggers, sequences. */
Error *merge_write(MergeWork *w) MUST_CHECK;

/* Inside the transaction, after the last row: ERR_MISMATCH where what was written is not there. */
Error *merge_verify(MergeWork *w) MUST_CHECK;
/* Whether a table's rows, read back, are the very bytes that were loaded. */
bool merge_can_sum(const MergeWork *w, const MergeTable *t);

#endif
