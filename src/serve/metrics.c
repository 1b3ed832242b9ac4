#include "serve/metrics_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "serve/plan_doc.h"
#include "state/state_condition.h"
#include "state/state_event.h"
#include "state/state_figures.h"
#include "state/state_session.h"

#define SERIES_MAX 4096 /* what is beyond is counted as the entry OTHER */
#define OTHER "(other)"
#define STATUS_LEAST 100
#define STATUSES 500 /* from 100 to 599 */

/* The ends of jobs of one kind and entry, by status. */
typedef struct Series {
    char *kind, *entry;
    uint64_t ended[JOB_STATUSES];
} Series;

struct Metrics {
    Service *s;
    pthread_mutex_t lock; /* of what follows, up to the requests */
    int64_t last_event;
    Series *series;
    size_t count, cap;
    uint64_t given_up; /* notifications */
    bool news;         /* a job has ended since the last scrape */
    atomic_uint_fast64_t requests[STATUSES];
};

Error *metrics_new(Service *s, Metrics **out)
{
    AUTO(Metrics) m = mem_new(Metrics);
    int64_t newest;
    m->s = s;
    pthread_mutex_init(&m->lock, NULL);
    TRY(state_event_newest(s->state, &newest));
    /* What an earlier service left running was marked as interrupted a moment ago, by this one. */
    m->last_event = newest > STATE_LIST_MAX ? newest - STATE_LIST_MAX : 0;
    *out = STEAL(m);
    return NULL;
}

void metrics_free(Metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        free(m->series[i].kind);
        free(m->series[i].entry);
    }
    free(m->series);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* -- counting -------------------------------------------------------------------------------------
 */

void metrics_request(Metrics *m, unsigned status)
{
    if (status >= STATUS_LEAST && status < STATUS_LEAST + STATUSES)
        atomic_fetch_add(&m->requests[status - STATUS_LEAST], 1);
}

/* Under the lock. One that is new begins with zeros. */
static Series *series_of(Metrics *m, const char *kind, const char *entry)
{
    for (size_t i = 0; i < m->count; i++)
        if (!strcmp(m->series[i].kind, kind) && !strcmp(m->series[i].entry, entry))
            return &m->series[i];
    if (m->count >= SERIES_MAX && strcmp(entry, OTHER) != 0)
        return series_of(m, kind, OTHER);
    mem_grow(m->series, m->count, m->cap);
    Series *one = &m->series[m->count++];
    *one = (Series){.kind = mem_strdup(kind), .entry = mem_strdup(entry)};
    return one;
}

/* Under the lock. */
static Error *count_job(Metrics *m, const StateEvent *event, StateJobStatus status)
{
    AUTO(StateJob) job = NULL;
    Error *e = state_job_get(m->s->state, event->job, &job);
    if (e && error_kind(e) == ERR_NOT_FOUND) { /* long gone: nobody has asked for days */
        error_free(e);
        return NULL;
    }
    TRY(e);
    series_of(m, job->kind, job->entry)->ended[status]++;
    m->news = true;
    return NULL;
}

static bool is_end(StateJobStatus status)
{
    return status != JOB_QUEUED && status != JOB_RUNNING;
}

/* Under the lock. */
static Error *count_event(Metrics *m, const StateEvent *event)
{
    StateJobStatus status;
    if (event->at < m->s->started)
        return NULL;
    if (!strcmp(event->kind, "notification.given-up"))
        m->given_up++;
    else if (text_starts(event->kind, "job.") && state_job_status_of(event->kind + 4, &status) &&
             is_end(status))
        return count_job(m, event, status);
    return NULL;
}

/* Under the lock. */
static Error *count_events(Metrics *m)
{
    for (bool more = true; more;) {
        AUTO_VALUE(StateEvents) events = {0};
        TRY(state_event_since(m->s->state, m->last_event, 0, &events));
        for (size_t i = 0; i < events.count; i++) {
            TRY(count_event(m, &events.items[i]));
            m->last_event = events.items[i].id;
        }
        more = events.more;
    }
    return NULL;
}

void metrics_tick(Metrics *m)
{
    pthread_mutex_lock(&m->lock);
    AUTO(Error) e = count_events(m);
    pthread_mutex_unlock(&m->lock);
    if (e)
        log_warning("metrics: %s", error_message(e));
}

/* -- jobs -----------------------------------------------------------------------------------------
 */

static void write_counters(Metrics *m, Buf *out)
{
    exposition_family(out, "pgstow_jobs_total", "counter",
                      "Jobs that ended since the service started, by how, also those of the "
                      "command line.");
    for (size_t i = 0; i < m->count; i++) {
        for (StateJobStatus k = JOB_SUCCEEDED; k < JOB_STATUSES; k++) {
            AUTO_VALUE(Buf) labels = {0};
            exposition_label(&labels, "kind", m->series[i].kind);
            exposition_label(&labels, "entry", m->series[i].entry);
            exposition_label(&labels, "status", state_job_status_name(k));
            exposition_int(out, "pgstow_jobs_total", &labels, (int64_t)m->series[i].ended[k]);
        }
    }
    exposition_one(out, "pgstow_notifications_given_up_total", "counter",
                   "Notifications that could not be sent for so long that nobody tries any more.",
                   (int64_t)m->given_up);
}

