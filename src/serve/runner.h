/* The runner: the one way to start a job of the service. A job is a child `pgstow` with the very
 * command line that a person would give, and a row in the state (state/state_job.h) from the moment
 * it is asked for: queued, running, ended.
 *
 * What it sees to: as many backups at once as maxConcurrentBackups says, and RUNNER_OTHERS other
 * jobs; never two at once that write to one database (those of the same entry and database, ""
 * being any); the first come is the first to run, as far as these rules let it. Each running job
 * has a thread that starts the child, writes what it tells (docs/events.md) into the state about
 * once a second, and records its end. Children die with the service.
 *
 * Thread-safe.
 */
#ifndef PGSTOW_SERVE_RUNNER_H
#define PGSTOW_SERVE_RUNNER_H

#include "base/text.h"
#include "state/state_job.h"

#define RUNNER_OTHERS 4        /* jobs that are no backups, at once */
#define RUNNER_SERVED 8        /* jobs that a peer's sync waits for, besides those */
#define RUNNER_QUEUE_MAX 1000  /* jobs that wait */
#define RUNNER_QUEUE_ASKED 500 /* beyond so many none is taken that the API asks for */

typedef struct Runner Runner;

/* All borrowed for the call. NULL texts are "". */
typedef struct JobRequest {
    const char *kind;     /* "backup", "restore", "verify", "drill", "cleanup", ... */
    const char *entry;    /* of `databases:`; "" for none */
    const char *database; /* its name on the server; "" where that is not known */
    /* The command line after `pgstow`, without --config, --entry, --json and the like: {"verify",
     * "--level", "quick"}. It is in the state for all to read: no secret is in it. */
    const StrList *words;
    const char *trigger; /* "schedule", "api", "cli", "catch-up", "retry" */
    const char *actor;   /* a token's or system user's name */
    int64_t timeout_ms;  /* 0: none. Then SIGTERM, later SIGKILL: it failed with TIMEOUT */
    const StrList *env;  /* "NAME=value" for the child, not in the state; may be NULL */
    bool asked;          /* through the API: however much is asked there, schedules find room */
    bool served; /* a peer's sync waits for it: none of those that wait for peers is in its way */
    bool alone;  /* ERR_BUSY where one of this kind, entry and database is not done */
    int64_t delay_ms; /* not before so long from now */
    int attempt;      /* 0 is 1 */
    int64_t retry_of; /* a job, or 0 */
} JobRequest;

/* A job that has ended, with all that the state has of it; on the job's own thread. */
typedef void (*RunnerEnded)(void *ctx, const StateJob *job);

/* A job has begun to run; on its own thread. */
typedef void (*RunnerStarted)(void *ctx, int64_t job);

/* Borrowed until runner_free, but for config_file and words, which are copied. */
typedef struct RunnerOptions {
    State *state;
    const char *config_file; /* for --config; NULL: there is none */
    const StrList *words;  /* in front of the others in each command line: "--repo", "/srv"; NULL */
    unsigned backups;      /* at once; 0 is 1 */
    RunnerStarted started; /* may be NULL */
    RunnerEnded ended;     /* may be NULL */
    void *ctx;
} RunnerOptions;
Error *runner_new(const RunnerOptions *options, Runner **out) MUST_CHECK;
/* Kills what still runs. */
void runner_free(Runner *r);
DEFINE_AUTO(Runner, runner_free)

/* The command line of a child pgstow with the service's settings: `words` are what stands after
 * `pgstow`, entry is "" for none. With --json where its output is not something else. */
void runner_line(const Runner *r, const char *entry, bool json, const StrList *words,
                 StrList *argv);

/* What an earlier service has left in the state: children of it that still live are ended; jobs
 * that ran become interrupted; what waited and changes no database is queued again, anything else
 * interrupted as well. `out` has those that were interrupted. Once, before the first
 * runner_submit. */
Error *runner_resume(Runner *r, StateJobs *out) MUST_CHECK;
/* Runs of the command line whose process is gone without a word become interrupted: `out` has
 * those. Now and then. */
Error *runner_sweep(Runner *r, StateJobs *out) MUST_CHECK;
void runner_set_backups(Runner *r, unsigned at_once);

/* Queues it, and starts it where its turn has come. ERR_BUSY: see `alone`, or the service is about
 * to stop. ERR_RATE: too many wait. job may be NULL. */
Error *runner_submit(Runner *r, const JobRequest *request, int64_t *job) MUST_CHECK;
/* It ends as cancelled, one that waits at once, a running one when its child has ended. One of the
 * command line (its process gets SIGTERM) too. ERR_NOT_FOUND; ERR_EXISTS where it has ended. */
Error *runner_cancel(Runner *r, int64_t job) MUST_CHECK;
/* Starts what may start now: for jobs with a delay, and those that were cancelled from outside.
 * About once a second. */
void runner_tick(Runner *r);
/* No job starts from here on; those that wait stay queued, for the next service. */
void runner_drain(Runner *r);
/* Running ones get SIGTERM and end as interrupted; those that don't end are killed later. */
void runner_stop(Runner *r);
unsigned runner_running(Runner *r);
unsigned runner_waiting(Runner *r);

#endif
