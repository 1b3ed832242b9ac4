/* Filters: which rows of a database a backup has, and which values stand in masked columns.
 *
 * Made under the backup's snapshot, before anything is written, and complete then: conditions and
 * expressions are known to the server, masked values fit their columns, and no row that stays
 * refers to one that is left out.
 */
#ifndef PGSTOW_PG_FILTER_H
#define PGSTOW_PG_FILTER_H

#include "pg/relation.h"
#include "pg/source.h"

typedef struct FilterOptions {
    const StrList *where; /* "schema.table: condition" */
    const StrList *masks; /* "schema.table.column: expression" */
    bool cascade;         /* rows whose parents are left out are left out too */
    bool schemas_chosen;  /* tables are missing because other schemas were asked for */
} FilterOptions;

typedef struct Filter Filter;
void filter_free(Filter *f);
DEFINE_AUTO(Filter, filter_free)

/* `c` reads under the snapshot, in UTF-8, and holds the tables' locks; relations are borrowed for
 * the filter's life. What the TOC has no rows for counts as filtered too. ERR_USAGE where a name or
 * an expression is wrong, ERR_PREFLIGHT with all that would not fit together afterwards. Warnings
 * are added. */
Error *filter_make(Conn *c, const RelationList *relations, const Toc *toc,
                   const FilterOptions *options, StrList *warnings, Filter **out) MUST_CHECK;
/* The sources get their statements. `c` is in the database's encoding. */
Error *filter_apply(const Filter *f, Conn *c, SourceList *sources) MUST_CHECK;
/* Adds "schema.table.column" of every column that was named to be masked. */
void filter_masked(const Filter *f, StrList *out);

#endif
