#include "op/diff_rows.h"

#include <string.h>

#include "base/spill_sort.h"
#include "op/diff_window.h"
#include "pg/copy_text.h"

#define VALUE_SHOWN 1000 /* bytes of a value that are kept */
#define VALUE_BEFORE 40  /* of those before the first difference of a longer one */

/* One side: how its rows become rows of the columns that both have. */
typedef struct Side {
    DiffRows *d;
    int number;
    CopyLines lines;
    size_t columns;
    size_t *common; /* the place of each common column */
    bool as_is;     /* these are all, in order: nothing is to be done */
    Buf row;        /* scratch */
    CopyField *fields;
    DiffWindow *waiting; /* for the same row of the other side */
} Side;

struct DiffRows {
    DiffTable *table;
    bool keep;
    size_t limit;
    Error *(*take)(void *ctx, int side, const void *row, size_t n);
    void *ctx;
    SpillSort *sort;
    StrList common;
    size_t *key; /* places in common */
    size_t key_count, key_last;
    Side sides[2];
    Buf key_text;
};

static size_t place_of(const StrList *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i], name))
            return i;
    return SIZE_MAX;
}

static Error *take_row(void *ctx, const char *row, size_t n);

static void side_init(DiffRows *d, int number, const StrList *columns, size_t memory)
{
    Side *s = &d->sides[number];
    s->d = d;
    s->number = number;
    s->lines.take = take_row;
    s->lines.ctx = s;
    s->columns = columns->count;
    s->common = mem_calloc(d->common.count, sizeof *s->common);
    s->fields = mem_calloc(columns->count, sizeof *s->fields);
    s->as_is = columns->count == d->common.count;
    s->waiting = diff_window_new(memory);
    for (size_t i = 0; i < d->common.count; i++) {
        s->common[i] = place_of(columns, d->common.items[i]);
        s->as_is = s->as_is && s->common[i] == i;
    }
}

DiffRows *diff_rows_new(const DiffRowsSpec *spec, DiffTable *table)
{
    DiffRows *d = mem_new(DiffRows);
    d->table = table;
    d->keep = spec->keep;
    d->limit = spec->limit;
    d->take = spec->take;
    d->ctx = spec->ctx;
    d->sort = spill_sort_new(spec->memory / 2);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < spec->columns[side]->count; i++) {
            const char *name = spec->columns[side]->items[i];
            if (place_of(spec->columns[!side], name) == SIZE_MAX)
                strlist_add(&table->only[side], name);
            else if (!side)
                strlist_add(&d->common, name);
        }
    d->key_count = spec->key ? spec->key->count : 0;
    d->key = mem_calloc(d->key_count, sizeof *d->key);
    for (size_t i = 0; i < d->key_count; i++) {
        d->key[i] = place_of(&d->common, spec->key->items[i]);
        strlist_add(&table->key, spec->key->items[i]);
        if (d->key[i] > d->key_last)
            d->key_last = d->key[i];
    }
    side_init(d, 0, spec->columns[0], spec->memory / 4);
    side_init(d, 1, spec->columns[1], spec->memory / 4);
    return d;
}

void diff_rows_free(DiffRows *d)
{
    if (!d)
        return;
    for (int i = 0; i < 2; i++) {
        copy_lines_clear(&d->sides[i].lines);
        free(d->sides[i].common);
        free(d->sides[i].fields);
        diff_window_free(d->sides[i].waiting);
        buf_free(&d->sides[i].row);
    }
    spill_sort_free(d->sort);
    strlist_free(&d->common);
    free(d->key);
    buf_free(&d->key_text);
    free(d);
}

/* -- in --------------------------------------------------------------------------------------- */

/* The first `most` fields as they stand, escaped: no tab is inside of one. */
static size_t cut_fields(const char *row, size_t n, size_t most, CopyField *fields)
{
    const char *p = row, *end = row + n;
    for (size_t i = 0; i < most; i++) {
        const char *tab = memchr(p, '\t', (size_t)(end - p));
        fields[i] = (CopyField){p, (size_t)((tab ? tab : end) - p)};
        if (!tab)
            return i + 1;
        p = tab + 1;
    }
    return most;
}

static Error *wrong_width(const Side *s)
{
    FAIL(ERR_DAMAGED, "a row of %s.%s has not its %zu columns", s->d->table->schema,
         s->d->table->name, s->columns);
}

