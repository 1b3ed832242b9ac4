#include "repo/key_memo.h"

#include <pthread.h>
#include <string.h>

#include "crypto/hash.h"

typedef struct Stretched {
    uint8_t salt[PASSPHRASE_SALT_BYTES];
    uint64_t ops, memory;
    Secret *passphrase, *key;
} Stretched;

struct KeyMemo {
    pthread_mutex_t lock;
    Stretched items[KEY_MEMO_MAX];
    size_t made; /* in all: the next one goes to made % KEY_MEMO_MAX */
};

KeyMemo *key_memo_new(void)
{
    KeyMemo *m = mem_new(KeyMemo);
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void clear(Stretched *s)
{
    secret_free(s->passphrase);
    secret_free(s->key);
    *s = (Stretched){0};
}

void key_memo_free(KeyMemo *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < KEY_MEMO_MAX; i++)
        clear(&m->items[i]);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static bool same_secret(const Secret *a, const Secret *b)
{
    return secret_length(a) == secret_length(b) &&
           hash_equal(secret_look(a), secret_look(b), secret_length(a));
}

static const Stretched *find(const KeyMemo *m, const Secret *passphrase, const uint8_t *salt,
                             uint64_t ops, uint64_t memory)
{
    for (size_t i = 0; i < KEY_MEMO_MAX; i++) {
        const Stretched *s = &m->items[i];
        if (s->key && s->ops == ops && s->memory == memory &&
            !memcmp(s->salt, salt, sizeof s->salt) && same_secret(s->passphrase, passphrase))
            return s;
    }
    return NULL;
}

static Secret *copy(const Secret *s)
{
    return secret_copy(secret_look(s), secret_length(s));
}

/* Under the lock. */
static Error *stretch(KeyMemo *m, const Secret *passphrase, const uint8_t *salt, uint64_t ops,
                      uint64_t memory, Secret **out)
{
    const Stretched *known = find(m, passphrase, salt, ops, memory);
    if (known) {
        *out = copy(known->key);
        return NULL;
    }
    TRY(passphrase_key(passphrase, salt, ops, memory, out));
    Stretched *s = &m->items[m->made++ % KEY_MEMO_MAX];
    clear(s);
    *s = (Stretched){
        .ops = ops, .memory = memory, .passphrase = copy(passphrase), .key = copy(*out)};
    memcpy(s->salt, salt, sizeof s->salt);
    return NULL;
}

Error *key_memo_stretch(KeyMemo *m, const Secret *passphrase,
                        const uint8_t salt[PASSPHRASE_SALT_BYTES], uint64_t ops, uint64_t memory,
                        Secret **out)
{
    if (!m)
        return passphrase_key(passphrase, salt, ops, memory, out);
    pthread_mutex_lock(&m->lock);
    Error *e = stretch(m, passphrase, salt, ops, memory, out);
    pthread_mutex_unlock(&m->lock);
    return e;
}
