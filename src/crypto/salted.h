/* A secret that is sealed on its own, to be kept: salt, bytes, tag. The salt makes a key for this
 * one time, so nothing has to be counted. ChaCha20-Poly1305 always: no header would say which
 * cipher. Stateless, thread-safe. */
#ifndef PGSTOW_CRYPTO_SALTED_H
#define PGSTOW_CRYPTO_SALTED_H

#include "crypto/seal.h"

#define SALTED_SALT_BYTES 32
#define SALTED_EXTRA (SALTED_SALT_BYTES + TAG_BYTES) /* longer than what is in it */

/* Appends to out. The label says what the key is for. */
void salted_close(const uint8_t key[KEY_BYTES], const char *label, const Buf *aad, const Secret *s,
                  Buf *out);
/* False where the key is another one, or anything differs from what was sealed. */
bool salted_open(const uint8_t key[KEY_BYTES], const char *label, const Buf *aad, const void *p,
                 size_t n, Secret **out) MUST_CHECK;

#endif
