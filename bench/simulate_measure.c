#include "simulate_measure.h"

#include <string.h>

#include "repo/repo_internal.h"

void kept_clear(Kept *k)
{
    free(k->id);
    free(k->chunks);
    *k = (Kept){0};
}

static int by_place(const void *a, const void *b)
{
    const ChunkRef *x = a, *y = b;
    int order = pack_id_compare(x->pack, y->pack);
    if (!order)
        order = (x->frame > y->frame) - (x->frame < y->frame);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Drops what is there twice. */
static size_t unique(ChunkRef *c, size_t count)
{
    size_t n = 0;
    mem_sort(c, count, sizeof *c, by_place);
    for (size_t i = 0; i < count; i++)
        if (!i || by_place(&c[i], &c[n - 1]) != 0)
            c[n++] = c[i];
    return n;
}

Error *kept_load(Repo *r, Kept *k)
{
    AUTO(Manifest) m = NULL;
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    TRY(catalog_load(r, k->id, &m));
    for (size_t i = 0; i < m->stream_count; i++)
        for (size_t p = 0; p < m->streams[i].piece_count; p++) {
            AUTO_VALUE(Page) page = {0};
            TRY(recipe_load(repo_packs(r), &m->streams[i].pieces[p].recipe, codec, hash, &page));
            for (size_t c = 0; c < page.count; c++) {
                mem_grow(k->chunks, k->count, k->cap);
                k->chunks[k->count++] = page.chunks[c];
            }
        }
    k->count = unique(k->chunks, k->count);
    return NULL;
}

typedef struct Sum {
    Repo *repo;
    const ChunkRef *live; /* sorted */
    size_t live_count;
    uint64_t all;
    Usage *out;
    double used;
} Sum;

static Error *add_object(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    *(uint64_t *)ctx += size;
    return NULL;
}

static Error *add_pack(void *ctx, const char *name, uint64_t size)
{
    Sum *s = ctx;
    PackInfo info = {.size = size};
    FrameInfo *frames = NULL;
    size_t count, low = 0, high = s->live_count;
    if (!name_parse_pack(name, &info.id))
        return NULL;
    TRY(pack_read_footer(repo_packs(s->repo), info.id, &info, &frames, &count));
    free(frames);
    if (info.kind != PACK_DATA)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pack_id_compare(s->live[middle].pack, info.id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    uint64_t used = 0;
    for (; low < s->live_count && pack_id_equal(s->live[low].pack, info.id); low++)
        used += s->live[low].length;
    s->out->packs++;
    s->out->packs_stored += size;
    s->used += info.raw ? (double)size * (double)used / (double)info.raw : 0;
    return NULL;
}

Error *usage_measure(Repo *r, const Kept *kept, size_t count, Usage *out)
{
    ChunkRef *all = NULL;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += kept[i].count;
    all = mem_calloc(n, sizeof *all);
    n = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(all + n, kept[i].chunks, kept[i].count * sizeof *all);
        n += kept[i].count;
    }
    *out = (Usage){0};
    Sum s = {.repo = r, .live = all, .live_count = unique(all, n), .out = out};
    Error *e = store_list(repo_store(r), "packs/", add_pack, &s);
    if (!e)
        e = store_list(repo_store(r), "", add_object, &out->repository);
    free(all);
    out->dead = out->packs_stored ? 1 - s.used / (double)out->packs_stored : 0;
    return e;
}

Error *usage_restore(Repo *r, const char *id, uint64_t text_bytes, double *amplification)
{
    AUTO(Manifest) m = NULL;
    TRY(catalog_load(r, id, &m));
    double used = 0;
    for (size_t i = 0; i < m->pack_count; i++) {
        const PackInfo *p = &m->packs[i];
        if (p->kind == PACK_DATA && p->raw)
            used += (double)p->size * (double)p->used / (double)p->raw;
    }
    uint64_t fetched = 0, bytes = 0;
    for (size_t i = 0; i < m->stream_count; i++) {
        AUTO(StreamReader) sr = NULL;
        const uint8_t *p;
        size_t n;
        TRY(stream_reader_open(r, m, &m->streams[i], &sr));
        do {
            TRY(stream_reader_next(sr, &p, &n));
            bytes += n;
        } while (n);
        fetched += stream_reader_fetched(sr);
    }
    if (bytes != text_bytes)
        FAIL(ERR_INTERNAL, "%s gave %llu bytes back of %llu", id, (unsigned long long)bytes,
             (unsigned long long)text_bytes);
    *amplification = used > 0 ? (double)fetched / used : 1;
    return NULL;
}
