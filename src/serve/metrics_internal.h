/* The parts of metrics.c. */
#ifndef PGSTOW_SERVE_METRICS_INTERNAL_H
#define PGSTOW_SERVE_METRICS_INTERNAL_H

#include "serve/exposition.h"
#include "serve/metrics.h"

/* Of each database of each entry, and of the repositories, as they were at most so long ago. */
void metrics_backups(const ServiceConfig *c, int64_t max_age_ms, Instant now, Buf *out);
/* This process: what all programs tell under the same names. */
void metrics_process(Instant started, Buf *out);

#endif
