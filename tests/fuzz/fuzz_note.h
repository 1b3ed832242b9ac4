/* A note with any JSON in it: the hash is right. */
#ifndef PGSTOW_TESTS_FUZZ_NOTE_H
#define PGSTOW_TESTS_FUZZ_NOTE_H

#include "fuzz.h"
#include "repo/repo_internal.h"

static inline void put_note(Store *s, const char *name, const uint8_t *data, size_t size)
{
    AUTO(Hash) h = hash_new();
    AUTO_VALUE(Buf) b = {0};
    uint8_t hash[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    hash_once(h, data, size, hash);
    text_hex(hash, HASH_BYTES, hex);
    buf_add(&b, data, size);
    buf_printf(&b, "\n%s\n", hex);
    MUST(succeeded(store_put(s, name, b.data, b.len)));
}

#endif
