/* Compression of one frame's bytes. A codec id stands in every frame and never changes its meaning.
 */
#ifndef PGSTOW_CODEC_CODEC_H
#define PGSTOW_CODEC_CODEC_H

#include <stdint.h>
#include "base/buf.h"

typedef enum CodecId {
    CODEC_STORE = 0,
    CODEC_ZSTD = 1,
    CODEC_COLUMNS = 2 /* rows of text as columns: columns.h */
} CodecId;

typedef struct Codec Codec; /* contexts of one thread, kept for reuse */
Codec *codec_new(void);
void codec_free(Codec *c);
DEFINE_AUTO(Codec, codec_free)
/* Replaces out's contents; level 0 is store, 1 to 19 zstd's. *used says what it became: rows of a
 * table become columns, and bytes that do not shrink are stored. The result is decoded again and
 * compared; ERR_INTERNAL where it differs. */
Error *codec_encode(Codec *c, int level, const void *p, size_t n, Buf *out,
                    CodecId *used) MUST_CHECK;
/* Exactly raw_len bytes into out (replaced); anything else is ERR_DAMAGED. raw_len at most 64 MiB
 * plus a row: the caller has bounded it. An unknown id is ERR_REPO_UNSUPPORTED. */
Error *codec_decode(Codec *c, CodecId id, const void *p, size_t n, size_t raw_len,
                    Buf *out) MUST_CHECK;

#endif
