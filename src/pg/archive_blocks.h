/* The data of a custom archive, read one block after another behind its table of contents, as it
 * comes from a file or a pipe; compressed ones are decompressed. Everything read is bounded and
 * checked: ERR_ARCHIVE says where.
 */
#ifndef PGSTOW_PG_ARCHIVE_BLOCKS_H
#define PGSTOW_PG_ARCHIVE_BLOCKS_H

#include "pg/archive.h"

/* What the blocks are handed to. A table: begin, bytes (COPY text without its end mark), end. Large
 * objects: begin, for each object object_begin, bytes, object_end; end. */
typedef struct ArchiveTake {
    Error *(*begin)(void *ctx, const TocEntry *e);
    Error *(*bytes)(void *ctx, const void *p, size_t n);
    Error *(*end)(void *ctx);
    Error *(*object_begin)(void *ctx, uint32_t oid);
    Error *(*object_end)(void *ctx);
    void *ctx;
} ArchiveTake;

/* Reads all blocks to the end of the input. `toc` is what toc_read gave for the same source (with
 * what it read beyond). An entry that should have a block and has none is an error, as is one that
 * has two. */
Error *archive_blocks_read(const Toc *toc, TocRead read, void *ctx,
                           const ArchiveTake *take) MUST_CHECK;

/* A table's payload as an archive has it, cut anywhere, without the end mark that follows the
 * rows: for files of the directory format too. */
typedef struct CopyPayload {
    Error *(*bytes)(void *ctx, const void *p, size_t n);
    void *ctx;
    char held[5]; /* the last bytes, which may be the mark */
    size_t have;
} CopyPayload;
Error *copy_payload_write(CopyPayload *p, const void *data, size_t n) MUST_CHECK;
Error *copy_payload_end(const CopyPayload *p) MUST_CHECK; /* ERR_ARCHIVE where there is no mark */

#endif
