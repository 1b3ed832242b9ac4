#include "crypto/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct Secret {
    size_t n;
    uint8_t *bytes; /* sodium_malloc's: at least one, so that there is always an address */
};

static pthread_once_t ready = PTHREAD_ONCE_INIT;

static void get_ready(void)
{
    if (sodium_init() >= 0)
        return;
    fputs("pgstow: libsodium failed\n", stderr);
    abort();
}

Secret *secret_new(size_t n)
{
    pthread_once(&ready, get_ready);
    Secret *s = mem_new(Secret);
    s->n = n;
    s->bytes = sodium_malloc(n ? n : 1);
    if (!s->bytes) {
        fputs("pgstow: no memory for a secret\n", stderr);
        abort();
    }
    memset(s->bytes, 0, n ? n : 1);
    return s;
}

Secret *secret_random(size_t n)
{
    Secret *s = secret_new(n);
    randombytes_buf(s->bytes, n);
    return s;
}

Secret *secret_copy(const void *p, size_t n)
{
    Secret *s = secret_new(n);
    if (n)
        memcpy(s->bytes, p, n);
    return s;
}

void secret_free(Secret *s)
{
    if (!s)
        return;
    sodium_free(s->bytes); /* which wipes */
    free(s);
}

uint8_t *secret_bytes(Secret *s)
{
    return s->bytes;
}

const uint8_t *secret_look(const Secret *s)
{
    return s->bytes;
}

size_t secret_length(const Secret *s)
{
    return s->n;
}

void secret_wipe(void *p, size_t n)
{
    if (n)
        sodium_memzero(p, n);
}

void secret_protect_process(void)
{
    struct rlimit none = {0, 0};
    /* Either alone would do; what fails here changes nothing for the run. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
