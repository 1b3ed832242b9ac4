/* A spool: where the batches of one session's rows (op/sync_rows.h) are kept until all are there.
 *
 * A file of mode 0600 in a folder of the state, named by the session. A batch is held against the
 * format and against what came before it, written and made durable before it is acknowledged; a
 * torn end is cut off when the file is opened again, which costs as much as its last batch. One
 * handle at a time has it: others wait a little, then it is ERR_BUSY.
 */
#ifndef PGSTOW_OP_SYNC_SPOOL_H
#define PGSTOW_OP_SYNC_SPOOL_H

#include "op/sync_batch.h"
#include "state/state.h"

typedef struct SyncSpool SyncSpool;

typedef struct SyncSpoolState {
    uint64_t attempt; /* 0: nothing has come yet */
    uint64_t seq;     /* of the last batch that is durable */
    uint64_t tables, rows, bytes;
    bool complete; /* the last batch is here, and everything is as it says */
} SyncSpoolState;

/* state_dir: NULL is the default one. create: where there is none one is made; otherwise that is
 * ERR_NOT_FOUND. */
Error *sync_spool_open(const char *state_dir, const char *session, bool create,
                       SyncSpool **out) MUST_CHECK;
void sync_spool_free(SyncSpool *s);
DEFINE_AUTO(SyncSpool, sync_spool_free)
SyncSpoolState sync_spool_state(const SyncSpool *s);

/* Takes a batch, as it came. NULL: it is durable, or was already (a seq that is there, with equal
 * contents). ERR_USAGE: it is not in the format, or not the next one; ERR_MISMATCH: with the last
 * one: tables are not what it says they are; ERR_FENCED: its attempt is over; ERR_REPO_FULL: there
 * is no room, ERR_IO. After an error the spool is as it was. A new attempt, beginning with seq 1,
 * empties it. */
Error *sync_spool_take(SyncSpool *s, const void *body, size_t n) MUST_CHECK;
/* The same of one that sync_batch_read has read from this body. */
Error *sync_spool_put(SyncSpool *s, const SyncBatch *b, const void *body, size_t n) MUST_CHECK;

/* All that is there, from its beginning, checked again: ERR_DAMAGED. Callbacks may be NULL. */
typedef struct SyncSpoolReader {
    /* A batch without its rows. */
    Error *(*batch)(void *ctx, const Doc *batch);
    /* Behind it its rows, where it has some: text of COPY in UTF-8; `rows` of them end in it. */
    Error *(*text)(void *ctx, const void *p, size_t n, uint64_t rows);
    void *ctx;
} SyncSpoolReader;
Error *sync_spool_read(SyncSpool *s, const SyncSpoolReader *to) MUST_CHECK;

/* One that is not there is fine. */
Error *sync_spool_remove(const char *state_dir, const char *session) MUST_CHECK;
/* Removes those of sessions that `wanted` does not want any more, and what is no spool in their
 * folder. One that is in use stays. */
Error *sync_spool_sweep(const char *state_dir, bool (*wanted)(void *ctx, const char *session),
                        void *ctx) MUST_CHECK;
/* Those whose session has ended, as its state says. */
Error *sync_spool_sweep_ended(const char *state_dir, State *state) MUST_CHECK;

#endif
