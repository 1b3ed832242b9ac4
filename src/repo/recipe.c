#include "repo/recipe.h"

#include <string.h>

#include "repo/repo_internal.h"

/* The first byte of what a recipe frame holds. */
enum { PAGE_TYPE = 1, INDEX_TYPE = 2 };

#define PIECE_CHUNKS_MAX (4u << 20)
#define PAGE_CHUNKS_MIN 16u
/* An index must fit into a frame whatever the chunks are: at most this many samples (the rest are
 * left out), and pages so large that there are never more than twice so many. */
#define INDEX_SAMPLES_MAX 32768u
#define INDEX_PAGES_TARGET 16384u
#define INDEX_PAGES_MAX (4 * INDEX_PAGES_TARGET)
#define RECIPE_LEVEL 1 /* hashes hardly shrink: the cheapest level takes what there is */

void recipe_ref_clear(RecipeRef *r)
{
    buf_free(&r->bytes);
    *r = (RecipeRef){0};
}

void recipe_ref_copy(RecipeRef *to, const RecipeRef *from)
{
    *to = *from;
    to->bytes = (Buf){0};
    buf_add(&to->bytes, from->bytes.data, from->bytes.len);
}

void piece_clear(Piece *p)
{
    recipe_ref_clear(&p->recipe);
    *p = (Piece){0};
}

void page_clear(Page *p)
{
    free(p->chunks);
    *p = (Page){0};
}

void recipe_index_clear(RecipeIndex *x)
{
    free(x->pages);
    free(x->samples);
    *x = (RecipeIndex){0};
}

void piece_digest_all(const Piece *pieces, size_t count, uint8_t out[HASH_BYTES])
{
    AUTO(Hash) h = hash_new();
    for (size_t i = 0; i < count; i++)
        hash_add(h, pieces[i].digest, HASH_BYTES);
    hash_end(h, out);
}

static void short_hash(Hash *h, const Buf *b, ChunkId *out)
{
    uint8_t whole[HASH_BYTES];
    hash_once(h, b->data, b->len, whole);
    memcpy(out->b, whole, CHUNK_ID_BYTES);
}

/* -- pages ----------------------------------------------------------------------------------- */

/* The tables that a page is coded with: each pack and each frame once, in the order of their first
 * use, so that equal chunks at equal places give equal bytes. */
typedef struct Place {
    PackId pack;
    uint32_t pack_index, frame;
} Place;

typedef struct Tables {
    PackId *packs;
    Place *frames;
    size_t pack_count, frame_count;
} Tables;

static void tables_clear(Tables *t)
{
    free(t->packs);
    free(t->frames);
}
DEFINE_AUTO_VALUE(Tables, tables_clear)

static uint32_t pack_number(Tables *t, PackId id)
{
    for (size_t i = t->pack_count; i-- > 0;)
        if (pack_id_equal(t->packs[i], id))
            return (uint32_t)i;
    t->packs[t->pack_count] = id;
    return (uint32_t)t->pack_count++;
}

/* Neighbours mostly lie in the same frame, so the search begins at the newest. */
static uint32_t frame_number(Tables *t, const ChunkRef *c)
{
    for (size_t i = t->frame_count; i-- > 0;)
        if (t->frames[i].frame == c->frame && pack_id_equal(t->frames[i].pack, c->pack))
            return (uint32_t)i;
    t->frames[t->frame_count] = (Place){c->pack, pack_number(t, c->pack), c->frame};
    return (uint32_t)t->frame_count++;
}

typedef struct Run {
    uint32_t frame, first, count;
} Run;

void page_encode(const ChunkRef *chunks, size_t count, Buf *out)
{
    AUTO_VALUE(Tables)
    t = {.packs = mem_calloc(count, sizeof(PackId)), .frames = mem_calloc(count, sizeof(Place))};
    Run *runs = mem_calloc(count, sizeof *runs);
    size_t run_count = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t frame = frame_number(&t, &chunks[i]);
        Run *last = run_count ? &runs[run_count - 1] : NULL;
        if (last && last->frame == frame && last->first + last->count == chunks[i].index)
            last->count++;
        else
            runs[run_count++] = (Run){frame, chunks[i].index, 1};
    }
    buf_u8(out, PAGE_TYPE);
    buf_varint(out, t.pack_count);
    for (size_t i = 0; i < t.pack_count; i++)
        pack_id_write(out, t.packs[i]);
    buf_varint(out, t.frame_count);
    for (size_t i = 0; i < t.frame_count; i++) {
        buf_varint(out, t.frames[i].pack_index);
        buf_varint(out, t.frames[i].frame);
    }
    buf_varint(out, run_count);
    for (size_t i = 0; i < run_count; i++) {
        buf_varint(out, runs[i].frame);
        buf_varint(out, runs[i].first);
        buf_varint(out, runs[i].count);
    }
    for (size_t i = 0; i < count; i++) {
        buf_varint(out, chunks[i].length);
        buf_add(out, chunks[i].id.b, CHUNK_ID_BYTES);
    }
    free(runs);
}

