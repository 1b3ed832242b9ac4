/* pgstow serve: the service in the foreground, until SIGTERM or SIGINT.
 *
 * The first of these lets running jobs go on for server.drain, a second one stops them at once;
 * either way they end before the service does. SIGHUP reads the settings anew; bad ones are logged,
 * and the old ones stay. It logs to standard error.
 */
#ifndef PGSTOW_SERVE_SERVE_H
#define PGSTOW_SERVE_SERVE_H

#include "config/config.h"

typedef struct ServeOptions {
    const ConfigInputs *inputs; /* where settings come from */
    const StrList *words;       /* flags for every job's command line */
    bool verbose;
} ServeOptions;
Error *serve_run(const ServeOptions *options) MUST_CHECK;

#endif
