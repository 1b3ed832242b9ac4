/* What Prometheus reads at /metrics (docs/metrics.md). A scrape asks the state by its indexes and
 * looks at what is kept of the repositories (shelf_glance): it reads no backup, and waits for none.
 */
#ifndef PGSTOW_SERVE_METRICS_H
#define PGSTOW_SERVE_METRICS_H

#include "serve/service.h"

/* Repositories are looked at again after so long, and where a job has ended. */
#define METRICS_GLANCE_MS 15000

/* What is counted since the start. Thread-safe. */
typedef struct Metrics Metrics;
Error *metrics_new(Service *s, Metrics **out) MUST_CHECK; /* borrowed until metrics_free */
void metrics_free(Metrics *m);
DEFINE_AUTO(Metrics, metrics_free)

/* A request to the API was answered so. */
void metrics_request(Metrics *m, unsigned status);
/* Counts what has happened since, also what the command line did. Now and then: the state keeps
 * events for a while only. */
void metrics_tick(Metrics *m);
/* All of it, in the text format. */
Error *metrics_write(Metrics *m, ServiceConfig *c, Buf *out) MUST_CHECK;

#endif
