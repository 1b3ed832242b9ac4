#include "serve/runner.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "flow/cond.h"
#include "op/job_cancel.h"
#include "serve/child.h"

#define LEFT_BEHIND_MS 20000 /* what an earlier service's children get to end by themselves */

typedef struct Task {
    Runner *r;
    int64_t id;
    char *kind, *entry, *database;
    StrList words, env;
    int64_t timeout_ms, not_before;
    bool running, served;
    atomic_bool over; /* its process is gone */
    atomic_int stop;
    Cancel *wake;
} Task;

struct Runner {
    RunnerOptions options;
    char *config_file;
    StrList words;
    char program[PATH_MAX];
    pthread_mutex_t lock;
    pthread_cond_t ended;
    Task **tasks; /* waiting and running, the first come first */
    size_t count, cap;
    bool draining;
};

static void task_free(Task *t)
{
    if (!t)
        return;
    free(t->kind);
    free(t->entry);
    free(t->database);
    strlist_free(&t->words);
    strlist_free(&t->env);
    if (t->wake)
        cancel_free(t->wake);
    free(t);
}
DEFINE_AUTO(Task, task_free)

Error *runner_new(const RunnerOptions *options, Runner **out)
{
    AUTO(Runner) r = mem_new(Runner);
    r->options = *options;
    r->options.words = NULL;
    r->options.config_file = NULL;
    r->config_file = mem_strdup(options->config_file);
    if (options->words)
        strlist_copy(&r->words, options->words);
    pthread_mutex_init(&r->lock, NULL);
    cond_init(&r->ended);
    ssize_t n = readlink("/proc/self/exe", r->program, sizeof r->program - 1);
    if (n < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot find the program that this is");
    *out = STEAL(r);
    return NULL;
}

/* -- the rules ------------------------------------------------------------------------------------
 */

static bool is_backup(const Task *t)
{
    return !strcmp(t->kind, "backup");
}

/* Two at once on one database would be in each other's way. */
static bool is_exclusive(const Task *t)
{
    return is_backup(t) || !strcmp(t->kind, "restore") || !strcmp(t->kind, "guard");
}

static bool same_database(const char *a, const char *b)
{
    return !*a || !*b || !strcmp(a, b);
}

static bool conflict(const Task *a, const Task *b)
{
    return is_exclusive(a) && is_exclusive(b) && !strcmp(a->entry, b->entry) &&
           same_database(a->database, b->database);
}

static bool may_start(const Runner *r, const Task *t)
{
    unsigned backups = 0, others = 0, served = 0;
    bool earlier = true;
    if (t->running || t->not_before > clock_mono_ms())
        return false;
    for (size_t i = 0; i < r->count; i++) {
        const Task *u = r->tasks[i];
        if (u == t) {
            earlier = false;
            continue;
        }
        if (u->over || u->not_before > clock_mono_ms())
            continue;
        if (u->running && is_backup(u))
            backups++;
        else if (u->running && u->served)
            served++;
        else if (u->running)
            others++;
        if ((u->running || earlier) && conflict(t, u))
            return false;
    }
    /* Syncs that wait for their peer must not keep that one's jobs from running: with as many on
     * both sides each would wait for the other for ever. */
    if (t->served)
        return served < RUNNER_SERVED;
    return is_backup(t) ? backups < (r->options.backups ? r->options.backups : 1)
                        : others < RUNNER_OTHERS;
}

static void take_out(Runner *r, const Task *t)
{
    size_t i = 0;
    while (r->tasks[i] != t)
        i++;
    memmove(r->tasks + i, r->tasks + i + 1, (r->count - i - 1) * sizeof *r->tasks);
    r->count--;
}

/* -- running --------------------------------------------------------------------------------------
 */

static void dispatch(Runner *r);

void runner_line(const Runner *r, const char *entry, bool json, const StrList *words, StrList *argv)
{
    /* Where it was replaced meanwhile (an upgrade) the program that we are is still there. */
    strlist_add(argv, file_is_executable(r->program) ? r->program : "/proc/self/exe");
    if (r->config_file) {
        strlist_add(argv, "--config");
        strlist_add(argv, r->config_file);
    }
    if (*entry) {
        strlist_add(argv, "--entry");
        strlist_add(argv, entry);
    }
    if (json)
        strlist_add(argv, "--json");
    strlist_add(argv, "--quiet");
    strlist_copy(argv, &r->words);
    strlist_copy(argv, words);
}

static void tell_ended(Runner *r, int64_t id)
{
    AUTO(StateJob) job = NULL;
    AUTO(Error) e = state_job_get(r->options.state, id, &job);
    if (e)
        log_warning("job %lld: %s", (long long)id, error_message(e));
    else if (r->options.ended)
        r->options.ended(r->options.ctx, job);
}

static void *run_task(void *arg)
{
    AUTO(Task) t = arg;
    Runner *r = t->r;
    AUTO_VALUE(StrList) argv = {0};
    runner_line(r, t->entry, true, &t->words, &argv);
    bool ran = child_run(&(ChildOptions){.state = r->options.state,
                                         .job = t->id,
                                         .kind = t->kind,
                                         .argv = &argv,
                                         .env = &t->env,
                                         .timeout_ms = t->timeout_ms,
                                         .started = r->options.started,
                                         .ctx = r->options.ctx,
                                         .wake = t->wake,
                                         .stop = &t->stop,
                                         .over = &t->over});
    error_drop(fault_reach("serve.job.finished"));
    if (ran)
        tell_ended(r, t->id);
    pthread_mutex_lock(&r->lock);
    take_out(r, t);
    dispatch(r);
    pthread_cond_broadcast(&r->ended);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Under the lock. A thread that cannot be had now is tried again with the next tick. */
static void dispatch(Runner *r)
{
    for (size_t i = 0; i < r->count && !r->draining; i++) {
        Task *t = r->tasks[i];
        pthread_t thread;
        if (!may_start(r, t))
            continue;
        int failed = pthread_create(&thread, NULL, run_task, t);
        if (failed) {
            log_warning("no thread for job %lld: %s", (long long)t->id, strerror(failed));
            return;
        }
        t->running = true;
        pthread_detach(thread);
    }
}

/* -- from outside ---------------------------------------------------------------------------------
 */

static Task *make_task(Runner *r, const JobRequest *q)
{
    Task *t = mem_new(Task);
    t->r = r;
    t->kind = mem_strdup(q->kind ? q->kind : "");
    t->entry = mem_strdup(q->entry ? q->entry : "");
    t->database = mem_strdup(q->database ? q->database : "");
    strlist_copy(&t->words, q->words);
    if (q->env)
        strlist_copy(&t->env, q->env);
    t->timeout_ms = q->timeout_ms;
    t->served = q->served;
    t->not_before = q->delay_ms > 0 ? clock_mono_ms() + q->delay_ms : 0;
    return t;
}

static Error *refuse(const Runner *r, const Task *t, const JobRequest *q)
{
    if (r->draining)
        FAIL(ERR_BUSY, "the service is about to stop");
    if (r->count >= (q->asked ? RUNNER_QUEUE_ASKED : RUNNER_QUEUE_MAX))
        FAIL(ERR_RATE, "%zu jobs wait already", r->count);
    for (size_t i = 0; q->alone && i < r->count; i++) {
        const Task *u = r->tasks[i];
        if (!u->over && !strcmp(u->kind, t->kind) && !strcmp(u->entry, t->entry) &&
            same_database(u->database, t->database))
            FAIL(ERR_BUSY, "job %lld, a %s of this database, is not done yet", (long long)u->id,
                 u->kind);
    }
    return NULL;
}

static char *arguments_of(const JobRequest *q)
{
    AUTO(Doc) d = doc_object();
    doc_set(d, "words", doc_texts(q->words));
    if (q->timeout_ms)
        doc_set_int(d, "timeoutMs", q->timeout_ms);
    return doc_print(d, false);
}

static Error *submit(Runner *r, Task *t, const JobRequest *q)
{
    AUTO(char) arguments = arguments_of(q);
    TRY(refuse(r, t, q));
    return state_job_create(r->options.state,
                            &(StateJobNew){.kind = t->kind,
                                           .entry = t->entry,
                                           .database = t->database,
                                           .trigger = q->trigger,
                                           .actor = q->actor,
                                           .arguments = arguments,
                                           .attempt = q->attempt,
                                           .retry_of = q->retry_of,
                                           .now = clock_now()},
                            &t->id);
}

/* Under the lock; takes t over. */
static void enqueue(Runner *r, Task *t)
{
    mem_grow(r->tasks, r->count, r->cap);
    r->tasks[r->count++] = t;
}

Error *runner_submit(Runner *r, const JobRequest *q, int64_t *job)
{
    AUTO(Task) t = make_task(r, q);
    TRY(cancel_new(NULL, &t->wake));
    pthread_mutex_lock(&r->lock);
    Error *e = submit(r, t, q);
    if (!e) {
        if (job)
            *job = t->id;
        enqueue(r, STEAL(t));
        dispatch(r);
    }
    pthread_mutex_unlock(&r->lock);
    return e;
}

static void stop_task(Task *t, ChildStop why)
{
    int none = CHILD_GOES_ON;
    atomic_compare_exchange_strong(&t->stop, &none, why);
    cancel_request(t->wake);
}

static Task *find(const Runner *r, int64_t id)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->tasks[i]->id == id)
            return r->tasks[i];
    return NULL;
}

