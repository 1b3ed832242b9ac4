#include "serve/events.h"

#include <pthread.h>
#include <string.h>

#include "flow/cancel.h"
#include "op/job_doc.h"
#include "serve/http_stream.h"
#include "state/state_event.h"

#define LOOK_MS 200       /* how often the state is looked at, however many listen */
#define CHECK_MS 1000     /* how often whether somebody still may listen */
#define BATCH 100         /* events read at once */
#define LINES 32          /* of a log, in one event */
#define ENOUGH (1u << 16) /* bytes after which is sent what is there */
#define RETRY_MS 3000     /* what clients are told to wait before they come back */

struct Events {
    State *state;
    Cancel *stop;
    pthread_mutex_t lock; /* of what follows */
    unsigned listeners;
    int64_t newest, looked; /* the newest event; when that was asked, by clock_mono_ms */
};

struct Listener {
    Events *events;
    ListenerOptions o;
    int64_t job;   /* 0: all */
    int64_t after; /* the event that was sent last */
    int64_t sent;  /* by clock_mono_ms: when something was */
    int64_t checked;
    Buf out;
    bool greeted, over, last; /* over: the job had ended already; last: `out` has the end */
    /* Lines of a log that are still to be sent, those in (log_after, log_until]. */
    int64_t log_job, log_after, log_until;
    int64_t line; /* of the one job: its last line that was sent */
};

/* -- those who listen -----------------------------------------------------------------------------
 */

Error *events_new(State *s, Events **out)
{
    AUTO(Events) e = mem_new(Events);
    e->state = s;
    pthread_mutex_init(&e->lock, NULL);
    TRY(cancel_new(NULL, &e->stop));
    *out = STEAL(e);
    return NULL;
}

void events_close(Events *e)
{
    cancel_request(e->stop);
}

void events_free(Events *e)
{
    if (!e)
        return;
    if (e->stop)
        cancel_free(e->stop);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static Error *let_in(Events *e)
{
    if (cancel_requested(e->stop))
        FAIL(ERR_BUSY, "the service is about to stop");
    pthread_mutex_lock(&e->lock);
    bool full = e->listeners >= EVENTS_LISTENERS;
    e->listeners += !full;
    pthread_mutex_unlock(&e->lock);
    if (full)
        return error_hint(ERROR_NEW(ERR_RATE, "%d follow events already", EVENTS_LISTENERS),
                          "ask for jobs now and then instead");
    return NULL;
}

void listener_free(Listener *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->events->lock);
    l->events->listeners--;
    pthread_mutex_unlock(&l->events->lock);
    buf_free(&l->out);
    free(l);
}

/* -- the words of the stream ----------------------------------------------------------------------
 */

/* id 0: without one. Takes d over. JSON of one line has no line break in it. */
static void say(Listener *l, int64_t id, const char *event, Doc *d)
{
    AUTO(Doc) owned = d;
    AUTO(char) data = doc_print(owned, false);
    if (id)
        buf_printf(&l->out, "id: %lld\n", (long long)id);
    buf_printf(&l->out, "event: %s\ndata: ", event);
    buf_add_str(&l->out, data);
    buf_add_str(&l->out, "\n\n");
}

static bool is_over(const StateJob *job)
{
    return job->status >= JOB_SUCCEEDED;
}

static Doc *progress_doc(const StateJob *job)
{
    Doc *d = doc_object();
    doc_set_int(d, "job", job->id);
    job_doc_progress(d, &job->progress);
    return d;
}

static Error *say_end(Listener *l)
{
    AUTO(StateJob) job = NULL;
    TRY(state_job_get(l->events->state, l->job, &job));
    say(l, l->after, "ended", job_doc(job));
    l->last = true;
    return NULL;
}

static void say_lines(Listener *l, const StateLog *log, bool done)
{
    Doc *d = doc_object(), *lines = doc_array();
    doc_set_int(d, "job", l->log_job);
    for (size_t i = 0; i < log->count && log->items[i].n <= l->log_until; i++)
        doc_push(lines, log_line_doc(&log->items[i]));
    doc_set(d, "lines", lines);
    /* Whoever comes back with this id has seen all of them. */
    say(l, done ? l->after : 0, "log", d);
}

