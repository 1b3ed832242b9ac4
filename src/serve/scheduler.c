#include "serve/scheduler.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "serve/plans.h"
#include "state/state_schedule.h"

#define ACTOR "schedule"
#define RETRY_MOST_MS 3600000 /* however often it was tried */
/* Results of a schedule in the state besides those of jobs. The first stays until what became of
 * the job has been dealt with. */
#define QUEUED "queued"
#define OVERLAP "overlap"
#define OVERLAP_COUNT " (%d in a row)" /* behind it, from the second one on */
#define OVERLAPS_TOLD 3                /* so many in a row are told to people */
#define QUIET_MS 60000                 /* between two warnings that the state cannot be written */

typedef struct Clockwork {
    SchedulePast past;
    int overlaps;       /* in a row */
    Instant overlapped; /* the slot of the first of them, as far as this service knows */
    Instant last_started;
    int64_t last_job;
    char *last_result;
} Clockwork;

struct Scheduler {
    Service *s;
    Teller *teller;
    pthread_mutex_t lock;
    Plans plans;
    Clockwork *works; /* one for each plan */
    int64_t warned;
};

static void free_works(Clockwork *works, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(works[i].last_result);
    free(works);
}

void scheduler_free(Scheduler *c)
{
    if (!c)
        return;
    free_works(c->works, c->plans.count);
    plans_clear(&c->plans);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static Error *remember(Scheduler *c, size_t i)
{
    const Clockwork *w = &c->works[i];
    return state_schedule_put(c->s->state, &(StateSchedule){.name = c->plans.items[i].name,
                                                            .last_due = w->past.last_due,
                                                            .last_started = w->last_started,
                                                            .last_job = w->last_job,
                                                            .last_result = w->last_result,
                                                            .next_planned = w->past.next_planned});
}

static void complain(Scheduler *c, const char *name, Error *e)
{
    int64_t now = clock_mono_ms();
    if (e && (!c->warned || now - c->warned >= QUIET_MS)) {
        log_warning("schedule %s: %s", name, error_message(e));
        c->warned = now;
    }
    error_drop(e);
}

static Error *recall(Scheduler *c, const char *name, Clockwork *w)
{
    AUTO(StateSchedule) row = NULL;
    TRY(state_schedule_get(c->s->state, name, &row));
    if (row)
        *w = (Clockwork){.past = {row->last_due, row->next_planned},
                         .last_started = row->last_started,
                         .last_job = row->last_job,
                         .last_result = STEAL(row->last_result)};
    const char *result = w->last_result ? w->last_result : "";
    w->overlaps = !strcmp(result, OVERLAP);
    if (sscanf(result, OVERLAP OVERLAP_COUNT, &w->overlaps) != 1 && !w->overlaps)
        w->overlaps = 0;
    return NULL;
}

/* Under the lock. What is no longer scheduled is forgotten, so that it begins anew if it comes
 * back. */
static Error *forget_others(Scheduler *c)
{
    AUTO_VALUE(StateSchedules) rows = {0};
    TRY(state_schedule_list(c->s->state, &rows));
    for (size_t i = 0; i < rows.count; i++)
        if (!plans_find(&c->plans, rows.items[i].name))
            TRY(state_schedule_forget(c->s->state, rows.items[i].name));
    return NULL;
}

static Error *reload(Scheduler *c)
{
    AUTO_VALUE(Plans) plans = {0};
    TRY(plans_make(service_config(c->s), &plans));
    Clockwork *works = mem_calloc(plans.count + 1, sizeof *works);
    for (size_t i = 0; i < plans.count; i++) {
        Error *e = recall(c, plans.items[i].name, &works[i]);
        if (e) {
            free_works(works, plans.count);
            return e;
        }
    }
    free_works(c->works, c->plans.count);
    plans_clear(&c->plans);
    c->works = works;
    c->plans = plans;
    plans = (Plans){0};
    return forget_others(c);
}

Error *scheduler_reload(Scheduler *c)
{
    pthread_mutex_lock(&c->lock);
    Error *e = reload(c);
    pthread_mutex_unlock(&c->lock);
    return e;
}

Error *scheduler_new(Service *s, Teller *teller, Scheduler **out)
{
    AUTO(Scheduler) c = mem_new(Scheduler);
    c->s = s;
    c->teller = teller;
    pthread_mutex_init(&c->lock, NULL);
    TRY(reload(c));
    *out = STEAL(c);
    return NULL;
}

/* -- running --------------------------------------------------------------------------------------
 */

static JobRequest request(const Plan *p)
{
    return (JobRequest){.kind = p->kind,
                        .entry = p->entry->name,
                        .database = p->entry->database,
                        .words = &p->words,
                        .actor = ACTOR,
                        .timeout_ms = p->timeout_ms,
                        .alone = true};
}

static void set_result(Clockwork *w, const char *result)
{
    free(w->last_result);
    w->last_result = mem_strdup(result);
}

/* Slots that have passed without a run, of which none, or the last, is run now. */
static void tell_missed(Scheduler *c, const Plan *p, const SchedulePast *past,
                        const ScheduleLook *look)
{
    int64_t runs = look->skipped + look->catch_up;
    Instant after = past->last_due ? past->last_due : past->next_planned - 1;
    if (runs)
        teller_missed(c->teller, &(NotifyMissed){.kind = p->kind,
                                                 .entry = p->entry->name,
                                                 .database = p->entry->database,
                                                 .due = cron_next(p->cron, p->zone, after),
                                                 .runs = runs});
}

/* Its last run is not done. Some of these in a row are no accident. */
static void pass_over(Scheduler *c, const Plan *p, Clockwork *w, Instant slot)
{
    w->overlaps++;
    if (w->overlaps == 1 || !w->overlapped)
        w->overlapped = slot;
    AUTO(char)
    result =
        w->overlaps == 1 ? mem_strdup(OVERLAP) : mem_printf(OVERLAP OVERLAP_COUNT, w->overlaps);
    set_result(w, result);
    if (w->overlaps == OVERLAPS_TOLD)
        teller_missed(c->teller, &(NotifyMissed){.kind = p->kind,
                                                 .entry = p->entry->name,
                                                 .database = p->entry->database,
                                                 .due = w->overlapped,
                                                 .runs = w->overlaps,
                                                 .running = w->last_job});
}

/* Under the lock. */
static Error *run_due(Scheduler *c, size_t i, const ScheduleLook *look, Instant now)
{
    const Plan *p = &c->plans.items[i];
    Clockwork *w = &c->works[i];
    JobRequest q = request(p);
    int64_t job;
    q.trigger = look->catch_up ? "catch-up" : "schedule";
    Error *e = runner_submit(c->s->runner, &q, &job);
    if (e && error_kind(e) != ERR_BUSY)
        return e;
    if (e) {
        log_warning("schedule %s: passed over, %s", p->name, error_message(e));
        error_free(e);
        pass_over(c, p, w, look->slot);
    } else {
        log_info("schedule %s: job %lld%s", p->name, (long long)job,
                 look->catch_up ? ", for what was missed" : "");
        w->last_job = job;
        w->overlaps = 0;
        set_result(w, QUEUED);
    }
    tell_missed(c, p, &w->past, look);
    w->past = look->then;
    w->last_started = now;
    FAULT_POINT("serve.schedule.submitted");
    return remember(c, i);
}

/* Under the lock. */
static Error *look_at(Scheduler *c, size_t i, Instant now)
{
    ScheduleLook look;
    Clockwork *w = &c->works[i];
    schedule_look(&c->plans.items[i].rule, &w->past, now, &look);
    if (look.due)
        return run_due(c, i, &look, now);
    if (w->past.next_planned == look.then.next_planned && w->past.last_due == look.then.last_due)
        return NULL;
    /* Set up just now, or changed, or the clock was set. */
    w->past = look.then;
    return remember(c, i);
}

void scheduler_tick(Scheduler *c)
{
    pthread_mutex_lock(&c->lock);
    Instant now = plans_now();
    for (size_t i = 0; i < c->plans.count; i++)
        complain(c, c->plans.items[i].name, look_at(c, i, now));
    pthread_mutex_unlock(&c->lock);
}

/* -- repeating ------------------------------------------------------------------------------------
 */

static bool is_passing(const char *kind)
{
    return error_kind_info(error_kind_named(kind))->retryable;
}

/* Of several databases those whose failure may pass are repeated alone. */
static Error *add_failed(Scheduler *c, const StateJob *job, StrList *words)
{
    StateJobFilter f = {.part_of = job->id, .statuses = 1u << JOB_FAILED};
    AUTO_VALUE(StateJobs) parts = {0};
    TRY(state_job_list(c->s->state, &f, &parts));
    for (size_t i = 0; i < parts.count; i++)
        if (is_passing(parts.items[i].error_kind)) {
            AUTO(char) pattern = text_sql_ident(parts.items[i].database);
            strlist_own(words, mem_printf("--include-database=%s", pattern));
        }
    return NULL;
}

/* Its process was killed, or has crashed, and could not say why. */
static bool has_died(const StateJob *job)
{
    return job->exit_status > 128 && job->error_kind &&
           !strcmp(job->error_kind, error_kind_info(ERR_INTERNAL)->name);
}

/* Whether it is to be repeated, and with which words more. */
static Error *may_pass(Scheduler *c, const StateJob *job, StrList *words, bool *may)
{
    *may = job->status == JOB_INTERRUPTED ||
           (job->status == JOB_FAILED && (is_passing(job->error_kind) || has_died(job)));
    if (*may || job->status != JOB_FAILED || !job->error_kind ||
        strcmp(job->error_kind, error_kind_info(ERR_PARTIAL)->name) != 0)
        return NULL;
    TRY(add_failed(c, job, words));
    *may = words->count > 0;
    return NULL;
}

static bool is_scheduled(const StateJob *job)
{
    return !strcmp(job->trigger, "schedule") || !strcmp(job->trigger, "catch-up") ||
           !strcmp(job->trigger, "retry");
}

/* Under the lock. */
static Error *repeat(Scheduler *c, size_t i, const StateJob *job, const StrList *more,
                     int64_t delay_ms)
{
    Clockwork *w = &c->works[i];
    const Plan *p = &c->plans.items[i];
    JobRequest q = request(p);
    AUTO_VALUE(StrList) words = {0};
    char wait[32];
    q.trigger = "retry";
    q.attempt = job->attempt + 1;
    q.retry_of = job->id;
    q.delay_ms = delay_ms;
    strlist_copy(&words, &p->words);
    strlist_copy(&words, more);
    q.words = &words;
    /* This very job is still the runner's, but its process is gone. */
    TRY(runner_submit(c->s->runner, &q, &w->last_job));
    log_info("schedule %s: job %lld repeats job %lld in %s", p->name, (long long)w->last_job,
             (long long)job->id, text_duration(delay_ms, wait));
    set_result(w, QUEUED);
    return remember(c, i);
}

/* Twice as long after each attempt. */
static int64_t delay_of(const Plan *p, int attempt)
{
    int64_t delay = p->retry_after_ms;
    for (int i = 1; i < attempt && delay < RETRY_MOST_MS; i++)
        delay *= 2;
    return delay < RETRY_MOST_MS ? delay : RETRY_MOST_MS;
}

static Error *job_ended(Scheduler *c, size_t i, const StateJob *job, bool *again)
{
    const Plan *p = &c->plans.items[i];
    AUTO_VALUE(StrList) more = {0};
    bool may;
    if (c->works[i].last_job != job->id)
        return NULL;
    TRY(may_pass(c, job, &more, &may));
    *again = may && job->attempt <= p->retries;
    if (*again) /* by the next service, where this one stops */
        return atomic_load(&c->s->stopping) ? NULL
                                            : repeat(c, i, job, &more, delay_of(p, job->attempt));
    /* Last of all: until then a next service takes the end for one that nobody has dealt with. */
    set_result(&c->works[i], state_job_status_name(job->status));
    return remember(c, i);
}

bool scheduler_job_ended(Scheduler *c, const StateJob *job)
{
    bool again = false;
    if (!is_scheduled(job))
        return false;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->plans.count; i++)
        complain(c, c->plans.items[i].name, job_ended(c, i, job, &again));
    pthread_mutex_unlock(&c->lock);
    return again;
}

/* What ended, and was not dealt with any more: its service was killed just then. */
static Error *resume(Scheduler *c, size_t i)
{
    AUTO(StateJob) job = NULL;
    bool again = false;
    if (!c->works[i].last_job)
        return NULL;
    Error *e = state_job_get(c->s->state, c->works[i].last_job, &job);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_free(e);
        return NULL;
    }
    TRY(e);
    StateJobStatus said = JOB_QUEUED;
    if (c->works[i].last_result)
        state_job_status_of(c->works[i].last_result, &said);
    if (job->status == JOB_INTERRUPTED && job->attempt <= c->plans.items[i].retries)
        return repeat(c, i, job, &(StrList){0}, 0);
    if (job->status >= JOB_SUCCEEDED && job->status != JOB_INTERRUPTED && said < JOB_SUCCEEDED) {
        TRY(job_ended(c, i, job, &again));
        teller_job_ended(c->teller, job->id, again);
    } else if (job->status != JOB_QUEUED) {
        set_result(&c->works[i], state_job_status_name(job->status));
    }
    return NULL;
}

void scheduler_resume(Scheduler *c)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->plans.count; i++)
        complain(c, c->plans.items[i].name, resume(c, i));
    pthread_mutex_unlock(&c->lock);
}
