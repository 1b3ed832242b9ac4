/* Text on its way out: collected into portions of about 64 KiB, so that whoever writes it may do so
 * word by word. */
#ifndef PGSTOW_BASE_TEXT_OUT_H
#define PGSTOW_BASE_TEXT_OUT_H

#include "base/buf.h"

typedef struct TextOut {
    Error *(*take)(void *ctx, const void *p, size_t n);
    void *ctx;
    Buf buf; /* what was not handed on yet */
} TextOut;
void text_out_clear(TextOut *t); /* does not flush */
DEFINE_AUTO_VALUE(TextOut, text_out_clear)

Error *text_out_add(TextOut *t, const void *p, size_t n) MUST_CHECK;
Error *text_out_str(TextOut *t, const char *s) MUST_CHECK;
Error *text_out_printf(TextOut *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))) MUST_CHECK;
Error *text_out_flush(TextOut *t) MUST_CHECK;

#endif
