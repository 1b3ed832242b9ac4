#include "repo/frame.h"

#include <string.h>

#define PACK_MAGIC "PGSTOWPK"
#define TRAILER_MAGIC "PGSTOWPF"
#define MAGIC_BYTES 8
#define HASH_SHA256 1

static void part_check(ObjectKind kind, PackId pack, uint32_t frame, const void *p, size_t n,
                       Hash *hash, uint8_t out[CHECK_BYTES])
{
    AUTO_VALUE(Buf) aad = {0};
    aad_begin(&aad, kind);
    pack_id_write(&aad, pack);
    buf_u32(&aad, frame);
    aad_check(hash, &aad, p, n, out);
}

static void add_check(ObjectKind kind, PackId pack, uint32_t frame, const void *p, size_t n,
                      Hash *hash, Buf *out)
{
    uint8_t check[CHECK_BYTES];
    part_check(kind, pack, frame, p, n, hash, check);
    buf_add(out, check, sizeof check);
}

static Error *compare_check(ObjectKind kind, PackId pack, uint32_t frame, const uint8_t *p,
                            size_t n, Hash *hash, const char *what)
{
    uint8_t check[CHECK_BYTES];
    part_check(kind, pack, frame, p, n, hash, check);
    if (!hash_equal(check, p + n, CHECK_BYTES))
        FAIL(ERR_DAMAGED, "%s: check does not match", what);
    return NULL;
}

void pack_header_encode(PackId id, PackKind kind, Hash *hash, Buf *out)
{
    size_t start = out->len;
    buf_add(out, PACK_MAGIC, MAGIC_BYTES);
    buf_u16(out, FORMAT_VERSION);
    buf_u8(out, (uint8_t)kind);
    buf_u8(out, HASH_SHA256);
    pack_id_write(out, id);
    buf_u64(out, 0);
    buf_u16(out, 0);
    size_t n = out->len - start;
    uint8_t check[CHECK_BYTES];
    part_check(OBJECT_PACK, id, 0, out->data + start, n, hash, check);
    buf_add(out, check, sizeof check);
}

Error *pack_header_decode(const uint8_t *p, PackId id, Hash *hash, PackKind *kind)
{
    Reader r = reader_over(p, PACK_HEADER_BYTES, "pack header");
    const uint8_t *magic;
    uint16_t version, key;
    uint8_t kind_byte, hash_kind;
    PackId named;
    uint64_t key_set;
    TRY(reader_bytes(&r, MAGIC_BYTES, &magic));
    TRY(reader_u16(&r, &version));
    TRY(reader_u8(&r, &kind_byte));
    TRY(reader_u8(&r, &hash_kind));
    TRY(pack_id_read(&r, &named));
    TRY(reader_u64(&r, &key_set));
    TRY(reader_u16(&r, &key));
    if (memcmp(magic, PACK_MAGIC, MAGIC_BYTES) != 0)
        FAIL(ERR_DAMAGED, "this is not a pack");
    if (version > FORMAT_VERSION || hash_kind != HASH_SHA256 || key_set || key)
        FAIL(ERR_REPO_UNSUPPORTED,
             "a pack of format %u, hash %u, key set %llu: this pgstow knows format %u, plain",
             version, hash_kind, (unsigned long long)key_set, FORMAT_VERSION);
    TRY(compare_check(OBJECT_PACK, id, 0, p, PACK_HEADER_BYTES - CHECK_BYTES, hash, "header"));
    if (!pack_id_equal(named, id) || (kind_byte != PACK_DATA && kind_byte != PACK_RECIPE))
        FAIL(ERR_DAMAGED, "the header names another pack");
    *kind = (PackKind)kind_byte;
    return NULL;
}

