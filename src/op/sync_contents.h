/* What a run of batches says and has: its tables with their rows counted and hashed, the values of
 * sequences, what is known of the source. Filled by what reads the batches in their order. */
#ifndef PGSTOW_OP_SYNC_CONTENTS_H
#define PGSTOW_OP_SYNC_CONTENTS_H

#include "base/doc.h"
#include "crypto/hash.h"

typedef struct SyncTable {
    char *schema, *name;
    StrList columns;
    bool columns_known;
    uint64_t rows;
    uint8_t hash[HASH_BYTES]; /* SHA-256 of its rows as COPY writes them in UTF-8 */
} SyncTable;

typedef struct SyncSequence {
    char *schema, *name;
    int64_t value;
    bool called;
} SyncSequence;

typedef struct SyncContents {
    SyncTable *tables; /* in the order in which they came; then those without rows */
    size_t table_count, table_cap;
    SyncTable *said; /* what the batches say of them */
    size_t said_count, said_cap;
    SyncSequence *sequences;
    size_t sequence_count, sequence_cap;
    Doc *source;   /* as it came; an empty object where nothing did */
    Buf relations; /* as relation_list_encode has them; empty where none came */
    uint64_t rows;
    Hash *hash; /* of the table that is being read; NULL: none is */
} SyncContents;
void sync_contents_clear(SyncContents *c);
DEFINE_AUTO_VALUE(SyncContents, sync_contents_clear)

/* A batch without its rows, which sync_batch_read has found to be one; then its rows, `rows` of
 * which end in this. ctx: SyncContents (these are the callbacks of sync_spool_read). ERR_LIMIT. */
Error *sync_contents_batch(void *ctx, const Doc *batch) MUST_CHECK;
Error *sync_contents_text(void *ctx, const void *p, size_t n, uint64_t rows) MUST_CHECK;
/* All have come: adds the tables that have no rows. ERR_MISMATCH where a table is not as it was
 * said to be, or came in two parts. */
Error *sync_contents_end(SyncContents *c) MUST_CHECK;
/* Whether a batch's "table" is this one. */
bool sync_table_is(const SyncTable *t, const Doc *table);

#endif