/* The common columns of a row, in their order. */
static Error *project(Side *s, const char **row, size_t *n)
{
    if (s->as_is)
        return NULL;
    if (cut_fields(*row, *n, s->columns, s->fields) != s->columns)
        return wrong_width(s);
    s->row.len = 0;
    for (size_t i = 0; i < s->d->common.count; i++) {
        const CopyField *f = &s->fields[s->common[i]];
        if (i)
            buf_u8(&s->row, '\t');
        buf_add(&s->row, f->p, f->n);
    }
    *row = s->row.data ? (const char *)s->row.data : "";
    *n = s->row.len;
    return NULL;
}

/* A row of the common columns goes where it meets the others of its key. */
static Error *sort_row(void *ctx, const char *row, size_t n)
{
    Side *s = ctx;
    DiffRows *d = s->d;
    SpillRecord r = {.key = (const uint8_t *)row, .key_n = (uint32_t)n, .tag = (uint8_t)s->number};
    if (d->key_count) {
        if (cut_fields(row, n, d->key_last + 1, s->fields) != d->key_last + 1)
            return wrong_width(s);
        d->key_text.len = 0;
        for (size_t i = 0; i < d->key_count; i++) {
            if (i)
                buf_u8(&d->key_text, '\t');
            buf_add(&d->key_text, s->fields[d->key[i]].p, s->fields[d->key[i]].n);
        }
        r = (SpillRecord){.key = d->key_text.data,
                          .key_n = (uint32_t)d->key_text.len,
                          .value = (const uint8_t *)row,
                          .value_n = (uint32_t)n,
                          .tag = (uint8_t)s->number};
    }
    return spill_sort_add(d->sort, &r);
}

/* A row that is on both sides takes its like away; the others wait for theirs, until they are too
 * many. */
static Error *take_row(void *ctx, const char *row, size_t n)
{
    Side *s = ctx;
    DiffRows *d = s->d;
    TRY(project(s, &row, &n));
    if (diff_window_take(d->sides[!s->number].waiting, row, n) ||
        diff_window_add(s->waiting, row, n))
        return NULL;
    TRY(diff_window_flush(s->waiting, sort_row, s));
    return diff_window_add(s->waiting, row, n) ? NULL : sort_row(s, row, n);
}

Error *diff_rows_add(DiffRows *d, int side, const char *row, size_t n)
{
    return take_row(&d->sides[side], row, n);
}

Error *diff_rows_take(void *ctx, int side, const void *p, size_t n)
{
    DiffRows *d = ctx;
    d->table->compared += n;
    return copy_lines_feed(&d->sides[side].lines, p, n);
}

/* -- out -------------------------------------------------------------------------------------- */

/* Whether a character begins at p. */
static bool begins(const char *p)
{
    return ((unsigned char)*p & 0xc0) != 0x80;
}

/* What is kept of a value: all, or a part of it that begins a little before `from`. */
static char *shown(const CopyField *f, size_t from)
{
    if (!f->p)
        return NULL;
    if (f->n <= VALUE_SHOWN)
        return mem_strndup(f->p, f->n);
    from = from > VALUE_BEFORE && from < f->n ? from - VALUE_BEFORE : 0;
    while (from && !begins(f->p + from))
        from--;
    size_t n = f->n - from < VALUE_SHOWN ? f->n - from : VALUE_SHOWN;
    while (n && from + n < f->n && !begins(f->p + from + n))
        n--;
    AUTO(char) part = mem_strndup(f->p + from, n);
    return mem_printf("%s%s%s", from ? "..." : "", part, from + n < f->n ? "..." : "");
}

/* How many bytes two values begin with that are the same. */
static size_t common_bytes(const CopyField *a, const CopyField *b)
{
    size_t n = 0, most = a->n < b->n ? a->n : b->n;
    while (a->p && b->p && n < most && a->p[n] == b->p[n])
        n++;
    return n;
}

static bool is_key(const DiffRows *d, size_t column)
{
    for (size_t i = 0; i < d->key_count; i++)
        if (d->key[i] == column)
            return true;
    return false;
}

static bool same_field(const CopyField *a, const CopyField *b)
{
    return !a->p == !b->p && a->n == b->n && (!a->p || !memcmp(a->p, b->p, a->n));
}

