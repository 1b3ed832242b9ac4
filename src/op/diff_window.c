#include "op/diff_window.h"

#include <string.h>

typedef struct Waiting {
    size_t at, n; /* in the arena */
    uint32_t hash;
    bool gone;
} Waiting;

/* Open addressing; a row that was taken leaves its slot behind until all is emptied. */
struct DiffWindow {
    size_t budget;
    Buf arena;
    Waiting *rows;
    size_t count, cap, waiting;
    uint32_t *slots; /* number of a row + 1; 0: empty */
    size_t slot_count;
};

#define SLOTS_LEAST 1024
/* Of memory, for each row besides its bytes. */
#define ROW_COST (sizeof(Waiting) + 3 * sizeof(uint32_t))

DiffWindow *diff_window_new(size_t budget)
{
    DiffWindow *w = mem_new(DiffWindow);
    w->budget = budget;
    w->slot_count = SLOTS_LEAST;
    w->slots = mem_calloc(w->slot_count, sizeof *w->slots);
    return w;
}

void diff_window_free(DiffWindow *w)
{
    if (!w)
        return;
    buf_free(&w->arena);
    free(w->rows);
    free(w->slots);
    free(w);
}

/* Eight bytes at a time; multiplication spreads upwards, the last step downwards. */
static uint32_t hash_of(const char *p, size_t n)
{
    uint64_t h = n * 0x9e3779b97f4a7c15ull, word;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, n);
    h = (h ^ word) * 0xff51afd7ed558ccdull;
    return (uint32_t)(h >> 32);
}

static void put(DiffWindow *w, uint32_t number)
{
    size_t mask = w->slot_count - 1, i = w->rows[number].hash & mask;
    while (w->slots[i])
        i = (i + 1) & mask;
    w->slots[i] = number + 1;
}

static void grow_slots(DiffWindow *w)
{
    w->slot_count *= 2;
    free(w->slots);
    w->slots = mem_calloc(w->slot_count, sizeof *w->slots);
    for (size_t i = 0; i < w->count; i++)
        put(w, (uint32_t)i);
}

static void empty(DiffWindow *w)
{
    memset(w->slots, 0, w->slot_count * sizeof *w->slots);
    w->arena.len = 0;
    w->count = w->waiting = 0;
}

bool diff_window_add(DiffWindow *w, const char *row, size_t n)
{
    if (!w->waiting && w->count)
        empty(w);
    if (w->arena.len + n + (w->count + 1) * ROW_COST > w->budget || w->count == UINT32_MAX - 1)
        return false;
    if ((w->count + 1) * 2 > w->slot_count)
        grow_slots(w);
    mem_grow(w->rows, w->count, w->cap);
    w->rows[w->count] = (Waiting){w->arena.len, n, hash_of(row, n), false};
    buf_add(&w->arena, row, n);
    put(w, (uint32_t)w->count++);
    w->waiting++;
    return true;
}

bool diff_window_take(DiffWindow *w, const char *row, size_t n)
{
    uint32_t hash = hash_of(row, n);
    size_t mask = w->slot_count - 1;
    for (size_t i = hash & mask; w->slots[i]; i = (i + 1) & mask) {
        Waiting *r = &w->rows[w->slots[i] - 1];
        if (r->gone || r->hash != hash || r->n != n ||
            (n && memcmp(w->arena.data + r->at, row, n) != 0))
            continue;
        r->gone = true;
        w->waiting--;
        return true;
    }
    return false;
}

Error *diff_window_flush(DiffWindow *w, Error *(*take)(void *ctx, const char *row, size_t n),
                         void *ctx)
{
    for (size_t i = 0; i < w->count; i++) {
        const Waiting *r = &w->rows[i];
        if (!r->gone)
            TRY(take(ctx, r->n ? (const char *)w->arena.data + r->at : "", r->n));
    }
    empty(w);
    return NULL;
}