static Error *wrong_type(const Reader *r, uint8_t type)
{
    FAIL(ERR_DAMAGED, "%s begins with %u, which is not its type", r->what, type);
}

static Error *read_packs(Reader *r, size_t max, PackId **packs, size_t *count)
{
    uint64_t n;
    TRY(reader_varint_max(r, max, &n));
    if (n > reader_left(r) / (SESSION_BYTES + 4))
        FAIL(ERR_DAMAGED, "%s ends too early", r->what);
    *packs = mem_calloc((size_t)n, sizeof **packs);
    *count = (size_t)n;
    for (size_t i = 0; i < n; i++)
        TRY(pack_id_read(r, &(*packs)[i]));
    return NULL;
}

static Error *read_frames(Reader *r, Tables *t)
{
    uint64_t n;
    TRY(reader_varint_max(r, PAGE_CHUNKS_MAX, &n));
    t->frames = mem_calloc((size_t)n, sizeof *t->frames);
    t->frame_count = (size_t)n;
    for (size_t i = 0; i < n; i++) {
        uint64_t pack, frame;
        TRY(reader_varint(r, &pack));
        TRY(reader_varint_max(r, UINT32_MAX - 1, &frame));
        if (pack >= t->pack_count)
            FAIL(ERR_DAMAGED, "%s names pack %llu of %zu", r->what, (unsigned long long)pack,
                 t->pack_count);
        t->frames[i] = (Place){t->packs[pack], (uint32_t)pack, (uint32_t)frame};
    }
    return NULL;
}

/* Adds the places of all runs; ids and lengths follow them. */
static Error *read_runs(Reader *r, const Tables *t, Page *out)
{
    uint64_t runs, frame, first, count;
    size_t before = out->count;
    TRY(reader_varint_max(r, PAGE_CHUNKS_MAX, &runs));
    for (size_t i = 0; i < runs; i++) {
        TRY(reader_varint(r, &frame));
        TRY(reader_varint_max(r, FRAME_LIMIT, &first));
        TRY(reader_varint_max(r, PAGE_CHUNKS_MAX - (out->count - before), &count));
        if (frame >= t->frame_count || !count)
            FAIL(ERR_DAMAGED, "%s has a run of %llu chunks in frame %llu of %zu", r->what,
                 (unsigned long long)count, (unsigned long long)frame, t->frame_count);
        for (uint32_t k = 0; k < count; k++) {
            mem_grow(out->chunks, out->count, out->cap);
            out->chunks[out->count++] = (ChunkRef){.pack = t->frames[frame].pack,
                                                   .frame = t->frames[frame].frame,
                                                   .index = (uint32_t)first + k};
        }
    }
    return NULL;
}

Error *page_decode(const void *p, size_t n, Page *out)
{
    Reader r = reader_over(p, n, "a recipe's page");
    AUTO_VALUE(Tables) t = {0};
    uint8_t type;
    size_t before = out->count;
    TRY(reader_u8(&r, &type));
    if (type != PAGE_TYPE)
        return wrong_type(&r, type);
    TRY(read_packs(&r, PAGE_CHUNKS_MAX, &t.packs, &t.pack_count));
    TRY(read_frames(&r, &t));
    TRY(read_runs(&r, &t, out));
    for (size_t i = before; i < out->count; i++) {
        uint64_t length;
        const uint8_t *id;
        TRY(reader_varint_max(&r, CHUNK_LIMIT, &length));
        TRY(reader_bytes(&r, CHUNK_ID_BYTES, &id));
        if (!length)
            FAIL(ERR_DAMAGED, "%s has a chunk without bytes", r.what);
        out->chunks[i].length = (uint32_t)length;
        memcpy(out->chunks[i].id.b, id, CHUNK_ID_BYTES);
    }
    return reader_end(&r);
}

/* -- the index ------------------------------------------------------------------------------- */

