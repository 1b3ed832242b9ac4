/* A map from chunk ids to where the chunks lie: open addressing over a vector that keeps the order
 * in which they came. One thread changes it; none needs a lock to read it afterwards. */
#ifndef PGSTOW_REPO_CHUNK_MAP_H
#define PGSTOW_REPO_CHUNK_MAP_H

#include "repo/chunk.h"

/* Whether a chunk is better written again, because its frame or all of its pack is nearly dead. */
typedef enum Sparse { SPARSE_NOT, SPARSE_FRAME, SPARSE_PACK, SPARSE_KINDS } Sparse;

typedef struct MapEntry {
    ChunkRef ref;
    Sparse sparse;
} MapEntry;

typedef struct ChunkMap {
    MapEntry *entries;
    size_t count, cap;
    uint32_t *slots; /* index + 1 of an entry, 0 where empty */
    size_t slot_count;
} ChunkMap;

void chunk_map_clear(ChunkMap *m);
DEFINE_AUTO_VALUE(ChunkMap, chunk_map_clear)
void chunk_map_empty(ChunkMap *m); /* keeps its memory */
void chunk_map_reserve(ChunkMap *m, size_t count);
/* NULL where it is not there; borrowed until the map changes. */
const MapEntry *chunk_map_find(const ChunkMap *m, const ChunkId *id);
/* The first one of an id stays. */
void chunk_map_add(ChunkMap *m, const ChunkRef *ref, Sparse sparse);
size_t chunk_map_bytes(const ChunkMap *m); /* of memory */

#endif
