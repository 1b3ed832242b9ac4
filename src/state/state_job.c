#include "state/state_job.h"

#include <string.h>

#include "base/proc_id.h"
#include "state/state_event.h"
#include "state/state_internal.h"

static const char *const names[JOB_STATUSES] = {"queued", "running",   "succeeded",
                                                "failed", "cancelled", "interrupted"};

const char *state_job_status_name(StateJobStatus status)
{
    return status < JOB_STATUSES ? names[status] : "";
}

bool state_job_status_of(const char *name, StateJobStatus *out)
{
    for (unsigned i = 0; i < JOB_STATUSES; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *out = (StateJobStatus)i;
        return true;
    }
    return false;
}

static void job_clear(StateJob *j)
{
    free(j->kind);
    free(j->entry);
    free(j->database);
    free(j->trigger);
    free(j->actor);
    free(j->arguments);
    free(j->boot);
    free(j->progress.phase);
    free(j->progress.object);
    free(j->backup);
    free(j->result);
    free(j->error_kind);
    free(j->error_message);
    free(j->error_hint);
    *j = (StateJob){0};
}

void state_job_free(StateJob *j)
{
    if (j)
        job_clear(j);
    free(j);
}

void state_jobs_clear(StateJobs *l)
{
    for (size_t i = 0; i < l->count; i++)
        job_clear(&l->items[i]);
    free(l->items);
    *l = (StateJobs){0};
}

void state_samples_clear(StateSamples *l)
{
    free(l->items);
    *l = (StateSamples){0};
}

/* -- reading --------------------------------------------------------------------------------------
 */

#define COLUMNS                                                                                    \
    "id, kind, entry, database, trigger, actor, arguments, status, created, started, ended, pid, " \
    "pid_start, boot, phase, object, bytes_done, bytes_total, bytes_new, bytes_reused, "           \
    "items_done, items_total, backup, result, error_kind, error_message, error_hint, "             \
    "ifnull(exit_status, -1), attempt, retry_of"

static Error *take_job(Query *q, StateJob *j)
{
    j->id = query_get_int(q);
    j->kind = query_get_text(q);
    j->entry = query_get_text(q);
    j->database = query_get_text(q);
    j->trigger = query_get_text(q);
    j->actor = query_get_text(q);
    j->arguments = query_get_text(q);
    AUTO(char) status = query_get_text(q);
    j->created = query_get_int(q);
    j->started = query_get_int(q);
    j->ended = query_get_int(q);
    j->pid = query_get_int(q);
    j->pid_start = query_get_int(q);
    j->boot = query_get_text(q);
    j->progress.phase = query_get_text(q);
    j->progress.object = query_get_text(q);
    j->progress.bytes_done = (uint64_t)query_get_int(q);
    j->progress.bytes_total = (uint64_t)query_get_int(q);
    j->progress.bytes_new = (uint64_t)query_get_int(q);
    j->progress.bytes_reused = (uint64_t)query_get_int(q);
    j->progress.items_done = (uint64_t)query_get_int(q);
    j->progress.items_total = (uint64_t)query_get_int(q);
    j->backup = query_get_text(q);
    j->result = query_get_text(q);
    j->error_kind = query_get_text(q);
    j->error_message = query_get_text(q);
    j->error_hint = query_get_text(q);
    j->exit_status = (int)query_get_int(q);
    j->attempt = (int)query_get_int(q);
    j->retry_of = query_get_int(q);
    if (!status || !state_job_status_of(status, &j->status))
        FAIL(ERR_DAMAGED, "job %lld has no status that is known", (long long)j->id);
    return NULL;
}

/* All rows, and with `limit` whether there were more than so many. */
static Error *take_jobs(Query *q, uint32_t limit, StateJobs *out)
{
    for (bool got;;) {
        TRY(query_page(q, out->count, limit, &out->more, &got));
        if (!got)
            return NULL;
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = (StateJob){0};
        TRY(take_job(q, &out->items[out->count - 1]));
    }
}

/* NULL where there is none. */
static Error *take_only(Query *q, StateJob **out)
{
    AUTO(StateJob) j = NULL;
    bool more;
    TRY(query_row(q, &more));
    if (more) {
        j = mem_new(StateJob);
        TRY(take_job(q, j));
    }
    *out = STEAL(j);
    return NULL;
}

static Error *no_job(int64_t id)
{
    FAIL(ERR_NOT_FOUND, "there is no job %lld", (long long)id);
}

Error *state_job_get(State *s, int64_t id, StateJob **out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s, "SELECT " COLUMNS " FROM job WHERE id = ?", &q));
    query_int(&q, id);
    TRY(take_only(&q, out));
    return *out ? NULL : no_job(id);
}

