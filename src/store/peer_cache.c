#include "store/peer_cache.h"

#include <pthread.h>
#include <string.h>

#include "base/text.h"

#define PARTS_MAX 4096

typedef struct Part {
    char *name;
    uint64_t size, offset;
    uint8_t *bytes;
    size_t n;
    uint64_t used_at;
} Part;

struct PeerCache {
    pthread_mutex_t lock;
    Part *items;
    size_t count, cap, bytes, max;
    uint64_t clock;
};

PeerCache *peer_cache_new(size_t max_bytes)
{
    PeerCache *c = mem_new(PeerCache);
    c->max = max_bytes;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void part_clear(Part *p)
{
    free(p->name);
    free(p->bytes);
}

void peer_cache_free(PeerCache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        part_clear(&c->items[i]);
    free(c->items);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* -- with the lock held ------------------------------------------------------------------------ */

static void drop(PeerCache *c, size_t i)
{
    c->bytes -= c->items[i].n;
    part_clear(&c->items[i]);
    c->items[i] = c->items[--c->count];
}

static void make_room(PeerCache *c, size_t n)
{
    while (c->count && (c->bytes + n > c->max || c->count == PARTS_MAX)) {
        size_t oldest = 0;
        for (size_t i = 1; i < c->count; i++)
            if (c->items[i].used_at < c->items[oldest].used_at)
                oldest = i;
        drop(c, oldest);
    }
}

static Part *find(PeerCache *c, const char *name, uint64_t offset, size_t n)
{
    for (size_t i = 0; i < c->count; i++) {
        Part *p = &c->items[i];
        if (offset >= p->offset && n <= p->n && offset - p->offset <= p->n - n &&
            !strcmp(p->name, name))
            return p;
    }
    return NULL;
}

/* Parts that lie within a new one. */
static void drop_within(PeerCache *c, const char *name, uint64_t offset, size_t n)
{
    for (size_t i = c->count; i-- > 0;) {
        const Part *p = &c->items[i];
        if (p->offset >= offset && p->n <= n && p->offset - offset <= n - p->n &&
            !strcmp(p->name, name))
            drop(c, i);
    }
}

/* -- the face ---------------------------------------------------------------------------------- */

void peer_cache_put(PeerCache *c, const char *name, uint64_t size, uint64_t offset, const void *p,
                    size_t n)
{
    if (n > c->max)
        return;
    pthread_mutex_lock(&c->lock);
    if (!find(c, name, offset, n)) {
        drop_within(c, name, offset, n);
        make_room(c, n);
        mem_grow(c->items, c->count, c->cap);
        Part *part = &c->items[c->count++];
        *part = (Part){mem_strdup(name), size, offset, mem_calloc(n ? n : 1, 1), n, ++c->clock};
        if (n)
            memcpy(part->bytes, p, n);
        c->bytes += n;
    }
    pthread_mutex_unlock(&c->lock);
}

size_t peer_cache_get(PeerCache *c, const char *name, uint64_t offset, void *p, size_t n)
{
    size_t got = 0;
    pthread_mutex_lock(&c->lock);
    for (Part *part; got < n && (part = find(c, name, offset + got, 1));) {
        size_t at = (size_t)(offset + got - part->offset);
        size_t step = part->n - at < n - got ? part->n - at : n - got;
        part->used_at = ++c->clock;
        memcpy((uint8_t *)p + got, part->bytes + at, step);
        got += step;
    }
    pthread_mutex_unlock(&c->lock);
    return got;
}

bool peer_cache_size(PeerCache *c, const char *name, uint64_t *size)
{
    bool found = false;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->count && !found; i++) {
        found = !strcmp(c->items[i].name, name);
        if (found)
            *size = c->items[i].size;
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

void peer_cache_forget(PeerCache *c, const char *prefix)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = c->count; i-- > 0;)
        if (text_starts(c->items[i].name, prefix))
            drop(c, i);
    pthread_mutex_unlock(&c->lock);
}
