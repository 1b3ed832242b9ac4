/* Jobs: one row for each run that is to come, is under way, or has been. Who runs it (the service,
 * the command line) creates it, starts it with its process, reports progress, and ends it; a list
 * is what people see. What has ended never changes again, but for an `interrupted` one, whose
 * process was taken for dead (another container's, say) and yet tells its end.
 *
 * Each change of status also adds an event (state_event.h) "job.<status>" in the same transaction.
 */
#ifndef PGSTOW_STATE_STATE_JOB_H
#define PGSTOW_STATE_STATE_JOB_H

#include "state/state.h"

#define STATE_RESULT_MAX (1u << 20) /* bytes of a result; a larger one is {"tooLarge": bytes} */

typedef enum StateJobStatus {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_INTERRUPTED, /* its process was gone without a word */
    JOB_STATUSES
} StateJobStatus;
const char *state_job_status_name(StateJobStatus status); /* "queued", ... */
bool state_job_status_of(const char *name, StateJobStatus *out);

typedef struct StateProgress {
    char *phase, *object;                                      /* may be NULL */
    uint64_t bytes_done, bytes_total, bytes_new, bytes_reused; /* as JobProgress in flow/job.h */
    uint64_t items_done, items_total;
} StateProgress;

typedef struct StateJob {
    int64_t id;
    char *kind;      /* "backup", "restore", "verify", ... */
    char *entry;     /* of `databases:`, empty where there is none */
    char *database;  /* its name on the server */
    char *trigger;   /* "schedule", "api", "cli", "catch-up", "retry" */
    char *actor;     /* token's or system user's name */
    char *arguments; /* JSON; no secret is ever in it */
    StateJobStatus status;
    Instant created, started, ended;               /* 0: not yet */
    int64_t pid, pid_start;                        /* 0: none; the start as base/proc_id.h says */
    char *boot;                                    /* of that process; or NULL */
    StateProgress progress;                        /* the last one told */
    char *backup;                                  /* the id of the backup made or used; or NULL */
    char *result;                                  /* JSON; or NULL */
    char *error_kind, *error_message, *error_hint; /* or NULL */
    int exit_status;                               /* -1: none */
    int attempt;                                   /* from 1 */
    int64_t retry_of;                              /* a job, or 0 */
} StateJob;
void state_job_free(StateJob *j);
DEFINE_AUTO(StateJob, state_job_free)

typedef struct StateJobs {
    StateJob *items;
    size_t count, cap;
    bool more; /* there are further ones; the last one's id is the cursor to them */
} StateJobs;
void state_jobs_clear(StateJobs *l);
DEFINE_AUTO_VALUE(StateJobs, state_jobs_clear)

/* What is known beforehand; all borrowed. */
typedef struct StateJobNew {
    const char *kind, *entry, *database, *trigger, *actor, *arguments;
    int attempt; /* 0 is 1 */
    int64_t retry_of;
    Instant now;
} StateJobNew;
Error *state_job_create(State *s, const StateJobNew *job, int64_t *id) MUST_CHECK;

/* From queued to running, by this process. *started is false where it is no longer queued
 * (cancelled meanwhile, taken by another): then it must not be run. ERR_NOT_FOUND. */
Error *state_job_start(State *s, int64_t id, int64_t pid, Instant now, bool *started) MUST_CHECK;
/* Where it runs and only then. An fsync each: not more often than once a second or so. */
Error *state_job_progress(State *s, int64_t id, const StateProgress *progress) MUST_CHECK;

/* How it ended; all borrowed, and NULL where there is none. */
typedef struct StateJobEnd {
    StateJobStatus status; /* succeeded, failed, cancelled, interrupted */
    const char *backup, *result, *error_kind, *error_message, *error_hint;
    int exit_status;               /* -1: none */
    const StateProgress *progress; /* the last one; NULL leaves what was told */
    Instant now;
} StateJobEnd;
/* *finished (may be NULL) is false where it had ended before: the first end stays. ERR_NOT_FOUND.
 */
Error *state_job_finish(State *s, int64_t id, const StateJobEnd *end, bool *finished) MUST_CHECK;

/* A part of a job that does the same to several databases (backup --all-databases): a row of its
 * own for one of them, made when that is done, with the job's kind, entry, trigger, actor and
 * attempt. Its arguments have "partOf": so staleness, success and failure are each database's own.
 */
typedef struct StateJobPart {
    const char *database;
    Instant started;
    uint64_t bytes_done, bytes_new, items_done;
    StateJobEnd end; /* its progress does not count */
} StateJobPart;
/* ERR_NOT_FOUND where there is no such job. id may be NULL. */
Error *state_job_add_part(State *s, int64_t of, const StateJobPart *part, int64_t *id) MUST_CHECK;

/* Every running job for which `gone` says so is ended as interrupted, as a failure with a message;
 * `out` has those. gone may be NULL: then the one whose process no longer lives (base/proc_id.h),
 * or was one of another boot or container. It is asked within the transaction: no slow work. */
typedef bool (*StateJobGone)(const StateJob *job, void *ctx);
Error *state_job_interrupt(State *s, StateJobGone gone, void *ctx, Instant now,
                           StateJobs *out) MUST_CHECK;

/* ERR_NOT_FOUND. */
Error *state_job_get(State *s, int64_t id, StateJob **out) MUST_CHECK;

/* What is NULL or 0 does not matter. */
typedef struct StateJobFilter {
    const char *kind, *entry, *database, *trigger, *backup;
    unsigned statuses;    /* bits, 1u << JOB_...; 0: all */
    Instant since, until; /* created in [since, until) */
    int64_t part_of;      /* only the parts of this job */
    int64_t below;        /* ids below this one: the cursor */
    uint32_t limit;
} StateJobFilter;
/* The newest first. filter may be NULL. */
Error *state_job_list(State *s, const StateJobFilter *filter, StateJobs *out) MUST_CHECK;
/* How many there are; cursor and limit of the filter don't matter. */
Error *state_job_count(State *s, const StateJobFilter *filter, uint64_t *out) MUST_CHECK;

/* The success that ended last; NULL where there is none. */
Error *state_job_last_success(State *s, const char *kind, const char *entry, const char *database,
                              StateJob **out) MUST_CHECK;
/* The same for each (kind, entry, database); kind may be NULL for all. At most STATE_LIST_MAX. */
Error *state_job_last_successes(State *s, const char *kind, StateJobs *out) MUST_CHECK;

/* How long the last successes took and how large they were, the newest first. */
typedef struct StateSample {
    int64_t job, duration_ms;
    uint64_t bytes_done, bytes_new, items_done;
    int64_t rows; /* as the result says; -1 where it does not */
} StateSample;
typedef struct StateSamples {
    StateSample *items;
    size_t count, cap;
} StateSamples;
void state_samples_clear(StateSamples *l);
DEFINE_AUTO_VALUE(StateSamples, state_samples_clear)
Error *state_job_samples(State *s, const char *kind, const char *entry, const char *database,
                         uint32_t limit, StateSamples *out) MUST_CHECK;

#endif
