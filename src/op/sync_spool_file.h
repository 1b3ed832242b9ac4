/* The file of a spool: its head (what it is, whose), then records, one a batch: a front with the
 * lengths, the batch without its rows, the rows as COPY has them, and a tail that says what there
 * is so far. The tail stands last, so the end of the file is enough to go on from; its hash covers
 * the record. */
#ifndef PGSTOW_OP_SYNC_SPOOL_FILE_H
#define PGSTOW_OP_SYNC_SPOOL_FILE_H

#include "base/file.h"
#include "crypto/hash.h"
#include "op/sync_spool.h"

#define SYNC_FILE_ENDING ".rows"

typedef struct SyncTail {
    uint64_t length;                            /* of the record */
    uint64_t attempt, seq, tables, rows, bytes; /* so far */
    uint64_t own_rows;                          /* of this batch */
    uint32_t open;                              /* column, or SYNC_BATCH_CLOSED */
    uint32_t complete;
    uint8_t table[HASH_BYTES]; /* which one the last rows are of; zeros: none */
    uint8_t body[HASH_BYTES];  /* of the batch as it came */
} SyncTail;

struct SyncSpool {
    Fd fd;
    char *path, *session;
    uint64_t base, end, last_at; /* of the head; of all; where the last record begins */
    SyncTail last;               /* zeros: there is none */
    Hash *hash;
};

/* The folder of a state's spools; the file of a session. Caller frees. */
Error *sync_file_folder(const char *state_dir, char **out) MUST_CHECK;
Error *sync_file_path(const char *state_dir, const char *session, char **out) MUST_CHECK;
/* ERR_BUSY where others have it; wait: for a while. *gone: it has no name any more. */
Error *sync_file_lock(const SyncSpool *s, bool wait, bool *gone) MUST_CHECK;
/* Whose it is; *session stays NULL where the file has no whole head. Caller frees. */
Error *sync_file_session(const SyncSpool *s, char **session) MUST_CHECK;
/* Then the file has nothing in it but its head. */
Error *sync_file_begin(SyncSpool *s) MUST_CHECK;
Error *sync_file_cut(SyncSpool *s, uint64_t end) MUST_CHECK;
/* A record, durable; sets the tail's length. */
Error *sync_file_append(SyncSpool *s, const char *head, const Buf *text, SyncTail *t) MUST_CHECK;
/* From errno. */
Error *sync_file_failed(const SyncSpool *s, const char *what) MUST_CHECK;

typedef struct SyncRecord {
    Buf bytes;
    const uint8_t *head, *text;
    size_t head_n, text_n;
    SyncTail tail;
    uint64_t next; /* where the one behind it begins */
} SyncRecord;

void sync_record_clear(SyncRecord *r);
DEFINE_AUTO_VALUE(SyncRecord, sync_record_clear)
/* The one at a place, of a file that ends at `size`. *good: there is a whole one. */
Error *sync_record_read(const SyncSpool *s, uint64_t at, uint64_t size, SyncRecord *r,
                        bool *good) MUST_CHECK;

#endif
