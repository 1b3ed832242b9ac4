/* Recipe pages and indexes as bytes. */
#include "repo/recipe.h"

#include <string.h>

/* The first byte of what a recipe frame holds. */
enum { PAGE_TYPE = 1, INDEX_TYPE = 2 };

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
