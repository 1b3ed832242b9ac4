#include <string.h>

#include "base/fault.h"
#include "repo/writer_parts.h"

/* Bytes wait here until as many chunks as possible can be cut at once: small enough to stay in the
 * processor's cache, and what is moved to its front afterwards is at most an eighth of it. */
#define WINDOW (256u << 10)
/* Chunks that this hand wrote lately, for finding repetitions. */
#define NEWS_MAX (32u << 10)
/* Pieces of a stream that is cut by content. */
#define PIECE_CHUNKS_LEAST 1024
#define PIECE_CHUNKS_GREATEST 16384
#define LEVEL_ADAPTIVE_MAX 9

/* The frame that is being filled; its place in a pack is reserved with its first chunk. */
typedef struct OpenFrame {
    bool open;
    bool mixed;          /* chunks of several streams: bears no label */
    uint32_t oid, piece; /* label */
    PackId pack;
    uint32_t number;
    Buf raw;
    ChunkId *ids;
    uint32_t *lengths;
    uint32_t count;
} OpenFrame;

struct PieceWriter {
    Writer *w;
    Codec *codec;
    Hash *hash;    /* scratch */
    ChunkHash ids; /* of this database's chunks */
    Hash *digest; /* of the current piece */
    DedupHand *dedup;
    int level; /* the present one where the writer's is adaptive */
    uint8_t *window;
    size_t have;
    OpenFrame frame;
    ChunkMap news;

    StreamState *stream; /* NULL between pieces */
    uint32_t piece;
    bool exclusive; /* its frames are shared with no other piece */
    ChunkRef *refs;
    size_t ref_count, ref_cap;
    uint64_t bytes;
    uint64_t rows;        /* '\n' in this piece, where rows end with one */
    uint64_t rows_before; /* in the content-cut pieces before it */
    PackUses uses;
};

Error *piece_writer_new(Writer *w, PieceWriter **out)
{
    AUTO(PieceWriter) p = mem_new(PieceWriter);
    p->w = w;
    p->codec = codec_new();
    p->hash = hash_new();
    p->digest = hash_new();
    TRY(writer_chunk_hash(w, &p->ids));
    p->dedup = dedup_hand_new(w->dedup, p->codec, p->hash);
    p->level = w->level < 0 ? 1 : w->level;
    p->window = mem_zalloc(WINDOW);
    p->frame.ids = mem_calloc(FRAME_CHUNKS_MAX, sizeof *p->frame.ids);
    p->frame.lengths = mem_calloc(FRAME_CHUNKS_MAX, sizeof *p->frame.lengths);
    TRY(buf_reserve(&p->frame.raw, FRAME_TARGET + CHUNK_MAX, FRAME_LIMIT));
    *out = STEAL(p);
    return NULL;
}

void piece_writer_free(PieceWriter *p)
{
    if (!p)
        return;
    dedup_hand_free(p->dedup);
    codec_free(p->codec);
    hash_free(p->hash);
    hash_free(p->digest);
    chunk_hash_clear(&p->ids);
    free(p->window);
    buf_free(&p->frame.raw);
    free(p->frame.ids);
    free(p->frame.lengths);
    chunk_map_clear(&p->news);
    free(p->refs);
    free(p->uses.items);
    free(p);
}

/* -- frames ---------------------------------------------------------------------------------- */

static Error *count_stored(PieceWriter *p, uint64_t stored)
{
    job_add_new(p->w->job, stored);
    return rate_take(p->w->rate, stored, job_cancel(p->w->job));
}

/* Adaptive compression: where the speed limit makes us wait for longer than compressing takes, a
 * higher level costs no time; where it does not, a lower one is given back. */
static void adapt_level(PieceWriter *p, int64_t worked, int64_t waited)
{
    if (p->w->level >= 0)
        return;
    if (waited > worked + 1 && p->level < LEVEL_ADAPTIVE_MAX)
        p->level++;
    else if (waited <= 1 && p->level > 1)
        p->level--;
}

