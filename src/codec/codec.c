#include "codec/codec.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/columns.h"

/* 64 MiB and one row, for which PostgreSQL has a limit of 1 GiB. */
#define MAX_RAW (((size_t)64 << 20) + ((size_t)1 << 30))

struct Codec {
    /* Made when they are needed: each asks the processor what it can do, which on a virtual machine
     * takes longer than to unpack a manifest. */
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
    Columns *columns;
    ColumnsWay way;
    Buf form, text; /* of columns, before compression and after decompression */
    Buf tried;      /* text compressed to see how small it becomes */
    int level;
    Buf proof; /* what was encoded, decoded again */
};

/* A failure of zstd that is not the input's fault. */
static Error *zstd_failed(const char *verb, size_t code)
{
    ErrorKind kind =
        ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation ? ERR_MEMORY : ERR_INTERNAL;
    return ERROR_NEW(kind, "zstd could not %s: %s", verb, ZSTD_getErrorName(code));
}

/* Adds what p[0..n) becomes by zstd to `out`; *added is its length. */
static Error *add_compressed(Codec *c, int level, const void *p, size_t n, Buf *out, size_t *added)
{
    size_t bound = ZSTD_compressBound(n);
    if (!c->packer && !(c->packer = ZSTD_createCCtx()))
        FAIL(ERR_MEMORY, "no memory for compressing");
    size_t code = ZSTD_CCtx_setParameter(c->packer, ZSTD_c_compressionLevel, level);
    if (ZSTD_isError(code))
        return zstd_failed("set its level", code);
    TRY(buf_reserve(out, bound, out->len + bound));
    code = ZSTD_compress2(c->packer, out->data + out->len, bound, p, n);
    if (ZSTD_isError(code))
        return zstd_failed("compress", code);
    out->len += *added = code;
    return NULL;
}

static size_t measure(void *ctx, const void *p, size_t n)
{
    Codec *c = ctx;
    size_t size = n;
    c->tried.len = 0;
    if (n)
        error_drop(add_compressed(c, c->level, p, n, &c->tried, &size));
    return size;
}

Codec *codec_new(void)
{
    Codec *c = mem_new(Codec);
    c->columns = columns_new(measure, c);
    c->way = columns_way();
    return c;
}

void codec_free(Codec *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->packer);
    ZSTD_freeDCtx(c->unpacker);
    columns_free(c->columns);
    buf_free(&c->form);
    buf_free(&c->text);
    buf_free(&c->tried);
    buf_free(&c->proof);
    free(c);
}

static Error *store(const void *p, size_t n, Buf *out, CodecId *used)
{
    out->len = 0;
    TRY(buf_reserve(out, n, MAX_RAW));
    buf_add(out, p, n);
    *used = CODEC_STORE;
    return NULL;
}

/* The payload of a frame of columns: u8 version; varint length of the text; varint length of its
 * stored bytes, which are zstd's where they are fewer; these; the form. */
#define COLUMNS_VERSION 1
#define COLUMNS_HEAD_MAX 21 /* bytes before the text */

static Error *add_columns(Codec *c, int level, Buf *out)
{
    uint8_t room[COLUMNS_HEAD_MAX];
    size_t text = c->text.len, stored = 0;
    buf_add(out, room, sizeof room); /* the head, known when the text is compressed */
    if (text)
        TRY(add_compressed(c, level, c->text.data, text, out, &stored));
    if (stored >= text) {
        out->len = sizeof room;
        buf_add(out, c->text.data, stored = text);
    }
    Buf head = {.data = room, .cap = sizeof room};
    buf_u8(&head, COLUMNS_VERSION);
    buf_varint(&head, text);
    buf_varint(&head, stored);
    memcpy(out->data, head.data, head.len);
    memmove(out->data + head.len, out->data + sizeof room, stored);
    out->len = head.len + stored;
    buf_add(out, c->form.data, c->form.len);
    return NULL;
}

static Error *compress(Codec *c, int level, const void *p, size_t n, Buf *out, CodecId *used)
{
    bool columns;
    size_t added;
    out->len = 0;
    c->level = level;
    TRY(c->way.encode(c->columns, p, n, &c->form, &c->text, &columns));
    *used = columns ? CODEC_COLUMNS : CODEC_ZSTD;
    if (columns)
        TRY(add_columns(c, level, out));
    else
        TRY(add_compressed(c, level, p, n, out, &added));
    return out->len >= n ? store(p, n, out, used) : NULL;
}

