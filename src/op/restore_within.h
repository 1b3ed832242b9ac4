/* Restoring a part into a database that has contents: all in one transaction on one connection, so
 * that the database either has it all or is as it was. (pg_restore --single-transaction could not:
 * the rows come over our connection.) */
#ifndef PGSTOW_OP_RESTORE_WITHIN_H
#define PGSTOW_OP_RESTORE_WITHIN_H

#include "op/restore_work.h"
#include "pg/part_rename.h"

/* Whose statements are run, and where the rows are; all borrowed. */
typedef struct WithinSource {
    const Toc *toc;
    const Toc *tables;           /* by which rows are loaded: with the entries that are made */
    const SelectionMark *marks;  /* of toc's entries */
    const int *homes;            /* likewise */
    const TocEntry *const *rows; /* for its TABLE DATA the backup's own entry; NULL: not wanted */
} WithinSource;
Error *restore_within_run(RestoreWork *w, const WithinSource *source) MUST_CHECK;
/* The same where tables get new names: they are made in a scratch database first, renamed there
 * with their indexes and sequences to what is free in the target, and read from there as
 * statements. */
Error *restore_renamed(RestoreWork *w) MUST_CHECK;
/* Gives the part's tables their new names in the database that `c` is connected to. Names must be
 * free in that of `target` too (NULL: of no matter). */
Error *restore_rename(RestoreWork *w, Conn *c, Conn *target_or_null, PartNames *names) MUST_CHECK;

#endif
