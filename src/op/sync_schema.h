/* What a live database's tables are like, as a document that a peer can be sent; and whether the
 * rows of one database can be merged into another, told before anything moves.
 *
 * The document: {"schemaVersion": 1, "database", "systemIdentifier" (or null), "databaseOid",
 * "serverVersion", "encoding", "bytes" (of the database), "tables": [...]}. A table is what
 * pg/relation.h makes of it ("schema", "name", "kind", "columns", "keys", "foreignKeys" ...), with
 * "defaults" (names of columns), "rows" and "bytes" (estimated; rows -1: unknown), "key" (of the
 * primary one, or null), "rules", "mergeable". pgstow's own schema is not in it.
 */
#ifndef PGSTOW_OP_SYNC_SCHEMA_H
#define PGSTOW_OP_SYNC_SCHEMA_H

#include "base/doc.h"
#include "op/op.h"

#define SYNC_SCHEMA_MAX ((size_t)64 << 20) /* of its text, and so of a peer's answer */

/* database NULL: the one that --db names. *out: caller frees. */
Error *op_sync_schema(const OpContext *c, const char *database, Doc **out) MUST_CHECK;

typedef enum SyncDifferenceKind {
    SYNC_NO_TABLE,      /* the target has not the table */
    SYNC_NO_COLUMN,     /* the target has not the column: harmless where it may be left out */
    SYNC_TYPE,          /* its type does not take all values */
    SYNC_GENERATED,     /* the target computes the column */
    SYNC_EXTRA_COLUMN,  /* only the target has it: harmless where it may stay empty */
    SYNC_EXTRA_TABLE,   /* only the target has it: harmless */
    SYNC_NO_KEY,        /* rows cannot be matched */
    SYNC_NOT_MERGEABLE, /* a foreign table, or one with rules */
    SYNC_PARTIAL,       /* a partition is left out, and a mirror would delete its rows */
    SYNC_ENCODING       /* of the database: values may not be storable there */
} SyncDifferenceKind;
typedef struct SyncDifference {
    SyncDifferenceKind kind;
    char *table;   /* schema.name; NULL with SYNC_ENCODING */
    char *column;  /* or NULL */
    bool harmless; /* a sync with these options goes on */
    char *text;    /* for people: what it is */
    char *hint;    /* what to do about it, or NULL */
} SyncDifference;
typedef struct SyncDifferences {
    SyncDifference *items; /* by table, then column */
    size_t count, cap;
    size_t harmful;
    bool no_tables; /* the target has none of the source's tables: it wants a restore */
} SyncDifferences;
void sync_differences_clear(SyncDifferences *l);
DEFINE_AUTO_VALUE(SyncDifferences, sync_differences_clear)

typedef struct SyncCompareOptions {
    bool ignore_extra_columns; /* as MergeOptions has it */
    bool keyless_too;          /* tables without a key are merged somehow, or left alone */
    bool mirror;               /* what is not sent is deleted */
    /* Patterns of tables, as --exclude-table takes them, that the sync leaves out; or NULL. */
    const StrList *exclude_tables;
} SyncCompareOptions;
/* Both documents may be a peer's: ERR_DAMAGED where one is none. */
Error *sync_schema_compare(const Doc *source, const Doc *target, const SyncCompareOptions *options,
                           SyncDifferences *out) MUST_CHECK;
/* "noTable", "type" ... */
const char *sync_difference_word(SyncDifferenceKind kind);
/* [{"kind", "table", "column", "harmless", "text", "hint"}]; caller frees. */
Doc *sync_differences_doc(const SyncDifferences *l);
/* NULL where none is harmful; else ERR_PREFLIGHT naming the first of them. */
Error *sync_differences_error(const SyncDifferences *l) MUST_CHECK;

#endif
