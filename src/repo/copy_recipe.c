#include "repo/copy_recipe.h"

#include <string.h>

/* A page of the earlier piece, and which of its chunks it has. */
typedef struct KnownPage {
    const PageRef *page;
    size_t first;
} KnownPage;

typedef struct KnownPages {
    RecipeIndex index;
    Page chunks;      /* of all pages, in the target */
    KnownPage *items; /* sorted by hash */
    size_t count;
} KnownPages;
static void known_pages_clear(KnownPages *k)
{
    recipe_index_clear(&k->index);
    page_clear(&k->chunks);
    free(k->items);
}
DEFINE_AUTO_VALUE(KnownPages, known_pages_clear)

static int by_hash(const void *a, const void *b)
{
    const KnownPage *x = a, *y = b;
    return memcmp(x->page->hash.b, y->page->hash.b, CHUNK_ID_BYTES);
}

static Error *read_known(const CopyRecipe *r, KnownPages *k)
{
    size_t first = 0;
    TRY(recipe_load_index(r->source, &r->before->recipe, r->codec, r->hash, &k->index));
    TRY(recipe_load(r->target, &r->copied->recipe, r->codec, r->hash, &k->chunks));
    k->items = mem_calloc(k->index.page_count + 1, sizeof *k->items);
    for (size_t i = 0; i < k->index.page_count; i++) {
        const PageRef *p = &k->index.pages[i];
        if (p->chunks > k->chunks.count - first)
            return NULL; /* it became something else: none is known */
        k->items[i] = (KnownPage){p, first};
        first += p->chunks;
    }
    if (first != k->chunks.count)
        return NULL;
    k->count = k->index.page_count;
    mem_sort(k->items, k->count, sizeof *k->items, by_hash);
    return NULL;
}

/* An earlier backup may be gone in the source, and damaged in either. */
static Error *find_known(const CopyRecipe *r, KnownPages *k)
{
    if (!r->before || !r->copied || r->before->recipe.kind != RECIPE_INDEX ||
        memcmp(r->before->digest, r->copied->digest, HASH_BYTES) != 0)
        return NULL;
    Error *e = read_known(r, k);
    if (e && error_kind(e) != ERR_DAMAGED && error_kind(e) != ERR_NOT_FOUND)
        return e;
    if (e)
        k->count = 0;
    error_drop(e);
    return NULL;
}

/* The target's chunks of this page, where all of them may be used again; or NULL. */
static const ChunkRef *chunks_of(const CopyRecipe *r, const KnownPages *k, const PageRef *page)
{
    KnownPage key = {.page = page};
    const KnownPage *found =
        k->count ? bsearch(&key, k->items, k->count, sizeof *k->items, by_hash) : NULL;
    uint64_t bytes = 0;
    if (!found || found->page->chunks != page->chunks)
        return NULL;
    const ChunkRef *c = &k->chunks.chunks[found->first];
    for (size_t i = 0; i < page->chunks; i++) {
        bool neighbour =
            i && c[i].frame == c[i - 1].frame && pack_id_equal(c[i].pack, c[i - 1].pack);
        bytes += c[i].length;
        if (!neighbour &&
            !parent_packs_sound(r->packs, parent_packs_find(r->packs, c[i].pack), c[i].frame))
            return NULL;
    }
    return bytes == page->bytes ? c : NULL;
}

/* Before as much is taken as a peer's index may say. */
static Error *check_count(const RecipeIndex *index, const Piece *piece)
{
    uint64_t chunks = 0;
    for (size_t i = 0; i < index->page_count; i++)
        chunks += index->pages[i].chunks;
    if (chunks != piece->chunks || chunks > PIECE_CHUNKS_MAX)
        FAIL(ERR_DAMAGED, "the recipe has %llu chunks, not %u", (unsigned long long)chunks,
             piece->chunks);
    return NULL;
}

static Error *load_pages(const CopyRecipe *r, const RecipeIndex *index, Page *out, Buf *known)
{
    AUTO_VALUE(KnownPages) k = {0};
    TRY(find_known(r, &k));
    for (size_t i = 0; i < index->page_count; i++) {
        const PageRef *page = &index->pages[i];
        const ChunkRef *have = chunks_of(r, &k, page);
        if (!have)
            TRY(recipe_load_page(r->source, page, r->codec, r->hash, out));
        for (size_t n = 0; have && n < page->chunks; n++) {
            mem_grow(out->chunks, out->count, out->cap);
            out->chunks[out->count++] = have[n];
        }
        for (size_t n = 0; n < page->chunks; n++)
            buf_u8(known, have != NULL);
    }
    return NULL;
}

Error *copy_recipe_load(const CopyRecipe *r, const Piece *piece, Page *out, Buf *known)
{
    AUTO_VALUE(RecipeIndex) index = {0};
    size_t before = out->count;
    if (piece->recipe.kind == RECIPE_INDEX) {
        TRY(recipe_load_index(r->source, &piece->recipe, r->codec, r->hash, &index));
        TRY(check_count(&index, piece));
        return load_pages(r, &index, out, known);
    }
    TRY(recipe_load(r->source, &piece->recipe, r->codec, r->hash, out));
    for (size_t i = before; i < out->count; i++)
        buf_u8(known, false);
    if (out->count - before != piece->chunks)
        FAIL(ERR_DAMAGED, "the recipe has %zu chunks, not %u", out->count - before, piece->chunks);
    return NULL;
}