/* A counter that begins with its first event shows no increase: those that are to be expected are
 * there from the start. *news: a job has ended since the last time. */
static Error *write_totals(Metrics *m, const Plans *plans, Buf *out, bool *news)
{
    const ServiceConfig *c = plans->config;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < c->count; i++)
        series_of(m, "backup", c->entries[i].name);
    for (size_t i = 0; i < plans->count; i++)
        series_of(m, plans->items[i].kind, plans->items[i].entry->name);
    Error *e = count_events(m);
    if (!e)
        write_counters(m, out);
    *news = m->news;
    m->news = false;
    pthread_mutex_unlock(&m->lock);
    return e;
}

/* A kind of job of an entry that is to be looked at. */
typedef struct Watched {
    const char *kind;
    const ServiceEntry *entry;
    StateLastEnds last;
} Watched;
DEFINE_AUTO(Watched, free)

static bool is_watched(const Watched *w, size_t count, const char *kind, const ServiceEntry *entry)
{
    for (size_t i = 0; i < count; i++)
        if (w[i].entry == entry && !strcmp(w[i].kind, kind))
            return true;
    return false;
}

/* Backups of all, and what else is scheduled. */
static size_t watched(const Plans *plans, Watched *out)
{
    const ServiceConfig *c = plans->config;
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        out[n++] = (Watched){.kind = "backup", .entry = &c->entries[i]};
    for (size_t i = 0; i < plans->count; i++)
        if (!is_watched(out, n, plans->items[i].kind, plans->items[i].entry))
            out[n++] = (Watched){.kind = plans->items[i].kind, .entry = plans->items[i].entry};
    return n;
}

static void labels_of(const Watched *w, Buf *out)
{
    exposition_label(out, "kind", w->kind);
    exposition_label(out, "entry", w->entry->name);
    exposition_label(out, "database", w->entry->database);
}

static void write_ends(const Watched *w, size_t n, Buf *out)
{
    static const char name[] = "pgstow_job_last_end_timestamp_seconds";
    exposition_family(out, name, "gauge", "When the last job that ended so did.");
    for (size_t i = 0; i < n; i++) {
        for (StateJobStatus k = JOB_SUCCEEDED; k < JOB_STATUSES; k++) {
            AUTO_VALUE(Buf) labels = {0};
            if (!w[i].last.ended[k])
                continue;
            labels_of(&w[i], &labels);
            exposition_label(&labels, "status", state_job_status_name(k));
            exposition_seconds(out, name, &labels, w[i].last.ended[k]);
        }
    }
}

/* Somebody who cancels one knows. */
static void write_failing(const Watched *w, size_t n, Buf *out)
{
    static const char name[] = "pgstow_job_failing";
    exposition_family(
        out, name, "gauge",
        "Whether the last job that succeeded or failed did fail (or was interrupted).");
    for (size_t i = 0; i < n; i++) {
        AUTO_VALUE(Buf) labels = {0};
        const Instant *ended = w[i].last.ended, good = ended[JOB_SUCCEEDED];
        labels_of(&w[i], &labels);
        exposition_int(out, name, &labels,
                       ended[JOB_FAILED] > good || ended[JOB_INTERRUPTED] > good);
    }
}

static Error *write_jobs(Metrics *m, const Plans *plans, Buf *out)
{
    AUTO(Watched) w = mem_calloc(plans->config->count + plans->count, sizeof *w);
    size_t n = watched(plans, w);
    for (size_t i = 0; i < n; i++)
        TRY(state_last_ends(m->s->state, w[i].kind, w[i].entry->name, w[i].entry->database,
                            &w[i].last));
    write_ends(w, n, out);
    write_failing(w, n, out);
    exposition_one(out, "pgstow_jobs_running", "gauge", "Jobs of the service that run now.",
                   runner_running(m->s->runner));
    exposition_one(out, "pgstow_jobs_waiting", "gauge", "Jobs of the service that wait.",
                   runner_waiting(m->s->runner));
    return NULL;
}

/* -- schedules ------------------------------------------------------------------------------------
 */

static void plan_labels(const Plan *p, Buf *out)
{
    exposition_label(out, "schedule", p->name);
    exposition_label(out, "kind", p->kind);
    exposition_label(out, "entry", p->entry->name);
}

static void write_schedules(const Plans *plans, Buf *out)
{
    static const char next[] = "pgstow_schedule_next_run_timestamp_seconds";
    exposition_family(out, next, "gauge", "When the schedule is due next.");
    for (size_t i = 0; i < plans->count; i++) {
        AUTO_VALUE(Buf) labels = {0};
        Instant t = plan_next(&plans->items[i], plans_now());
        plan_labels(&plans->items[i], &labels);
        if (t)
            exposition_seconds(out, next, &labels, t);
    }
}

/* -- what is told, and what is wrong --------------------------------------------------------------
 */

