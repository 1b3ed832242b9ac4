/* The rows of one table on two sides: matched by key, in any order and any number. */
#ifndef PGSTOW_OP_DIFF_ROWS_H
#define PGSTOW_OP_DIFF_ROWS_H

#include "op/diff.h"

typedef struct DiffRows DiffRows;
typedef struct DiffRowsSpec {
    const StrList *columns[2]; /* in the order of the rows */
    const StrList *key;        /* names of columns that both have; NULL or empty: whole rows */
    bool keep;                 /* rows go to the table's `found` */
    size_t limit, memory;
    /* Or NULL: is given every row that differs, of the side that has it (COPY text of the common
     * columns, without the newline; borrowed): all within diff_rows_end. */
    Error *(*take)(void *ctx, int side, const void *row, size_t n);
    void *ctx;
} DiffRowsSpec;
/* Fills in table->only and table->key. The table is borrowed. */
DiffRows *diff_rows_new(const DiffRowsSpec *spec, DiffTable *table);
void diff_rows_free(DiffRows *d);
DEFINE_AUTO(DiffRows, diff_rows_free)
/* COPY text of whole rows, in slices that may be cut anywhere. Fits a StreamDiffTake. */
Error *diff_rows_take(void *diff_rows, int side, const void *p, size_t n) MUST_CHECK;
/* One whole row, without its newline, from whoever cuts them. */
Error *diff_rows_add(DiffRows *d, int side, const char *row, size_t n) MUST_CHECK;
/* Both sides are complete: counts, and keeps rows. *spilled grows. */
Error *diff_rows_end(DiffRows *d, uint64_t *spilled) MUST_CHECK;

#endif
