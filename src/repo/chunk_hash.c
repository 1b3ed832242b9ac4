#include "repo/chunk_hash.h"

#include <string.h>

void chunk_hash_clear(ChunkHash *c)
{
    hash_free(c->hash);
    *c = (ChunkHash){0};
}

Error *chunk_hash_for(ChunkHash *c, const uint8_t tag[LINEAGE_TAG_BYTES])
{
    if (!c->keys || (c->hash && !memcmp(c->tag, tag, LINEAGE_TAG_BYTES)))
        return NULL;
    uint8_t key[KEY_BYTES];
    TRY(keyring_id_key(c->keys, tag, key));
    hash_free(c->hash);
    c->hash = hash_new_keyed(key);
    memcpy(c->tag, tag, LINEAGE_TAG_BYTES);
    secret_wipe(key, sizeof key);
    return NULL;
}

void chunk_hash(ChunkHash *c, const void *p, size_t n, uint8_t out[HASH_BYTES])
{
    if (!c->hash)
        c->hash = hash_new();
    hash_once(c->hash, p, n, out);
}