static Error *write_notifications(State *s, Buf *out)
{
    StateOutboxFigures f;
    TRY(state_outbox_figures(s, &f));
    exposition_one(out, "pgstow_notifications_waiting", "gauge",
                   "Notifications that are to be sent.", (int64_t)f.open);
    exposition_one(out, "pgstow_notifications_failing", "gauge",
                   "Of these, whose last attempt failed.", (int64_t)f.failing);
    return NULL;
}

static void label_sync(Buf *labels, const StateSessionFigure *f)
{
    exposition_label(labels, "peer", f->peer);
    exposition_label(labels, "database", f->database);
    exposition_label(labels, "direction", state_session_direction_name(f->direction));
    exposition_label(labels, "role", state_session_role_name(f->role));
}

static void write_sync_counts(const StateSessionFigures *all, Buf *out)
{
    static const char name[] = "pgstow_sync_sessions";
    exposition_family(out, name, "gauge", "Syncs that are remembered, by their status.");
    for (size_t i = 0; i < all->count; i++)
        for (SyncStatus status = 0; status < SYNC_STATUSES; status++) {
            AUTO_VALUE(Buf) labels = {0};
            label_sync(&labels, &all->items[i]);
            exposition_label(&labels, "status", state_session_status_name(status));
            exposition_int(out, name, &labels, (int64_t)all->items[i].counts[status]);
        }
}

static Error *write_syncs(State *s, Buf *out)
{
    static const char last[] = "pgstow_sync_last_success_timestamp_seconds";
    static const char wire[] = "pgstow_sync_wire_bytes";
    AUTO_VALUE(StateSessionFigures) all = {0};
    TRY(state_session_figures(s, &all));
    write_sync_counts(&all, out);
    exposition_family(out, last, "gauge", "When the last sync that was COMPLETED ended.");
    for (size_t i = 0; i < all.count; i++) {
        AUTO_VALUE(Buf) labels = {0};
        label_sync(&labels, &all.items[i]);
        if (all.items[i].last_success)
            exposition_seconds(out, last, &labels, all.items[i].last_success);
    }
    exposition_family(out, wire, "gauge", "What the syncs that are remembered sent and received.");
    for (size_t i = 0; i < all.count; i++) {
        AUTO_VALUE(Buf) labels = {0};
        label_sync(&labels, &all.items[i]);
        exposition_int(out, wire, &labels, (int64_t)all.items[i].wire_bytes);
    }
    return NULL;
}

/* By what stands in front of their names: "failing/backup/shop" is a "failing". */
static Error *write_problems(State *s, Buf *out)
{
    static const char name[] = "pgstow_problems";
    AUTO_VALUE(StateConditions) all = {0};
    TRY(state_condition_list(s, &all));
    exposition_family(out, name, "gauge", "What is wrong now, as notifications know it.");
    for (size_t i = 0, end; i < all.count; i = end) {
        size_t n = strcspn(all.items[i].name, "/");
        AUTO(char) what = mem_strndup(all.items[i].name, n);
        AUTO_VALUE(Buf) labels = {0};
        for (end = i; end < all.count && !strncmp(all.items[end].name, what, n) &&
                      (all.items[end].name[n] == '/' || !all.items[end].name[n]);)
            end++;
        exposition_label(&labels, "problem", what);
        exposition_int(out, name, &labels, (int64_t)(end - i));
    }
    return NULL;
}

/* -- all of it ------------------------------------------------------------------------------------
 */

static void write_requests(Metrics *m, Buf *out)
{
    exposition_family(out, "pgstow_http_requests_total", "counter",
                      "Requests that the API answered, by status.");
    for (unsigned i = 0; i < STATUSES; i++) {
        AUTO_VALUE(Buf) labels = {0};
        uint64_t n = atomic_load(&m->requests[i]);
        char code[8];
        if (!n)
            continue;
        snprintf(code, sizeof code, "%u", STATUS_LEAST + i);
        exposition_label(&labels, "code", code);
        exposition_int(out, "pgstow_http_requests_total", &labels, (int64_t)n);
    }
}

static void write_build(Buf *out)
{
    AUTO_VALUE(Buf) labels = {0};
    exposition_family(out, "pgstow_build_info", "gauge", "Which pgstow this is.");
    exposition_label(&labels, "version", PGSTOW_VERSION);
    exposition_int(out, "pgstow_build_info", &labels, 1);
}

Error *metrics_write(Metrics *m, ServiceConfig *c, Buf *out)
{
    AUTO_VALUE(Plans) plans = {0};
    bool news;
    TRY(plans_make(service_config_keep(c), &plans));
    write_build(out);
    metrics_process(m->s->started, out);
    TRY(write_totals(m, &plans, out, &news));
    metrics_backups(c, news ? 0 : METRICS_GLANCE_MS, clock_now(), out);
    TRY(write_jobs(m, &plans, out));
    write_schedules(&plans, out);
    TRY(write_notifications(m->s->state, out));
    TRY(write_problems(m->s->state, out));
    TRY(write_syncs(m->s->state, out));
    write_requests(m, out);
    return NULL;
}
