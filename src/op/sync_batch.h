/* One batch of rows as JSON (docs/sync.md, "Method http"): read strictly, since a peer wrote it.
 *
 * {"sessionId": TEXT, "attempt": N, "seq": N, "source": {...}, "relations": [{...}...],
 *  "table": {"schema": TEXT, "name": TEXT, "columns": [TEXT...]}, "rows": [[TEXT or null...]...],
 *  "more": BOOL, "tables": [{"schema", "name", "columns", "rows", "sha256"}...],
 *  "sequences": [{"schema", "name", "value", "called"}...], "last": BOOL}
 */
#ifndef PGSTOW_OP_SYNC_BATCH_H
#define PGSTOW_OP_SYNC_BATCH_H

#include "base/doc.h"

#define SYNC_BATCH_MAX ((size_t)8 << 20) /* bytes of JSON */
#define SYNC_BATCH_COLUMNS 1664          /* what a row may have in PostgreSQL */
#define SYNC_BATCH_CLOSED UINT32_MAX     /* no row is open */

typedef struct SyncBatch {
    Doc *head; /* all of it but its rows */
    const char *session;
    uint64_t attempt, seq;
    const Doc *table;    /* NULL: it has no rows */
    size_t columns;      /* of the table */
    const char *rows_at; /* where its rows stand; in what was read */
    size_t rows_n;       /* 0: there are none */
    bool more, last;
} SyncBatch;
void sync_batch_clear(SyncBatch *b);
DEFINE_AUTO_VALUE(SyncBatch, sync_batch_clear)

/* p stays where it is as long as the batch. ERR_USAGE, with the place. */
Error *sync_batch_read(const void *p, size_t n, SyncBatch *out) MUST_CHECK;
/* Its rows as text of COPY, into an empty `text`; *rows: how many end in it. *open: the column in
 * whose value the batch before it stopped, and then that in which this one does; or
 * SYNC_BATCH_CLOSED. ERR_USAGE. */
Error *sync_batch_rows(const SyncBatch *b, uint32_t *open, Buf *text, uint64_t *rows) MUST_CHECK;

#endif
