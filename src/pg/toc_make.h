/* A table of contents made without pg_dump: rows and sequence values alone, as pg_dump --data-only
 * would list them. For servers where no fitting pg_dump is to be had; what is backed up so can be
 * merged into tables that exist.
 */
#ifndef PGSTOW_PG_TOC_MAKE_H
#define PGSTOW_PG_TOC_MAKE_H

#include "pg/archive.h"
#include "pg/relation.h"

typedef struct TocRows { /* patterns of pg/pattern.h; NULL or empty: none */
    const StrList *exclude_tables, *exclude_table_data, *schemas;
} TocRows;

/* Of the connected database, under the snapshot that `c` holds. Members of extensions, foreign and
 * partitioned tables are left out (partitions hold the rows). The text is UTF-8, except in a
 * SQL_ASCII database. Sequences that were used stand in it with
 * their values.
 */
Error *toc_make_rows(Conn *c, const RelationList *relations, const TocRows *choice,
                     Toc **out) MUST_CHECK;
/* The same of tables and sequences that somebody else has listed; all borrowed. */
typedef struct TocTable {
    const char *schema, *name;
    const StrList *columns; /* that its rows have */
    uint32_t oid;           /* 0: not known */
} TocTable;
typedef struct TocSequence {
    const char *schema, *name;
    int64_t value;
    bool called;
} TocSequence;
typedef struct TocGiven {
    const char *database, *version; /* version: "PostgreSQL 15.3" */
    const char *encoding;           /* of rows and names */
    const TocTable *tables;
    size_t table_count;
    const TocSequence *sequences;
    size_t sequence_count;
} TocGiven;
Error *toc_make_given(const TocGiven *given, Toc **out) MUST_CHECK;

/* Whether an archive has rows and makes no table for them. */
bool toc_is_rows_only(const Toc *t);

#endif
