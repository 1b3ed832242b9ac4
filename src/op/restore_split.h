/* One table's rows by several connections at once, for a table of which one COPY would still be
 * running when all else is done. They walk through the table in step, so that its rows end up
 * nearly in the order in which they were; but nobody made the table in the transaction that fills
 * it, so that they are not frozen.
 */
#ifndef PGSTOW_OP_RESTORE_SPLIT_H
#define PGSTOW_OP_RESTORE_SPLIT_H

#include "op/restore_work.h"
#include "pg/load.h"

typedef struct SplitOutcome {
    uint64_t fetched;    /* stored bytes read of the repository */
    bool again, by_name; /* of a failure: load_failed_on_rows, load_failed_on_name */
} SplitOutcome;

/* Whether it is worth the connections: `bytes` of the table, `besides` of all that others have to
 * do meanwhile. */
bool restore_split_pays(const RestoreWork *w, uint64_t bytes, uint64_t besides);
/* Empties the table, fills it, and compares with the rows that the backup recorded before anything
 * is committed. After a failure it is empty or (where that was one of the commits) filled in part:
 * who tries again has to begin with load_table_begin, which empties it. */
Error *restore_split_load(RestoreWork *w, const char *dbname, Conn *prepared, const Stream *s,
                          const LoadTable *t, SplitOutcome *out) MUST_CHECK;

#endif
