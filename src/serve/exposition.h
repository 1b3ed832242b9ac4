/* Prometheus' text format, version 0.0.4. The samples of one family stand together, behind its help
 * and type. */
#ifndef PGSTOW_SERVE_EXPOSITION_H
#define PGSTOW_SERVE_EXPOSITION_H

#include "base/buf.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* `type`: "gauge" or "counter". The help is plain ASCII in one line. */
void exposition_family(Buf *out, const char *name, const char *type, const char *help);
/* Adds name="value" to labels, which begin empty; anything may be in a value. */
void exposition_label(Buf *labels, const char *name, const char *value);
/* `labels` NULL or empty: none. */
void exposition_int(Buf *out, const char *name, const Buf *labels, int64_t value);
void exposition_number(Buf *out, const char *name, const Buf *labels, double value);
/* Milliseconds as seconds. */
void exposition_seconds(Buf *out, const char *name, const Buf *labels, int64_t ms);
/* A family of one sample without labels. */
void exposition_one(Buf *out, const char *name, const char *type, const char *help, int64_t value);

#endif
