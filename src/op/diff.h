/* diff: what is different between two backups, or between a backup and the live database.
 *
 * Schema: the entries of the two tables of contents, by kind, schema and name. Rows: per table, by
 * key (primary, else a unique one over columns that are NOT NULL; without one whole rows are
 * counted), on the columns that both have, as text. Only chunks that are not in both are read
 * (repo/stream_diff.h); of a live table all rows are, and only those in chunks that the backup
 * lacks are looked at. Differing rows are sorted in bounded memory (base/spill_sort.h).
 */
#ifndef PGSTOW_OP_DIFF_H
#define PGSTOW_OP_DIFF_H

#include "base/doc.h"
#include "op/op.h"

typedef struct DiffOptions {
    const char *a, *b;       /* as a person writes them; b NULL or "live": the live database */
    StrList tables, schemas; /* patterns (pg/pattern.h); empty: all */
    bool rows;               /* keep the differing rows */
    size_t limit;            /* rows that are kept of each table; 0: 100 */
    size_t memory;           /* for sorting, of all threads; 0: 128 MiB */
} DiffOptions;
void diff_options_clear(DiffOptions *o);

typedef enum DiffChange { DIFF_ADDED, DIFF_REMOVED, DIFF_CHANGED } DiffChange;

typedef struct DiffValue {
    char *column;
    bool key;
    char *before, *after; /* NULL for SQL NULL, and where `change` has no such side; cut */
} DiffValue;
typedef struct DiffRow {
    DiffChange change;
    DiffValue *values; /* added, removed: all; changed: the key, and what changed */
    size_t count;
} DiffRow;

typedef struct DiffTable { /* of which rows differ, or may */
    char *schema, *name;
    bool missing[2];  /* the table is not there, or its rows are not in the backup */
    uint64_t rows[2]; /* all that there are; of the live side those that were read */
    uint64_t added, removed, changed;
    uint64_t compared; /* bytes of rows that had to be looked at, of both sides */
    StrList key;       /* its columns; empty: whole rows */
    StrList only[2];   /* columns that only one side has */
    DiffRow *found;
    size_t found_count, found_cap;
} DiffTable;

typedef struct DiffObject {
    DiffChange change;
    char *kind, *schema, *name; /* "TABLE" */
    char *text;                 /* lines with -, + or a blank in front; "" where only added or
                                   removed */
} DiffObject;

typedef struct DiffResult {
    char *names[2]; /* ids; "live" */
    DiffObject *objects;
    size_t object_count, object_cap;
    DiffObject *sequences; /* values of sequences */
    size_t sequence_count, sequence_cap;
    DiffTable *tables; /* those with differences */
    size_t table_count, table_cap;
    uint64_t same_tables; /* without any */
    uint64_t large_objects_added, large_objects_removed, large_objects_changed;
    uint64_t fetched; /* bytes read of the repository */
    uint64_t spilled; /* bytes that were sorted outside of memory */
    StrList notes;    /* what could not be compared, and why */
    int64_t ms;
} DiffResult;
void diff_table_clear(DiffTable *t);
void diff_result_clear(DiffResult *r);
DEFINE_AUTO_VALUE(DiffResult, diff_result_clear)
bool diff_any(const DiffResult *r);
/* What `diff --json` prints. */
Doc *diff_doc(const DiffResult *r, bool rows);

Error *op_diff(const OpContext *c, const DiffOptions *o, DiffResult *out) MUST_CHECK;

#endif
