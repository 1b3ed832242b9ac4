#include "pg/archive_write.h"

#include <string.h>

#include "codec/gzip.h"

#define PIECE ((size_t)1 << 20) /* pg_restore allocates a whole piece at once */
#define BLOCK_TABLE 1
#define BLOCK_BLOBS 3

typedef enum Where { BETWEEN, IN_TABLE, IN_BLOBS, IN_BLOB } Where;

struct ArchiveWriter {
    const Toc *toc;
    ArchiveOutput output;
    Buf head; /* header and TOC as written */
    Buf piece;
    GzipWriter *packer; /* or NULL */
    uint64_t position;
    size_t next; /* the first entry that may still come */
    Where where;
};

static Error *put(ArchiveWriter *w, const void *p, size_t n)
{
    TRY(w->output.write(w->output.ctx, p, n));
    w->position += n;
    return NULL;
}

/* An Int as the header says; a value of 2^31 or more (an OID) is written as the negative number
 * that pg_dump's C int would be. */
static size_t encode_int(const ArchiveWriter *w, uint32_t v, uint8_t *out)
{
    bool negative = v > INT32_MAX;
    uint32_t magnitude = negative ? 0 - v : v;
    out[0] = negative;
    for (int i = 0; i < w->toc->int_size; i++)
        out[1 + i] = (uint8_t)(i < 4 ? magnitude >> (8 * i) : 0);
    return 1 + (size_t)w->toc->int_size;
}

static Error *put_int(ArchiveWriter *w, uint32_t v)
{
    uint8_t bytes[16];
    return put(w, bytes, encode_int(w, v, bytes));
}

/* Where an entry's block is goes into the head; position 0 means not known. */
static void patch_offset(ArchiveWriter *w, const TocEntry *e, uint64_t position)
{
    uint8_t *at = w->head.data + e->offset_at;
    *at = position ? TOC_OFFSET_SET : TOC_OFFSET_UNSET;
    for (int i = 0; i < w->toc->off_size; i++)
        at[1 + i] = (uint8_t)(position >> (8 * i));
}

static Error *take_packed(void *ctx, const void *p, size_t n);

Error *archive_begin(const Toc *toc, const ArchiveOutput *output, ArchiveWriter **out)
{
    AUTO(ArchiveWriter) w = mem_new(ArchiveWriter);
    w->toc = toc;
    w->output = *output;
    if (toc->int_size < 4 || toc->int_size > 8)
        FAIL(ERR_ARCHIVE, "the archive's numbers have %d bytes, too few for data", toc->int_size);
    TRY(buf_reserve(&w->head, toc->raw.len, toc->raw.len));
    buf_add(&w->head, toc->raw.data, toc->raw.len);
    if (toc->minor >= 15)
        w->head.data[toc->compression_at] = output->gzip != 0; /* 1: gzip */
    else
        encode_int(w, (uint32_t)output->gzip, w->head.data + toc->compression_at);
    if (output->gzip)
        TRY(gzip_writer_open(GZIP_ZLIB, output->gzip, take_packed, w, &w->packer));
    for (size_t i = 0; i < toc->count; i++)
        if (toc_has_block(&toc->entries[i]))
            patch_offset(w, &toc->entries[i], 0);
    TRY(put(w, w->head.data, w->head.len));
    *out = STEAL(w);
    return NULL;
}

static Error *begin_block(ArchiveWriter *w, int dump_id, uint8_t kind, Where where)
{
    const TocEntry *e = toc_find(w->toc, dump_id);
    if (w->where != BETWEEN || !e || !toc_has_block(e))
        FAIL(ERR_INTERNAL, "archive: entry %d has no block, or not here", dump_id);
    size_t index = (size_t)(e - w->toc->entries);
    for (size_t i = w->next; i < index; i++)
        if (toc_has_block(&w->toc->entries[i]))
            FAIL(ERR_INTERNAL, "archive: the block of entry %d is missing",
                 w->toc->entries[i].dump_id);
    if (index < w->next)
        FAIL(ERR_INTERNAL, "archive: entry %d comes twice or too late", dump_id);
    w->next = index + 1;
    patch_offset(w, e, w->position);
    TRY(put(w, &kind, 1));
    TRY(put_int(w, (uint32_t)dump_id));
    w->where = where;
    return NULL;
}

