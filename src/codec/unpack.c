#include "codec/unpack.h"

#include <limits.h>
#include <lz4frame.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define PORTION ((size_t)128 << 10)
#define INPUT_MAX ((size_t)1 << 30) /* zlib counts in unsigned int */
#define ZLIB_WINDOW 15              /* the largest; 16 more: with the header of a file */
#define WINDOW_LOG_MAX 27 /* zstd: 128 MiB, what its own program takes without being asked */

struct Unpack {
    UnpackForm form;
    UnpackTake take;
    void *ctx;
    z_stream z; /* gzip, zlib */
    bool z_open;
    ZSTD_DCtx *zstd;
    LZ4F_dctx *lz4;
    bool inside, any; /* of a stream; any stream was begun */
    char out[PORTION];
};

UnpackForm unpack_sniff(const void *p, size_t n)
{
    const struct {
        UnpackForm form;
        size_t n;
        const char *magic;
    } known[] = {{UNPACK_GZIP, 3, "\x1f\x8b\x08"},
                 {UNPACK_ZSTD, 4, "\x28\xb5\x2f\xfd"},
                 {UNPACK_LZ4, 4, "\x04\x22\x4d\x18"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].n && !memcmp(p, known[i].magic, known[i].n))
            return known[i].form;
    return UNPACK_NONE;
}

Error *unpack_open(UnpackForm form, UnpackTake take, void *ctx, Unpack **out)
{
    AUTO(Unpack) u = mem_new(Unpack);
    u->form = form;
    u->take = take;
    u->ctx = ctx;
    if (form == UNPACK_GZIP || form == UNPACK_ZLIB) {
        if (inflateInit2(&u->z, ZLIB_WINDOW + (form == UNPACK_GZIP ? 16 : 0)) != Z_OK)
            FAIL(ERR_MEMORY, "no memory for decompressing");
        u->z_open = true;
    }
    if (form == UNPACK_ZSTD) {
        u->zstd = ZSTD_createDCtx();
        if (!u->zstd)
            FAIL(ERR_MEMORY, "no memory for decompressing");
        ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    }
    if (form == UNPACK_LZ4 && LZ4F_isError(LZ4F_createDecompressionContext(&u->lz4, LZ4F_VERSION)))
        FAIL(ERR_MEMORY, "no memory for decompressing");
    *out = STEAL(u);
    return NULL;
}

static Error *damaged(const char *what)
{
    return ERROR_NEW(ERR_DAMAGED, "compressed bytes are damaged: %s", what);
}

/* Until the portion given is used up or a stream ends. */
static Error *inflate_some(Unpack *u)
{
    int code;
    do {
        u->z.next_out = (unsigned char *)u->out;
        u->z.avail_out = PORTION;
        code = inflate(&u->z, Z_NO_FLUSH);
        if (code == Z_MEM_ERROR)
            FAIL(ERR_MEMORY, "no memory for decompressing");
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return damaged(u->z.msg ? u->z.msg : zError(code));
        size_t n = PORTION - u->z.avail_out;
        if (n)
            TRY(u->take(u->ctx, u->out, n));
    } while (code != Z_STREAM_END && u->z.avail_out == 0);
    u->inside = code != Z_STREAM_END;
    if (!u->inside && inflateReset(&u->z) != Z_OK)
        FAIL(ERR_INTERNAL, "zlib cannot begin anew");
    return NULL;
}

static Error *write_zlib(Unpack *u, const void *p, size_t n)
{
    const unsigned char *at = p;
    while (n) {
        size_t part = n < INPUT_MAX ? n : INPUT_MAX;
        u->z.next_in = (unsigned char *)at; /* zlib's z_const */
        u->z.avail_in = (unsigned)part;
        while (u->z.avail_in) {
            if (u->form == UNPACK_ZLIB && u->any && !u->inside)
                return damaged("bytes follow its end");
            u->any = true;
            TRY(inflate_some(u));
        }
        at += part;
        n -= part;
    }
    return NULL;
}

static Error *write_zstd(Unpack *u, const void *p, size_t n)
{
    ZSTD_inBuffer in = {p, n, 0};
    for (bool full = false; in.pos < in.size || full;) {
        ZSTD_outBuffer out = {u->out, PORTION, 0};
        size_t left = ZSTD_decompressStream(u->zstd, &out, &in);
        if (ZSTD_isError(left))
            return damaged(ZSTD_getErrorName(left));
        full = out.pos == PORTION;
        /* 0 only where a frame is over and all of it was handed out. */
        u->inside = left != 0;
        if (out.pos)
            TRY(u->take(u->ctx, u->out, out.pos));
    }
    return NULL;
}

static Error *write_lz4(Unpack *u, const void *data, size_t n)
{
    const char *p = data;
    for (bool full = false; n || full;) {
        size_t used = n, made = PORTION;
        size_t left = LZ4F_decompress(u->lz4, u->out, &made, p, &used, NULL);
        if (LZ4F_isError(left))
            return damaged(LZ4F_getErrorName(left));
        full = made == PORTION;
        u->inside = left != 0;
        p += used;
        n -= used;
        if (made)
            TRY(u->take(u->ctx, u->out, made));
    }
    return NULL;
}

Error *unpack_write(Unpack *u, const void *p, size_t n)
{
    if (!n)
        return NULL;
    if (u->z_open)
        return write_zlib(u, p, n);
    u->any = true;
    if (u->zstd)
        return write_zstd(u, p, n);
    if (u->lz4)
        return write_lz4(u, p, n);
    return u->take(u->ctx, p, n);
}

Error *unpack_finish(const Unpack *u)
{
    if (u->form != UNPACK_NONE && (u->inside || !u->any))
        FAIL(ERR_DAMAGED, "compressed bytes end too early");
    return NULL;
}

void unpack_free(Unpack *u)
{
    if (u->z_open)
        inflateEnd(&u->z);
    if (u->zstd)
        ZSTD_freeDCtx(u->zstd);
    if (u->lz4)
        LZ4F_freeDecompressionContext(u->lz4);
    free(u);
}
