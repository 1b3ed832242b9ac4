/* What a kind of store implements. store.c checks names, states and sizes before it calls these;
 * see store.h for what each must do. A kind embeds Store and StorePut as its first members. */
#ifndef PGSTOW_STORE_STORE_INTERNAL_H
#define PGSTOW_STORE_STORE_INTERNAL_H

#include <stdatomic.h>
#include "store/store.h"

#define STORE_PARTS_MAX 16

typedef enum StoreReserve {
    RESERVE_MAKE,      /* or make it whole, where there is plenty of room */
    RESERVE_GIVE_UP,   /* *done: there was one, and now there is room */
    RESERVE_TAKE_BACK, /* what is left of it, too, where there is no more */
} StoreReserve;

typedef struct StoreKind {
    void (*free)(Store *s); /* both free the struct; what is in Store and StorePut is gone */
    Error *(*begin)(Store *s, const char *name, StorePut **out);
    Error *(*write)(StorePut *p, const void *data, size_t n);
    /* `whole` for store_put: the name is durable as well. */
    Error *(*finish)(StorePut *p, bool whole);
    void (*put_free)(StorePut *p);             /* also drops what was not finished */
    void (*adopt)(Store *s, const char *name); /* NULL where a name is durable once it is there */
    Error *(*barrier)(Store *s);
    Error *(*get)(Store *s, const char *name, uint64_t offset, void *p, size_t n);
    Error *(*get_all)(Store *s, const char *name, size_t max, Buf *out);
    Error *(*size)(Store *s, const char *name, uint64_t *size);
    Error *(*remove)(Store *s, const char *name);
    Error *(*list)(Store *s, const char *prefix, StoreEachStamped each, void *ctx);
    /* NULL where nothing is left behind. */
    Error *(*sweep)(Store *s, int64_t older_ms, bool dry_run, uint64_t *files, uint64_t *bytes);
    /* NULL where no room is kept. */
    Error *(*reserve)(Store *s, StoreReserve how, bool *done);
    Error *(*free_space)(Store *s, uint64_t *bytes);
    /* NULL where one after the other, or reading it, is as good. */
    Error *(*sizes)(Store *s, const StrList *names, uint64_t *sizes);
    Error *(*hash)(Store *s, const char *name, uint8_t sha256[HASH_BYTES], uint64_t *size);
    Error *(*ahead)(Store *s, const char *name, uint64_t offset, size_t n); /* may be NULL */
    bool far;
} StoreKind;

struct Store {
    const StoreKind *kind;
    char *where;
    atomic_uint_fast64_t fetched; /* bytes read so far */
    bool uses_reserve;            /* set before there are threads */
    atomic_bool gave_reserve;
};

struct StorePut {
    Store *store;
    char *name;
    enum { PUT_OPEN, PUT_BROKEN, PUT_FINISHED } state;
};

/* The errors that all kinds have in common. */
Error *store_not_found(const Store *s, const char *name) MUST_CHECK;
Error *store_name_taken(const Store *s, const char *name) MUST_CHECK;
Error *store_too_short(const Store *s, const char *name, uint64_t size, uint64_t offset,
                       size_t n) MUST_CHECK;
Error *store_too_large(const Store *s, const char *name, size_t max) MUST_CHECK;

#endif
