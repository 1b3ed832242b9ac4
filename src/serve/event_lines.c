#include "serve/event_lines.h"

#include <string.h>

#include "base/log.h"

#define EVENT_MAX (8u << 20) /* bytes of a line; a longer one is passed over */

void event_lines_clear(EventLines *l)
{
    buf_free(&l->line);
    l->too_long = false;
}

static void line_ended(EventLines *l, void (*take)(void *ctx, Doc *event), void *ctx)
{
    Doc *d = NULL;
    AUTO(Error)
    e = l->too_long ? NULL : doc_parse((const char *)l->line.data, l->line.len, "an event", &d);
    if (l->too_long)
        log_warning("an event of over %u bytes is passed over", EVENT_MAX);
    else if (e)
        log_warning("%s", error_message(e));
    else
        take(ctx, d);
    l->line.len = 0;
    l->too_long = false;
}

void event_lines_take(EventLines *l, const char *s, size_t n, void (*take)(void *ctx, Doc *event),
                      void *ctx)
{
    while (n) {
        const char *newline = memchr(s, '\n', n);
        size_t part = newline ? (size_t)(newline - s) : n;
        if (l->line.len + part > EVENT_MAX)
            l->too_long = true;
        else
            buf_add(&l->line, s, part);
        if (newline) {
            line_ended(l, take, ctx);
            part++;
        }
        s += part;
        n -= part;
    }
}
