/* The sections of packs and of streams of a manifest, as bytes. */
#include "repo/manifest.h"

#include <string.h>

#include "repo/repo_internal.h"

/* -- the section of packs -------------------------------------------------------------------- */

Error *manifest_encode_packs(const Manifest *m, Buf *out)
{
    buf_varint(out, m->pack_count);
    for (size_t i = 0; i < m->pack_count; i++) {
        const PackInfo *p = &m->packs[i];
        if (i && pack_id_compare(m->packs[i - 1].id, p->id) >= 0)
            FAIL(ERR_INTERNAL, "the manifest's packs are not sorted");
        pack_id_write(out, p->id);
        buf_u8(out, (uint8_t)p->kind);
        buf_varint(out, p->size);
        buf_varint(out, p->raw);
        buf_varint(out, p->used);
        buf_add(out, p->sha256, HASH_BYTES);
    }
    return NULL;
}

static Error *decode_pack(Reader *r, PackInfo *out)
{
    uint8_t kind;
    const uint8_t *hash;
    TRY(pack_id_read(r, &out->id));
    TRY(reader_u8(r, &kind));
    TRY(reader_varint_max(r, PACK_LIMIT, &out->size));
    TRY(reader_varint(r, &out->raw));
    TRY(reader_varint(r, &out->used));
    TRY(reader_bytes(r, HASH_BYTES, &hash));
    if (kind != PACK_DATA && kind != PACK_RECIPE)
        FAIL(ERR_DAMAGED, "%s names a pack of kind %u", r->what, kind);
    out->kind = kind;
    memcpy(out->sha256, hash, HASH_BYTES);
    return NULL;
}

Error *manifest_decode_packs(Reader *r, Manifest *m)
{
    uint64_t count;
    TRY(reader_varint(r, &count));
    for (uint64_t i = 0; i < count; i++) {
        PackInfo pack = {0};
        TRY(decode_pack(r, &pack));
        if (i && pack_id_compare(m->packs[i - 1].id, pack.id) >= 0)
            FAIL(ERR_DAMAGED, "%s is not sorted", r->what);
        mem_grow(m->packs, m->pack_count, m->pack_cap);
        m->packs[m->pack_count++] = pack;
    }
    return reader_end(r);
}

/* -- the section of streams ------------------------------------------------------------------ */

static Error *encode_piece(const Manifest *m, const Piece *p, Buf *out)
{
    const RecipeRef *ref = &p->recipe;
    buf_varint(out, p->rows);
    buf_varint(out, p->bytes);
    buf_varint(out, p->chunks);
    buf_add(out, p->digest, HASH_BYTES);
    buf_u8(out, (uint8_t)ref->kind);
    if (ref->kind == RECIPE_INLINE) {
        buf_block(out, ref->bytes.data, ref->bytes.len);
        return NULL;
    }
    const PackInfo *pack = manifest_find_pack(m, ref->pack);
    if (!pack)
        FAIL(ERR_INTERNAL, "a recipe lies in a pack that the manifest does not name");
    buf_varint(out, (uint64_t)(pack - m->packs));
    buf_varint(out, ref->frame);
    buf_varint(out, ref->raw);
    buf_add(out, ref->hash.b, CHUNK_ID_BYTES);
    return NULL;
}

Error *manifest_encode_streams(const Manifest *m, Buf *out)
{
    buf_varint(out, m->stream_count);
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        buf_u8(out, (uint8_t)s->kind);
        buf_varint(out, s->dump_id);
        buf_varint(out, s->oid);
        buf_block_str(out, s->schema);
        buf_block_str(out, s->name);
        buf_varint(out, s->piece_pages);
        buf_u8(out, s->mean_bits);
        buf_u8(out, s->rows_framed);
        buf_varint(out, s->rows);
        buf_varint(out, s->bytes);
        buf_add(out, s->digest, HASH_BYTES);
        buf_varint(out, s->piece_count);
        for (size_t k = 0; k < s->piece_count; k++)
            TRY(encode_piece(m, &s->pieces[k], out));
    }
    return NULL;
}

