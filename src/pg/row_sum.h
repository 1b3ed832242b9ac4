/* A sum over rows in which their order does not matter: of each row the first 16 bytes of its
 * SHA-256, as a number, added modulo 2^128. Two tables with the same sum and count have the same
 * rows, each as often: found is what goes wrong by accident, not rows chosen by somebody who knows
 * how to solve for a sum. Rows are COPY text without their newline. One thread.
 */
#ifndef PGSTOW_PG_ROW_SUM_H
#define PGSTOW_PG_ROW_SUM_H

#include "crypto/hash.h"
#include "pg/copy_text.h"

typedef struct RowSum {
    Hash *hash;
    CopyLines lines;
    uint64_t rows, low, high; /* the sum */
} RowSum;
void row_sum_begin(RowSum *s); /* of zeros */
void row_sum_clear(RowSum *s);
DEFINE_AUTO_VALUE(RowSum, row_sum_clear)

/* Rows in slices that may be cut anywhere; ERR_DAMAGED where the last one has no end. */
Error *row_sum_feed(RowSum *s, const void *p, size_t n) MUST_CHECK;
Error *row_sum_end(const RowSum *s) MUST_CHECK;
void row_sum_add(RowSum *s, const void *row, size_t n); /* one whole row */
bool row_sum_equal(const RowSum *a, const RowSum *b);
#define ROW_SUM_TEXT 33
char *row_sum_text(const RowSum *s, char out[ROW_SUM_TEXT]); /* 32 hex digits; returns out */

#endif
