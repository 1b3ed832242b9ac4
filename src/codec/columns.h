/* Rows turned into columns: what stands in a frame of COPY text (fields separated by tabs, rows
 * ended by newlines), so written that it is small before zstd has seen it. Columns that are
 * numbers, dates, timestamps or few distinct texts become numbers, which are packed to bits; all
 * other text stays text, column by column, and is left to zstd.
 *
 * Nothing is known about the bytes but the bytes: each frame says for itself what its columns are,
 * and any bytes come back exactly. What is no table stays as it is. docs/format.md has the layout.
 * This part knows no zstd: codec.c compresses the text.
 */
#ifndef PGSTOW_CODEC_COLUMNS_H
#define PGSTOW_CODEC_COLUMNS_H

#include "base/buf.h"
#include "codec/columns_wide.h"

/* More raw bytes are never turned into columns, nor back: it bounds the memory of both, which is
 * at most about 30 bytes a raw byte (of mostly empty fields) and usually 3. */
#define COLUMNS_RAW_MAX ((size_t)4 << 20)

typedef struct Columns Columns; /* one thread's working space, kept for reuse */
/* How many bytes become of p[0..n) when they are compressed: now and then it is asked, to see in
 * which of two forms text is smaller. */
typedef size_t (*ColumnsMeasure)(void *ctx, const void *p, size_t n);
Columns *columns_new(ColumnsMeasure measure, void *ctx);
void columns_free(Columns *c);
DEFINE_AUTO(Columns, columns_free)
/* Replaces what is in `form` (all that is packed) and `text` (to be compressed; never more than n
 * bytes). *done is false where the bytes are better left as they are. */
Error *columns_encode(Columns *c, const void *p, size_t n, Buf *form, Buf *text,
                      bool *done) MUST_CHECK;
/* Exactly raw_len bytes into out (replaced), anything else is ERR_DAMAGED. Behind the text so many
 * bytes may be read. */
#define COLUMNS_TEXT_SLACK 64
Error *columns_decode(Columns *c, const void *form, size_t n, const Buf *text, size_t raw_len,
                      Buf *out) MUST_CHECK;

/* The two as this processor runs them best; the bytes are the same. */
typedef struct ColumnsWay {
    Error *(*encode)(Columns *c, const void *p, size_t n, Buf *form, Buf *text, bool *done);
    Error *(*decode)(Columns *c, const void *form, size_t n, const Buf *text, size_t raw_len,
                     Buf *out);
} ColumnsWay;
ColumnsWay columns_way(void);

#endif