Error *runner_cancel(Runner *r, int64_t id)
{
    AUTO(Task) waiting = NULL;
    pthread_mutex_lock(&r->lock);
    Task *t = find(r, id);
    bool stopped = t && t->running && !t->over;
    if (stopped) {
        stop_task(t, CHILD_CANCELLED);
    } else if (t && !t->running) {
        take_out(r, t);
        waiting = t;
    }
    pthread_mutex_unlock(&r->lock);
    if (stopped)
        return NULL;
    Error *e = op_cancel_job(r->options.state, id, clock_now());
    if (waiting)
        tell_ended(r, id);
    return e;
}

void runner_set_backups(Runner *r, unsigned at_once)
{
    pthread_mutex_lock(&r->lock);
    r->options.backups = at_once;
    dispatch(r);
    pthread_mutex_unlock(&r->lock);
}

void runner_tick(Runner *r)
{
    pthread_mutex_lock(&r->lock);
    dispatch(r);
    pthread_mutex_unlock(&r->lock);
}

void runner_drain(Runner *r)
{
    pthread_mutex_lock(&r->lock);
    r->draining = true;
    pthread_mutex_unlock(&r->lock);
}

void runner_stop(Runner *r)
{
    pthread_mutex_lock(&r->lock);
    r->draining = true;
    for (size_t i = 0; i < r->count; i++)
        if (r->tasks[i]->running)
            stop_task(r->tasks[i], CHILD_SERVICE_ENDS);
    pthread_mutex_unlock(&r->lock);
}

