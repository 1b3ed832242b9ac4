/* What an archive's COPY statement says: its target, its columns, and the statements made of it. */
#ifndef PGSTOW_PG_LOAD_STATEMENT_H
#define PGSTOW_PG_LOAD_STATEMENT_H

#include "pg/archive.h"

typedef struct LoadTarget {
    char *schema, *table; /* as they are, not quoted */
    char *text;           /* schema and table as the statement writes them */
    char *columns;        /* "(a, b)", or "" where the statement names none */
} LoadTarget;
void load_target_clear(LoadTarget *t);
DEFINE_AUTO_VALUE(LoadTarget, load_target_clear)

/* ERR_ARCHIVE where copy_stmt is not `COPY schema.table [(columns)] FROM stdin;`. */
Error *load_target_parse(const char *copy_stmt, LoadTarget *out) MUST_CHECK;
/* Whether the rows go in through the partitioned root: then they may lie in any partition. */
bool load_via_root(const TocEntry *entry, const LoadTarget *target);

#endif
