/* What goes to standard output and standard error: tables, JSON, errors, log lines. */
#ifndef PGSTOW_CLI_OUTPUT_H
#define PGSTOW_CLI_OUTPUT_H

#include "base/clock.h"
#include "base/doc.h"
#include "base/text.h"

/* A table with aligned columns; a heading that begins with ">" makes its column right-aligned. */
typedef struct Table {
    size_t columns;
    StrList cells; /* row by row, the headings first */
} Table;
void table_clear(Table *t);
DEFINE_AUTO_VALUE(Table, table_clear)
void table_head(Table *t, size_t columns, const char *const *headings);
/* One cell more, which must be free of control characters or is made so. */
void table_add(Table *t, const char *cell);
void table_own(Table *t, char *cell);
void table_print(const Table *t);

/* A line "NAME    VALUE", the name padded to `width`; none where the value is NULL, empty, or 0. */
void output_fact(int width, const char *name, const char *value);
void output_time(int width, const char *name, Instant t);

/* One JSON document on standard output: indented for a terminal, else on one line. */
void output_json(const Doc *d);
/* The error for people, on standard error. */
void output_error(const Error *e);
/* A line on standard error, behind "warning: ". */
void output_warning(const char *text);
/* Every byte has left for standard output, or else ERR_IO: nothing is reported that nobody got. */
Error *output_finish(void) MUST_CHECK;
/* Shows warnings, and with `verbose` everything, on standard error. */
void output_log(bool verbose);

/* 8500 as "8,500", in `out` of at least 32 characters, which is returned. */
char *output_count(uint64_t n, char *out);

#endif
