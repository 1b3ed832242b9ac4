#include "repo/reader.h"

#include <string.h>

#include "repo/repo_internal.h"

#define FRAMES_KEPT 32

/* A decoded frame, and where each of its chunks begins in it. */
typedef struct Kept {
    PackId pack;
    uint32_t number;
    uint64_t used_at; /* 0: empty */
    Frame frame;
    size_t *starts;
} Kept;

struct StreamReader {
    Repo *repo;
    const Manifest *manifest;
    const Stream *stream;
    Codec *codec;
    Hash *hash;         /* scratch */
    Hash *piece_digest; /* of the piece that is being read */
    Kept kept[FRAMES_KEPT];
    uint64_t clock, fetched;
    size_t piece;         /* the number of the next, or of the one being read */
    bool open;            /* a piece is being read */
    Page page;            /* its recipe */
    size_t chunk;         /* the next one of it */
    uint64_t rows, bytes; /* of the piece so far */
};

void stream_reader_free(StreamReader *sr)
{
    if (!sr)
        return;
    for (size_t i = 0; i < FRAMES_KEPT; i++) {
        frame_clear(&sr->kept[i].frame);
        free(sr->kept[i].starts);
    }
    page_clear(&sr->page);
    codec_free(sr->codec);
    hash_free(sr->hash);
    hash_free(sr->piece_digest);
    free(sr);
}

Error *stream_reader_open(Repo *r, const Manifest *m, const Stream *s, StreamReader **out)
{
    StreamReader *sr = mem_new(StreamReader);
    sr->repo = r;
    sr->manifest = m;
    sr->stream = s;
    sr->codec = codec_new();
    sr->hash = hash_new();
    sr->piece_digest = hash_new();
    *out = sr;
    return NULL;
}

uint64_t stream_reader_fetched(const StreamReader *sr)
{
    return sr->fetched;
}

/* -- frames ---------------------------------------------------------------------------------- */

static Error *fill(StreamReader *sr, Kept *k, PackId pack, uint32_t number)
{
    k->used_at = 0;
    TRY(pack_read_frame(repo_packs(sr->repo), pack, number, sr->codec, sr->hash, &k->frame));
    sr->fetched += k->frame.stored;
    free(k->starts);
    k->starts = mem_calloc(k->frame.chunks, sizeof *k->starts);
    size_t at = 0;
    for (size_t i = 0; i < k->frame.chunks; i++) {
        k->starts[i] = at;
        at += k->frame.lengths[i];
    }
    if (at != k->frame.raw.len) {
        char name[NAME_TEXT];
        FAIL(ERR_DAMAGED, "%s: the chunks of frame %u do not make its bytes", name_pack(pack, name),
             number);
    }
    k->pack = pack;
    k->number = number;
    return NULL;
}

static Error *get_frame(StreamReader *sr, PackId pack, uint32_t number, Kept **out)
{
    Kept *oldest = &sr->kept[0];
    for (size_t i = 0; i < FRAMES_KEPT; i++) {
        Kept *k = &sr->kept[i];
        if (k->used_at && k->number == number && pack_id_equal(k->pack, pack)) {
            k->used_at = ++sr->clock;
            *out = k;
            return NULL;
        }
        if (k->used_at < oldest->used_at)
            oldest = k;
    }
    TRY(fill(sr, oldest, pack, number));
    oldest->used_at = ++sr->clock;
    *out = oldest;
    return NULL;
}

/* -- chunks ---------------------------------------------------------------------------------- */

/* What the recipe says, what the frame says and what the bytes say must be one. */
static Error *check_chunk(StreamReader *sr, const Kept *k, const ChunkRef *c)
{
    uint8_t whole[HASH_BYTES], length[4];
    char name[NAME_TEXT];
    const Frame *f = &k->frame;
    if (c->index >= f->chunks || f->lengths[c->index] != c->length ||
        memcmp(f->ids[c->index].b, c->id.b, CHUNK_ID_BYTES) != 0)
        FAIL(ERR_DAMAGED, "%s: chunk %u of frame %u is not the one that the recipe names",
             name_pack(c->pack, name), c->index, c->frame);
    hash_once(sr->hash, f->raw.data + k->starts[c->index], c->length, whole);
    if (memcmp(whole, c->id.b, CHUNK_ID_BYTES) != 0)
        FAIL(ERR_DAMAGED, "%s: the bytes of chunk %u of frame %u have another hash",
             name_pack(c->pack, name), c->index, c->frame);
    for (int i = 0; i < 4; i++)
        length[i] = (uint8_t)(c->length >> (8 * i));
    hash_add(sr->piece_digest, length, sizeof length);
    hash_add(sr->piece_digest, whole, sizeof whole);
    return NULL;
}

