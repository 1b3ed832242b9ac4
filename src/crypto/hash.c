#include "crypto/hash.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>

struct Hash {
    EVP_MD_CTX *ctx;
};

/* Fetched once: OpenSSL 3 looks an implementation up by name at each EVP_sha256() otherwise, which
 * costs as much as hashing some KiB. */
static EVP_MD *sha256;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void must(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "pgstow: OpenSSL failed: %s\n", what);
    abort();
}

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sha256, "EVP_MD_fetch");
}

static void start(Hash *h)
{
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

void hash_free(Hash *h)
{
    if (!h)
        return;
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
