/* One table of a merge: what of it takes part, by which key its rows are matched, the names of its
 * tables in the scratch schema, and what the comparison found.
 *
 * In the scratch schema of a merge table N has: sN, its rows out of the backup (the source); bN,
 * those of the backup that was merged last (the base), or with `delta` only those that are not in
 * both, as with MERGE_BASE_CHANGES; dN, the differences: one row for each row
 * that is to be inserted, updated or deleted, with the places (ctid) of its two sides. While they
 * count, nobody else can write into the table: places stay what they are.
 */
#ifndef PGSTOW_PG_MERGE_TABLE_H
#define PGSTOW_PG_MERGE_TABLE_H

#include "pg/relation.h"

typedef enum MergeMode { MERGE_UPSERT, MERGE_MIRROR, MERGE_INSERT } MergeMode;
typedef enum MergeConflict {
    MERGE_CONFLICT_SOURCE,
    MERGE_CONFLICT_TARGET,
    MERGE_CONFLICT_NEWEST,
    MERGE_CONFLICT_FAIL
} MergeConflict;
typedef enum MergeTaken { MERGE_TAKEN_FAIL, MERGE_TAKEN_REPLACE, MERGE_TAKEN_SKIP } MergeTaken;

typedef struct MergeRules {
    MergeMode mode;
    MergeConflict conflict;
    const char *newest; /* a column, with MERGE_CONFLICT_NEWEST */
    MergeTaken taken;   /* what happens where another row holds a unique value */
} MergeRules;

/* What of the base is known for a table. */
typedef enum MergeBase {
    MERGE_BASE_NONE,
    MERGE_BASE_SAME,    /* its rows are the source's */
    MERGE_BASE_CHANGES, /* in bN those that the source has not, in aN the source's that it has not
                         */
    MERGE_BASE_STAGED   /* they are in bN */
} MergeBase;

/* A unique index or an exclusion constraint of the target. */
typedef struct MergeUnique {
    char *name;
    bool exclusion, deferrable;
    bool nulls_same;   /* two NULLs are the same value */
    bool plain;        /* over columns alone: `columns` names them */
    char *predicate;   /* SQL, or NULL */
    StrList exprs;     /* SQL over the table's columns, not qualified */
    StrList operators; /* that compare them: OPERATOR(pg_catalog.=) */
    StrList columns;   /* names, where plain */
} MergeUnique;
void merge_unique_clear(MergeUnique *u);

typedef struct MergeCounts {
    uint64_t inserted, updated, deleted, unchanged;
    uint64_t conflicts; /* rows that the merge would write and that the target changed too */
    uint64_t kept;      /* of these: left as the target has them */
    uint64_t replaced;  /* rows of the target deleted for a unique value of theirs */
    uint64_t skipped;   /* rows of the source left out for one */
    uint64_t cascaded;  /* rows of the target that a foreign key changed along */
} MergeCounts;

typedef struct MergeTable {
    const Relation *target; /* borrowed */
    char *name;             /* schema.name, for messages */
    char *sql;              /* the same, quoted */
    const char *only;       /* "ONLY ", or "" for a partitioned table */
    char *condition;        /* an extension's: which rows take part; "" for all */
    StrList columns;        /* of the source; the target has them all */
    StrList extra_columns;  /* of the source, and left out */
    StrList base_columns;   /* of the base */
    MergeBase base;
    bool delta;         /* sN and bN have only what differs between source and base */
    bool idle;          /* nothing differs: there is nothing to stage, compare or write */
    const char *schema; /* the scratch schema, quoted; borrowed */
    size_t number;

    MergeUnique *uniques;
    size_t unique_count, unique_cap;
    const MergeUnique *key; /* NULL: rows are matched as a whole, equal ones counted */
    bool direct;            /* the target is empty: rows are copied right into it */
    uint64_t source_rows;
    uint64_t compared; /* of these: staged, or loaded */
    uint64_t verified; /* rows that were looked at again */
    char *full_for;    /* a delta was asked for: why there is none; or NULL */

    MergeCounts counts;
    uint64_t rewritten; /* of the updated rows: by deleting and inserting them again */
    bool rekeyed;       /* updates change unique values that are not the key's */
    StrList samples;    /* of conflicts, and of values that were taken */
} MergeTable;
void merge_table_clear(MergeTable *t);

typedef struct MergeTables {
    MergeTable *items; /* by schema and name */
    size_t count, cap;
} MergeTables;
void merge_tables_clear(MergeTables *l);
DEFINE_AUTO_VALUE(MergeTables, merge_tables_clear)

MergeTable *merge_tables_add(MergeTables *l, const Relation *target, const char *schema);
MergeTable *merge_tables_find(const MergeTables *l, uint32_t oid); /* or NULL */
/* Fills `uniques` of all. */
Error *merge_tables_read_uniques(Conn *c, MergeTables *l) MUST_CHECK;
const MergeUnique *merge_table_unique(const MergeTable *t, const char *name); /* or NULL */
/* Whether a row that is updated keeps this value: it belongs to the key. */
bool merge_table_is_key(const MergeTable *t, const char *column);
/* Columns of the source that a statement may assign: not an identity that is the key and always
 * generated. */
bool merge_table_assigns(const MergeTable *t, const char *column);
/* Whether a column of the source can go into the target's of its name. `source` NULL: nothing is
 * known of its type. *text: what stands against it; caller frees. */
typedef enum MergeFit {
    MERGE_FITS,
    MERGE_FIT_NO_COLUMN,
    MERGE_FIT_GENERATED,
    MERGE_FIT_TYPE
} MergeFit;
MergeFit merge_column_fits(const Relation *source, const char *column, const Relation *target,
                           char **text);
/* Whether values of a type that a backup recorded become ones of the target's without loss. */
bool merge_type_fits(const RelationColumn *source, const RelationColumn *target);

#endif
