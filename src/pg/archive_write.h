/* Writes a complete custom archive that stock pg_restore reads: a Toc as pg_dump made it, and the
 * data blocks, as they are or compressed by zlib, in pieces of at most 1 MiB.
 *
 * Blocks come in the TOC's order (pg_restore -j relies on it). Calls out of order, an entry that
 * has no block, or one written twice are ERR_INTERNAL. `toc` is borrowed until the writer is freed.
 */
#ifndef PGSTOW_PG_ARCHIVE_WRITE_H
#define PGSTOW_PG_ARCHIVE_WRITE_H

#include "pg/archive.h"

typedef struct ArchiveWriter ArchiveWriter;

typedef struct ArchiveOutput {
    Error *(*write)(void *ctx, const void *p, size_t n); /* appends */
    /* Overwrites the first n bytes; NULL where the output cannot seek (then pg_restore finds its
     * way by reading, without -j). */
    Error *(*rewrite)(void *ctx, const void *p, size_t n);
    void *ctx;
    int gzip; /* 1 to 9: how much the blocks are compressed; 0: not at all */
} ArchiveOutput;

/* Writes header and TOC. */
Error *archive_begin(const Toc *toc, const ArchiveOutput *output, ArchiveWriter **out) MUST_CHECK;
/* A table's block; its bytes are COPY text as the server sent it, in any portions. The end mark
 * that pg_restore wants behind it is added here. */
Error *archive_table_begin(ArchiveWriter *w, int dump_id) MUST_CHECK;
Error *archive_table_end(ArchiveWriter *w) MUST_CHECK;
/* A block of large objects: begin, each object with its bytes, end. */
Error *archive_blobs_begin(ArchiveWriter *w, int dump_id) MUST_CHECK;
Error *archive_blob_begin(ArchiveWriter *w, uint32_t oid) MUST_CHECK;
Error *archive_blob_end(ArchiveWriter *w) MUST_CHECK;
Error *archive_blobs_end(ArchiveWriter *w) MUST_CHECK;
/* Bytes of the table or large object begun. */
Error *archive_bytes(ArchiveWriter *w, const void *p, size_t n) MUST_CHECK;
/* ERR_INTERNAL where an entry's block is missing. Then the positions are patched into the TOC. */
Error *archive_finish(ArchiveWriter *w) MUST_CHECK;
void archive_writer_free(ArchiveWriter *w);
DEFINE_AUTO(ArchiveWriter, archive_writer_free)

#endif
