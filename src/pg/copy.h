/* COPY TO STDOUT and COPY FROM STDIN, text format, on a Conn that does nothing else meanwhile. */
#ifndef PGSTOW_PG_COPY_H
#define PGSTOW_PG_COPY_H

#include "pg/conn.h"

/* sql: a whole COPY ... TO STDOUT. */
Error *copy_out_begin(Conn *c, const char *sql) MUST_CHECK;
/* Several in one message, so that the server goes on with the next while we take the rows of one.
 * sql: a LOCK TABLE ... NOWAIT, and so many whole COPY ... TO STDOUT behind it. *held: false where
 * a lock was not to be had at once; nothing was read then, and the transaction has failed.
 * Otherwise the first COPY is read to its end as after copy_out_begin, then with copy_out_next the
 * others. */
Error *copy_out_series(Conn *c, const char *sql, size_t copies, bool *held) MUST_CHECK;
Error *copy_out_next(Conn *c) MUST_CHECK;
/* The next row with its newline; borrowed until the next call on the connection. At the end *end
 * is true, the statement's outcome has been read (a late failure is returned here), and
 * copy_row_count tells the rows as the server counted them. Memory: one row, which libpq may hold
 * up to three times. */
Error *copy_out_row(Conn *c, const char **row, size_t *n, bool *end) MUST_CHECK;

/* sql: a whole COPY ... FROM STDIN. Bytes may be cut anywhere. */
Error *copy_in_begin(Conn *c, const char *sql) MUST_CHECK;
/* Returns the server's error as soon as it is seen: copying is over then. */
Error *copy_in_write(Conn *c, const void *p, size_t n) MUST_CHECK;
Error *copy_in_end(Conn *c, uint64_t *rows) MUST_CHECK;
/* Makes the COPY fail on purpose (the transaction with it); the connection stays usable. NULL when
 * the server did fail it. Also right after copy_in_write failed, where it does nothing. */
Error *copy_in_abort(Conn *c, const char *why) MUST_CHECK;

uint64_t copy_row_count(const Conn *c); /* of the last COPY that ended well */

#endif
