/* Rows of one side that wait for the very same row of the other: most rows of a chunk that differs
 * are on both sides, mostly near each other, and need not be sorted then. */
#ifndef PGSTOW_OP_DIFF_WINDOW_H
#define PGSTOW_OP_DIFF_WINDOW_H

#include "base/buf.h"

typedef struct DiffWindow DiffWindow;
DiffWindow *diff_window_new(size_t budget); /* bytes of memory */
void diff_window_free(DiffWindow *w);
DEFINE_AUTO(DiffWindow, diff_window_free)
/* false: there is no room, empty it first (and false then: it never fits). */
bool diff_window_add(DiffWindow *w, const char *row, size_t n) MUST_CHECK;
/* Takes one such row away; false where none waits. */
bool diff_window_take(DiffWindow *w, const char *row, size_t n) MUST_CHECK;
/* Hands out all that wait, and is empty. */
Error *diff_window_flush(DiffWindow *w, Error *(*take)(void *ctx, const char *row, size_t n),
                         void *ctx) MUST_CHECK;

#endif
