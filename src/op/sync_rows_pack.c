#include "op/sync_rows_pack.h"

#include "codec/gzip.h"
#include "codec/unpack.h"
#include "op/sync_batch.h"

#define LEVEL 1 /* more costs more than it saves on all but the slowest lines */

static Error *add(void *ctx, const void *p, size_t n)
{
    TRY_CTX(buf_reserve(ctx, n, SYNC_BATCH_MAX), "a batch");
    buf_add(ctx, p, n);
    return NULL;
}

Error *sync_rows_pack(const void *p, size_t n, bool line, Buf *out)
{
    AUTO(GzipWriter) w = NULL;
    out->len = 0;
    TRY(gzip_writer_open(GZIP_FILE, LEVEL, add, out, &w));
    TRY(gzip_writer_write(w, p, n));
    if (line)
        TRY(gzip_writer_write(w, "\n", 1));
    return gzip_writer_finish(w);
}

Error *sync_rows_unpack(const void *p, size_t n, Buf *out)
{
    AUTO(Unpack) u = NULL;
    TRY(unpack_open(UNPACK_GZIP, add, out, &u));
    Error *e = unpack_write(u, p, n);
    e = e ? e : unpack_finish(u);
    return e && error_kind(e) == ERR_DAMAGED ? error_rekind(e, ERR_USAGE) : e;
}
