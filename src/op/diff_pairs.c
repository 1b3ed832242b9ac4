#include <string.h>

#include "op/diff_work.h"

void diff_side_clear(DiffSide *s)
{
    if (s->choosing)
        selection_clear(&s->chosen);
    backup_read_clear(&s->backup);
    live_read_clear(&s->live);
}

void diff_work_clear(DiffWork *w)
{
    free(w->pairs);
    diff_side_clear(&w->sides[0]);
    diff_side_clear(&w->sides[1]);
}

const Toc *diff_side_toc(const DiffSide *s)
{
    return s->is_live ? live_read_toc(&s->live) : s->backup.toc;
}

/* -- which tables a side has ------------------------------------------------------------------ */

typedef struct Name {
    const char *schema, *name;
} Name;
typedef struct Names {
    Name *items;
    size_t count, cap;
} Names;
static void names_clear(Names *n)
{
    free(n->items);
}
DEFINE_AUTO_VALUE(Names, names_clear)

static int compare_names(const void *a, const void *b)
{
    const Name *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

static void names_init(Names *n, const Toc *toc)
{
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (!toc_is(e, "TABLE") && !toc_is(e, "FOREIGN TABLE"))
            continue;
        mem_grow(n->items, n->count, n->cap);
        n->items[n->count++] = (Name){e->schema, e->tag};
    }
    mem_sort(n->items, n->count, sizeof *n->items, compare_names);
}

static bool names_has(const Names *n, const char *schema, const char *name)
{
    Name wanted = {schema, name};
    return n->count && bsearch(&wanted, n->items, n->count, sizeof *n->items, compare_names);
}

static const RelationList *relations_of(const DiffSide *s)
{
    return s->is_live ? &s->live.relations : s->backup.relations_read ? &s->backup.relations : NULL;
}

/* -- pairs ------------------------------------------------------------------------------------ */

static Error *add_side(DiffWork *w, int number)
{
    const DiffSide *s = &w->sides[number];
    const Toc *toc = diff_side_toc(s);
    size_t source = 0;
    if (s->none)
        return NULL;
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (!toc_is_table_data(e))
            continue;
        DiffPair p = {0};
        p.entry[number] = e;
        const Source *from = s->is_live ? &s->live.sources.items[source++] : NULL;
        if (s->choosing && selection_mark(&s->chosen, e) != SELECTION_CHOSEN)
            continue;
        if (s->is_live) {
            p.source = from;
            p.schema = p.source->schema;
            p.name = p.source->name;
        } else {
            const Stream *stream =
                manifest_find_stream(s->backup.manifest, STREAM_TABLE, (uint32_t)e->dump_id);
            if (!stream)
                FAIL(ERR_DAMAGED, "backup %s has no rows for its entry %d (%s %s)", s->backup.id,
                     e->dump_id, e->desc, e->tag);
            p.stream[number] = stream;
            p.schema = stream->schema;
            p.name = stream->name;
        }
        mem_grow(w->pairs, w->count, w->cap);
        w->pairs[w->count++] = p;
    }
    return NULL;
}

static int compare_pairs(const void *a, const void *b)
{
    const DiffPair *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    if (!order)
        order = strcmp(x->name, y->name);
    return order ? order : !x->entry[0] - !y->entry[0];
}

/* Those of one name become one. */
static void join(DiffWork *w)
{
    size_t n = 0;
    mem_sort(w->pairs, w->count, sizeof *w->pairs, compare_pairs);
    for (size_t i = 0; i < w->count; i++) {
        DiffPair *p = &w->pairs[i], *last = n ? &w->pairs[n - 1] : NULL;
        if (last && !last->entry[1] && p->entry[1] && !strcmp(last->schema, p->schema) &&
            !strcmp(last->name, p->name)) {
            last->entry[1] = p->entry[1];
            last->stream[1] = p->stream[1];
            last->source = p->source;
        } else {
            w->pairs[n++] = *p;
        }
    }
    w->count = n;
}

Error *diff_pairs(DiffWork *w)
{
    AUTO_VALUE(Names) a = {0};
    AUTO_VALUE(Names) b = {0};
    const Names *defined[] = {&a, &b};
    TRY(add_side(w, 0));
    TRY(add_side(w, 1));
    join(w);
    names_init(&a, diff_side_toc(&w->sides[0]));
    names_init(&b, diff_side_toc(&w->sides[1]));
    for (size_t i = 0; i < w->count; i++) {
        DiffPair *p = &w->pairs[i];
        const TocEntry *any = p->entry[0] ? p->entry[0] : p->entry[1];
        for (int side = 0; side < 2; side++) {
            const RelationList *l = relations_of(&w->sides[side]);
            p->relation[side] = l ? relation_find(l, p->schema, p->name) : NULL;
            p->defined[side] = p->entry[side] || p->relation[side] ||
                               names_has(defined[side], any->schema, any->tag);
        }
    }
    return NULL;
}
