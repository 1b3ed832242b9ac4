/* A sheet of paper as a PDF: a title, lines of text, and a QR code. By libharu (with the fonts that
 * every PDF reader brings, so that none has to be installed) and libqrencode. Nothing is written to
 * a file here. */
#ifndef PGSTOW_SHEET_SHEET_H
#define PGSTOW_SHEET_SHEET_H

#include "base/buf.h"

#define SHEET_LINE_MAX 90 /* characters of a line that fit; longer ones are cut into several */

typedef struct Sheet {
    const char *title;
    const char *const *before; /* lines above the code; NULL at the end; "" is an empty one */
    const char *code;         /* what the QR code says: capital letters, digits, blanks, $%*+-./: */
    const char *const *large; /* lines beside it, in large letters of one width */
    const char *const *after;
} Sheet;

/* Characters that are not ASCII are printed as "?". ERR_LIMIT where the text is more than fits. */
Error *sheet_pdf(const Sheet *s, Buf *out) MUST_CHECK;

#endif
