/* A secret: bytes in memory of their own that is locked where the system allows it, lies between
 * guard pages, is left out of core files, and is wiped when it is freed. Keys and passphrases live
 * here and nowhere else for longer than a call. By libsodium. */
#ifndef PGSTOW_CRYPTO_SECRET_H
#define PGSTOW_CRYPTO_SECRET_H

#include <stdint.h>
#include "base/buf.h"

#define KEY_BYTES 32 /* of every symmetric key here */

typedef struct Secret Secret;
Secret *secret_new(size_t n); /* zeros */
Secret *secret_random(size_t n);
Secret *secret_copy(const void *p, size_t n);
void secret_free(Secret *s);
DEFINE_AUTO(Secret, secret_free)
uint8_t *secret_bytes(Secret *s);
const uint8_t *secret_look(const Secret *s);
size_t secret_length(const Secret *s);
/* Overwrites bytes elsewhere that held one. */
void secret_wipe(void *p, size_t n);
/* From here on this process leaves no core file and cannot be looked into by others of its user.
 * Call it before the first secret is read. */
void secret_protect_process(void);

#endif
