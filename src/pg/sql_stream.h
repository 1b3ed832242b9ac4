/* A plain SQL dump taken apart as it flows, as psql would read it: statements, the rows behind COPY
 * ... FROM stdin, and psql's own commands (lines with a backslash).
 *
 * Knows quotes, dollar quotes, nested comments, E'' strings, standard_conforming_strings, and the
 * bodies of SQL functions (BEGIN ATOMIC ... END). Source: PostgreSQL's psqlscan.l.
 */
#ifndef PGSTOW_PG_SQL_STREAM_H
#define PGSTOW_PG_SQL_STREAM_H

#include "base/buf.h"

#define SQL_STATEMENT_MAX ((size_t)1 << 30)

typedef struct SqlTake {
    /* A statement without its semicolon, with *copy = true where rows follow it. */
    Error *(*statement)(void *ctx, const char *sql, bool copy);
    Error *(*rows)(void *ctx, const void *p,
                   size_t n); /* in any portions, whole lines in the end */
    Error *(*rows_end)(void *ctx);
    Error *(*command)(void *ctx, const char *line); /* "\connect shop", without the newline */
    void *ctx;
} SqlTake;

typedef struct SqlStream SqlStream;
SqlStream *sql_stream_new(const SqlTake *take);
/* standard_conforming_strings, as it is after a statement: the taker knows, as psql does. At first
 * on. */
void sql_stream_standard(SqlStream *s, bool standard);
/* Errors of the takers are passed up, with the number of the line. */
Error *sql_stream_write(SqlStream *s, const void *p, size_t n) MUST_CHECK;
/* A last statement needs no semicolon. ERR_ARCHIVE where the text ends inside of a string, comment
 * or rows, or before the last line of a dump by pg_dump. */
Error *sql_stream_end(SqlStream *s) MUST_CHECK;
void sql_stream_free(SqlStream *s);
DEFINE_AUTO(SqlStream, sql_stream_free)

#endif