static Error *flush_frame(PieceWriter *p)
{
    OpenFrame *f = &p->frame;
    if (!f->open)
        return NULL;
    FrameBody body = {.raw = f->raw.data,
                      .n = f->raw.len,
                      .ids = f->ids,
                      .lengths = f->lengths,
                      .chunks = f->count,
                      .oid = f->mixed ? 0 : f->oid,
                      .piece = f->mixed ? 0 : f->piece,
                      .level = p->level};
    uint64_t stored;
    int64_t start = clock_mono_ms();
    TRY(packer_put(p->w->data, f->pack, f->number, &body, p->codec, p->hash, &stored));
    int64_t put = clock_mono_ms();
    TRY(count_stored(p, stored));
    adapt_level(p, put - start, clock_mono_ms() - put);
    f->open = false;
    f->raw.len = 0;
    f->count = 0;
    return NULL;
}

static Error *store_chunk(PieceWriter *p, const uint8_t *data, ChunkRef *ref)
{
    OpenFrame *f = &p->frame;
    uint32_t oid = p->stream->s.oid;
    if (!f->open) {
        TRY(packer_reserve(p->w->data, &f->pack, &f->number));
        f->open = true;
        f->mixed = false;
        f->oid = oid;
        f->piece = p->piece;
    }
    f->mixed = f->mixed || f->oid != oid || f->piece != p->piece;
    ref->pack = f->pack;
    ref->frame = f->number;
    ref->index = f->count;
    buf_add(&f->raw, data, ref->length);
    f->ids[f->count] = ref->id;
    f->lengths[f->count++] = ref->length;
    if (p->news.count >= NEWS_MAX)
        chunk_map_empty(&p->news);
    chunk_map_add(&p->news, ref, SPARSE_NOT);
    if (f->raw.len >= FRAME_TARGET || f->count == FRAME_CHUNKS_MAX)
        TRY(flush_frame(p));
    return NULL;
}

/* -- chunks ---------------------------------------------------------------------------------- */

typedef uint8_t Bytes16 __attribute__((vector_size(16)));

static uint64_t count_rows(const uint8_t *p, size_t n)
{
    uint64_t rows = 0;
    size_t i = 0;
    while (n - i >= 16) {
        Bytes16 sums = {0};
        size_t steps = (n - i) / 16 < 255 ? (n - i) / 16 : 255; /* no lane counts beyond 255 */
        for (; steps > 0; steps--, i += 16) {
            Bytes16 block;
            memcpy(&block, p + i, sizeof block);
            sums -= (Bytes16)(block == '\n'); /* equal lanes are -1 */
        }
        for (int lane = 0; lane < 16; lane++)
            rows += sums[lane];
    }
    for (; i < n; i++)
        rows += p[i] == '\n';
    return rows;
}

static Error *append_ref(PieceWriter *p, const ChunkRef *ref)
{
    if (p->ref_count == PIECE_CHUNKS_MAX)
        FAIL(ERR_LIMIT, "a piece of %s has more than %u chunks", p->stream->s.name,
             PIECE_CHUNKS_MAX);
    mem_grow(p->refs, p->ref_count, p->ref_cap);
    p->refs[p->ref_count++] = *ref;
    return NULL;
}

/* Where a chunk lies: written lately by this hand, known from the parents, or written now. */
static Error *place_chunk(PieceWriter *p, const uint8_t *data, ChunkRef *ref)
{
    const MapEntry *found = chunk_map_find(&p->news, &ref->id);
    if (!found || found->ref.length != ref->length)
        TRY(dedup_find(p->dedup, &ref->id, ref->length, &found));
    if (!found || (found->sparse && writer_may_rewrite(p->w, found->sparse, ref->length)))
        return store_chunk(p, data, ref);
    *ref = found->ref;
    job_add_reused(p->w->job, ref->length);
    return NULL;
}

static Error *add_chunk(PieceWriter *p, const uint8_t *data, size_t n)
{
    uint8_t sha256[HASH_BYTES];
    chunk_hash(&p->ids, data, n, sha256);
    piece_digest_add(p->digest, (uint32_t)n, sha256);
    ChunkRef ref = {.length = (uint32_t)n};
    memcpy(ref.id.b, sha256, CHUNK_ID_BYTES);
    TRY(place_chunk(p, data, &ref));
    TRY(append_ref(p, &ref));
    p->bytes += n;
    if (p->stream->s.rows_framed)
        p->rows += count_rows(data, n);
    return NULL;
}

/* -- pieces ---------------------------------------------------------------------------------- */

static void start_piece(PieceWriter *p)
{
    p->ref_count = 0;
    p->bytes = p->rows = 0;
    p->uses.count = 0;
    if (p->exclusive)
        chunk_map_empty(&p->news);
}

