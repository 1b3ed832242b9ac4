/* The difference of two texts by lines, in few words: "-" what went, "+" what came, with a line of
 * context around. The longest common subsequence of lines; texts of which the product of the line
 * counts passes LINE_DIFF_MOST count as different altogether (between their common ends). */
#ifndef PGSTOW_BASE_LINE_DIFF_H
#define PGSTOW_BASE_LINE_DIFF_H

#include "base/buf.h"

#define LINE_DIFF_MOST (4u << 20) /* bytes of memory as well */

void line_diff(const char *before, const char *after, Buf *out);

#endif
