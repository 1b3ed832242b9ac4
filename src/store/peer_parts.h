/* What the files of a peer's store share. */
#ifndef PGSTOW_STORE_PEER_PARTS_H
#define PGSTOW_STORE_PEER_PARTS_H

#include <pthread.h>

#include "net/link.h"
#include "store/peer.h"
#include "store/peer_cache.h"
#include "store/peer_wire.h"
#include "store/store_internal.h"

#define PEER_ATTEMPTS 4 /* at what arrives otherwise than it was sent */

/* What a thread reads ahead. */
typedef struct Window {
    struct Window *next;
    pthread_t thread;
    char *name;
    uint64_t offset;
    Buf bytes;
} Window;

typedef struct PeerStore {
    Store base;
    Link *link;
    char *session; /* escaped, for an address */
    Cancel *cancel;
    PeerCache *cache;
    pthread_mutex_t lock; /* of what follows */
    Window *windows;
    StrList adopted;
} PeerStore;

/* -- requests (peer.c) -- */
/* The address of an object's request, to which more may be added; of none where name is NULL. */
void peer_store_target(const PeerStore *p, const char *path, const char *name, Buf *out);
Error *peer_store_call(PeerStore *p, LinkCall *q, HttpResponse *out) MUST_CHECK;
/* Bytes are those that were sent: ERR_NETWORK. */
Error *peer_store_check_answer(PeerStore *p, const HttpResponse *r) MUST_CHECK;
/* What may be damaged on the way is asked for again: then *e is dropped. */
bool peer_store_again(Error **e, int attempt);
/* Everything but a few kinds is written once. */
bool peer_store_may_change(const char *name);

/* -- lists (peer_list.c) -- */
Error *peer_store_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx) MUST_CHECK;
Error *peer_store_sizes(Store *s, const StrList *names, uint64_t *sizes) MUST_CHECK;

/* -- writing (peer_put.c) -- */
Error *peer_store_begin(Store *s, const char *name, StorePut **out) MUST_CHECK;
Error *peer_store_write(StorePut *put, const void *data, size_t n) MUST_CHECK;
Error *peer_store_finish(StorePut *put, bool whole) MUST_CHECK;
void peer_store_put_free(StorePut *put);
void peer_store_adopt(Store *s, const char *name);
Error *peer_store_barrier(Store *s) MUST_CHECK;
Error *peer_store_remove(Store *s, const char *name) MUST_CHECK;

#endif