void frame_encode(PackId pack, uint32_t number, const FrameBody *body, CodecId codec,
                  const Buf *payload, Hash *hash, Buf *out, FrameInfo *info)
{
    AUTO_VALUE(Buf) header = {0};
    buf_u8(&header, (uint8_t)codec);
    buf_varint(&header, body->n);
    buf_varint(&header, payload->len);
    buf_varint(&header, body->oid);
    buf_varint(&header, body->piece);
    buf_varint(&header, 0);
    buf_varint(&header, body->chunks);
    for (size_t i = 0; i < body->chunks; i++) {
        buf_varint(&header, body->lengths[i]);
        buf_add(&header, body->ids[i].b, CHUNK_ID_BYTES);
    }
    size_t start = out->len;
    buf_u32(out, (uint32_t)header.len);
    buf_add(out, header.data, header.len);
    add_check(OBJECT_FRAME_HEADER, pack, number, header.data, header.len, hash, out);
    buf_add(out, payload->data, payload->len);
    add_check(OBJECT_FRAME_PAYLOAD, pack, number, payload->data, payload->len, hash, out);
    *info = (FrameInfo){.number = number,
                        .stored = (uint32_t)(out->len - start),
                        .raw = (uint32_t)body->n,
                        .header = (uint32_t)header.len,
                        .chunks = (uint32_t)body->chunks,
                        .oid = body->oid,
                        .piece = body->piece};
}

static Error *read_u32(Reader *r, uint64_t max, uint32_t *out)
{
    uint64_t v;
    TRY(reader_varint_max(r, max, &v));
    *out = (uint32_t)v;
    return NULL;
}

static Error *decode_chunks(Reader *r, size_t count, uint32_t raw, Frame *out)
{
    if (out->cap < count) {
        out->ids = mem_realloc(out->ids, count, sizeof *out->ids);
        out->lengths = mem_realloc(out->lengths, count, sizeof *out->lengths);
        out->cap = count;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *id;
        TRY(read_u32(r, CHUNK_LIMIT, &out->lengths[i]));
        TRY(reader_bytes(r, CHUNK_ID_BYTES, &id));
        memcpy(out->ids[i].b, id, CHUNK_ID_BYTES);
        sum += out->lengths[i];
    }
    out->chunks = count;
    if (count && sum != raw)
        FAIL(ERR_DAMAGED, "its chunks do not make up its length");
    return NULL;
}

Error *frame_decode_head(PackId pack, const FrameInfo *info, const uint8_t *p, size_t n, Hash *hash,
                         FrameHead *head, Frame *out)
{
    Reader r = reader_over(p, n, "frame header");
    uint32_t length;
    TRY(reader_u32(&r, &length));
    if (length != info->header || n < 4 + (size_t)length + CHECK_BYTES)
        FAIL(ERR_DAMAGED, "the header is not as long as the footer says");
    TRY(compare_check(OBJECT_FRAME_HEADER, pack, info->number, r.at, length, hash, "frame header"));
    r = reader_over(r.at, length, "frame header");
    uint8_t codec;
    uint32_t columns, chunks;
    TRY(reader_u8(&r, &codec));
    TRY(read_u32(&r, FRAME_LIMIT, &head->raw));
    TRY(read_u32(&r, FRAME_LIMIT, &head->stored));
    TRY(read_u32(&r, UINT32_MAX, &out->oid));
    TRY(read_u32(&r, UINT32_MAX, &out->piece));
    TRY(read_u32(&r, UINT32_MAX, &columns));
    TRY(read_u32(&r, FRAME_CHUNKS_MAX, &chunks));
    if (columns)
        FAIL(ERR_REPO_UNSUPPORTED, "a frame in columns: written by a newer pgstow");
    head->codec = (CodecId)codec;
    TRY(decode_chunks(&r, chunks, head->raw, out));
    TRY(reader_end(&r));
    if (head->raw != info->raw || chunks != info->chunks ||
        info->stored != 4 + (uint64_t)length + head->stored + 2 * CHECK_BYTES)
        FAIL(ERR_DAMAGED, "the header and the footer do not agree");
    out->stored = info->stored;
    return NULL;
}

