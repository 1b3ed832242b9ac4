#include "repo/recipe.h"

#include <string.h>

#include "repo/repo_internal.h"

#define PAGE_CHUNKS_MIN 16u
/* An index must fit into a frame whatever the chunks are: pages are made so large that there are no
 * more than this. */
#define INDEX_PAGES_TARGET (INDEX_PAGES_MAX / 4)
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

void piece_digest_add(Hash *digest, uint32_t length, const uint8_t whole[HASH_BYTES])
{
    uint8_t part[4 + HASH_BYTES] = {(uint8_t)length, (uint8_t)(length >> 8),
                                    (uint8_t)(length >> 16), (uint8_t)(length >> 24)};
    memcpy(part + 4, whole, HASH_BYTES);
    hash_add(digest, part, sizeof part);
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
    mem_sort(k->sorted, k->count, sizeof *k->sorted, by_hash);
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
    static const ChunkRef none;
    if (count == 0)
        chunks = &none; /* NULL is no address to count from */
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

Error *recipe_load_page(PackReader *r, const PageRef *page, Codec *codec, Hash *hash, Page *out)
{
    AUTO_VALUE(Frame) f = {0};
    return get_page(r, page, codec, hash, &f, out);
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
