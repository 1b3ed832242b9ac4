#include "simulate_table.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static uint64_t next(Table *t)
{
    return mix(t->random++);
}

static void add_row(Table *t)
{
    size_t slot = t->count;
    if (t->free_count)
        slot = t->free_slots[--t->free_count];
    if (slot == t->count) {
        size_t cap = t->cap;
        mem_grow(t->version, t->count, t->cap);
        mem_grow(t->id, t->count, cap);
        t->count++;
    }
    t->id[slot] = t->next_id++;
    t->version[slot] = 1;
    t->live++;
}

static void delete_row(Table *t, size_t slot)
{
    t->version[slot] = 0;
    t->live--;
    mem_grow(t->free_slots, t->free_count, t->free_cap);
    t->free_slots[t->free_count++] = slot;
}

void table_fill(Table *t, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        add_row(t);
}

/* A slot with a row in it, anywhere. */
static size_t any_row(Table *t)
{
    size_t slot;
    do
        slot = (size_t)(next(t) % t->count);
    while (!t->version[slot]);
    return slot;
}

void table_day(Table *t, const Plan *p)
{
    uint64_t rows = t->live;
    for (uint64_t n = rows * p->updated / 100000; n > 0; n--)
        t->version[any_row(t)]++;
    for (uint64_t n = rows * p->deleted / 100000; n > 0; n--)
        delete_row(t, any_row(t));
    for (uint64_t n = rows * p->appended / 100000; n > 0; n--)
        add_row(t);
}

static char *number(char *to, uint64_t v, unsigned base, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; v /= base)
        to[i] = "0123456789abcdef"[v % base];
    return to + digits;
}

/* About 100 bytes, of which a compressor saves about the half. */
static void add_text(uint64_t id, uint32_t version, Buf *out)
{
    static const char *const words[8] = {"open",     "paid",    "packed",   "shipped",
                                         "returned", "refused", "repaired", "closed"};
    char row[160], *at = row;
    uint64_t r = mix(id * 31 + version);
    at = number(at, id, 10, 8);
    *at++ = '\t';
    at = number(at, r, 16, 16);
    memcpy(at, "\tcustomer ", 10);
    at = number(at + 10, r % 100000, 10, 6);
    *at++ = '\t';
    const char *word = words[r % 8];
    memcpy(at, word, strlen(word));
    at += strlen(word);
    memcpy(at, "\t2026-", 6);
    at = number(at + 6, r % 12 + 1, 10, 2);
    *at++ = '-';
    at = number(at, r % 28 + 1, 10, 2);
    *at++ = '\t';
    at = number(at, mix(r) % 10000000, 10, 9);
    memcpy(at, "\tby hand, version ", 18);
    at = number(at + 18, version, 10, 5);
    *at++ = '\n';
    buf_add(out, row, (size_t)(at - row));
}

uint64_t table_text(const Table *t, size_t from, size_t to, Buf *out)
{
    uint64_t rows = 0;
    for (size_t i = from; i < to && i < t->count; i++)
        if (t->version[i]) {
            add_text(t->id[i], t->version[i], out);
            rows++;
        }
    return rows;
}

void table_clear(Table *t)
{
    free(t->version);
    free(t->id);
    free(t->free_slots);
    *t = (Table){0};
}
