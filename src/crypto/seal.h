/* Sealing: authenticated encryption of a run of bytes with additional data, by AES-256-GCM (NIST SP
 * 800-38D) where the processor has AES, else ChaCha20-Poly1305 (RFC 8439); and boxes that anyone
 * can close and only the holder of the secret half can open (X25519, libsodium's crypto_box_seal).
 *
 * A key must never see a nonce twice. Stateless, thread-safe.
 */
#ifndef PGSTOW_CRYPTO_SEAL_H
#define PGSTOW_CRYPTO_SEAL_H

#include "crypto/secret.h"

#define NONCE_BYTES 12
#define TAG_BYTES 16
typedef enum SealCipher { SEAL_AES_256_GCM = 1, SEAL_CHACHA20_POLY1305 = 2 } SealCipher;
SealCipher seal_best(void); /* for this processor; either can be opened everywhere */
bool seal_known(int cipher);

/* out (n bytes) may be p. */
void seal_close(SealCipher cipher, const uint8_t key[KEY_BYTES], const uint8_t nonce[NONCE_BYTES],
                const void *aad, size_t aad_n, const void *p, size_t n, void *out,
                uint8_t tag[TAG_BYTES]);
/* False where anything differs from what was sealed; out is then zeros. out may be p. */
bool seal_open(SealCipher cipher, const uint8_t key[KEY_BYTES], const uint8_t nonce[NONCE_BYTES],
               const void *aad, size_t aad_n, const void *p, size_t n, const uint8_t tag[TAG_BYTES],
               void *out) MUST_CHECK;

/* HMAC-SHA-256 (RFC 2104) of `label`, then p[0..n): how keys are derived. */
void key_derive(const uint8_t key[KEY_BYTES], const char *label, const void *p, size_t n,
                uint8_t out[KEY_BYTES]);

#define BOX_PUBLIC_BYTES 32
#define BOX_SECRET_BYTES 32
#define BOX_EXTRA 48 /* a box is so much longer than what is in it */
void box_pair(uint8_t public_half[BOX_PUBLIC_BYTES], uint8_t secret_half[BOX_SECRET_BYTES]);
void box_close(const uint8_t public_half[BOX_PUBLIC_BYTES], const void *p, size_t n, void *out);
/* n bytes of box to n - BOX_EXTRA. */
bool box_open(const uint8_t public_half[BOX_PUBLIC_BYTES],
              const uint8_t secret_half[BOX_SECRET_BYTES], const void *p, size_t n,
              void *out) MUST_CHECK;

/* A key from a passphrase, slow on purpose: Argon2id (RFC 9106). `ops` and `memory` (bytes) are
 * kept beside the salt; ERR_LIMIT where they are beyond what this program ever writes (a file may
 * ask for anything), ERR_MEMORY where the memory cannot be had. */
#define PASSPHRASE_SALT_BYTES 16
#define PASSPHRASE_OPS 3u
#define PASSPHRASE_MEMORY (256u << 20)
Error *passphrase_key(const Secret *passphrase, const uint8_t salt[PASSPHRASE_SALT_BYTES],
                      uint64_t ops, uint64_t memory, Secret **key) MUST_CHECK;

#endif