Error *codec_encode(Codec *c, int level, const void *p, size_t n, Buf *out, CodecId *used)
{
    if (level < 0 || level > 19)
        FAIL(ERR_INTERNAL, "there is no compression level %d", level);
    if (n > MAX_RAW)
        FAIL(ERR_LIMIT, "a frame of %zu bytes is larger than %zu", n, MAX_RAW);
    if (level == 0 || n == 0)
        TRY(store(p, n, out, used));
    else
        TRY(compress(c, level, p, n, out, used));
    Error *e = codec_decode(c, *used, out->data, out->len, n, &c->proof);
    if (e && error_kind(e) == ERR_MEMORY)
        return e;
    if (e)
        return error_rekind(error_context(e, "compressed bytes cannot be read back"), ERR_INTERNAL);
    if (n && memcmp(c->proof.data, p, n) != 0)
        FAIL(ERR_INTERNAL, "compressed bytes read back differ from what was compressed");
    return NULL;
}

static Error *decompress(Codec *c, const void *p, size_t n, size_t raw_len, Buf *out)
{
    /* The sizes are looked at first, so that a lying frame costs nothing. Nobody compresses empty
     * bytes, and a frame is alone. */
    if (raw_len == 0 || ZSTD_getFrameContentSize(p, n) != raw_len ||
        ZSTD_findFrameCompressedSize(p, n) != n)
        FAIL(ERR_DAMAGED, "compressed bytes do not hold the %zu bytes that they should", raw_len);
    TRY(buf_reserve(out, raw_len, raw_len));
    if (!c->unpacker && !(c->unpacker = ZSTD_createDCtx()))
        FAIL(ERR_MEMORY, "no memory for decompressing");
    size_t code = ZSTD_decompressDCtx(c->unpacker, out->data, raw_len, p, n);
    if (ZSTD_isError(code) && ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
        return zstd_failed("decompress", code);
    if (ZSTD_isError(code))
        FAIL(ERR_DAMAGED, "compressed bytes are damaged: %s", ZSTD_getErrorName(code));
    if (code != raw_len)
        FAIL(ERR_DAMAGED, "compressed bytes became %zu bytes, not %zu", code, raw_len);
    out->len = raw_len;
    return NULL;
}

static Error *decode_columns(Codec *c, const void *p, size_t n, size_t raw_len, Buf *out)
{
    Reader r = reader_over(p, n, "a frame in columns");
    uint8_t version;
    uint64_t text, stored;
    const uint8_t *bytes;
    TRY(reader_u8(&r, &version));
    if (version != COLUMNS_VERSION)
        FAIL(ERR_REPO_UNSUPPORTED, "columns of version %u are unknown to this pgstow", version);
    TRY(reader_varint_max(&r, raw_len < COLUMNS_RAW_MAX ? raw_len : COLUMNS_RAW_MAX, &text));
    TRY(reader_varint_max(&r, text, &stored));
    TRY(reader_bytes(&r, (size_t)stored, &bytes));
    c->text.len = 0;
    TRY(buf_reserve(&c->text, (size_t)text + COLUMNS_TEXT_SLACK, SIZE_MAX));
    if (stored < text)
        TRY(decompress(c, bytes, (size_t)stored, (size_t)text, &c->text));
    else
        buf_add(&c->text, bytes, (size_t)text);
    memset(c->text.data + text, 0, COLUMNS_TEXT_SLACK); /* a look for an end goes into it */
    return c->way.decode(c->columns, r.at, reader_left(&r), &c->text, raw_len, out);
}

Error *codec_decode(Codec *c, CodecId id, const void *p, size_t n, size_t raw_len, Buf *out)
{
    out->len = 0;
    if (raw_len > MAX_RAW)
        FAIL(ERR_DAMAGED, "a frame of %zu bytes is larger than %zu", raw_len, MAX_RAW);
    switch (id) {
    case CODEC_STORE:
        if (n != raw_len)
            FAIL(ERR_DAMAGED, "%zu bytes are stored where %zu should be", n, raw_len);
        TRY(buf_reserve(out, n, MAX_RAW));
        buf_add(out, p, n);
        return NULL;
    case CODEC_ZSTD:
        return decompress(c, p, n, raw_len, out);
    case CODEC_COLUMNS:
        return decode_columns(c, p, n, raw_len, out);
    }
    FAIL(ERR_REPO_UNSUPPORTED, "bytes are compressed in a way (%u) that this pgstow does not know",
         (unsigned)id);
}
