/* What differs between two tables of contents: definitions, and values of sequences. */
#ifndef PGSTOW_OP_DIFF_SCHEMA_H
#define PGSTOW_OP_DIFF_SCHEMA_H

#include "op/diff.h"
#include "pg/selection.h"

/* Entries are matched by kind, schema and tag; what pg_dump numbers anew each time (dump ids, OIDs)
 * does not count, nor does the name of the database. chosen: NULL for all, else the entries that
 * count; none: not even those. Fills in objects and sequences. */
void diff_schema(const Toc *const toc[2], const Selection *const chosen[2], const bool none[2],
                 DiffResult *out);

#endif
