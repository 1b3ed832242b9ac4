/* Decompressing what other programs wrote, as it flows: gzip, zlib, zstd and lz4 in their standard
 * wrappings. (Our own frames are codec.h's.) Memory: a window, and portions of at most 128 KiB. */
#ifndef PGSTOW_CODEC_UNPACK_H
#define PGSTOW_CODEC_UNPACK_H

#include "base/error.h"

typedef enum UnpackForm {
    UNPACK_NONE,
    UNPACK_ZLIB,
    UNPACK_GZIP,
    UNPACK_ZSTD,
    UNPACK_LZ4
} UnpackForm;
/* Told by the first bytes of a file; NONE for anything else, and for ZLIB, which has none. */
UnpackForm unpack_sniff(const void *p, size_t n);

typedef Error *(*UnpackTake)(void *ctx, const void *p, size_t n);
typedef struct Unpack Unpack;
/* NONE hands the bytes on as they are. */
Error *unpack_open(UnpackForm form, UnpackTake take, void *ctx, Unpack **out) MUST_CHECK;
/* Compressed bytes, cut anywhere; several streams one behind the other are one (not for ZLIB).
 * ERR_DAMAGED for anything else; what `take` returns is passed up. */
Error *unpack_write(Unpack *u, const void *p, size_t n) MUST_CHECK;
/* ERR_DAMAGED where the bytes ended inside a stream. */
Error *unpack_finish(const Unpack *u) MUST_CHECK;
void unpack_free(Unpack *u);
DEFINE_AUTO(Unpack, unpack_free)

#endif