/* The piece as it stands becomes part of the stream. */
static Error *close_piece(PieceWriter *p, uint64_t rows, bool last)
{
    FAULT_POINT("writer.piece.end");
    if (p->exclusive)
        TRY(flush_frame(p));
    AUTO_VALUE(RecipeIndex) known = {0};
    const RecipeRef *known_ref;
    dedup_recipe(p->dedup, &known, &known_ref);
    Piece piece = {.rows = rows, .bytes = p->bytes, .chunks = (uint32_t)p->ref_count};
    hash_end(p->digest, piece.digest);
    uint64_t stored = 0;
    RecipeWriter recipe = {.packer = p->w->recipes,
                           .codec = p->codec,
                           .hash = p->hash,
                           .stored = &stored,
                           .use = pack_uses_add,
                           .use_ctx = &p->uses};
    TRY(recipe_write(&recipe, p->refs, p->ref_count, &known, known_ref, &piece.recipe));
    pack_uses_add_refs(&p->uses, p->refs, p->ref_count);
    Error *e = count_stored(p, stored);
    if (e) {
        piece_clear(&piece);
        return e;
    }
    return writer_add_piece(p->w, p->stream, p->piece, &piece, &p->uses, last);
}

/* A stream without fixed pieces has grown by one. From the second on its frames are its own. */
static Error *next_piece(PieceWriter *p)
{
    TRY(flush_frame(p));
    TRY(close_piece(p, p->rows, false));
    p->rows_before += p->rows;
    p->piece++;
    p->exclusive = true;
    start_piece(p);
    return dedup_begin(p->dedup, p->stream->dedup, p->piece);
}

static Error *cut(PieceWriter *p, bool last)
{
    const Stream *s = &p->stream->s;
    size_t at = 0;
    TRY(cancel_check(job_cancel(p->w->job)));
    while (p->have - at >= CHUNK_MAX || (last && at < p->have)) {
        size_t n = chunk_cut(p->window + at, p->have - at, s->mean_bits, s->rows_framed, last);
        TRY(add_chunk(p, p->window + at, n));
        at += n;
        if (p->stream->content_cut && p->ref_count >= PIECE_CHUNKS_LEAST &&
            (p->ref_count >= PIECE_CHUNKS_GREATEST ||
             chunk_ends_piece(&p->refs[p->ref_count - 1].id)))
            TRY(next_piece(p));
    }
    p->have -= at;
    memmove(p->window, p->window + at, p->have);
    job_add_bytes(p->w->job, at);
    return NULL;
}

Error *piece_begin(PieceWriter *p, uint32_t stream, uint32_t piece)
{
    if (p->stream)
        FAIL(ERR_INTERNAL, "a piece was begun within another");
    StreamState *s;
    TRY(writer_find_piece(p->w, stream, piece, &s));
    p->exclusive = !s->content_cut && s->pieces > 1;
    if (p->exclusive)
        TRY(flush_frame(p));
    p->stream = s;
    p->piece = piece;
    p->rows_before = 0;
    start_piece(p);
    return dedup_begin(p->dedup, s->dedup, piece);
}

Error *piece_write(PieceWriter *p, const void *data, size_t n)
{
    if (!n) /* nothing may be NULL */
        return NULL;
    const uint8_t *from = data;
    while (n > WINDOW - p->have) {
        size_t part = WINDOW - p->have;
        memcpy(p->window + p->have, from, part);
        p->have = WINDOW;
        from += part;
        n -= part;
        TRY(cut(p, false));
    }
    memcpy(p->window + p->have, from, n);
    p->have += n;
    return NULL;
}

Error *piece_end(PieceWriter *p, uint64_t rows)
{
    TRY(cut(p, true));
    uint64_t counted = p->rows_before + p->rows;
    if (p->stream->s.rows_framed && counted != rows)
        FAIL(ERR_INTERNAL, "%s: %llu rows were written, but %llu were announced",
             p->stream->s.name ? p->stream->s.name : "", (unsigned long long)counted,
             (unsigned long long)rows);
    TRY(close_piece(p, rows - p->rows_before, true));
    if (p->exclusive)
        chunk_map_empty(&p->news); /* nothing else is to refer to its frames */
    p->stream = NULL;
    return NULL;
}

Error *piece_writer_finish(PieceWriter *p)
{
    if (p->stream)
        FAIL(ERR_INTERNAL, "a piece was begun and not ended");
    return flush_frame(p);
}
