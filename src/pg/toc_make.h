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
/* Whether an archive has rows and makes no table for them. */
bool toc_is_rows_only(const Toc *t);

#endif