/* What is not asked for is NULL. */
#define CONDITIONS                                                                                 \
    " (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR entry = ?2) AND (?3 IS NULL OR database = ?3)"  \
    " AND (?4 IS NULL OR trigger = ?4) AND (?5 IS NULL OR backup = ?5)"                            \
    " AND (?6 IS NULL OR instr(?6, ' ' || status || ' '))"                                         \
    " AND (?7 IS NULL OR created >= ?7) AND (?8 IS NULL OR created < ?8)"                          \
    " AND (?9 IS NULL OR (id > ?9 AND CASE WHEN json_valid(arguments)"                             \
    " THEN json_extract(arguments, '$.partOf') = ?9 END))"

static void bind_filter(Query *q, const StateJobFilter *f)
{
    query_maybe_text(q, f->kind);
    query_maybe_text(q, f->entry);
    query_maybe_text(q, f->database);
    query_maybe_text(q, f->trigger);
    query_maybe_text(q, f->backup);
    query_names(q, f->statuses, names, JOB_STATUSES);
    query_maybe_int(q, f->since);
    query_maybe_int(q, f->until);
    query_maybe_int(q, f->part_of);
}

static const StateJobFilter any = {0};

Error *state_job_list(State *s, const StateJobFilter *filter, StateJobs *out)
{
    const StateJobFilter *f = filter ? filter : &any;
    uint32_t limit = state_limit(f->limit);
    AUTO_VALUE(StateJobs) l = {0};
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM job WHERE" CONDITIONS
                   " AND id < ifnull(?10, 0x7fffffffffffffff) ORDER BY id DESC LIMIT ?11",
                   &q));
    bind_filter(&q, f);
    query_maybe_int(&q, f->below);
    query_int(&q, limit + 1);
    TRY(take_jobs(&q, limit, &l));
    *out = l;
    l = (StateJobs){0};
    return NULL;
}

Error *state_job_count(State *s, const StateJobFilter *filter, uint64_t *out)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, "SELECT count(*) FROM job WHERE" CONDITIONS, &q));
    bind_filter(&q, filter ? filter : &any);
    TRY(query_row(&q, &more));
    *out = (uint64_t)query_get_int(&q);
    return NULL;
}

Error *state_job_last_success(State *s, const char *kind, const char *entry, const char *database,
                              StateJob **out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM job WHERE kind = ? AND entry = ? AND database = ?"
                   " AND status = 'succeeded' ORDER BY ended DESC, id DESC LIMIT 1",
                   &q));
    query_text(&q, kind);
    query_text(&q, entry);
    query_text(&q, database);
    return take_only(&q, out);
}

Error *state_job_last_successes(State *s, const char *kind, StateJobs *out)
{
    AUTO_VALUE(StateJobs) l = {0};
    AUTO_VALUE(Query) q = {0};
    /* Beside max() SQLite takes the other columns from the row that has it. */
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM job WHERE id IN (SELECT id FROM"
                   " (SELECT id, max(ended) FROM job WHERE status = 'succeeded'"
                   " AND (?1 IS NULL OR kind = ?1) GROUP BY kind, entry, database))"
                   " ORDER BY kind, entry, database LIMIT ?2",
                   &q));
    query_maybe_text(&q, kind);
    query_int(&q, STATE_LIST_MAX + 1);
    TRY(take_jobs(&q, STATE_LIST_MAX, &l));
    *out = l;
    l = (StateJobs){0};
    return NULL;
}

Error *state_job_samples(State *s, const char *kind, const char *entry, const char *database,
                         uint32_t limit, StateSamples *out)
{
    AUTO_VALUE(StateSamples) l = {0};
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT id, ended - ifnull(started, created), bytes_done, bytes_new, items_done,"
                   " CASE WHEN json_valid(result) AND json_type(result, '$.rows') = 'integer'"
                   " THEN json_extract(result, '$.rows') ELSE -1 END"
                   " FROM job WHERE kind = ? AND entry = ? AND database = ?"
                   " AND status = 'succeeded' ORDER BY ended DESC, id DESC LIMIT ?",
                   &q));
    query_text(&q, kind);
    query_text(&q, entry);
    query_text(&q, database);
    query_int(&q, state_limit(limit));
    for (bool more;;) {
        TRY(query_row(&q, &more));
        if (!more)
            break;
        mem_grow(l.items, l.count, l.cap);
        StateSample *one = &l.items[l.count++];
        one->job = query_get_int(&q);
        one->duration_ms = query_get_int(&q);
        one->bytes_done = (uint64_t)query_get_int(&q);
        one->bytes_new = (uint64_t)query_get_int(&q);
        one->items_done = (uint64_t)query_get_int(&q);
        one->rows = query_get_int(&q);
    }
    *out = l;
    l = (StateSamples){0};
    return NULL;
}

