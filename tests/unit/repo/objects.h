/* A small repository as a list of its objects, which can be damaged one by one. */
#ifndef PGSTOW_TESTS_REPO_OBJECTS_H
#define PGSTOW_TESTS_REPO_OBJECTS_H

#include "kit.h"

typedef struct Object {
    char *name;
    Buf bytes;
} Object;

typedef struct Snapshot {
    Object *items;
    size_t count, cap;
} Snapshot;

static inline Error *take(void *ctx, const char *name, uint64_t size)
{
    Snapshot *s = ctx;
    (void)size;
    mem_grow(s->items, s->count, s->cap);
    s->items[s->count++] = (Object){mem_strdup(name), {0}};
    return NULL;
}

static inline void snapshot(Repo *r, Snapshot *s)
{
    OK(store_list(repo_store(r), "", take, s));
    for (size_t i = 0; i < s->count; i++)
        OK(store_get_all(repo_store(r), s->items[i].name, 1u << 30, &s->items[i].bytes));
}

static inline void snapshot_free(Snapshot *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].name);
        buf_free(&s->items[i].bytes);
    }
    free(s->items);
}

/* A change of one object: its new bytes, or none at all. */
typedef struct Change {
    size_t object;
    const Buf *bytes; /* NULL: deleted */
} Change;

static inline Store *rebuild_store(const Snapshot *s, const Change *changes, size_t count)
{
    Store *store = store_open_memory();
    for (size_t i = 0; i < s->count; i++) {
        const Buf *bytes = &s->items[i].bytes;
        for (size_t k = 0; k < count; k++)
            if (changes[k].object == i)
                bytes = changes[k].bytes;
        if (bytes)
            OK(store_put(store, s->items[i].name, bytes->data, bytes->len));
    }
    return store;
}

#endif
