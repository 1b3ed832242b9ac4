/* The rows that a query gave, whole in memory: for catalogs, never for a table's data. */
#ifndef PGSTOW_PG_ROWS_H
#define PGSTOW_PG_ROWS_H

#include <stdint.h>
#include "base/error.h"

typedef struct Rows Rows;
void rows_free(Rows *r);
DEFINE_AUTO(Rows, rows_free)
size_t rows_count(const Rows *r);
size_t rows_columns(const Rows *r);
const char *rows_column(const Rows *r, size_t column); /* its name */
/* Columns count from 0; reading outside of the result is a fault and aborts. Borrowed. */
const char *rows_text(const Rows *r, size_t row, size_t column); /* NULL for SQL NULL */
int64_t rows_int(const Rows *r, size_t row, size_t column);      /* 0 for SQL NULL */
uint32_t rows_oid(const Rows *r, size_t row, size_t column);     /* 0 for SQL NULL */
bool rows_bool(const Rows *r, size_t row, size_t column);        /* false for SQL NULL */
bool rows_null(const Rows *r, size_t row, size_t column);
/* Any value's bytes as sent (NULL for SQL NULL). */
const void *rows_bytes(const Rows *r, size_t row, size_t column, size_t *n);

#endif
