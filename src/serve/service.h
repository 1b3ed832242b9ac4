/* The service: what its parts share, and its life from start to end.
 *
 * Settings are swapped as a whole on SIGHUP: whoever reads them takes them (service_config), and
 * gives them back; what he has stays as it was.
 */
#ifndef PGSTOW_SERVE_SERVICE_H
#define PGSTOW_SERVE_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/file.h"
#include "config/config.h"
#include "op/notify_to.h"
#include "serve/runner.h"
#include "serve/shelf.h"

/* One of `databases:`, or the only one there is, without a name, where the file has no such list.
 */
typedef struct ServiceEntry {
    const char *name; /* "" for the only one; borrowed from the ServiceConfig */
    char *database;   /* its name on the server; "" where all are backed up or none is named */
    Config *config;   /* with its settings */
    Shelf *shelf;     /* its repository, to be read: serve/shelf.h */
} ServiceEntry;

typedef struct ServiceConfig {
    atomic_uint owners;
    Config *config; /* without any entry's settings */
    ServiceEntry *entries;
    size_t count;
    Notifier *notifier; /* who is told of what happens */
} ServiceConfig;

typedef struct Service {
    State *state;
    Runner *runner;
    Instant started;
    const ConfigInputs *inputs; /* where settings come from, also at a reload */
    char *config_file;          /* the YAML file, absolute; NULL where there is none */
    char *state_dir;
    pthread_mutex_t lock; /* of `config` */
    ServiceConfig *config;
    atomic_bool stopping;
    Fd locked; /* so that there is one service for a state */
} Service;

/* Reads the settings, of all entries. */
Error *service_config_load(const ConfigInputs *inputs, ServiceConfig **out) MUST_CHECK;

/* The settings as they are now; the caller releases them. Never NULL. */
ServiceConfig *service_config(Service *s);
ServiceConfig *service_config_keep(ServiceConfig *c); /* one more owner */
void service_config_release(ServiceConfig *c);
DEFINE_AUTO(ServiceConfig, service_config_release)
/* NULL where there is none of this name. */
const ServiceEntry *service_entry(const ServiceConfig *c, const char *name);

/* Opens the state, takes over what an earlier service has left. ERR_BUSY where another service has
 * this state directory. `inputs` is borrowed until service_close; words: see RunnerOptions. */
Error *service_open(const ConfigInputs *inputs, const StrList *words, RunnerStarted started,
                    RunnerEnded ended, void *ctx, Service **out, StateJobs *interrupted) MUST_CHECK;
/* Reads the settings anew. An error leaves those that are. */
Error *service_reload(Service *s) MUST_CHECK;
/* Stops and waits for all jobs; runner_submit is not to be called any more. */
void service_end_jobs(Service *s);
void service_close(Service *s);
DEFINE_AUTO(Service, service_close)

#endif
