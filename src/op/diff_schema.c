#include "op/diff_schema.h"

#include <string.h>

#include "base/line_diff.h"

/* An entry, and the text that stands for it. */
typedef struct Entry {
    const TocEntry *e;
    char *text;
} Entry;
typedef struct Entries {
    Entry *items;
    size_t count, cap;
} Entries;
static void entries_clear(Entries *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i].text);
    free(l->items);
}
DEFINE_AUTO_VALUE(Entries, entries_clear)

static bool is_sequence_value(const TocEntry *e)
{
    return toc_is(e, "SEQUENCE SET");
}

/* Data, and what says how data is to be read. */
static bool is_data(const TocEntry *e)
{
    static const char *const kinds[] = {"TABLE DATA", "BLOBS", "BLOB", "BLOB METADATA",
                                        "STATISTICS DATA"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (toc_is(e, kinds[i]))
            return true;
    return false;
}

/* The database itself, its comment and privileges: two databases need not have one name. */
static bool is_database(const TocEntry *e)
{
    return toc_is(e, "DATABASE") || toc_is(e, "DATABASE PROPERTIES") ||
           text_starts(e->tag, "DATABASE ");
}

/* The definition without the blank lines at its end, and what else pg_restore makes of an entry. */
static char *text_of(const TocEntry *e)
{
    Buf b = {0};
    size_t n = strlen(e->defn);
    while (n && (e->defn[n - 1] == '\n' || e->defn[n - 1] == ' '))
        n--;
    buf_add(&b, e->defn, n);
    const struct {
        const char *what, *value;
    } more[] = {{"owner", e->owner}, {"tablespace", e->tablespace}, {"access method", e->tableam}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (*more[i].value)
            buf_printf(&b, "%s%s: %s", b.len ? "\n" : "", more[i].what, more[i].value);
    return buf_steal_str(&b);
}

static int compare_names(const TocEntry *a, const TocEntry *b)
{
    int order = strcmp(a->schema, b->schema);
    if (!order)
        order = strcmp(a->desc, b->desc);
    return order ? order : strcmp(a->tag, b->tag);
}

static int compare_entries(const void *x, const void *y)
{
    const Entry *a = x, *b = y;
    int order = compare_names(a->e, b->e);
    return order ? order : strcmp(a->text, b->text);
}

static void collect(const Toc *toc, const Selection *chosen, bool databases, Entries *out)
{
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (is_data(e) || (is_database(e) && !databases) ||
            (chosen && selection_mark(chosen, e) != SELECTION_CHOSEN &&
             selection_mark(chosen, e) != SELECTION_REFERS))
            continue;
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = (Entry){e, text_of(e)};
    }
    mem_sort(out->items, out->count, sizeof *out->items, compare_entries);
}

static void report(DiffResult *r, const Entry *a, const Entry *b)
{
    const TocEntry *e = (a ? a : b)->e;
    AUTO_VALUE(Buf) text = {0};
    if (a && b)
        line_diff(a->text, b->text, &text);
    DiffObject o = {.change = a && b ? DIFF_CHANGED
                              : a    ? DIFF_REMOVED
                                     : DIFF_ADDED,
                    .kind = mem_strdup(e->desc),
                    .schema = mem_strdup(e->schema),
                    .name = mem_strdup(e->tag),
                    .text = buf_steal_str(&text)};
    if (is_sequence_value(e)) {
        mem_grow(r->sequences, r->sequence_count, r->sequence_cap);
        r->sequences[r->sequence_count++] = o;
    } else {
        mem_grow(r->objects, r->object_count, r->object_cap);
        r->objects[r->object_count++] = o;
    }
}

/* Entries of one name, [*i, i_to) and [*j, j_to): those with the same text go out together, what is
 * left is changed, one by one. */
static void match(DiffResult *r, const Entries *a, size_t i, size_t i_to, const Entries *b,
                  size_t j, size_t j_to)
{
    const Entry *left[2][8];
    size_t n[2] = {0};
    while (i < i_to || j < j_to) {
        int order = i == i_to ? 1 : j == j_to ? -1 : strcmp(a->items[i].text, b->items[j].text);
        if (!order) {
            i++;
            j++;
            continue;
        }
        bool first = order < 0;
        const Entry *e = first ? &a->items[i++] : &b->items[j++];
        /* Several entries of one name are rare, many unheard of. */
        if (n[!first] == 8)
            report(r, first ? e : NULL, first ? NULL : e);
        else
            left[!first][n[!first]++] = e;
    }
    for (size_t k = 0; k < n[0] || k < n[1]; k++)
        report(r, k < n[0] ? left[0][k] : NULL, k < n[1] ? left[1][k] : NULL);
}

static size_t group_end(const Entries *l, size_t i)
{
    size_t end = i + 1;
    while (end < l->count && !compare_names(l->items[i].e, l->items[end].e))
        end++;
    return end;
}

void diff_schema(const Toc *const toc[2], const Selection *const chosen[2], const bool none[2],
                 DiffResult *out)
{
    AUTO_VALUE(Entries) a = {0};
    AUTO_VALUE(Entries) b = {0};
    bool databases = !strcmp(toc[0]->dbname, toc[1]->dbname);
    if (!none[0])
        collect(toc[0], chosen[0], databases, &a);
    if (!none[1])
        collect(toc[1], chosen[1], databases, &b);
    for (size_t i = 0, j = 0; i < a.count || j < b.count;) {
        int order = i == a.count   ? 1
                    : j == b.count ? -1
                                   : compare_names(a.items[i].e, b.items[j].e);
        size_t i_to = order <= 0 ? group_end(&a, i) : i, j_to = order >= 0 ? group_end(&b, j) : j;
        match(out, &a, i, i_to, &b, j, j_to);
        i = i_to;
        j = j_to;
    }
}