/* The next part of the log that is under way. */
static Error *go_on_with_log(Listener *l)
{
    AUTO_VALUE(StateLog) log = {0};
    TRY(state_log_read(l->events->state, l->log_job, l->log_after, LINES, &log));
    int64_t until = log.count ? log.items[log.count - 1].n : l->log_until;
    bool done = !log.more || until >= l->log_until;
    if (log.count && log.items[0].n <= l->log_until)
        say_lines(l, &log, done);
    l->log_after = until < l->log_until ? until : l->log_until;
    if (l->job && log.count)
        l->line = l->log_after;
    if (!done)
        return NULL;
    l->log_job = 0;
    return l->over ? say_end(l) : NULL;
}

static Error *begin_log(Listener *l, const StateEvent *e)
{
    AUTO(Doc) range = NULL;
    const char *body = e->body ? e->body : "{}";
    TRY(doc_parse(body, strlen(body), "an event", &range));
    l->log_job = e->job;
    l->log_after = doc_int(range, "after", 0);
    l->log_until = doc_int(range, "until", 0);
    /* Those that were there when one began to follow were sent then. */
    if (l->job && l->log_after < l->line)
        l->log_after = l->line;
    if (l->log_after < l->log_until)
        return go_on_with_log(l);
    l->log_job = 0;
    return NULL;
}

static Error *say_event(Listener *l, const StateEvent *e)
{
    AUTO(StateJob) job = NULL;
    if (!e->job || (l->job && e->job != l->job) || strncmp(e->kind, "job.", 4) != 0)
        return NULL;
    if (!strcmp(e->kind, STATE_EVENT_LOG))
        return begin_log(l, e);
    Error *missing = state_job_get(l->events->state, e->job, &job);
    if (missing && error_kind(missing) == ERR_NOT_FOUND) {
        error_free(missing); /* it was long ago */
        return NULL;
    }
    TRY(missing);
    if (!strcmp(e->kind, STATE_EVENT_PROGRESS)) {
        say(l, e->id, "progress", progress_doc(job));
        return NULL;
    }
    const char *status = e->kind + 4;
    bool queued = !strcmp(status, state_job_status_name(JOB_QUEUED));
    bool started = !strcmp(status, state_job_status_name(JOB_RUNNING));
    say(l, e->id, queued ? "queued" : started ? "started" : "ended", job_doc(job));
    l->last = l->job && !queued && !started;
    return NULL;
}

/* -- what comes next ------------------------------------------------------------------------------
 */

/* The one job as it is, and then its log. */
static Error *say_job(Listener *l)
{
    AUTO(StateJob) job = NULL;
    TRY(state_event_newest(l->events->state, &l->after));
    TRY(state_job_get(l->events->state, l->job, &job));
    l->log_job = l->job;
    l->log_after = 0;
    l->log_until = INT64_MAX;
    l->over = is_over(job);
    say(l, 0, "job", job_doc(job));
    return NULL;
}

/* The client looks at the whole anew. */
static Error *say_lost(Listener *l)
{
    Doc *d = doc_object();
    TRY(state_event_newest(l->events->state, &l->after));
    doc_set_str(d, "message", "some events are no longer kept");
    say(l, l->after, "lost", d);
    return l->job ? say_job(l) : NULL;
}

static Error *say_news(Listener *l)
{
    AUTO_VALUE(StateEvents) news = {0};
    if (l->log_job)
        return go_on_with_log(l);
    TRY(state_event_since(l->events->state, l->after, BATCH, &news));
    if (news.lost)
        return say_lost(l);
    for (size_t i = 0; i < news.count && l->out.len < ENOUGH && !l->log_job && !l->last; i++) {
        l->after = news.items[i].id;
        TRY(say_event(l, &news.items[i]));
    }
    return NULL;
}