static Error *decode_recipe_ref(Reader *r, const Manifest *m, RecipeRef *out)
{
    uint8_t kind;
    const uint8_t *p;
    size_t n;
    uint64_t pack, frame, raw;
    TRY(reader_u8(r, &kind));
    if (kind > RECIPE_INDEX)
        FAIL(ERR_DAMAGED, "%s has a recipe of kind %u", r->what, kind);
    out->kind = kind;
    if (kind == RECIPE_INLINE) {
        TRY(reader_block(r, &p, &n));
        out->raw = (uint32_t)n;
        buf_add(&out->bytes, p, n);
        return NULL;
    }
    TRY(reader_varint(r, &pack));
    TRY(reader_varint_max(r, UINT32_MAX - 1, &frame));
    TRY(reader_varint_max(r, FRAME_LIMIT, &raw));
    TRY(reader_bytes(r, CHUNK_ID_BYTES, &p));
    if (pack >= m->pack_count)
        FAIL(ERR_DAMAGED, "%s names pack %llu of %zu", r->what, (unsigned long long)pack,
             m->pack_count);
    out->pack = m->packs[pack].id;
    out->frame = (uint32_t)frame;
    out->raw = (uint32_t)raw;
    memcpy(out->hash.b, p, CHUNK_ID_BYTES);
    return NULL;
}

static Error *decode_piece(Reader *r, const Manifest *m, Piece *out)
{
    uint64_t chunks;
    const uint8_t *digest;
    TRY(reader_varint(r, &out->rows));
    TRY(reader_varint(r, &out->bytes));
    TRY(reader_varint_max(r, UINT32_MAX, &chunks));
    TRY(reader_bytes(r, HASH_BYTES, &digest));
    out->chunks = (uint32_t)chunks;
    memcpy(out->digest, digest, HASH_BYTES);
    return decode_recipe_ref(r, m, &out->recipe);
}

/* Sums and digest of the pieces must be what the stream says. */
static Error *decode_pieces(Reader *r, const Manifest *m, Stream *s)
{
    uint64_t count, rows = 0, bytes = 0;
    uint8_t digest[HASH_BYTES];
    TRY(reader_varint(r, &count));
    for (uint64_t i = 0; i < count; i++) {
        mem_grow(s->pieces, s->piece_count, s->piece_cap);
        Piece *p = &s->pieces[s->piece_count++];
        *p = (Piece){0};
        TRY(decode_piece(r, m, p));
        rows += p->rows;
        bytes += p->bytes;
    }
    piece_digest_all(s->pieces, s->piece_count, digest);
    if (rows != s->rows || bytes != s->bytes || memcmp(digest, s->digest, HASH_BYTES) != 0)
        FAIL(ERR_DAMAGED, "%s: the pieces of %s.%s do not make the stream", r->what, s->schema,
             s->name);
    return NULL;
}

static Error *decode_stream(Reader *r, const Manifest *m, Stream *s)
{
    uint8_t kind, framed;
    uint64_t dump_id, oid, pages;
    const uint8_t *digest;
    TRY(reader_u8(r, &kind));
    TRY(reader_varint_max(r, UINT32_MAX, &dump_id));
    TRY(reader_varint_max(r, UINT32_MAX, &oid));
    TRY(reader_block_str(r, &s->schema));
    TRY(reader_block_str(r, &s->name));
    TRY(reader_varint_max(r, UINT32_MAX, &pages));
    TRY(reader_u8(r, &s->mean_bits));
    if (s->mean_bits < CHUNK_MEAN_BITS_MIN || s->mean_bits > CHUNK_MEAN_BITS_MAX)
        FAIL(ERR_DAMAGED, "%s holds chunks of 2^%u bytes", r->what, s->mean_bits);
    TRY(reader_u8(r, &framed));
    TRY(reader_varint(r, &s->rows));
    TRY(reader_varint(r, &s->bytes));
    TRY(reader_bytes(r, HASH_BYTES, &digest));
    /* A kind that a later version adds is passed over by whoever does not know it. */
    if (kind < STREAM_TOC || framed > 1)
        FAIL(ERR_DAMAGED, "%s has a stream of kind %u, framing %u", r->what, kind, framed);
    s->kind = kind;
    s->dump_id = (uint32_t)dump_id;
    s->oid = (uint32_t)oid;
    s->piece_pages = (uint32_t)pages;
    s->rows_framed = framed;
    memcpy(s->digest, digest, HASH_BYTES);
    return decode_pieces(r, m, s);
}

Error *manifest_decode_streams(Reader *r, Manifest *m)
{
    uint64_t count;
    TRY(reader_varint(r, &count));
    for (uint64_t i = 0; i < count; i++)
        TRY(decode_stream(r, m, manifest_add_stream(m)));
    return reader_end(r);
}
