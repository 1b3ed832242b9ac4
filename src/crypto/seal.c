#include "crypto/seal.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "base/fault.h"
#include "crypto/crypto_internal.h"
#include "crypto/hash.h"

/* What one call of OpenSSL's takes. */
#define STEP ((size_t)1 << 30)
/* What a slot may ask for: four times what this program writes. */
#define OPS_MAX (4u * PASSPHRASE_OPS)
#define MEMORY_MAX (4ull * PASSPHRASE_MEMORY)

static EVP_CIPHER *ciphers[3];
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    ciphers[SEAL_AES_256_GCM] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    ciphers[SEAL_CHACHA20_POLY1305] = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    must(ciphers[1] && ciphers[2], "EVP_CIPHER_fetch");
    must(sodium_init() >= 0, "sodium_init");
}

SealCipher seal_best(void)
{
    pthread_once(&fetched, fetch);
    bool aes = crypto_aead_aes256gcm_is_available() != 0 && fault_setting("PGSTOW_NO_AES") == NULL;
    return aes ? SEAL_AES_256_GCM : SEAL_CHACHA20_POLY1305;
}

bool seal_known(int cipher)
{
    return cipher == SEAL_AES_256_GCM || cipher == SEAL_CHACHA20_POLY1305;
}

static EVP_CIPHER_CTX *begin(SealCipher cipher, const uint8_t *key, const uint8_t *nonce,
                             bool closing)
{
    pthread_once(&fetched, fetch);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    must(ctx && EVP_CipherInit_ex2(ctx, ciphers[cipher], key, nonce, closing, NULL) == 1,
         "EVP_CipherInit_ex2");
    return ctx;
}

/* out NULL: additional data. */
static void update(EVP_CIPHER_CTX *ctx, const uint8_t *p, size_t n, uint8_t *out)
{
    for (size_t at = 0; at < n;) {
        int part = (int)(n - at < STEP ? n - at : STEP), done = 0;
        must(EVP_CipherUpdate(ctx, out ? out + at : NULL, &done, p + at, part) == 1 && done == part,
             "EVP_CipherUpdate");
        at += (size_t)part;
    }
}

void seal_close(SealCipher cipher, const uint8_t key[KEY_BYTES], const uint8_t nonce[NONCE_BYTES],
                const void *aad, size_t aad_n, const void *p, size_t n, void *out,
                uint8_t tag[TAG_BYTES])
{
    EVP_CIPHER_CTX *ctx = begin(cipher, key, nonce, true);
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    int more = 0;
    update(ctx, aad, aad_n, NULL);
    update(ctx, p, n, out);
    must(EVP_CipherFinal_ex(ctx, rest, &more) == 1 && more == 0, "EVP_CipherFinal_ex");
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1, "the tag");
    EVP_CIPHER_CTX_free(ctx);
}

bool seal_open(SealCipher cipher, const uint8_t key[KEY_BYTES], const uint8_t nonce[NONCE_BYTES],
               const void *aad, size_t aad_n, const void *p, size_t n, const uint8_t tag[TAG_BYTES],
               void *out)
{
    EVP_CIPHER_CTX *ctx = begin(cipher, key, nonce, false);
    uint8_t rest[EVP_MAX_BLOCK_LENGTH], wanted[TAG_BYTES];
    int more = 0;
    memcpy(wanted, tag, TAG_BYTES);
    update(ctx, aad, aad_n, NULL);
    update(ctx, p, n, out);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, wanted) == 1, "the tag");
    bool good = EVP_CipherFinal_ex(ctx, rest, &more) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good && n)
        memset(out, 0, n);
    return good;
}

void key_derive(const uint8_t key[KEY_BYTES], const char *label, const void *p, size_t n,
                uint8_t out[KEY_BYTES])
{
    AUTO(Hash) h = hash_new_keyed(key);
    hash_add(h, label, strlen(label));
    hash_add(h, p, n);
    hash_end(h, out);
}

void box_pair(uint8_t public_half[BOX_PUBLIC_BYTES], uint8_t secret_half[BOX_SECRET_BYTES])
{
    pthread_once(&fetched, fetch);
    must(crypto_box_keypair(public_half, secret_half) == 0, "crypto_box_keypair");
}

void box_close(const uint8_t public_half[BOX_PUBLIC_BYTES], const void *p, size_t n, void *out)
{
    must(crypto_box_seal(out, p, n, public_half) == 0, "crypto_box_seal");
}

bool box_open(const uint8_t public_half[BOX_PUBLIC_BYTES],
              const uint8_t secret_half[BOX_SECRET_BYTES], const void *p, size_t n, void *out)
{
    return n >= BOX_EXTRA && crypto_box_seal_open(out, p, n, public_half, secret_half) == 0;
}

Error *passphrase_key(const Secret *passphrase, const uint8_t salt[PASSPHRASE_SALT_BYTES],
                      uint64_t ops, uint64_t memory, Secret **key)
{
    pthread_once(&fetched, fetch);
    if (ops < crypto_pwhash_OPSLIMIT_MIN || ops > OPS_MAX || memory < crypto_pwhash_MEMLIMIT_MIN ||
        memory > MEMORY_MAX)
        FAIL(ERR_LIMIT, "a passphrase is to be hashed %llu times with %llu bytes of memory",
             (unsigned long long)ops, (unsigned long long)memory);
    AUTO(Secret) made = secret_new(KEY_BYTES);
    if (crypto_pwhash(secret_bytes(made), KEY_BYTES, (const char *)secret_look(passphrase),
                      secret_length(passphrase), salt, ops, (size_t)memory,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return error_hint(ERROR_NEW(ERR_MEMORY,
                                    "there is no memory for Argon2id, which makes a key of the "
                                    "passphrase (%llu MiB)",
                                    (unsigned long long)(memory >> 20)),
                          "open the repository with a key file");
    *key = STEAL(made);
    return NULL;
}