void recipe_index_encode(const RecipeIndex *x, Buf *out)
{
    AUTO_VALUE(Tables) t = {.packs = mem_calloc(x->page_count, sizeof(PackId))};
    AUTO_VALUE(Buf) pages = {0};
    for (size_t i = 0; i < x->page_count; i++) {
        const PageRef *p = &x->pages[i];
        buf_varint(&pages, pack_number(&t, p->pack));
        buf_varint(&pages, p->frame);
        buf_varint(&pages, p->raw);
        buf_varint(&pages, p->chunks);
        buf_varint(&pages, p->bytes);
        buf_add(&pages, p->hash.b, CHUNK_ID_BYTES);
    }
    buf_u8(out, INDEX_TYPE);
    buf_varint(out, t.pack_count);
    for (size_t i = 0; i < t.pack_count; i++)
        pack_id_write(out, t.packs[i]);
    buf_varint(out, x->page_count);
    buf_add(out, pages.data, pages.len);
    buf_varint(out, x->sample_count);
    for (size_t i = 0; i < x->sample_count; i++)
        buf_add(out, x->samples[i].b, CHUNK_ID_BYTES);
}

static Error *read_page_ref(Reader *r, const Tables *t, PageRef *out)
{
    uint64_t pack, frame, raw, chunks, bytes;
    const uint8_t *hash;
    TRY(reader_varint(r, &pack));
    TRY(reader_varint_max(r, UINT32_MAX - 1, &frame));
    TRY(reader_varint_max(r, FRAME_LIMIT, &raw));
    TRY(reader_varint_max(r, PAGE_CHUNKS_MAX, &chunks));
    TRY(reader_varint_max(r, (uint64_t)PAGE_CHUNKS_MAX * CHUNK_LIMIT, &bytes));
    TRY(reader_bytes(r, CHUNK_ID_BYTES, &hash));
    if (pack >= t->pack_count)
        FAIL(ERR_DAMAGED, "%s names pack %llu of %zu", r->what, (unsigned long long)pack,
             t->pack_count);
    *out = (PageRef){.pack = t->packs[pack],
                     .frame = (uint32_t)frame,
                     .raw = (uint32_t)raw,
                     .chunks = (uint32_t)chunks,
                     .bytes = bytes};
    memcpy(out->hash.b, hash, CHUNK_ID_BYTES);
    return NULL;
}

