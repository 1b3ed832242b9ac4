/* COPY's text format: rows cut out of a stream, fields out of a row, and back.
 *
 * A row ends with a newline; inside of a field newline, tab and backslash are escaped. \N alone is
 * NULL. Only what servers write is taken: an unknown escape is ERR_DAMAGED.
 * Source: PostgreSQL's documentation of COPY, "Text Format".
 */
#ifndef PGSTOW_PG_COPY_TEXT_H
#define PGSTOW_PG_COPY_TEXT_H

#include "base/buf.h"

/* -- rows out of slices that may be cut anywhere ---------------------------------------------- */

/* The row without its newline; borrowed for the call. */
typedef Error *(*CopyRowTake)(void *ctx, const char *row, size_t n);
typedef struct CopyLines {
    CopyRowTake take;
    void *ctx;
    Buf partial; /* the beginning of a row that is not complete */
} CopyLines;
Error *copy_lines_feed(CopyLines *l, const void *p, size_t n) MUST_CHECK;
/* ERR_DAMAGED where the last row has no end. */
Error *copy_lines_end(const CopyLines *l) MUST_CHECK;
void copy_lines_clear(CopyLines *l);
DEFINE_AUTO_VALUE(CopyLines, copy_lines_clear)

/* -- fields of a row -------------------------------------------------------------------------- */

typedef struct CopyField {
    const char *p; /* NULL for SQL NULL; not NUL-terminated */
    size_t n;
} CopyField;
/* Reused from row to row; fields point into the row or into `text`. */
typedef struct CopyRow {
    CopyField *fields;
    size_t count, cap;
    Buf text; /* what had to be unescaped */
} CopyRow;
void copy_row_clear(CopyRow *r);
DEFINE_AUTO_VALUE(CopyRow, copy_row_clear)
/* ERR_DAMAGED where it has not `columns` fields. A row of no columns is an empty line. */
Error *copy_row_split(const char *row, size_t n, size_t columns, CopyRow *out) MUST_CHECK;

/* One field in COPY text, escaped (NULL p: \N), without tab or newline behind it. */
void copy_text_field(Buf *out, const char *p, size_t n);

#endif
