#include "repo/reader.h"

#include <string.h>

#include "repo/chunk_reader.h"
#include "repo/repo_internal.h"

struct StreamReader {
    const Manifest *manifest;
    const Stream *stream;
    ChunkReader *chunks;
    Hash *piece_digest;   /* of the piece that is being read */
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
    page_clear(&sr->page);
    chunk_reader_free(sr->chunks);
    hash_free(sr->piece_digest);
    free(sr);
}

Error *stream_reader_open(Repo *r, const Manifest *m, const Stream *s, StreamReader **out)
{
    StreamReader *sr = mem_new(StreamReader);
    sr->manifest = m;
    sr->stream = s;
    sr->chunks = chunk_reader_new(r);
    sr->piece_digest = hash_new();
    *out = sr;
    return NULL;
}

uint64_t stream_reader_fetched(const StreamReader *sr)
{
    return chunk_reader_fetched(sr->chunks);
}

/* -- chunks ---------------------------------------------------------------------------------- */

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
    size_t bytes = 0;
    for (uint32_t i = 0; sr->chunk < sr->page.count; i++, sr->chunk++) {
        const ChunkRef *c = &sr->page.chunks[sr->chunk];
        const uint8_t *at;
        uint8_t whole[HASH_BYTES];
        if (c->frame != first->frame || c->index != first->index + i ||
            !pack_id_equal(c->pack, first->pack))
            break;
        TRY(chunk_reader_get(sr->chunks, c, &at, whole));
        piece_digest_add(sr->piece_digest, c->length, whole);
        if (!i)
            *p = at;
        bytes += c->length;
    }
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
    TRY(chunk_reader_recipe(sr->chunks, piece, &sr->page));
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
