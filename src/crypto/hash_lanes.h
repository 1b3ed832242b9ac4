/* SHA-256 of several messages, two at a time, by the processor's own instructions (Intel's SHA
 * extensions): a round waits for the one before it, and another message's fits in between. About a
 * quarter faster than one after the other by OpenSSL, which has no such call. */
#ifndef PGSTOW_CRYPTO_HASH_LANES_H
#define PGSTOW_CRYPTO_HASH_LANES_H

#include "crypto/hash.h"

#ifdef __x86_64__
#define HASH_LANES
#endif

#define HASH_WORDS 8
#define HASH_BLOCK 64 /* bytes */

/* What HMAC begins from: the states after the two padded blocks of its key. */
typedef struct LaneKey {
    uint32_t inner[HASH_WORDS], outer[HASH_WORDS];
} LaneKey;

/* With HASH_LANES. Whether this processor has what it takes; else nothing else here may be called.
 */
bool hash_lanes_here(void);
/* The state after one block. */
void hash_lanes_start(const uint8_t block[HASH_BLOCK], uint32_t out[HASH_WORDS]);
/* Plain where `key` is NULL. */
void hash_lanes(const HashItem *items, size_t count, const LaneKey *key);

#endif
