/* A disk whose power fails: for the tests of what survives.
 *
 * power_open gives a store on it, as many as there are processes. What they do is noted; afterwards
 * power_cut makes the store that would be found if the power had failed after so many of these
 * events. Durable is then what store.h promises and nothing more: an object put whole, and what a
 * store finished, adopted or deleted before a barrier of its own. All else may be there or not,
 * each by itself, as the caller's chance says. Events are single: one process at a time.
 */
#ifndef PGSTOW_TESTS_STORE_POWER_H
#define PGSTOW_TESTS_STORE_POWER_H

#include "../unit.h"

#include "base/text.h"
#include "store/store_internal.h"

typedef struct PowerEvent {
    enum { POWER_PUT, POWER_FINISH, POWER_REMOVE, POWER_BARRIER, POWER_ADOPT } what;
    unsigned store; /* whose */
    char *name;
    Buf bytes;
} PowerEvent;

typedef struct Power {
    Store *now; /* what is visible */
    PowerEvent *events;
    size_t count, cap;
    unsigned stores;
} Power;

typedef struct PowerStore {
    Store base;
    Power *power;
    unsigned number;
} PowerStore;

typedef struct PowerPut {
    StorePut base;
    Buf bytes;
} PowerPut;

static inline void power_note(Store *s, int what, const char *name, const Buf *bytes)
{
    PowerStore *p = (PowerStore *)s;
    Power *d = p->power;
    mem_grow(d->events, d->count, d->cap);
    PowerEvent *e = &d->events[d->count++];
    *e = (PowerEvent){.what = what, .store = p->number, .name = mem_strdup(name)};
    if (bytes)
        buf_add(&e->bytes, bytes->data, bytes->len);
}

static inline Store *power_now(Store *s)
{
    return ((PowerStore *)s)->power->now;
}

static inline void power_store_free(Store *s)
{
    free(s);
}

static inline Error *power_begin(Store *s, const char *name, StorePut **out)
{
    (void)s;
    (void)name;
    *out = &mem_new(PowerPut)->base;
    return NULL;
}

static inline Error *power_write(StorePut *put, const void *data, size_t n)
{
    buf_add(&((PowerPut *)put)->bytes, data, n);
    return NULL;
}

static inline Error *power_finish(StorePut *put, bool whole)
{
    const Buf *b = &((PowerPut *)put)->bytes;
    TRY(store_put(power_now(put->store), put->name, b->data, b->len));
    power_note(put->store, whole ? POWER_PUT : POWER_FINISH, put->name, b);
    return NULL;
}

static inline void power_put_free(StorePut *put)
{
    buf_free(&((PowerPut *)put)->bytes);
    free(put);
}

static inline void power_adopt(Store *s, const char *name)
{
    power_note(s, POWER_ADOPT, name, NULL);
}

static inline Error *power_barrier(Store *s)
{
    power_note(s, POWER_BARRIER, "", NULL);
    return NULL;
}

static inline Error *power_get(Store *s, const char *name, uint64_t offset, void *p, size_t n)
{
    return store_get(power_now(s), name, offset, p, n);
}

static inline Error *power_get_all(Store *s, const char *name, size_t max, Buf *out)
{
    return store_get_all(power_now(s), name, max, out);
}

static inline Error *power_size(Store *s, const char *name, uint64_t *size)
{
    return store_size(power_now(s), name, size);
}

static inline Error *power_remove(Store *s, const char *name)
{
    TRY(store_delete(power_now(s), name));
    power_note(s, POWER_REMOVE, name, NULL);
    return NULL;
}

static inline Error *power_list(Store *s, const char *prefix, StoreEachStamped each, void *ctx)
{
    return store_list_stamped(power_now(s), prefix, each, ctx);
}

static inline Error *power_free_space(Store *s, uint64_t *bytes)
{
    return store_free_space(power_now(s), bytes);
}

static const StoreKind power_kind = {
    .free = power_store_free,
    .begin = power_begin,
    .write = power_write,
    .finish = power_finish,
    .put_free = power_put_free,
    .adopt = power_adopt,
    .barrier = power_barrier,
    .get = power_get,
    .get_all = power_get_all,
    .size = power_size,
    .remove = power_remove,
    .list = power_list,
    .free_space = power_free_space,
};

static inline Power *power_new(void)
{
    Power *d = mem_new(Power);
    d->now = store_open_memory();
    return d;
}

static inline void power_free(Power *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->events[i].name);
        buf_free(&d->events[i].bytes);
    }
    free(d->events);
    store_free(d->now);
    free(d);
}

/* Another process's store on the same disk. */
static inline Store *power_open(Power *d)
{
    PowerStore *s = mem_new(PowerStore);
    s->base.kind = &power_kind;
    s->base.where = mem_strdup("(power)");
    s->power = d;
    s->number = d->stores++;
    return &s->base;
}

/* -- the cut ---------------------------------------------------------------------------------- */

/* Whether event i is durable when the power fails after `cut` events. */
static inline bool power_durable(const Power *d, size_t i, size_t cut)
{
    const PowerEvent *e = &d->events[i];
    if (e->what == POWER_PUT)
        return true;
    for (size_t k = i + 1; k < cut; k++) {
        const PowerEvent *b = &d->events[k];
        if (b->what != POWER_BARRIER)
            continue;
        if (b->store == e->store)
            return true;
        for (size_t a = i + 1; a < k; a++)
            if (d->events[a].what == POWER_ADOPT && d->events[a].store == b->store &&
                !strcmp(d->events[a].name, e->name))
                return true;
    }
    return false;
}

static inline bool power_changes(const PowerEvent *e)
{
    return e->what == POWER_PUT || e->what == POWER_FINISH || e->what == POWER_REMOVE;
}

/* How much of what is not durable is there: all of it (the process died, no more), nothing, or each
 * as the bits of a number mixed from `chance` say. */
typedef enum PowerLuck { POWER_ALL, POWER_NONE, POWER_SOME } PowerLuck;

static inline uint64_t power_mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ull;
    return x ^ (x >> 33);
}

/* The store that is found. *undecided: how many events were not durable. */
static inline Store *power_cut(const Power *d, size_t cut, PowerLuck luck, uint64_t chance,
                               size_t *undecided)
{
    Store *found = store_open_memory();
    *undecided = 0;
    for (size_t i = 0; i < cut; i++) {
        const PowerEvent *first = &d->events[i];
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = power_changes(&d->events[k]) && !strcmp(d->events[k].name, first->name);
        if (!power_changes(first) || seen)
            continue;
        /* All that happened to this name: after what is durable, any of the later states. */
        const PowerEvent *last = NULL;
        for (size_t k = i; k < cut; k++) {
            const PowerEvent *e = &d->events[k];
            if (!power_changes(e) || strcmp(e->name, first->name) != 0)
                continue;
            bool durable = power_durable(d, k, cut);
            *undecided += !durable;
            bool lucky = luck == POWER_ALL ||
                         (luck == POWER_SOME && power_mix(chance * 1000003 + k) % 2 == 0);
            if (durable || lucky)
                last = e;
        }
        if (last && last->what != POWER_REMOVE)
            OK(store_put(found, last->name, last->bytes.data, last->bytes.len));
    }
    return found;
}

#endif
