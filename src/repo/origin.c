#include "repo/origin.h"

#include <string.h>

#include "repo/repo_internal.h"

#define ORIGINS "origins/"

void origin_list_clear(OriginList *l)
{
    free(l->items);
    *l = (OriginList){0};
}

static Error *put(Repo *r, const char *name, const char *repository, PackId source, PackId target)
{
    AUTO(Doc) d = doc_object();
    char pack[NAME_TEXT];
    doc_set_str(d, "repository", repository);
    doc_set_str(d, "source", name_pack(source, pack));
    doc_set_str(d, "pack", name_pack(target, pack));
    return note_put(r, name, d);
}

Error *origin_put(Repo *r, const char *repository, PackId source, PackId target)
{
    char name[NAME_TEXT];
    return put(r, name_origin(repository, source, target, name), repository, source, target);
}

Error *origin_put_part(Repo *r, const char *repository, PackId source, PackId target)
{
    char name[NAME_TEXT];
    return put(r, name_origin_part(repository, source, target, name), repository, source, target);
}

static bool parse(const char *name, Origin *out)
{
    out->part = name_parse_origin_part(name, &out->source, &out->target);
    return out->part || name_parse_origin(name, &out->source, &out->target);
}

Error *origin_check(Repo *r, const char *name)
{
    AUTO(Doc) d = NULL;
    PackId source, target;
    char own[NAME_TEXT];
    TRY(note_get(r, name, &d));
    const char *repository = doc_str(d, "repository", "");
    bool sound = name_parse_pack(doc_str(d, "source", ""), &source) &&
                 name_parse_pack(doc_str(d, "pack", ""), &target) &&
                 (strcmp(name_origin(repository, source, target, own), name) == 0 ||
                  strcmp(name_origin_part(repository, source, target, own), name) == 0);
    if (!sound)
        FAIL(ERR_DAMAGED, "it is the origin of another pack");
    return NULL;
}

static Error *add_origin(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    OriginList *l = ctx;
    Origin o;
    if (!parse(name, &o))
        return NULL;
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] = o;
    return NULL;
}

static int by_source(const void *a, const void *b)
{
    const Origin *x = a, *y = b;
    int order = pack_id_compare(x->source, y->source);
    return order ? order : pack_id_compare(x->target, y->target);
}

Error *origin_list(Repo *r, const char *repository, OriginList *out)
{
    AUTO(char) folder = mem_printf(ORIGINS "%s/", repository);
    TRY(store_list(repo_store(r), folder, add_origin, out));
    mem_sort(out->items, out->count, sizeof *out->items, by_source);
    return NULL;
}

const Origin *origin_find(const OriginList *l, PackId source, size_t *count)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pack_id_compare(l->items[middle].source, source) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < l->count && pack_id_equal(l->items[end].source, source))
        end++;
    *count = end - low;
    return end > low ? &l->items[low] : NULL;
}

/* -- those of packs that were deleted ---------------------------------------------------------- */

typedef struct Sweep {
    OriginGone gone;
    const void *ctx;
    StrList names;
} Sweep;

static Error *suspect(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    Sweep *s = ctx;
    Origin o;
    if (parse(name, &o) && s->gone(s->ctx, o.target))
        strlist_add(&s->names, name);
    return NULL;
}

/* First the session: one that ended has made all its packs visible. */
static Error *sweep_one(Repo *r, const char *name)
{
    Origin o;
    char other[NAME_TEXT];
    bool session, pack;
    if (!parse(name, &o))
        return NULL;
    TRY(store_exists(repo_store(r), name_session(o.target.session, other), &session));
    TRY(store_exists(repo_store(r), name_pack(o.target, other), &pack));
    Error *e = session || pack ? NULL : store_delete(repo_store(r), name);
    if (e && error_kind(e) != ERR_NOT_FOUND) /* another prune was faster */
        return e;
    error_drop(e);
    return NULL;
}

Error *origin_sweep(Repo *r, OriginGone gone, const void *ctx)
{
    Sweep s = {.gone = gone, .ctx = ctx};
    Error *e = store_list(repo_store(r), ORIGINS, suspect, &s);
    for (size_t i = 0; i < s.names.count && !e; i++)
        e = sweep_one(r, s.names.items[i]);
    strlist_free(&s.names);
    return e;
}
