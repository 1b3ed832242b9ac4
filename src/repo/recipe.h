/* Recipes: a piece's ordered list of chunks, in pages.
 *
 * A page holds runs (pack, frame, first chunk, count) with the ids and lengths of the chunks; it
 * ends where a chunk's id says so, so that one changed row renews one page. A piece with several
 * pages has an index that names them and holds its samples. Pages and indexes are frames of recipe
 * packs; one small enough stands in the manifest itself. What equals the parent's is not written
 * again but referred to.
 */
#ifndef PGSTOW_REPO_RECIPE_H
#define PGSTOW_REPO_RECIPE_H

#include "repo/pack.h"

#define PAGE_CHUNKS_MAX 1024        /* a page ends here at the latest */
#define PIECE_CHUNKS_MAX (4u << 20) /* no recipe is longer */
#define INDEX_PAGES_MAX 65536u
#define INDEX_SAMPLES_MAX 32768u /* those beyond are left out */
#define INLINE_MAX 400           /* bytes of a page that may stand in the manifest */

typedef enum RecipeKind { RECIPE_INLINE = 0, RECIPE_PAGE = 1, RECIPE_INDEX = 2 } RecipeKind;
typedef struct RecipeRef {
    RecipeKind kind;
    PackId pack; /* PAGE, INDEX */
    uint32_t frame;
    uint32_t raw; /* bytes of the page or index */
    ChunkId hash; /* of those bytes */
    Buf bytes;    /* INLINE: the page itself */
} RecipeRef;
void recipe_ref_clear(RecipeRef *r);
void recipe_ref_copy(RecipeRef *to, const RecipeRef *from);

/* A piece as the manifest lists it. digest = SHA-256 over, for every chunk in order, its length
 * (u32 LE) and its full SHA-256: so it is computed without hashing the rows twice. */
typedef struct Piece {
    uint64_t rows, bytes;
    uint32_t chunks;
    uint8_t digest[HASH_BYTES];
    RecipeRef recipe;
} Piece;
void piece_clear(Piece *p);
/* A chunk more: `whole` is the hash that it is known by, uncut. */
void piece_digest_add(Hash *digest, uint32_t length, const uint8_t whole[HASH_BYTES]);
/* A stream's digest: SHA-256 over its pieces' digests in order. */
void piece_digest_all(const Piece *pieces, size_t count, uint8_t out[HASH_BYTES]);

/* A page, decoded. Arrays are owned. */
typedef struct Page {
    ChunkRef *chunks;
    size_t count, cap;
} Page;
void page_clear(Page *p);
DEFINE_AUTO_VALUE(Page, page_clear)
void page_encode(const ChunkRef *chunks, size_t count, Buf *out);
Error *page_decode(const void *p, size_t n, Page *out) MUST_CHECK; /* adds to out; ERR_DAMAGED */

/* An index, decoded: the pages and the samples of a piece. */
typedef struct PageRef {
    PackId pack;
    uint32_t frame, chunks;
    uint32_t raw;   /* bytes of the page */
    uint64_t bytes; /* logical bytes that its chunks make */
    ChunkId hash;
} PageRef;
typedef struct RecipeIndex {
    PageRef *pages;
    size_t page_count, page_cap;
    ChunkId *samples;
    size_t sample_count, sample_cap;
} RecipeIndex;
void recipe_index_clear(RecipeIndex *x);
DEFINE_AUTO_VALUE(RecipeIndex, recipe_index_clear)
void recipe_index_encode(const RecipeIndex *x, Buf *out);
Error *recipe_index_decode(const void *p, size_t n, RecipeIndex *out) MUST_CHECK;

/* Every pack that a recipe itself lies in: called for the ref and each page that it names, written
 * now or shared with the parent, with the bytes of the page or index (raw, as in the pack's sums).
 */
typedef Error *(*RecipeUse)(void *ctx, PackId pack, uint64_t raw_bytes);

/* Writes a piece's recipe: pages equal to ones of `parent` (may be NULL) are shared. Thread-safe
 * through the packer. `parent` may lack pages that its ref names (damaged ones); `parent_ref` is
 * then NULL. */
typedef struct RecipeWriter {
    Packer *packer;
    Codec *codec;
    Hash *hash;
    uint64_t *stored; /* grows by the bytes written */
    RecipeUse use;    /* may be NULL */
    void *use_ctx;
} RecipeWriter;
Error *recipe_write(RecipeWriter *w, const ChunkRef *chunks, size_t count,
                    const RecipeIndex *parent, const RecipeRef *parent_ref,
                    RecipeRef *out) MUST_CHECK;
/* `index` is what recipe_load_index gave; only read for RECIPE_INDEX. */
Error *recipe_each_use(const RecipeRef *ref, const RecipeIndex *index, RecipeUse use,
                       void *ctx) MUST_CHECK;

/* All chunks of a piece, in order (a piece is bounded, so this is too: ERR_LIMIT beyond 4M chunks).
 */
Error *recipe_load(PackReader *r, const RecipeRef *ref, Codec *codec, Hash *hash,
                   Page *out) MUST_CHECK;
/* One page of an index, to the end of out. */
Error *recipe_load_page(PackReader *r, const PageRef *page, Codec *codec, Hash *hash,
                        Page *out) MUST_CHECK;
/* Only the index (a single page becomes an index of one, with the samples computed; an inline
 * one's page has no place, `raw` 0). */
Error *recipe_load_index(PackReader *r, const RecipeRef *ref, Codec *codec, Hash *hash,
                         RecipeIndex *out) MUST_CHECK;

#endif