/* -- from status to status
 * --------------------------------------------------------------------------
 */

static Error *tell(State *s, int64_t id, StateJobStatus status, Instant now)
{
    AUTO(char) kind = mem_printf("job.%s", names[status]);
    return state_event_add(s, &(StateEventNew){.kind = kind, .job = id, .now = now}, NULL);
}

/* Whether there is such a job, where a statement has changed none. */
static Error *is_there(State *s, int64_t id)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, "SELECT 1 FROM job WHERE id = ?", &q));
    query_int(&q, id);
    TRY(query_row(&q, &more));
    return more ? NULL : no_job(id);
}

typedef struct Creation {
    const StateJobNew *job;
    int64_t id;
} Creation;

static Error *create(State *s, void *ctx)
{
    Creation *c = ctx;
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "INSERT INTO job (kind, entry, database, trigger, actor, arguments, status,"
                   " created, attempt, retry_of) VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
                   &q));
    query_text(&q, c->job->kind);
    query_text(&q, c->job->entry);
    query_text(&q, c->job->database);
    query_text(&q, c->job->trigger);
    query_text(&q, c->job->actor);
    query_text(&q, c->job->arguments);
    query_int(&q, c->job->now);
    query_int(&q, c->job->attempt > 0 ? c->job->attempt : 1);
    query_maybe_int(&q, c->job->retry_of);
    TRY(query_run(&q, NULL));
    c->id = query_last_id(&q);
    return tell(s, c->id, JOB_QUEUED, c->job->now);
}

Error *state_job_create(State *s, const StateJobNew *job, int64_t *id)
{
    Creation c = {.job = job};
    TRY(state_together(s, create, &c));
    *id = c.id;
    return NULL;
}

typedef struct Start {
    int64_t id, pid;
    Instant now;
    bool started;
} Start;

static Error *start(State *s, void *ctx)
{
    Start *c = ctx;
    int64_t changed;
    AUTO(char) boot = proc_id_boot();
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "UPDATE job SET status = 'running', started = ?, pid = ?, pid_start = ?,"
                   " boot = ? WHERE id = ? AND status = 'queued'",
                   &q));
    query_int(&q, c->now);
    query_int(&q, c->pid);
    query_int(&q, proc_id_start(c->pid));
    query_text(&q, boot);
    query_int(&q, c->id);
    TRY(query_run(&q, &changed));
    c->started = changed > 0;
    return c->started ? tell(s, c->id, JOB_RUNNING, c->now) : is_there(s, c->id);
}

Error *state_job_start(State *s, int64_t id, int64_t pid, Instant now, bool *started)
{
    Start c = {.id = id, .pid = pid, .now = now};
    TRY(state_together(s, start, &c));
    *started = c.started;
    return NULL;
}

static Error *set_progress(State *s, int64_t id, const StateProgress *p, int64_t *changed)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "UPDATE job SET phase = ?, object = ?, bytes_done = ?, bytes_total = ?,"
                   " bytes_new = ?, bytes_reused = ?, items_done = ?, items_total = ?"
                   " WHERE id = ? AND status = 'running'",
                   &q));
    query_maybe_text(&q, p->phase);
    query_maybe_text(&q, p->object);
    query_int(&q, (int64_t)p->bytes_done);
    query_int(&q, (int64_t)p->bytes_total);
    query_int(&q, (int64_t)p->bytes_new);
    query_int(&q, (int64_t)p->bytes_reused);
    query_int(&q, (int64_t)p->items_done);
    query_int(&q, (int64_t)p->items_total);
    query_int(&q, id);
    return query_run(&q, changed);
}

typedef struct Step {
    int64_t id;
    const StateProgress *progress;
} Step;

/* Who follows wants to know how far it is, not how far it was: one such event of a job is kept. */
static Error *progress(State *s, void *ctx)
{
    const Step *c = ctx;
    int64_t changed;
    AUTO_VALUE(Query) q = {0};
    TRY(set_progress(s, c->id, c->progress, &changed));
    if (!changed)
        return NULL;
    TRY(query_open(s, "DELETE FROM event WHERE job = ? AND kind = '" STATE_EVENT_PROGRESS "'", &q));
    query_int(&q, c->id);
    TRY(query_run(&q, NULL));
    query_close(&q);
    return state_event_add(
        s, &(StateEventNew){.kind = STATE_EVENT_PROGRESS, .job = c->id, .now = clock_now()}, NULL);
}