Error *frame_decode(PackId pack, const FrameInfo *info, const uint8_t *p, size_t n, Codec *codec,
                    Hash *hash, Frame *out)
{
    FrameHead head = {0};
    TRY(frame_decode_head(pack, info, p, n, hash, &head, out));
    const uint8_t *payload = p + 4 + info->header + CHECK_BYTES;
    if (n != info->stored)
        FAIL(ERR_DAMAGED, "the frame is cut short");
    TRY(compare_check(OBJECT_FRAME_PAYLOAD, pack, info->number, payload, head.stored, hash,
                      "payload"));
    return codec_decode(codec, head.codec, payload, head.stored, head.raw, &out->raw);
}

void footer_encode(PackId pack, const FrameInfo *frames, size_t count, Hash *hash, Buf *out)
{
    AUTO_VALUE(Buf) footer = {0};
    buf_varint(&footer, count);
    for (size_t i = 0; i < count; i++) {
        const FrameInfo *f = &frames[i];
        buf_varint(&footer, f->number);
        buf_varint(&footer, f->offset);
        buf_varint(&footer, f->stored);
        buf_varint(&footer, f->header);
        buf_varint(&footer, f->raw);
        buf_varint(&footer, f->chunks);
        buf_varint(&footer, f->oid);
        buf_varint(&footer, f->piece);
    }
    buf_add(out, footer.data, footer.len);
    add_check(OBJECT_FOOTER, pack, 0, footer.data, footer.len, hash, out);
    buf_u32(out, (uint32_t)footer.len);
    buf_add(out, TRAILER_MAGIC, MAGIC_BYTES);
}

Error *trailer_decode(const uint8_t *p, uint64_t pack_size, size_t *footer_length)
{
    Reader r = reader_over(p, TRAILER_BYTES, "trailer");
    uint32_t length;
    TRY(reader_u32(&r, &length));
    if (memcmp(r.at, TRAILER_MAGIC, MAGIC_BYTES) != 0)
        FAIL(ERR_DAMAGED, "the pack has no end: it is cut short or overwritten");
    if (length == 0 || length > FRAMES_MAX * 64u ||
        pack_size < (uint64_t)PACK_HEADER_BYTES + length + CHECK_BYTES + TRAILER_BYTES)
        FAIL(ERR_DAMAGED, "the footer cannot be %u bytes long", length);
    *footer_length = (size_t)length + CHECK_BYTES;
    return NULL;
}

static Error *read_frame_info(Reader *r, FrameInfo *f)
{
    TRY(read_u32(r, UINT32_MAX, &f->number));
    TRY(reader_varint_max(r, PACK_LIMIT, &f->offset));
    TRY(read_u32(r, FRAME_STORED_MAX, &f->stored));
    TRY(read_u32(r, FRAME_HEADER_MAX, &f->header));
    TRY(read_u32(r, FRAME_LIMIT, &f->raw));
    TRY(read_u32(r, FRAME_CHUNKS_MAX, &f->chunks));
    TRY(read_u32(r, UINT32_MAX, &f->oid));
    return read_u32(r, UINT32_MAX, &f->piece);
}

Error *footer_decode(PackId pack, const uint8_t *p, size_t n, uint64_t end, Hash *hash,
                     FrameInfo **frames, size_t *count)
{
    if (n < CHECK_BYTES)
        FAIL(ERR_DAMAGED, "the footer is too short");
    TRY(compare_check(OBJECT_FOOTER, pack, 0, p, n - CHECK_BYTES, hash, "footer"));
    Reader r = reader_over(p, n - CHECK_BYTES, "footer");
    uint32_t frame_count;
    TRY(read_u32(&r, FRAMES_MAX, &frame_count));
    FrameInfo *list = mem_calloc(frame_count, sizeof *list);
    Error *e = NULL;
    for (uint32_t i = 0; i < frame_count && !e; i++) {
        e = read_frame_info(&r, &list[i]);
        if (!e && ((i && list[i].number <= list[i - 1].number) ||
                   list[i].offset < PACK_HEADER_BYTES || list[i].offset + list[i].stored > end))
            e = ERROR_NEW(ERR_DAMAGED, "frame %u lies outside the pack", list[i].number);
    }
    if (!e)
        e = reader_end(&r);
    if (e) {
        free(list);
        return e;
    }
    *frames = list;
    *count = frame_count;
    return NULL;
}
