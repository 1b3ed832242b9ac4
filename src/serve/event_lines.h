/* What a child tells (docs/events.md), taken apart as it comes. */
#ifndef PGSTOW_SERVE_EVENT_LINES_H
#define PGSTOW_SERVE_EVENT_LINES_H

#include "base/doc.h"

/* Zeros at the beginning. */
typedef struct EventLines {
    Buf line; /* what there is of the next one */
    bool too_long;
} EventLines;
void event_lines_clear(EventLines *l);
DEFINE_AUTO_VALUE(EventLines, event_lines_clear)
/* `take` is called for each whole line, and owns the event. What is none, or too long, is logged
 * and passed over. */
void event_lines_take(EventLines *l, const char *s, size_t n, void (*take)(void *ctx, Doc *event),
                      void *ctx);

#endif
