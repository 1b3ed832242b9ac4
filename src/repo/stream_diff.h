/* The rows of two streams without those that both have in the same chunks: what a comparison of two
 * backups has to look at.
 *
 * Pieces with the same digest, then runs of the same chunks, are taken out of both sides together;
 * all else is handed out. A row that is larger than a chunk lies in several: a run is taken out
 * only where it begins at the beginning of a row on both sides and ends at the end of one, so what
 * is left out are the same whole rows here and there, and what is handed out are whole rows. (So
 * the rows handed out may still be the same on both sides; what is left out never differs.) For
 * that the last chunk of every run is read, and nothing else of it.
 *
 * Memory: 48 bytes a chunk of two pieces (of the whole stream where it has no fixed pieces); beyond
 * STREAM_DIFF_CHUNKS_MAX all rows are handed out.
 */
#ifndef PGSTOW_REPO_STREAM_DIFF_H
#define PGSTOW_REPO_STREAM_DIFF_H

#include "flow/cancel.h"
#include "repo/chunk_hash.h"
#include "repo/chunk_reader.h"

#define STREAM_DIFF_CHUNKS_MAX (4u << 20) /* of one side: 32 GiB of rows */

/* Bytes of whole rows, in slices that may be cut anywhere; side 0 or 1. */
typedef Error *(*StreamDiffTake)(void *ctx, int side, const void *p, size_t n);
typedef struct StreamDiff {
    ChunkReader *chunks; /* of the repository that both are in */
    StreamDiffTake take;
    void *ctx;
    Cancel *cancel;
    const Keyring
        *keys; /* of an encrypted repository, else NULL; and the database that the stored */
    const char *database; /* side is of: how its chunks are known. Only for live_diff */
    uint64_t bytes[2];    /* set: logical bytes handed out */
} StreamDiff;

/* Both of kind TABLE, with rows framed. ERR_DAMAGED. */
Error *stream_diff(StreamDiff *d, const Stream *a, const Stream *b) MUST_CHECK;

/* The same in parts that have nothing to do with each other: for several threads, each with a
 * StreamDiff of its own. Each part hands out whole rows. */
size_t stream_diff_parts(const Stream *a, const Stream *b);
Error *stream_diff_part(StreamDiff *d, const Stream *a, const Stream *b, size_t part) MUST_CHECK;

/* All rows of one. */
Error *stream_hand_out(StreamDiff *d, int side, const Stream *s) MUST_CHECK;

/* -- a stored stream (side 0) against rows that come from elsewhere (side 1) --------------------
 */

typedef struct LiveDiff LiveDiff;
/* `a`: its pieces with this number, or (ALL_PIECES) all; NULL or a number beyond them: nothing is
 * stored. The rows must be made as those stored were. */
#define ALL_PIECES UINT32_MAX
Error *live_diff_new(StreamDiff *d, const Stream *a, uint32_t piece, LiveDiff **out) MUST_CHECK;
Error *live_diff_feed(LiveDiff *l, const void *p, size_t n) MUST_CHECK; /* in any slices */
/* All rows have come: the rest is handed out. */
Error *live_diff_end(LiveDiff *l) MUST_CHECK;
void live_diff_free(LiveDiff *l);
DEFINE_AUTO(LiveDiff, live_diff_free)

#endif