static Error *flush(ArchiveWriter *w)
{
    if (!w->piece.len)
        return NULL;
    TRY(put_int(w, (uint32_t)w->piece.len));
    TRY(put(w, w->piece.data, w->piece.len));
    w->piece.len = 0;
    return NULL;
}

static Error *leave(ArchiveWriter *w, Where from, Where to)
{
    if (w->where != from)
        FAIL(ERR_INTERNAL, "archive: an end without its begin");
    if (w->packer && from != IN_BLOBS)
        TRY(gzip_writer_finish(w->packer));
    TRY(flush(w));
    TRY(put_int(w, 0));
    w->where = to;
    return NULL;
}

Error *archive_table_begin(ArchiveWriter *w, int dump_id)
{
    return begin_block(w, dump_id, BLOCK_TABLE, IN_TABLE);
}

Error *archive_table_end(ArchiveWriter *w)
{
    if (w->where == IN_TABLE)
        TRY(archive_bytes(w, "\\.\n\n\n", 5));
    return leave(w, IN_TABLE, BETWEEN);
}

Error *archive_blobs_begin(ArchiveWriter *w, int dump_id)
{
    return begin_block(w, dump_id, BLOCK_BLOBS, IN_BLOBS);
}

Error *archive_blob_begin(ArchiveWriter *w, uint32_t oid)
{
    if (w->where != IN_BLOBS || !oid)
        FAIL(ERR_INTERNAL, "archive: large object %u outside of a block", oid);
    TRY(put_int(w, oid));
    w->where = IN_BLOB;
    return NULL;
}

Error *archive_blob_end(ArchiveWriter *w)
{
    return leave(w, IN_BLOB, IN_BLOBS);
}

Error *archive_blobs_end(ArchiveWriter *w)
{
    return leave(w, IN_BLOBS, BETWEEN);
}

/* Into pieces of the size that pg_restore likes. */
static Error *cut(ArchiveWriter *w, const uint8_t *at, size_t n)
{
    while (n) {
        size_t part = PIECE - w->piece.len;
        part = n < part ? n : part;
        buf_add(&w->piece, at, part);
        at += part;
        n -= part;
        if (w->piece.len == PIECE)
            TRY(flush(w));
    }
    return NULL;
}

static Error *take_packed(void *ctx, const void *p, size_t n)
{
    return cut(ctx, p, n);
}

Error *archive_bytes(ArchiveWriter *w, const void *p, size_t n)
{
    if (w->where != IN_TABLE && w->where != IN_BLOB)
        FAIL(ERR_INTERNAL, "archive: bytes outside of a block");
    return w->packer ? gzip_writer_write(w->packer, p, n) : cut(w, p, n);
}

Error *archive_finish(ArchiveWriter *w)
{
    if (w->where != BETWEEN)
        FAIL(ERR_INTERNAL, "archive: a block is not ended");
    for (; w->next < w->toc->count; w->next++)
        if (toc_has_block(&w->toc->entries[w->next]))
            FAIL(ERR_INTERNAL, "archive: the block of entry %d is missing",
                 w->toc->entries[w->next].dump_id);
    if (!w->output.rewrite)
        return NULL;
    return w->output.rewrite(w->output.ctx, w->head.data, w->head.len);
}

void archive_writer_free(ArchiveWriter *w)
{
    buf_free(&w->head);
    buf_free(&w->piece);
    if (w->packer)
        gzip_writer_free(w->packer);
    free(w);
}
