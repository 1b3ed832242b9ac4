/* SHA-256 (FIPS 180-4) and random bytes, by OpenSSL. Failures inside OpenSSL abort: there is no
 * meaningful way to go on without a hash. A Hash belongs to one thread. */
#ifndef PGSTOW_CRYPTO_HASH_H
#define PGSTOW_CRYPTO_HASH_H

#include <stdint.h>
#include "base/error.h"

#define HASH_BYTES 32
typedef struct Hash Hash;
Hash *hash_new(void);
/* The same interface to HMAC-SHA-256 (RFC 2104) by a key of 32 bytes. */
Hash *hash_new_keyed(const uint8_t key[32]);
/* HMAC-SHA-256 by a key of any length. */
void hash_sign(const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[HASH_BYTES]);
void hash_free(Hash *h);
DEFINE_AUTO(Hash, hash_free)
void hash_add(Hash *h, const void *p, size_t n);
void hash_end(Hash *h, uint8_t out[HASH_BYTES]); /* and starts anew */
/* One call, without an allocation; what was added to `h` before and not ended is dropped. */
void hash_once(Hash *h, const void *p, size_t n, uint8_t out[HASH_BYTES]);
bool hash_equal(const void *a, const void *b, size_t n); /* in constant time */

/* n bytes from the system's generator. */
void random_bytes(void *p, size_t n);

#endif
