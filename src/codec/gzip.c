#include "codec/gzip.h"

#include <zlib.h>

#define PORTION ((size_t)64 << 10)
#define INPUT_MAX ((size_t)1 << 30) /* zlib counts in unsigned int */
#define WINDOW 15                   /* the largest; 16 more: with the header of a file */

struct GzipWriter {
    z_stream z;
    GzipTake take;
    void *ctx;
    unsigned char out[PORTION];
};

const char *gzip_version(void)
{
    return zlibVersion();
}

static int window_of(GzipForm form)
{
    return form == GZIP_FILE ? WINDOW + 16 : WINDOW;
}

static Error *zlib_failed(const char *verb, int code, const z_stream *z)
{
    return ERROR_NEW(code == Z_MEM_ERROR ? ERR_MEMORY : ERR_INTERNAL, "zlib could not %s: %s", verb,
                     z->msg ? z->msg : zError(code));
}

Error *gzip_writer_open(GzipForm form, int level, GzipTake take, void *ctx, GzipWriter **out)
{
    if (level < 1 || level > 9)
        FAIL(ERR_INTERNAL, "there is no compression level %d", level);
    GzipWriter *w = mem_new(GzipWriter);
    w->take = take;
    w->ctx = ctx;
    int code = deflateInit2(&w->z, level, Z_DEFLATED, window_of(form), 8, Z_DEFAULT_STRATEGY);
    if (code != Z_OK) {
        Error *e = zlib_failed("begin", code, &w->z);
        free(w);
        return e;
    }
    *out = w;
    return NULL;
}

/* Feeds what the z_stream was given, until it asks for more. */
static Error *deflate_all(GzipWriter *w, int flush)
{
    int code;
    do {
        w->z.next_out = w->out;
        w->z.avail_out = PORTION;
        code = deflate(&w->z, flush);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return zlib_failed("compress", code, &w->z);
        size_t n = PORTION - w->z.avail_out;
        if (n)
            TRY(w->take(w->ctx, w->out, n));
    } while (flush == Z_FINISH ? code != Z_STREAM_END : w->z.avail_out == 0);
    return NULL;
}

Error *gzip_writer_write(GzipWriter *w, const void *p, size_t n)
{
    const unsigned char *at = p;
    while (n) {
        size_t part = n < INPUT_MAX ? n : INPUT_MAX;
        w->z.next_in = (unsigned char *)at; /* zlib's z_const */
        w->z.avail_in = (unsigned)part;
        TRY(deflate_all(w, Z_NO_FLUSH));
        at += part;
        n -= part;
    }
    return NULL;
}

Error *gzip_writer_finish(GzipWriter *w)
{
    w->z.next_in = NULL;
    w->z.avail_in = 0;
    TRY(deflate_all(w, Z_FINISH));
    int code = deflateReset(&w->z);
    return code == Z_OK ? NULL : zlib_failed("begin anew", code, &w->z);
}

void gzip_writer_free(GzipWriter *w)
{
    deflateEnd(&w->z);
    free(w);
}
