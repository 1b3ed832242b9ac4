/* A store in memory: the same contract, for tests. */
#include "store/store_internal.h"

#include <pthread.h>
#include <string.h>

#include "base/text.h"

typedef struct Object {
    char *name;
    Buf bytes;
    uint64_t stamp; /* how many were put before it */
} Object;

typedef struct Memory {
    Store base;
    pthread_mutex_t lock;
    Object *objects; /* in byte order of the names */
    size_t count, cap;
    uint64_t puts;
} Memory;

typedef struct MemoryPut {
    StorePut base;
    Buf bytes;
} MemoryPut;

/* With the lock held: where the name is, or where it belongs. */
static bool find(const Memory *m, const char *name, size_t *at)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(m->objects[middle].name, name);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

static void memory_free(Store *s)
{
    Memory *m = (Memory *)s;
    for (size_t i = 0; i < m->count; i++) {
        free(m->objects[i].name);
        buf_free(&m->objects[i].bytes);
    }
    pthread_mutex_destroy(&m->lock);
    free(m->objects);
    free(m);
}

static Error *memory_begin(Store *s, const char *name, StorePut **out)
{
    (void)s;
    (void)name;
    *out = &mem_new(MemoryPut)->base;
    return NULL;
}

static Error *memory_write(StorePut *put, const void *data, size_t n)
{
    MemoryPut *p = (MemoryPut *)put;
    TRY(buf_reserve(&p->bytes, n, SIZE_MAX / 4));
    buf_add(&p->bytes, data, n);
    return NULL;
}

static Error *memory_finish(StorePut *put, bool whole)
{
    (void)whole;
    Memory *m = (Memory *)put->store;
    MemoryPut *p = (MemoryPut *)put;
    size_t at;
    pthread_mutex_lock(&m->lock);
    bool taken = find(m, put->name, &at);
    if (!taken) {
        mem_grow(m->objects, m->count, m->cap);
        memmove(&m->objects[at + 1], &m->objects[at], (m->count - at) * sizeof *m->objects);
        m->objects[at] = (Object){mem_strdup(put->name), p->bytes, m->puts++};
        m->count++;
        p->bytes = (Buf){0};
    }
    pthread_mutex_unlock(&m->lock);
    return taken ? store_name_taken(put->store, put->name) : NULL;
}

static void memory_put_free(StorePut *put)
{
    MemoryPut *p = (MemoryPut *)put;
    buf_free(&p->bytes);
    free(p);
}

static Error *memory_barrier(Store *s)
{
    (void)s;
    return NULL;
}

static Error *memory_get(Store *s, const char *name, uint64_t offset, void *p, size_t n)
{
    Memory *m = (Memory *)s;
    Error *e = NULL;
    size_t at;
    pthread_mutex_lock(&m->lock);
    if (!find(m, name, &at)) {
        e = store_not_found(s, name);
    } else {
        const Buf *bytes = &m->objects[at].bytes;
        if (offset > bytes->len || n > bytes->len - offset)
            e = store_too_short(s, name, bytes->len, offset, n);
        else if (n)
            memcpy(p, bytes->data + offset, n);
    }
    pthread_mutex_unlock(&m->lock);
    return e;
}

static Error *memory_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    Memory *m = (Memory *)s;
    Error *e = NULL;
    size_t at;
    pthread_mutex_lock(&m->lock);
    if (!find(m, name, &at)) {
        e = store_not_found(s, name);
    } else {
        const Buf *bytes = &m->objects[at].bytes;
        if (bytes->len > max)
            e = store_too_large(s, name, max);
        else
            buf_add(out, bytes->data, bytes->len);
    }
    pthread_mutex_unlock(&m->lock);
    return e;
}

static bool look_at(Memory *m, const char *name, uint64_t *size, uint64_t *stamp)
{
    size_t at;
    pthread_mutex_lock(&m->lock);
    bool found = find(m, name, &at);
    if (found) {
        *size = m->objects[at].bytes.len;
        *stamp = m->objects[at].stamp;
    }
    pthread_mutex_unlock(&m->lock);
    return found;
}

static Error *memory_size(Store *s, const char *name, uint64_t *size)
{
    uint64_t stamp;
    return look_at((Memory *)s, name, size, &stamp) ? NULL : store_not_found(s, name);
}

static Error *memory_remove(Store *s, const char *name)
{
    Memory *m = (Memory *)s;
    size_t at;
    pthread_mutex_lock(&m->lock);
    bool found = find(m, name, &at);
    if (found) {
        free(m->objects[at].name);
        buf_free(&m->objects[at].bytes);
        m->count--;
        memmove(&m->objects[at], &m->objects[at + 1], (m->count - at) * sizeof *m->objects);
    }
    pthread_mutex_unlock(&m->lock);
    return found ? NULL : store_not_found(s, name);
}

static Error *memory_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    Memory *m = (Memory *)s;
    AUTO_VALUE(StrList) names = {0};
    /* A copy first, because `each` may put and delete. */
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++)
        if (text_starts(m->objects[i].name, prefix))
            strlist_add(&names, m->objects[i].name);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < names.count; i++) {
        uint64_t size, stamp;
        if (look_at(m, names.items[i], &size, &stamp)) /* otherwise deleted since */
            TRY(each(ctx, names.items[i], size, stamp));
    }
    return NULL;
}

static Error *memory_free_space(Store *s, uint64_t *bytes)
{
    (void)s;
    *bytes = UINT64_MAX;
    return NULL;
}

static const StoreKind memory_kind = {
    .free = memory_free,
    .begin = memory_begin,
    .write = memory_write,
    .finish = memory_finish,
    .put_free = memory_put_free,
    .barrier = memory_barrier,
    .get = memory_get,
    .get_all = memory_get_all,
    .size = memory_size,
    .remove = memory_remove,
    .list = memory_list,
    .free_space = memory_free_space,
};

Store *store_open_memory(void)
{
    Memory *m = mem_new(Memory);
    m->base.kind = &memory_kind;
    m->base.where = mem_strdup("(memory)");
    pthread_mutex_init(&m->lock, NULL);
    return &m->base;
}
