#include "repo/chunk_map.h"

#include <string.h>

#define SLOTS_LEAST 64

void chunk_map_clear(ChunkMap *m)
{
    free(m->entries);
    free(m->slots);
    *m = (ChunkMap){0};
}

void chunk_map_empty(ChunkMap *m)
{
    if (m->count)
        memset(m->slots, 0, m->slot_count * sizeof *m->slots);
    m->count = 0;
}

/* The slot that holds the id, or the empty one where it belongs. Ids are hashes: any of their
 * bytes spread well. */
static uint32_t *find_slot(const ChunkMap *m, const ChunkId *id)
{
    uint64_t h;
    memcpy(&h, id->b, sizeof h);
    size_t mask = m->slot_count - 1;
    for (size_t i = (size_t)h & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &m->slots[i];
        if (!*slot || memcmp(m->entries[*slot - 1].ref.id.b, id->b, CHUNK_ID_BYTES) == 0)
            return slot;
    }
}

/* Slots for so many entries, at most two thirds of them used. */
static void rehash(ChunkMap *m, size_t entries)
{
    size_t wanted = m->slot_count ? m->slot_count : SLOTS_LEAST;
    while (wanted / 3 * 2 < entries)
        wanted *= 2;
    if (wanted == m->slot_count)
        return;
    free(m->slots);
    m->slots = mem_calloc(wanted, sizeof *m->slots);
    m->slot_count = wanted;
    for (size_t i = 0; i < m->count; i++)
        *find_slot(m, &m->entries[i].ref.id) = (uint32_t)i + 1;
}

void chunk_map_reserve(ChunkMap *m, size_t count)
{
    if (count > m->cap) {
        m->entries = mem_realloc(m->entries, count, sizeof *m->entries);
        m->cap = count;
    }
    rehash(m, count);
}

const MapEntry *chunk_map_find(const ChunkMap *m, const ChunkId *id)
{
    if (!m->count)
        return NULL;
    uint32_t slot = *find_slot(m, id);
    return slot ? &m->entries[slot - 1] : NULL;
}

void chunk_map_add(ChunkMap *m, const ChunkRef *ref, Sparse sparse)
{
    rehash(m, m->count + 1);
    uint32_t *slot = find_slot(m, &ref->id);
    if (*slot)
        return;
    mem_grow(m->entries, m->count, m->cap);
    m->entries[m->count++] = (MapEntry){*ref, sparse};
    *slot = (uint32_t)m->count;
}

size_t chunk_map_bytes(const ChunkMap *m)
{
    return m->cap * sizeof *m->entries + m->slot_count * sizeof *m->slots;
}
