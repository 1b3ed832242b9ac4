/* Bytes of objects that never change, kept by a peer's store (store/peer.h): heads, whole small
 * ones, parts. The ones that were used longest ago go. Thread-safe.
 */
#ifndef PGSTOW_STORE_PEER_CACHE_H
#define PGSTOW_STORE_PEER_CACHE_H

#include "base/buf.h"

typedef struct PeerCache PeerCache;
PeerCache *peer_cache_new(size_t max_bytes);
void peer_cache_free(PeerCache *c);
DEFINE_AUTO(PeerCache, peer_cache_free)

/* Copies; `size` is that of the whole object. What is larger than the cache is not kept. */
void peer_cache_put(PeerCache *c, const char *name, uint64_t size, uint64_t offset, const void *p,
                    size_t n);
/* How many of the n bytes from offset on it has, up to the first one that it has not: they are
 * copied. */
size_t peer_cache_get(PeerCache *c, const char *name, uint64_t offset, void *p, size_t n);
/* Of an object of which anything is kept. */
bool peer_cache_size(PeerCache *c, const char *name, uint64_t *size);
/* Those whose names begin so. */
void peer_cache_forget(PeerCache *c, const char *prefix);

#endif
