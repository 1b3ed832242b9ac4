/* How chunks are known: by SHA-256, in an encrypted repository by HMAC-SHA-256 with the key of the
 * database whose rows they hold, so that whoever sees the ids cannot tell by them what is stored.
 * One thread.
 */
#ifndef PGSTOW_REPO_CHUNK_HASH_H
#define PGSTOW_REPO_CHUNK_HASH_H

#include "crypto/hash.h"
#include "repo/keyring.h"

typedef struct ChunkHash {
    const Keyring *keys; /* borrowed; NULL: plain */
    Hash *hash;
    uint8_t tag[LINEAGE_TAG_BYTES]; /* that `hash` is keyed for */
} ChunkHash;
void chunk_hash_clear(ChunkHash *c);
DEFINE_AUTO_VALUE(ChunkHash, chunk_hash_clear)
/* tag: as a Frame has it, or keyring_tag. ERR_KEY. */
Error *chunk_hash_for(ChunkHash *c, const uint8_t tag[LINEAGE_TAG_BYTES]) MUST_CHECK;
/* Whatever it is set for now; of a plain repository nothing needs to be set. */
void chunk_hash(ChunkHash *c, const void *p, size_t n, uint8_t out[HASH_BYTES]);

#endif