/* before or after: NULL where there is none. */
static Error *keep(DiffRows *d, DiffChange change, const Buf *before, const Buf *after)
{
    DiffTable *t = d->table;
    if (!d->keep || t->found_count >= d->limit)
        return NULL;
    AUTO_VALUE(CopyRow) x = {0};
    AUTO_VALUE(CopyRow) y = {0};
    if (before)
        TRY(copy_row_split((const char *)before->data, before->len, d->common.count, &x));
    if (after)
        TRY(copy_row_split((const char *)after->data, after->len, d->common.count, &y));
    DiffRow row = {.change = change, .values = mem_calloc(d->common.count, sizeof *row.values)};
    for (size_t i = 0; i < d->common.count; i++) {
        bool key = is_key(d, i);
        if (change == DIFF_CHANGED && !key && same_field(&x.fields[i], &y.fields[i]))
            continue;
        size_t from = before && after ? common_bytes(&x.fields[i], &y.fields[i]) : 0;
        row.values[row.count++] = (DiffValue){.column = mem_strdup(d->common.items[i]),
                                              .key = key,
                                              .before = before ? shown(&x.fields[i], from) : NULL,
                                              .after = after ? shown(&y.fields[i], from) : NULL};
    }
    mem_grow(t->found, t->found_count, t->found_cap);
    t->found[t->found_count++] = row;
    return NULL;
}

static Error *found(DiffRows *d, DiffChange change, const Buf *before, const Buf *after)
{
    uint64_t *counts[] = {&d->table->added, &d->table->removed, &d->table->changed};
    ++*counts[change];
    if (d->take && before)
        TRY(d->take(d->ctx, 0, before->data, before->len));
    if (d->take && after)
        TRY(d->take(d->ctx, 1, after->data, after->len));
    return keep(d, change, before, after);
}

/* A record's row: it is the key where there is none. */
static Buf row_of(const DiffRows *d, const SpillRecord *r)
{
    const uint8_t *p = d->key_count ? r->value : r->key;
    return (Buf){.data = (uint8_t *)p, .len = d->key_count ? r->value_n : r->key_n};
}

static bool same_bytes(const Buf *a, const uint8_t *p, size_t n)
{
    return a->len == n && (!n || !memcmp(a->data, p, n));
}

/* Rows of one key come one behind the other, those of side 0 first. With a real key there is at
 * most one a side; whole rows may come several times, and are counted off against each other. */
typedef struct KeyGroup {
    Buf key, row; /* row: the last of side 0 */
    bool open;
    uint64_t waiting; /* rows of side 0 without a counterpart */
} KeyGroup;
static void group_clear(KeyGroup *g)
{
    buf_free(&g->key);
    buf_free(&g->row);
}
DEFINE_AUTO_VALUE(KeyGroup, group_clear)

static Error *set(Buf *b, const uint8_t *p, size_t n)
{
    b->len = 0;
    TRY(buf_reserve(b, n, UINT32_MAX));
    buf_add(b, p, n);
    return NULL;
}

static Error *close_group(DiffRows *d, KeyGroup *g)
{
    for (; g->waiting; g->waiting--)
        TRY(found(d, DIFF_REMOVED, &g->row, NULL));
    return NULL;
}

static Error *add_to_group(DiffRows *d, KeyGroup *g, const SpillRecord *r)
{
    Buf row = row_of(d, r);
    if (!g->open || !same_bytes(&g->key, r->key, r->key_n)) {
        TRY(close_group(d, g));
        TRY(set(&g->key, r->key, r->key_n));
        g->open = true;
    }
    if (!r->tag) {
        /* A key that comes twice after all (a backup that was not consistent). */
        if (g->waiting && d->key_count)
            TRY(close_group(d, g));
        g->waiting++;
        return set(&g->row, row.data, row.len);
    }
    if (!g->waiting)
        return found(d, DIFF_ADDED, NULL, &row);
    g->waiting--;
    return same_bytes(&g->row, row.data, row.len) ? NULL : found(d, DIFF_CHANGED, &g->row, &row);
}

Error *diff_rows_end(DiffRows *d, uint64_t *spilled)
{
    AUTO_VALUE(KeyGroup) g = {0};
    for (int i = 0; i < 2; i++)
        TRY(copy_lines_end(&d->sides[i].lines));
    for (int i = 0; i < 2; i++)
        TRY(diff_window_flush(d->sides[i].waiting, sort_row, &d->sides[i]));
    for (;;) {
        SpillRecord r;
        bool end;
        TRY(spill_sort_next(d->sort, &r, &end));
        if (end)
            break;
        TRY(add_to_group(d, &g, &r));
    }
    *spilled += spill_sort_spilled(d->sort);
    return close_group(d, &g);
}
