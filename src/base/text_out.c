#include "base/text_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PORTION ((size_t)64 << 10)

void text_out_clear(TextOut *t)
{
    buf_free(&t->buf);
}

Error *text_out_flush(TextOut *t)
{
    if (t->buf.len)
        TRY(t->take(t->ctx, t->buf.data, t->buf.len));
    t->buf.len = 0;
    return NULL;
}

Error *text_out_add(TextOut *t, const void *p, size_t n)
{
    if (n > PORTION || t->buf.len > PORTION - n)
        TRY(text_out_flush(t));
    if (n > PORTION)
        return t->take(t->ctx, p, n);
    buf_add(&t->buf, p, n);
    return NULL;
}

Error *text_out_str(TextOut *t, const char *s)
{
    return text_out_add(t, s, strlen(s));
}

Error *text_out_printf(TextOut *t, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    AUTO(char) owned = n < 0 ? NULL : text;
    if (n < 0)
        FAIL(ERR_MEMORY, "not enough memory for a line of text");
    return text_out_add(t, owned, (size_t)n);
}