Error *recipe_index_decode(const void *p, size_t n, RecipeIndex *out)
{
    Reader r = reader_over(p, n, "a recipe's index");
    AUTO_VALUE(Tables) t = {0};
    uint8_t type;
    uint64_t count, total = 0;
    TRY(reader_u8(&r, &type));
    if (type != INDEX_TYPE)
        return wrong_type(&r, type);
    TRY(read_packs(&r, INDEX_PAGES_MAX, &t.packs, &t.pack_count));
    TRY(reader_varint_max(&r, INDEX_PAGES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        mem_grow(out->pages, out->page_count, out->page_cap);
        TRY(read_page_ref(&r, &t, &out->pages[out->page_count]));
        total += out->pages[out->page_count++].chunks;
    }
    if (total > PIECE_CHUNKS_MAX)
        FAIL(ERR_DAMAGED, "%s names %llu chunks", r.what, (unsigned long long)total);
    TRY(reader_varint_max(&r, INDEX_SAMPLES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        const uint8_t *id;
        TRY(reader_bytes(&r, CHUNK_ID_BYTES, &id));
        mem_grow(out->samples, out->sample_count, out->sample_cap);
        memcpy(out->samples[out->sample_count++].b, id, CHUNK_ID_BYTES);
    }
    return reader_end(&r);
}

static void add_samples(RecipeIndex *x, const ChunkRef *chunks, size_t count)
{
    for (size_t i = 0; i < count && x->sample_count < INDEX_SAMPLES_MAX; i++)
        if (chunk_is_sample(&chunks[i].id)) {
            mem_grow(x->samples, x->sample_count, x->sample_cap);
            x->samples[x->sample_count++] = chunks[i].id;
        }
}

/* -- writing --------------------------------------------------------------------------------- */

/* How many of the chunks the next page takes. */
static size_t page_length(const ChunkRef *chunks, size_t count, size_t least)
{
    size_t n = 0;
    while (n < count && n < PAGE_CHUNKS_MAX) {
        bool ends = chunk_ends_page(&chunks[n].id);
        n++;
        if (ends && n >= least)
            break;
    }
    return n;
}

/* Steps of two, so that a piece which grows a little keeps its pages. */
static size_t page_least(size_t count)
{
    size_t least = PAGE_CHUNKS_MIN;
    while (least < PAGE_CHUNKS_MAX && count / least > INDEX_PAGES_TARGET)
        least *= 2;
    return least;
}

static Error *tell_use(RecipeWriter *w, PackId pack, uint32_t raw)
{
    return w->use ? w->use(w->use_ctx, pack, raw) : NULL;
}

static Error *put_frame(RecipeWriter *w, const Buf *b, PackId *pack, uint32_t *frame)
{
    uint64_t stored = 0;
    FrameBody body = {.raw = b->data, .n = b->len, .level = RECIPE_LEVEL};
    if (b->len > FRAME_LIMIT)
        FAIL(ERR_LIMIT, "a recipe of %zu bytes is larger than a frame may be", b->len);
    TRY(packer_reserve(w->packer, pack, frame));
    TRY(packer_put(w->packer, *pack, *frame, &body, w->codec, w->hash, &stored));
    *w->stored += stored;
    return NULL;
}

/* The parent's pages by hash; the inline page of a parent has no place that could be shared. */
typedef struct KnownPages {
    const PageRef **sorted;
    size_t count;
} KnownPages;

static void known_pages_clear(KnownPages *k)
{
    free(k->sorted);
}
DEFINE_AUTO_VALUE(KnownPages, known_pages_clear)

static int by_hash(const void *a, const void *b)
{
    const PageRef *const *x = a, *const *y = b;
    return memcmp((*x)->hash.b, (*y)->hash.b, CHUNK_ID_BYTES);
}

static void known_pages_init(KnownPages *k, const RecipeIndex *parent)
{
    if (!parent)
        return;
    k->sorted = mem_calloc(parent->page_count, sizeof *k->sorted);
    for (size_t i = 0; i < parent->page_count; i++)
        if (parent->pages[i].raw)
            k->sorted[k->count++] = &parent->pages[i];
    qsort(k->sorted, k->count, sizeof *k->sorted, by_hash);
}

static const PageRef *known_page(const KnownPages *k, const PageRef *wanted)
{
    const PageRef **found =
        k->count ? bsearch(&wanted, k->sorted, k->count, sizeof *k->sorted, by_hash) : NULL;
    return found && (*found)->raw == wanted->raw ? *found : NULL;
}

/* Fills in the place of a page: the parent's, or a new frame. */
static Error *place_page(RecipeWriter *w, const Buf *b, const KnownPages *known, PageRef *page)
{
    short_hash(w->hash, b, &page->hash);
    page->raw = (uint32_t)b->len;
    const PageRef *same = known_page(known, page);
    if (same) {
        page->pack = same->pack;
        page->frame = same->frame;
    } else {
        TRY(put_frame(w, b, &page->pack, &page->frame));
    }
    return tell_use(w, page->pack, page->raw);
}

static Error *write_index(RecipeWriter *w, const RecipeIndex *x, const RecipeRef *parent_ref,
                          RecipeRef *out)
{
    AUTO_VALUE(Buf) b = {0};
    recipe_index_encode(x, &b);
    short_hash(w->hash, &b, &out->hash);
    out->kind = RECIPE_INDEX;
    out->raw = (uint32_t)b.len;
    if (parent_ref && parent_ref->kind == RECIPE_INDEX && parent_ref->raw == out->raw &&
        !memcmp(parent_ref->hash.b, out->hash.b, CHUNK_ID_BYTES)) {
        recipe_ref_copy(out, parent_ref);
    } else {
        TRY(put_frame(w, &b, &out->pack, &out->frame));
    }
    return tell_use(w, out->pack, out->raw);
}

Error *recipe_write(RecipeWriter *w, const ChunkRef *chunks, size_t count,
                    const RecipeIndex *parent, const RecipeRef *parent_ref, RecipeRef *out)
{
    AUTO_VALUE(RecipeIndex) x = {0};
    AUTO_VALUE(KnownPages) known = {0};
    AUTO_VALUE(Buf) b = {0};
    if (count > PIECE_CHUNKS_MAX)
        FAIL(ERR_LIMIT, "a piece of %zu chunks is larger than a recipe can be", count);
    *out = (RecipeRef){0};
    known_pages_init(&known, parent);
    size_t least = page_least(count), at = 0;
    do {
        size_t n = page_length(chunks + at, count - at, least);
        PageRef page = {.chunks = (uint32_t)n};
        for (size_t i = 0; i < n; i++)
            page.bytes += chunks[at + i].length;
        b.len = 0;
        page_encode(chunks + at, n, &b);
        if (n == count && b.len <= INLINE_MAX) {
            out->kind = RECIPE_INLINE;
            out->raw = (uint32_t)b.len;
            short_hash(w->hash, &b, &out->hash);
            out->bytes = b;
            b = (Buf){0};
            return NULL;
        }
        TRY(place_page(w, &b, &known, &page));
        mem_grow(x.pages, x.page_count, x.page_cap);
        x.pages[x.page_count++] = page;
        at += n;
    } while (at < count);
    if (x.page_count == 1) {
        const PageRef *p = &x.pages[0];
        *out = (RecipeRef){RECIPE_PAGE, p->pack, p->frame, p->raw, p->hash, {0}};
        return NULL;
    }
    add_samples(&x, chunks, count);
    return write_index(w, &x, parent_ref, out);
}

Error *recipe_each_use(const RecipeRef *ref, const RecipeIndex *index, RecipeUse use, void *ctx)
{
    if (ref->kind == RECIPE_INLINE)
        return NULL;
    TRY(use(ctx, ref->pack, ref->raw));
    if (ref->kind == RECIPE_INDEX)
        for (size_t i = 0; i < index->page_count; i++)
            TRY(use(ctx, index->pages[i].pack, index->pages[i].raw));
    return NULL;
}

/* -- reading --------------------------------------------------------------------------------- */

/* One page or index: a frame whose bytes must have the hash that refers to them. */
static Error *get_frame(PackReader *r, PackId pack, uint32_t frame, const ChunkId *hash,
                        Codec *codec, Hash *h, Frame *out)
{
    ChunkId found;
    TRY(pack_read_frame(r, pack, frame, codec, h, out));
    short_hash(h, &out->raw, &found);
    if (memcmp(found.b, hash->b, CHUNK_ID_BYTES) != 0) {
        char name[NAME_TEXT];
        FAIL(ERR_DAMAGED, "%s: frame %u holds another recipe than the one looked for",
             name_pack(pack, name), frame);
    }
    return NULL;
}

static Error *get_index(PackReader *r, const RecipeRef *ref, Codec *codec, Hash *hash,
                        RecipeIndex *out)
{
    AUTO_VALUE(Frame) f = {0};
    TRY(get_frame(r, ref->pack, ref->frame, &ref->hash, codec, hash, &f));
    return recipe_index_decode(f.raw.data, f.raw.len, out);
}

/* Decodes one page to the end of `out`, which must gain what the index says. */
static Error *get_page(PackReader *r, const PageRef *page, Codec *codec, Hash *hash, Frame *f,
                       Page *out)
{
    size_t before = out->count;
    uint64_t bytes = 0;
    TRY(get_frame(r, page->pack, page->frame, &page->hash, codec, hash, f));
    TRY(page_decode(f->raw.data, f->raw.len, out));
    for (size_t i = before; i < out->count; i++)
        bytes += out->chunks[i].length;
    if (out->count - before != page->chunks || bytes != page->bytes) {
        char name[NAME_TEXT];
        FAIL(ERR_DAMAGED, "%s: the recipe page in frame %u has other chunks than its index says",
             name_pack(page->pack, name), page->frame);
    }
    return NULL;
}

Error *recipe_load(PackReader *r, const RecipeRef *ref, Codec *codec, Hash *hash, Page *out)
{
    AUTO_VALUE(Frame) f = {0};
    if (ref->kind == RECIPE_INLINE)
        return page_decode(ref->bytes.data, ref->bytes.len, out);
    if (ref->kind == RECIPE_PAGE) {
        TRY(get_frame(r, ref->pack, ref->frame, &ref->hash, codec, hash, &f));
        return page_decode(f.raw.data, f.raw.len, out);
    }
    AUTO_VALUE(RecipeIndex) x = {0};
    TRY(get_index(r, ref, codec, hash, &x));
    for (size_t i = 0; i < x.page_count; i++)
        TRY(get_page(r, &x.pages[i], codec, hash, &f, out));
    return NULL;
}

Error *recipe_load_index(PackReader *r, const RecipeRef *ref, Codec *codec, Hash *hash,
                         RecipeIndex *out)
{
    if (ref->kind == RECIPE_INDEX)
        return get_index(r, ref, codec, hash, out);
    AUTO_VALUE(Page) page = {0};
    TRY(recipe_load(r, ref, codec, hash, &page));
    PageRef only = {.chunks = (uint32_t)page.count, .hash = ref->hash};
    if (ref->kind == RECIPE_PAGE) {
        only.pack = ref->pack;
        only.frame = ref->frame;
        only.raw = ref->raw;
    }
    for (size_t i = 0; i < page.count; i++)
        only.bytes += page.chunks[i].length;
    mem_grow(out->pages, out->page_count, out->page_cap);
    out->pages[out->page_count++] = only;
    add_samples(out, page.chunks, page.count);
    return NULL;
}