/* Under the lock. */
static unsigned count_running(const Runner *r)
{
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->tasks[i]->running;
    return n;
}

unsigned runner_running(Runner *r)
{
    pthread_mutex_lock(&r->lock);
    unsigned n = count_running(r);
    pthread_mutex_unlock(&r->lock);
    return n;
}

unsigned runner_waiting(Runner *r)
{
    pthread_mutex_lock(&r->lock);
    unsigned n = (unsigned)r->count - count_running(r);
    pthread_mutex_unlock(&r->lock);
    return n;
}

void runner_free(Runner *r)
{
    if (!r)
        return;
    runner_stop(r);
    pthread_mutex_lock(&r->lock);
    while (count_running(r))
        pthread_cond_wait(&r->ended, &r->lock);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->count; i++)
        task_free(r->tasks[i]);
    free(r->tasks);
    free(r->config_file);
    strlist_free(&r->words);
    pthread_cond_destroy(&r->ended);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* -- what an earlier service has left -------------------------------------------------------------
 */

static bool is_ours(const StateJob *job)
{
    return strcmp(job->trigger, "cli") != 0;
}

/* They got SIGTERM when their service died, and may still be about to end. */
static void end_children(const StateJobs *jobs)
{
    int64_t until = clock_mono_ms() + LEFT_BEHIND_MS;
    for (bool asked = false, alive = true; alive; asked = true) {
        bool late = clock_mono_ms() >= until;
        alive = false;
        for (size_t i = 0; i < jobs->count; i++) {
            const StateJob *job = &jobs->items[i];
            if (!is_ours(job) || !op_job_lives(job))
                continue;
            alive = !late;
            if (!asked || late)
                kill(-(pid_t)job->pid, late ? SIGKILL : SIGTERM);
        }
        if (alive)
            clock_sleep_ms(20);
    }
}

