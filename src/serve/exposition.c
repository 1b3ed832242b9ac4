#include "serve/exposition.h"

#include <string.h>

#include "base/text.h"

#define WHOLE_MAX 9e15 /* beyond about this a double knows no single numbers */

void exposition_family(Buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The format's three escapes. */
static void add_escaped(Buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '\\' || *s == '"')
            buf_u8(out, '\\');
        if (*s == '\n')
            buf_add_str(out, "\\n");
        else
            buf_u8(out, (uint8_t)*s);
    }
}

/* The format is UTF-8, and names of a SQL_ASCII database need not be: their odd bytes are shown as
 * everywhere. */
void exposition_label(Buf *labels, const char *name, const char *value)
{
    AUTO(char) sound = text_utf8(value);
    buf_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
    add_escaped(labels, sound);
    buf_u8(labels, '"');
}

static void begin(Buf *out, const char *name, const Buf *labels)
{
    buf_add_str(out, name);
    if (labels && labels->len) {
        buf_u8(out, '{');
        buf_add(out, labels->data, labels->len);
        buf_u8(out, '}');
    }
}

void exposition_int(Buf *out, const char *name, const Buf *labels, int64_t value)
{
    begin(out, name, labels);
    buf_printf(out, " %lld\n", (long long)value);
}

void exposition_number(Buf *out, const char *name, const Buf *labels, double value)
{
    if (value > -WHOLE_MAX && value < WHOLE_MAX && value == (double)(int64_t)value) {
        exposition_int(out, name, labels, (int64_t)value);
        return;
    }
    begin(out, name, labels);
    buf_printf(out, " %.15g\n", value);
}

void exposition_seconds(Buf *out, const char *name, const Buf *labels, int64_t ms)
{
    exposition_number(out, name, labels, (double)ms / 1000);
}

void exposition_one(Buf *out, const char *name, const char *type, const char *help, int64_t value)
{
    exposition_family(out, name, type, help);
    exposition_int(out, name, NULL, value);
}
