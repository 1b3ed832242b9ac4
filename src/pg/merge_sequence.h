/* Sequences after a merge: set forward to where the backup has them and behind the last value of
 * the column that owns them; never back. Setting a sequence is no part of a transaction: it stays
 * when that is rolled back, which leaves a gap and harms nobody. */
#ifndef PGSTOW_PG_MERGE_SEQUENCE_H
#define PGSTOW_PG_MERGE_SEQUENCE_H

#include "pg/archive.h"
#include "pg/merge_table.h"

/* Those that the tables' columns own; with `all`, also those that no column owns. *moved: how many
 * were set. */
Error *merge_sequences_forward(Conn *c, const Toc *toc, const MergeTables *tables, bool all,
                               uint64_t *moved) MUST_CHECK;

#endif
