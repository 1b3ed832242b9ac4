#include "repo/frame.h"

#include <string.h>

#define PACK_MAGIC "PGSTOWPK"
#define TRAILER_MAGIC "PGSTOWPF"
#define MAGIC_BYTES 8
#define HASH_SHA256 1
#define PACK_LABEL "pgstow pack"

static PartUse part_use(const PackSeal *seal, ObjectKind kind)
{
    if (kind == OBJECT_PACK)
        return PART_LEGIBLE;
    return kind == OBJECT_FRAME_PAYLOAD && seal->kind == PACK_DATA ? PART_PAYLOAD : PART_INDEX;
}

static void part_name(const PackSeal *seal, uint32_t frame, Buf *out)
{
    pack_id_write(out, seal->id);
    buf_u32(out, frame);
}

/* Seals what stands in `out` from `start` on, and adds its check. */
static void close_part(const PackSeal *seal, ObjectKind kind, uint32_t frame, size_t start,
                       Hash *hash, Buf *out)
{
    AUTO_VALUE(Buf) name = {0};
    uint8_t check[CHECK_BYTES];
    part_name(seal, frame, &name);
    Part part = {part_use(seal, kind), kind, frame, &name};
    part_close(seal->keys, &part, hash, out->data + start, out->len - start, check);
    buf_add(out, check, sizeof check);
}

/* p[0..n), and its check behind it. */
static Error *open_part(const PackSeal *seal, ObjectKind kind, uint32_t frame, uint8_t *p, size_t n,
                        Hash *hash, const char *what)
{
    AUTO_VALUE(Buf) name = {0};
    part_name(seal, frame, &name);
    Part part = {part_use(seal, kind), kind, frame, &name};
    return part_open(seal->keys, &part, hash, p, n, p + n, what);
}

Error *pack_seal_new(const Keyring *k, const char *database, PackId id, PackKind kind,
                     PackSeal *out)
{
    *out = (PackSeal){.id = id, .kind = kind};
    return object_keys_new(k, database, PACK_LABEL, kind == PACK_DATA, &out->keys);
}

void pack_header_encode(const PackSeal *seal, Hash *hash, Buf *out)
{
    size_t start = out->len;
    buf_add(out, PACK_MAGIC, MAGIC_BYTES);
    buf_u16(out, FORMAT_VERSION);
    buf_u8(out, (uint8_t)seal->kind);
    buf_u8(out, HASH_SHA256);
    pack_id_write(out, seal->id);
    object_keys_write(seal->keys, out);
    close_part(seal, OBJECT_PACK, 0, start, hash, out);
}

Error *pack_header_decode(uint8_t *p, size_t n, PackId id, const Keyring *k, Hash *hash,
                          PackSeal *out, size_t *length)
{
    Reader r = reader_over(p, n, "pack header");
    const uint8_t *magic, *block, *check;
    uint16_t version, block_length;
    uint8_t kind_byte, hash_kind;
    PackId named;
    uint64_t key_set;
    *out = (PackSeal){.id = id};
    TRY(reader_bytes(&r, MAGIC_BYTES, &magic));
    TRY(reader_u16(&r, &version));
    TRY(reader_u8(&r, &kind_byte));
    TRY(reader_u8(&r, &hash_kind));
    TRY(pack_id_read(&r, &named));
    TRY(reader_u64(&r, &key_set));
    TRY(reader_u16(&r, &block_length));
    if (memcmp(magic, PACK_MAGIC, MAGIC_BYTES) != 0)
        FAIL(ERR_DAMAGED, "this is not a pack");
    if (version > FORMAT_VERSION || hash_kind != HASH_SHA256)
        FAIL(ERR_REPO_UNSUPPORTED, "a pack of format %u, hash %u: this pgstow knows format %u",
             version, hash_kind, FORMAT_VERSION);
    if (block_length > KEY_BLOCK_MAX)
        FAIL(ERR_DAMAGED, "the header cannot have a key block of %u bytes", block_length);
    TRY(reader_bytes(&r, block_length, &block));
    size_t checked = (size_t)(r.at - p);
    TRY(reader_bytes(&r, CHECK_BYTES, &check));
    TRY(object_keys_open(k, key_set, block, block_length, PACK_LABEL, &out->keys));
    Error *e = open_part(out, OBJECT_PACK, 0, p, checked, hash, "header");
    if (!e && (!pack_id_equal(named, id) || (kind_byte != PACK_DATA && kind_byte != PACK_RECIPE)))
        e = ERROR_NEW(ERR_DAMAGED, "the header names another pack");
    if (e) {
        object_keys_free(STEAL(out->keys));
        return e;
    }
    out->kind = (PackKind)kind_byte;
    *length = checked + CHECK_BYTES;
    return NULL;
}

