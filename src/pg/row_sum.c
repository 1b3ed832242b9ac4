#include "pg/row_sum.h"

#include <inttypes.h>
#include <stdio.h>

static Error *take(void *ctx, const char *row, size_t n)
{
    row_sum_add(ctx, row, n);
    return NULL;
}

void row_sum_begin(RowSum *s)
{
    s->hash = hash_new();
    s->lines = (CopyLines){.take = take, .ctx = s};
}

void row_sum_clear(RowSum *s)
{
    if (s->hash)
        hash_free(s->hash);
    copy_lines_clear(&s->lines);
    *s = (RowSum){0};
}

static uint64_t number(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

void row_sum_add(RowSum *s, const void *row, size_t n)
{
    uint8_t whole[HASH_BYTES];
    hash_once(s->hash, row, n, whole);
    uint64_t low = number(whole);
    s->low += low;
    s->high += number(whole + 8) + (s->low < low);
    s->rows++;
}

Error *row_sum_feed(RowSum *s, const void *p, size_t n)
{
    return copy_lines_feed(&s->lines, p, n);
}

Error *row_sum_end(const RowSum *s)
{
    return copy_lines_end(&s->lines);
}

bool row_sum_equal(const RowSum *a, const RowSum *b)
{
    return a->rows == b->rows && a->low == b->low && a->high == b->high;
}

char *row_sum_text(const RowSum *s, char out[ROW_SUM_TEXT])
{
    snprintf(out, ROW_SUM_TEXT, "%016" PRIx64 "%016" PRIx64, s->high, s->low);
    return out;
}