/* Whether there is something behind `after`. One asks for all. */
static Error *look(Listener *l, bool *news)
{
    Events *e = l->events;
    int64_t now = clock_mono_ms();
    Error *failed = NULL;
    pthread_mutex_lock(&e->lock);
    if (!e->looked || now - e->looked >= LOOK_MS) {
        failed = state_event_newest(e->state, &e->newest);
        e->looked = now;
    }
    *news = e->newest > l->after;
    pthread_mutex_unlock(&e->lock);
    return failed;
}

static Error *check(Listener *l)
{
    int64_t now = clock_mono_ms();
    if (!l->o.may_go_on || now - l->checked < CHECK_MS)
        return NULL;
    l->checked = now;
    return l->o.may_go_on(l->o.ctx);
}

/* Fills `out`, which is empty. */
static Error *wait_for_news(Listener *l)
{
    while (!l->out.len) {
        bool news;
        /* Also where there is always something to say. */
        TRY(http_wait(l->o.socket, l->events->stop, NULL, 0, 0));
        TRY(check(l));
        TRY(look(l, &news));
        if (news || l->log_job)
            TRY(say_news(l));
        else if (clock_mono_ms() - l->sent >= EVENTS_HEARTBEAT_MS)
            buf_add_str(&l->out, ":\n\n");
        else
            TRY(http_wait(l->o.socket, l->events->stop, NULL, 0, LOOK_MS));
    }
    return NULL;
}

static Error *greet(Listener *l)
{
    AUTO_VALUE(StateEvents) next = {0};
    l->greeted = true;
    buf_printf(&l->out, "retry: %d\n\n", RETRY_MS);
    if (l->after < 0)
        return say_job(l);
    TRY(state_event_since(l->events->state, l->after, 1, &next));
    return next.lost ? say_lost(l) : NULL;
}

Error *listener_next(Listener *l, const char **text, size_t *n)
{
    *n = 0;
    l->out.len = 0;
    if (l->last)
        return NULL;
    Error *e = l->greeted ? wait_for_news(l) : greet(l);
    if (e && error_kind(e) == ERR_CANCELLED) {
        error_free(e);
        return NULL;
    }
    TRY(e);
    l->sent = clock_mono_ms();
    *text = (const char *)l->out.data;
    *n = l->out.len;
    return NULL;
}

/* -- the beginning --------------------------------------------------------------------------------
 */

/* Whether the job's end is still to be told to who has seen all up to `after`. */
static Error *has_more(State *s, const StateJob *job, int64_t after, bool *more)
{
    *more = true;
    while (is_over(job)) {
        AUTO_VALUE(StateEvents) events = {0};
        TRY(state_event_since(s, after, 0, &events));
        if (events.lost)
            return NULL;
        for (size_t i = 0; i < events.count; i++) {
            after = events.items[i].id;
            if (events.items[i].job == job->id)
                return NULL;
        }
        if (!events.more)
            break;
    }
    *more = !is_over(job);
    return NULL;
}

static Error *begin(Listener *l, bool *more)
{
    const char *last = l->o.last;
    AUTO(StateJob) job = NULL;
    State *s = l->events->state;
    *more = true;
    if (l->job)
        TRY(state_job_get(s, l->job, &job));
    if (last) {
        Error *e = text_parse_int(last, 0, INT64_MAX, &l->after);
        if (e)
            return error_rekind(error_context(e, "Last-Event-ID"), ERR_USAGE);
        return job ? has_more(s, job, l->after, more) : NULL;
    }
    if (!job)
        return state_event_newest(s, &l->after);
    l->after = -1;
    return NULL;
}

Error *listener_new(Events *e, const ListenerOptions *o, Listener **out)
{
    bool more;
    *out = NULL;
    TRY(let_in(e));
    AUTO(Listener) l = mem_new(Listener);
    l->events = e;
    l->o = *o;
    l->job = o->job;
    l->sent = clock_mono_ms();
    TRY(begin(l, &more));
    l->o.last = NULL;
    if (more)
        *out = STEAL(l);
    return NULL;
}
