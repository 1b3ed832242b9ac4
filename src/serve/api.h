/* The service's API over HTTP: a table of routes, each with the role that it takes and what answers
 * it. docs/api.md says what each is for.
 *
 * What reads calls operations in this process; what changes is a job, the very run of the command
 * line (serve/runner.h), and an entry in the audit log, whatever came of it.
 */
#ifndef PGSTOW_SERVE_API_H
#define PGSTOW_SERVE_API_H

#include "serve/service.h"

typedef struct Api Api;
/* Listens as the settings say; *out is NULL where server.port is 0. ERR_CONFIG: an address that
 * others can reach, without TLS and without server.insecure. `s` is borrowed until api_stop. */
Error *api_start(Service *s, Api **out) MUST_CHECK;
/* About once a second. NULL is fine. */
void api_tick(Api *a);
/* Before service_close. NULL is fine. */
void api_stop(Api *a);

#endif
