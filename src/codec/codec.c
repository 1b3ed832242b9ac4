#include "codec/codec.h"

#include <stdio.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

/* 64 MiB and one row, for which PostgreSQL has a limit of 1 GiB. */
#define MAX_RAW (((size_t)64 << 20) + ((size_t)1 << 30))

struct Codec {
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
    Buf proof; /* what was encoded, decoded again */
};

Codec *codec_new(void)
{
    Codec *c = mem_new(Codec);
    c->packer = ZSTD_createCCtx();
    c->unpacker = ZSTD_createDCtx();
    if (!c->packer || !c->unpacker) {
        fputs("pgstow: out of memory\n", stderr);
        abort();
    }
    return c;
}

void codec_free(Codec *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->packer);
    ZSTD_freeDCtx(c->unpacker);
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

/* A failure of zstd that is not the input's fault. */
static Error *zstd_failed(const char *verb, size_t code)
{
    ErrorKind kind =
        ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation ? ERR_MEMORY : ERR_INTERNAL;
    return ERROR_NEW(kind, "zstd could not %s: %s", verb, ZSTD_getErrorName(code));
}

static Error *compress(Codec *c, int level, const void *p, size_t n, Buf *out, CodecId *used)
{
    size_t bound = ZSTD_compressBound(n);
    size_t code = ZSTD_CCtx_setParameter(c->packer, ZSTD_c_compressionLevel, level);
    if (ZSTD_isError(code))
        return zstd_failed("set its level", code);
    out->len = 0;
    TRY(buf_reserve(out, bound, bound));
    code = ZSTD_compress2(c->packer, out->data, bound, p, n);
    if (ZSTD_isError(code))
        return zstd_failed("compress", code);
    if (code >= n)
        return store(p, n, out, used);
    out->len = code;
    *used = CODEC_ZSTD;
    return NULL;
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
    }
    FAIL(ERR_REPO_UNSUPPORTED, "bytes are compressed in a way (%u) that this pgstow does not know",
         (unsigned)id);
}
