#include "crypto/hash.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "crypto/crypto_internal.h"

/* Where there is a key, `inner` and `outer` are the states after its two padded blocks: hashing the
 * key anew for each small message would cost as much as the message. */
struct Hash {
    EVP_MD_CTX *ctx, *inner, *outer;
};

#define BLOCK_BYTES 64

/* Fetched once: OpenSSL 3 looks an implementation up by name at each EVP_sha256() otherwise, which
 * costs as much as hashing some KiB. */
static EVP_MD *sha256;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sha256, "EVP_MD_fetch");
}

static void start(Hash *h)
{
    if (h->inner) {
        must(EVP_MD_CTX_copy_ex(h->ctx, h->inner) == 1, "EVP_MD_CTX_copy_ex");
        return;
    }
    must(EVP_DigestInit_ex2(h->ctx, sha256, NULL) == 1, "EVP_DigestInit_ex2");
}

Hash *hash_new(void)
{
    pthread_once(&fetched, fetch);
    Hash *h = mem_new(Hash);
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx, "EVP_MD_CTX_new");
    start(h);
    return h;
}

static EVP_MD_CTX *padded_key(const uint8_t key[HASH_BYTES], uint8_t pad)
{
    uint8_t block[BLOCK_BYTES];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (i < HASH_BYTES ? key[i] : 0) ^ pad;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 &&
             EVP_DigestUpdate(ctx, block, sizeof block) == 1,
         "HMAC");
    OPENSSL_cleanse(block, sizeof block);
    return ctx;
}

Hash *hash_new_keyed(const uint8_t key[HASH_BYTES])
{
    Hash *h = hash_new();
    h->inner = padded_key(key, 0x36);
    h->outer = padded_key(key, 0x5c);
    start(h);
    return h;
}

void hash_sign(const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[HASH_BYTES])
{
    size_t got = 0;
    must(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_bytes, p, n, out, HASH_BYTES,
                   &got) &&
             got == HASH_BYTES,
         "HMAC");
}

void hash_free(Hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->inner);
    EVP_MD_CTX_free(h->outer);
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void hash_add(Hash *h, const void *p, size_t n)
{
    if (n)
        must(EVP_DigestUpdate(h->ctx, p, n) == 1, "EVP_DigestUpdate");
}

void hash_end(Hash *h, uint8_t out[HASH_BYTES])
{
    unsigned int n = 0;
    must(EVP_DigestFinal_ex(h->ctx, out, &n) == 1 && n == HASH_BYTES, "EVP_DigestFinal_ex");
    if (h->outer)
        must(EVP_MD_CTX_copy_ex(h->ctx, h->outer) == 1 &&
                 EVP_DigestUpdate(h->ctx, out, HASH_BYTES) == 1 &&
                 EVP_DigestFinal_ex(h->ctx, out, &n) == 1,
             "HMAC");
    start(h);
}

void hash_once(Hash *h, const void *p, size_t n, uint8_t out[HASH_BYTES])
{
    start(h);
    hash_add(h, p, n);
    hash_end(h, out);
}

bool hash_equal(const void *a, const void *b, size_t n)
{
    return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

void random_bytes(void *p, size_t n)
{
    uint8_t *at = p;
    while (n) {
        int part = n < INT_MAX ? (int)n : INT_MAX;
        must(RAND_bytes(at, part) == 1, "RAND_bytes");
        at += part;
        n -= (size_t)part;
    }
}
