/* Batches as they go over the wire: each a gzip stream of its own, or as it is. */
#ifndef PGSTOW_OP_SYNC_ROWS_PACK_H
#define PGSTOW_OP_SYNC_ROWS_PACK_H

#include "base/buf.h"

/* Replaces the contents of out. line: with a line break behind it. */
Error *sync_rows_pack(const void *p, size_t n, bool line, Buf *out) MUST_CHECK;
/* The way back of one, into an empty `out`. ERR_USAGE where it is none, ERR_LIMIT where it becomes
 * larger than a batch may be. */
Error *sync_rows_unpack(const void *p, size_t n, Buf *out) MUST_CHECK;

#endif
