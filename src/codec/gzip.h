/* Compressing by zlib as bytes flow: files ending in .gz, and the blocks of pg_dump's archives
 * (each a stream in zlib's own wrapping). The way back is unpack.h. */
#ifndef PGSTOW_CODEC_GZIP_H
#define PGSTOW_CODEC_GZIP_H

#include "base/error.h"

/* The library's: another one may compress the same to other bytes. */
const char *gzip_version(void);

typedef enum GzipForm { GZIP_FILE, GZIP_ZLIB } GzipForm;
/* Takes what comes out, in portions of at most 64 KiB. */
typedef Error *(*GzipTake)(void *ctx, const void *p, size_t n);

typedef struct GzipWriter GzipWriter;
/* level: 1 (fast) to 9 (small). */
Error *gzip_writer_open(GzipForm form, int level, GzipTake take, void *ctx,
                        GzipWriter **out) MUST_CHECK;
Error *gzip_writer_write(GzipWriter *w, const void *p, size_t n) MUST_CHECK;
/* Ends the stream, also an empty one; what is written then begins another. */
Error *gzip_writer_finish(GzipWriter *w) MUST_CHECK;
void gzip_writer_free(GzipWriter *w);
DEFINE_AUTO(GzipWriter, gzip_writer_free)

#endif
