/* Chunks: where a stream is cut, and how a chunk is known.
 *
 * Cutting is FastCDC (Xia et al., USENIX ATC 2016; normalised chunking, level 2) with 2, 8 and 32
 * KiB as least, mean and greatest size; the hard mask gives way to the easy one at mean - 3/4 least
 * (6.5 KiB), because that makes the mean what it is called. Then the cut moves to the end of the
 * row: forward to the first '\n' within the greatest size, else back to the last one before, else
 * (one row larger than a chunk) it stays. A cut depends on nothing but the bytes since the previous
 * one, so that equal data gives equal chunks wherever reading began.
 */
#ifndef PGSTOW_REPO_CHUNK_H
#define PGSTOW_REPO_CHUNK_H

#include <stdint.h>
#include "base/error.h"
#include "crypto/hash.h"
#include "repo/names.h"

#define CHUNK_MIN 2048u
#define CHUNK_MEAN_BITS 13u /* 8 KiB; pinned per stream in the manifest */
#define CHUNK_MEAN_BITS_MIN 10u /* no reader accepts fewer or more */
#define CHUNK_MEAN_BITS_MAX 18u
#define CHUNK_MAX 32768u
#define CHUNK_LIMIT (1u << 20) /* no reader accepts a longer one: for larger means to come */

#define CHUNK_ID_BYTES 20
typedef struct ChunkId {
    uint8_t b[CHUNK_ID_BYTES]; /* the first 20 bytes of the chunk's SHA-256 */
} ChunkId;

/* The length of the first chunk of p[0..n). `last`: nothing follows, otherwise n >= CHUNK_MAX.
 * `rows`: the stream has rows that end with '\n'. */
size_t chunk_cut(const uint8_t *p, size_t n, unsigned mean_bits, bool rows, bool last);
/* One chunk in 64 is a sample: its id stands in the recipe's index. */
bool chunk_is_sample(const ChunkId *id);
/* A recipe page ends after this chunk (one in 128). */
bool chunk_ends_page(const ChunkId *id);
/* A piece of a stream without fixed pieces ends after this chunk (one in 4096). */
bool chunk_ends_piece(const ChunkId *id);

/* Where a chunk lies. */
typedef struct ChunkRef {
    ChunkId id;
    uint32_t length; /* of its bytes */
    PackId pack;
    uint32_t frame, index; /* in the pack; within the frame */
} ChunkRef;

#endif