Error *state_job_progress(State *s, int64_t id, const StateProgress *p)
{
    Step c = {id, p};
    return state_together(s, progress, &c);
}

typedef struct Finish {
    int64_t id;
    const StateJobEnd *end;
    bool finished;
} Finish;

/* Its progress first, while it still runs. */
static Error *finish(State *s, void *ctx)
{
    Finish *c = ctx;
    const StateJobEnd *end = c->end;
    int64_t changed;
    AUTO_VALUE(Query) q = {0};
    if (end->progress)
        TRY(set_progress(s, c->id, end->progress, NULL));
    TRY(query_open(s,
                   "UPDATE job SET status = ?, ended = ?, backup = ifnull(?, backup), result = ?,"
                   " error_kind = ?, error_message = ?, error_hint = ?, exit_status = ?"
                   " WHERE id = ? AND status IN ('queued', 'running', 'interrupted')",
                   &q));
    query_text(&q, names[end->status]);
    query_int(&q, end->now);
    query_maybe_text(&q, end->backup);
    query_whole_text(&q, end->result);
    query_maybe_text(&q, end->error_kind);
    query_maybe_text(&q, end->error_message);
    query_maybe_text(&q, end->error_hint);
    if (end->exit_status >= 0)
        query_int(&q, end->exit_status);
    else
        query_maybe_int(&q, 0);
    query_int(&q, c->id);
    TRY(query_run(&q, &changed));
    c->finished = changed > 0;
    return c->finished ? tell(s, c->id, end->status, end->now) : is_there(s, c->id);
}

Error *state_job_finish(State *s, int64_t id, const StateJobEnd *end, bool *finished)
{
    StateJobEnd bounded = *end;
    AUTO(char) too_large = NULL;
    if (end->status < JOB_SUCCEEDED || end->status >= JOB_STATUSES)
        FAIL(ERR_INTERNAL, "a job cannot end as %s", state_job_status_name(end->status));
    if (end->result && strlen(end->result) > STATE_RESULT_MAX)
        bounded.result = too_large = mem_printf("{\"tooLarge\": %zu}", strlen(end->result));
    Finish c = {.id = id, .end = &bounded};
    TRY(state_together(s, finish, &c));
    if (finished)
        *finished = c.finished;
    return NULL;
}

/* -- whose process is gone ------------------------------------------------------------------------
 */

static bool process_gone(const StateJob *j, void *ctx)
{
    const char *boot = ctx;
    return !j->boot || strcmp(j->boot, boot) != 0 || !proc_id_is_alive(j->pid, j->pid_start);
}

typedef struct Interruption {
    StateJobGone gone;
    void *ctx;
    Instant now;
    StateJobs found;
} Interruption;

static Error *read_running(State *s, StateJobs *out)
{
    AUTO_VALUE(Query) q = {0};
    TRY(query_open(s,
                   "SELECT " COLUMNS " FROM job WHERE status = 'running' AND ended IS NULL"
                   " ORDER BY id",
                   &q));
    return take_jobs(&q, UINT32_MAX, out);
}

static Error *interrupt(State *s, void *ctx)
{
    Interruption *c = ctx;
    AUTO_VALUE(StateJobs) running = {0};
    TRY(read_running(s, &running));
    for (size_t i = 0; i < running.count; i++) {
        StateJob *j = &running.items[i];
        if (!c->gone(j, c->ctx))
            continue;
        StateJobEnd end = {.status = JOB_INTERRUPTED,
                           .error_kind = error_kind_info(ERR_FENCED)->name,
                           .error_message = "its process ended without a word",
                           .exit_status = -1,
                           .now = c->now};
        TRY(state_job_finish(s, j->id, &end, NULL));
        StateJob *now;
        TRY(state_job_get(s, j->id, &now));
        mem_grow(c->found.items, c->found.count, c->found.cap);
        c->found.items[c->found.count++] = *now;
        free(now);
    }
    return NULL;
}

Error *state_job_interrupt(State *s, StateJobGone gone, void *ctx, Instant now, StateJobs *out)
{
    AUTO(char) boot = proc_id_boot();
    Interruption c = {gone ? gone : process_gone, gone ? ctx : boot, now, {0}};
    Error *e = state_together(s, interrupt, &c);
    if (e) {
        state_jobs_clear(&c.found);
        return e;
    }
    *out = c.found;
    return NULL;
}
