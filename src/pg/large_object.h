/* Reading large objects under a backup's snapshot, and the form that their stream has:
 * records {u32 LE oid, blocks {u32 LE n > 0, n bytes}*, u32 0}.
 */
#ifndef PGSTOW_PG_LARGE_OBJECT_H
#define PGSTOW_PG_LARGE_OBJECT_H

#include "pg/archive.h"
#include "pg/conn.h"

/* The lengths of an object's first block and of the next ones (the last is what is left), so that
 * the same object is the same bytes in every backup, whoever its blocks came from. */
#define LARGE_OBJECT_FIRST 65536u
#define LARGE_OBJECT_NEXT 1048576u

/* Adds the numbers that stand in the definition of a METADATA entry: "50001\n50002\n". *oids is the
 * caller's. */
void large_object_oids(const char *definition, uint32_t **oids, size_t *count, size_t *cap);
/* The OIDs whose data belong to a BLOBS entry: up to archive 1.15 all that there are, from 1.16
 * those of its group. *oids is the caller's. */
Error *large_object_list(Conn *c, const Toc *toc, const TocEntry *blobs, uint32_t **oids,
                         size_t *count) MUST_CHECK;
/* Hands out the stream of these objects, in this order. */
typedef Error *(*LargeObjectSink)(void *ctx, const void *p, size_t n);
Error *large_object_read(Conn *c, const uint32_t *oids, size_t count, LargeObjectSink sink,
                         void *ctx) MUST_CHECK;

#endif
