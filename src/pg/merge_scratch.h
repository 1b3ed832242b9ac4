/* The schema in which a merge keeps its tables: made and filled by several connections, each with
 * transactions of its own, read by the one that writes. Its comment says what it is.
 *
 * One merge at a time works in a database (an advisory lock): whatever other such schema is there
 * was left by one that was killed, and is dropped.
 */
#ifndef PGSTOW_PG_MERGE_SCRATCH_H
#define PGSTOW_PG_MERGE_SCRATCH_H

#include "pg/conn.h"

/* Held by `c` until its session ends. Waits for wait_ms, then ERR_DB_IN_USE. */
Error *merge_scratch_lock(Conn *c, int64_t wait_ms) MUST_CHECK;
Error *merge_scratch_unlock(Conn *c) MUST_CHECK; /* before its session ends */
/* The lock is held. */
Error *merge_scratch_sweep(Conn *c) MUST_CHECK;
/* *schema: its name, quoted; caller frees. */
Error *merge_scratch_create(Conn *c, char **schema) MUST_CHECK;
Error *merge_scratch_drop(Conn *c, const char *schema) MUST_CHECK;

/* Whether a schema has the name of one: a merge that was killed leaves its own until the next. */
bool merge_scratch_is(const char *schema);

#endif
