#include "pg/conn_internal.h"

#include <string.h>

void rows_free(Rows *r)
{
    PQclear(r->res);
    free(r);
}

size_t rows_count(const Rows *r)
{
    return (size_t)PQntuples(r->res);
}

size_t rows_columns(const Rows *r)
{
    return (size_t)PQnfields(r->res);
}

const char *rows_column(const Rows *r, size_t column)
{
    if (column >= rows_columns(r))
        abort();
    return PQfname(r->res, (int)column);
}

bool rows_null(const Rows *r, size_t row, size_t column)
{
    if (row >= rows_count(r) || column >= rows_columns(r))
        abort();
    return PQgetisnull(r->res, (int)row, (int)column);
}

const char *rows_text(const Rows *r, size_t row, size_t column)
{
    return rows_null(r, row, column) ? NULL : PQgetvalue(r->res, (int)row, (int)column);
}

int64_t rows_int(const Rows *r, size_t row, size_t column)
{
    const char *s = rows_text(r, row, column);
    return s ? strtoll(s, NULL, 10) : 0;
}

uint32_t rows_oid(const Rows *r, size_t row, size_t column)
{
    return (uint32_t)rows_int(r, row, column);
}

bool rows_bool(const Rows *r, size_t row, size_t column)
{
    const char *s = rows_text(r, row, column);
    return s && *s == 't';
}

const void *rows_bytes(const Rows *r, size_t row, size_t column, size_t *n)
{
    const char *s = rows_text(r, row, column);
    *n = s ? (size_t)PQgetlength(r->res, (int)row, (int)column) : 0;
    return s;
}