static bool is_gone(const StateJob *job, void *ctx)
{
    (void)ctx;
    return is_ours(job) || !op_job_lives(job);
}

static bool is_lost(const StateJob *job, void *ctx)
{
    (void)ctx;
    return !is_ours(job) && !op_job_lives(job);
}

Error *runner_sweep(Runner *r, StateJobs *out)
{
    return state_job_interrupt(r->options.state, is_lost, NULL, clock_now(), out);
}

/* What may still be done later than it was asked for. */
static bool is_patient(const StateJob *job)
{
    static const char *const kinds[] = {"backup", "verify", "drill", "validate", "cleanup"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(job->kind, kinds[i]))
            return true;
    return false;
}

static Error *resume_one(Runner *r, const StateJob *job)
{
    AUTO(Doc) arguments = NULL;
    AUTO_VALUE(StrList) words = {0};
    TRY(doc_parse(job->arguments, strlen(job->arguments), "a job's arguments", &arguments));
    const Doc *list = doc_get(arguments, "words");
    for (size_t i = 0; i < doc_count(list); i++) {
        const char *word = doc_text(doc_at(list, i));
        if (word)
            strlist_add(&words, word);
    }
    AUTO(Task)
    t = make_task(r, &(JobRequest){.kind = job->kind,
                                   .entry = job->entry,
                                   .database = job->database,
                                   .words = &words,
                                   .timeout_ms = doc_int(arguments, "timeoutMs", 0)});
    t->id = job->id;
    TRY(cancel_new(NULL, &t->wake));
    enqueue(r, STEAL(t));
    return NULL;
}

static Error *give_up(Runner *r, const StateJob *job, StateJobs *out)
{
    StateJob *ended;
    TRY(state_job_finish(r->options.state, job->id,
                         &(StateJobEnd){.status = JOB_INTERRUPTED,
                                        .exit_status = -1,
                                        .error_message = "the service ended before it began",
                                        .now = clock_now()},
                         NULL));
    TRY(state_job_get(r->options.state, job->id, &ended));
    mem_grow(out->items, out->count, out->cap);
    out->items[out->count++] = *ended;
    free(ended);
    return NULL;
}

Error *runner_resume(Runner *r, StateJobs *out)
{
    AUTO_VALUE(StateJobs) running = {0};
    AUTO_VALUE(StateJobs) queued = {0};
    State *s = r->options.state;
    TRY(state_job_list(s, &(StateJobFilter){.statuses = 1u << JOB_RUNNING}, &running));
    end_children(&running);
    TRY(state_job_interrupt(s, is_gone, NULL, clock_now(), out));
    TRY(state_job_list(s, &(StateJobFilter){.statuses = 1u << JOB_QUEUED}, &queued));
    for (size_t i = queued.count; i-- > 0;) {
        const StateJob *job = &queued.items[i];
        if (!is_ours(job))
            continue;
        AUTO(Error) e = is_patient(job) ? resume_one(r, job) : NULL;
        if (e || !is_patient(job))
            TRY(give_up(r, job, out));
    }
    return NULL;
}