static uint64_t count_rows(const uint8_t *p, size_t n)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++)
        rows += p[i] == '\n';
    return rows;
}

/* The next chunks that lie one behind the other in a frame. */
static Error *next_run(StreamReader *sr, const uint8_t **p, size_t *n)
{
    const ChunkRef *first = &sr->page.chunks[sr->chunk];
    Kept *k;
    size_t bytes = 0;
    TRY(get_frame(sr, first->pack, first->frame, &k));
    for (uint32_t i = 0; sr->chunk < sr->page.count; i++, sr->chunk++) {
        const ChunkRef *c = &sr->page.chunks[sr->chunk];
        if (c->frame != first->frame || c->index != first->index + i ||
            !pack_id_equal(c->pack, first->pack))
            break;
        TRY(check_chunk(sr, k, c));
        bytes += c->length;
    }
    *p = k->frame.raw.data + k->starts[first->index];
    *n = bytes;
    sr->bytes += bytes;
    if (sr->stream->rows_framed)
        sr->rows += count_rows(*p, bytes);
    return NULL;
}

/* -- pieces ---------------------------------------------------------------------------------- */

static Error *begin_piece(StreamReader *sr)
{
    const Piece *piece = &sr->stream->pieces[sr->piece];
    sr->page.count = 0;
    sr->chunk = 0;
    sr->rows = sr->bytes = 0;
    TRY(recipe_load(repo_packs(sr->repo), &piece->recipe, sr->codec, sr->hash, &sr->page));
    if (sr->page.count != piece->chunks)
        FAIL(ERR_DAMAGED, "the recipe has %zu chunks, not %u", sr->page.count, piece->chunks);
    sr->open = true;
    return NULL;
}

static Error *end_piece(StreamReader *sr)
{
    const Piece *piece = &sr->stream->pieces[sr->piece];
    uint8_t digest[HASH_BYTES];
    hash_end(sr->piece_digest, digest);
    if (sr->bytes != piece->bytes || memcmp(digest, piece->digest, HASH_BYTES) != 0)
        FAIL(ERR_DAMAGED, "the piece's bytes are not those that were recorded");
    if (sr->stream->rows_framed && sr->rows != piece->rows)
        FAIL(ERR_DAMAGED, "the piece has %llu rows, not %llu", (unsigned long long)sr->rows,
             (unsigned long long)piece->rows);
    sr->open = false;
    sr->piece++;
    return NULL;
}

static Error *advance(StreamReader *sr, const uint8_t **p, size_t *n)
{
    for (*n = 0; !*n;) {
        if (!sr->open) {
            if (sr->piece == sr->stream->piece_count)
                return NULL;
            TRY(begin_piece(sr));
        } else if (sr->chunk == sr->page.count) {
            TRY(end_piece(sr));
        } else {
            TRY(next_run(sr, p, n));
        }
    }
    return NULL;
}

/* The stream's digest and sums follow from the pieces', which manifest_decode compared. */
Error *stream_reader_next(StreamReader *sr, const uint8_t **p, size_t *n)
{
    Error *e = advance(sr, p, n);
    if (!e)
        return NULL;
    *n = 0;
    AUTO(char) name = stream_label(sr->stream);
    e = error_context(e, "backup %s, %s, piece %zu", sr->manifest->info.id, name, sr->piece);
    return error_kind(e) == ERR_DAMAGED ? damage_hint(e, sr->manifest->info.id) : e;
}

char *stream_label(const Stream *s)
{
    if (s->kind == STREAM_TOC)
        return mem_strdup("the table of contents");
    if (s->kind == STREAM_LARGE_OBJECTS)
        return mem_strdup("the large objects");
    if (s->kind == STREAM_RELATIONS)
        return mem_strdup("the columns and keys of the tables");
    if (s->kind == STREAM_GLOBALS)
        return mem_strdup("the server's roles and tablespaces");
    return mem_printf("%s.%s", s->schema, s->name);
}

Error *stream_read_all(Repo *r, const Manifest *m, const Stream *s, size_t max, Buf *out)
{
    AUTO(StreamReader) sr = NULL;
    TRY(stream_reader_open(r, m, s, &sr));
    for (;;) {
        const uint8_t *p;
        size_t n;
        TRY(stream_reader_next(sr, &p, &n));
        if (!n)
            return NULL;
        TRY(buf_reserve(out, n, max));
        buf_add(out, p, n);
    }
}