void frame_encode(const PackSeal *seal, uint32_t number, const FrameBody *body, CodecId codec,
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
    size_t at = out->len;
    buf_add(out, header.data, header.len);
    close_part(seal, OBJECT_FRAME_HEADER, number, at, hash, out);
    at = out->len;
    buf_add(out, payload->data, payload->len);
    close_part(seal, OBJECT_FRAME_PAYLOAD, number, at, hash, out);
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

Error *frame_decode_head(const PackSeal *seal, const FrameInfo *info, uint8_t *p, size_t n,
                         Hash *hash, FrameHead *head, Frame *out)
{
    Reader r = reader_over(p, n, "frame header");
    uint32_t length;
    TRY(reader_u32(&r, &length));
    if (length != info->header || n < 4 + (size_t)length + CHECK_BYTES)
        FAIL(ERR_DAMAGED, "the header is not as long as the footer says");
    TRY(open_part(seal, OBJECT_FRAME_HEADER, info->number, p + 4, length, hash, "frame header"));
    r = reader_over(p + 4, length, "frame header");
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
    object_keys_tag(seal->keys, out->tag);
    return NULL;
}

uint8_t *frame_payload(const FrameInfo *info, uint8_t *p)
{
    return p + 4 + info->header + CHECK_BYTES;
}

Error *frame_decode(const PackSeal *seal, const FrameInfo *info, uint8_t *p, size_t n, Codec *codec,
                    Hash *hash, FrameHead *head, Frame *out)
{
    TRY(frame_decode_head(seal, info, p, n, hash, head, out));
    uint8_t *payload = frame_payload(info, p);
    if (n != info->stored)
        FAIL(ERR_DAMAGED, "the frame is cut short");
    TRY(open_part(seal, OBJECT_FRAME_PAYLOAD, info->number, payload, head->stored, hash,
                  "payload"));
    return codec_decode(codec, head->codec, payload, head->stored, head->raw, &out->raw);
}

void footer_encode(const PackSeal *seal, const FrameInfo *frames, size_t count, Hash *hash,
                   Buf *out)
{
    size_t start = out->len;
    buf_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        const FrameInfo *f = &frames[i];
        buf_varint(out, f->number);
        buf_varint(out, f->offset);
        buf_varint(out, f->stored);
        buf_varint(out, f->header);
        buf_varint(out, f->raw);
        buf_varint(out, f->chunks);
        buf_varint(out, f->oid);
        buf_varint(out, f->piece);
    }
    uint32_t length = (uint32_t)(out->len - start);
    close_part(seal, OBJECT_FOOTER, 0, start, hash, out);
    buf_u32(out, length);
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

Error *footer_decode(const PackSeal *seal, uint8_t *p, size_t n, uint64_t start, uint64_t end,
                     Hash *hash, FrameInfo **frames, size_t *count)
{
    if (n < CHECK_BYTES)
        FAIL(ERR_DAMAGED, "the footer is too short");
    TRY(open_part(seal, OBJECT_FOOTER, 0, p, n - CHECK_BYTES, hash, "footer"));
    Reader r = reader_over(p, n - CHECK_BYTES, "footer");
    uint32_t frame_count;
    TRY(read_u32(&r, FRAMES_MAX, &frame_count));
    FrameInfo *list = mem_calloc(frame_count, sizeof *list);
    Error *e = NULL;
    for (uint32_t i = 0; i < frame_count && !e; i++) {
        e = read_frame_info(&r, &list[i]);
        if (!e && ((i && list[i].number <= list[i - 1].number) || list[i].offset < start ||
                   list[i].offset + list[i].stored > end))
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
