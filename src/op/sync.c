/* A sync, from the side that asks for it. */
#include "op/sync.h"

#include <pthread.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "flow/group.h"
#include "op/sync_work.h"

#define DEAD_LOOKED_AT 20
#define BURIAL_MS 10000

void sync_result_clear(SyncResult *r)
{
    free(r->session);
    free(r->peer);
    free(r->source);
    free(r->backup);
    strlist_free(&r->left_out);
    doc_free(r->differences);
    sync_applied_clear(&r->applied);
    strlist_free(&r->warnings);
    *r = (SyncResult){0};
}

Doc *sync_result_doc(const SyncResult *r)
{
    Doc *d = doc_object();
    doc_set_str(d, "sessionId", r->session);
    doc_set_str(d, "peer", r->peer);
    doc_set_str(d, "direction", state_session_direction_name(r->direction));
    doc_set_str(d, "method", sync_method_name(r->method));
    doc_set_bool(d, "dryRun", r->dry_run);
    doc_set_str(d, "source", r->source);
    doc_set_str(d, "sourceBackup", r->backup);
    doc_set_int(d, "rows", (int64_t)r->rows);
    doc_set_int(d, "bytes", (int64_t)r->bytes);
    doc_set_int(d, "packs", (int64_t)r->packs);
    doc_set_int(d, "packsThere", (int64_t)r->reused);
    doc_set_int(d, "sentBytes", (int64_t)r->sent);
    doc_set_int(d, "receivedBytes", (int64_t)r->received);
    doc_set(d, "leftOut", doc_texts(&r->left_out));
    if (r->differences)
        doc_set(d, "differences", doc_copy(r->differences));
    doc_set(d, "applied", r->applied.backup ? sync_applied_doc(&r->applied) : doc_object());
    doc_set_int(d, "backupMs", r->backup_ms);
    doc_set_int(d, "transferMs", r->transfer_ms);
    doc_set_int(d, "applyMs", r->apply_ms);
    doc_set_int(d, "duration", r->duration_ms);
    doc_set(d, "warnings", doc_texts(&r->warnings));
    return d;
}

/* -- alive ------------------------------------------------------------------------------------- */

static void watch_init(SyncWatch *w)
{
    *w = (SyncWatch){.status = SYNC_PREPARING};
    pthread_mutex_init(&w->lock, NULL);
}

static void watch_clear(SyncWatch *w)
{
    error_free(w->gone);
    pthread_mutex_destroy(&w->lock);
}

/* On the heartbeat's thread: tells the peer, and hears that it has given up. */
static void beat(void *ctx)
{
    SyncWork *w = ctx;
    Error *gone = NULL;
    JobProgress p;
    pthread_mutex_lock(&w->watch.lock);
    SyncStatus status = w->watch.status;
    bool opened = w->watch.opened;
    pthread_mutex_unlock(&w->watch.lock);
    if (!opened)
        return;
    job_snapshot(w->h->op->job, &p);
    AUTO(Error) e = sync_remote_report(&w->remote, status, &p, &gone);
    if (e)
        log_debug("peer %s was not told that the sync goes on: %s", w->o->peer, error_message(e));
    if (!gone)
        return;
    pthread_mutex_lock(&w->watch.lock);
    w->watch.gone = error_first(w->watch.gone, gone);
    pthread_mutex_unlock(&w->watch.lock);
    cancel_request(job_cancel(w->h->op->job));
}

void sync_at(SyncWork *w, SyncStatus status)
{
    pthread_mutex_lock(&w->watch.lock);
    w->watch.status = status;
    w->watch.opened = true;
    pthread_mutex_unlock(&w->watch.lock);
}

/* What was behind a cancellation: that the peer gave up is no wish of anybody here. Takes e over.
 */
static Error *explain(SyncWork *w, Error *e)
{
    pthread_mutex_lock(&w->watch.lock);
    Error *gone = w->watch.gone;
    w->watch.gone = NULL;
    pthread_mutex_unlock(&w->watch.lock);
    if (!e || !gone || error_kind(e) != ERR_CANCELLED)
        return error_free(gone), e;
    error_free(e);
    return gone;
}

/* -- the way ----------------------------------------------------------------------------------- */

typedef struct Schemas {
    const SyncHost *h;
    Doc *here, *there;
} Schemas;
static void schemas_clear(Schemas *s)
{
    doc_free(s->here);
    doc_free(s->there);
}
DEFINE_AUTO_VALUE(Schemas, schemas_clear)

static Error *read_here(void *arg)
{
    Schemas *s = arg;
    return sync_schema_here(s->h->op, &s->h->terms, &s->here);
}

/* Both at once: each side has its own server to ask. */
static Error *read_schemas(SyncWork *w, Schemas *s)
{
    AUTO(Group) group = NULL;
    TRY(group_new(job_cancel(w->h->op->job), &group));
    Error *e = group_start(group, read_here, s);
    e = e ? e : sync_remote_schema(&w->remote, &s->there);
    group_fail(group, e);
    return group_join(group);
}

/* The schemas of both sides, before anything moves. */
Error *sync_compare_schemas(SyncWork *w)
{
    AUTO_VALUE(Schemas) s = {.h = w->h};
    bool pull = w->o->direction == SYNC_PULL;
    TRY(sync_session_step(w->session, SYNC_PREPARING, "comparing the schemas"));
    job_phase(w->h->op->job, "comparing schemas", 0, 0);
    TRY(read_schemas(w, &s));
    const Doc *here = s.here, *there = s.there, *source = pull ? there : here;
    w->out->source = mem_strdup(doc_str(source, "database", NULL));
    w->plan.method = w->o->method;
    TRY(sync_plan(w->o, source, pull ? here : there, &w->plan, &w->out->differences));
    return sync_plan_tools(w);
}

/* Sessions of ours that died live on at the peer for a while, and are in the way there. */
static Error *bury_our_dead(SyncWork *w, bool *any)
{
    AUTO_VALUE(StateSessions) l = {0};
    StateSessionFilter f = {.peer = w->o->peer,
                            .statuses = 1u << SYNC_FAILED | 1u << SYNC_CANCELLED,
                            .roles = 1u << SYNC_INITIATOR,
                            .limit = DEAD_LOOKED_AT};
    TRY(state_session_list(sync_session_state(w->session), &f, &l));
    for (size_t i = 0; i < l.count; i++) {
        const StateSession *s = &l.items[i];
        AUTO(Doc) answer = NULL;
        if (s->heartbeat < clock_now() - 2 * SYNC_DEAD_MS)
            continue;
        SyncRemote dead = {.peer = w->peer, .session = s->id, .cancel = w->remote.cancel};
        AUTO(Error)
        why = ERROR_NEW(ERR_FENCED, "%s", s->error_message ? s->error_message : "it has ended");
        AUTO(Error) untold = sync_remote_end(&dead, why, NULL, &answer);
        *any = *any || !untold;
    }
    return NULL;
}

Error *sync_open_there(SyncWork *w, bool resume)
{
    bool buried = false;
    Error *e = sync_remote_open(&w->remote, w->o, resume);
    if (e && error_kind(e) == ERR_BUSY)
        e = error_first(e, bury_our_dead(w, &buried));
    /* What worked for them there comes to its end first. */
    for (int64_t until = clock_mono_ms() + BURIAL_MS;
         e && buried && error_kind(e) == ERR_BUSY && clock_mono_ms() < until;) {
        bool ready;
        error_drop(e);
        TRY(cancel_poll(w->remote.cancel, -1, 0, BURIAL_MS / 50, &ready));
        e = sync_remote_open(&w->remote, w->o, resume);
    }
    TRY(e);
    sync_at(w, SYNC_PREPARING);
    sync_session_log(w->session, "info", "the session is open at peer %s, database %s", w->o->peer,
                     doc_str(w->remote.opened, "database", "?"));
    return NULL;
}

/* The target is done, and only this side did not know. */
static Error *take_result(SyncWork *w, const Doc *result)
{
    const Doc *applied = doc_get(result, "applied"); /* of a pull: our own result */
    sync_session_log(w->session, "info", "it was done before: the peer has its result");
    w->out->rows = (uint64_t)doc_int(result, "rows", 0);
    return sync_applied_read(applied ? applied : result, &w->out->applied);
}

static Error *go(SyncWork *w)
{
    int64_t start = clock_mono_ms();
    TRY(sync_open_there(w, w->o->resume));
    const Doc *result = sync_remote_result(&w->remote);
    if (result)
        return take_result(w, result);
    FAULT_POINT("sync.opened");
    TRY(sync_compare_schemas(w));
    FAULT_POINT("sync.planned");
    Error *e = w->o->direction == SYNC_PULL ? sync_pull(w) : sync_push(w);
    w->out->duration_ms = clock_mono_ms() - start;
    return e;
}

/* The peer hears of the failure, and says how it stands there: that somebody has cancelled it, or,
 * of a push, that it was done all the same. Takes e over. */
static Error *tell_failure(SyncWork *w, Error *e)
{
    AUTO(Doc) answer = NULL;
    AUTO(Error) untold = sync_remote_end(&w->remote, e, NULL, &answer);
    if (untold) {
        log_debug("peer %s could not be told of it: %s", w->o->peer, error_message(untold));
        return e;
    }
    const char *there = doc_str(answer, "status", "");
    const Doc *result = doc_get(answer, "result");
    if (!strcmp(there, "COMPLETED") && w->o->direction == SYNC_PUSH && result) {
        sync_session_log(w->session, "info", "the peer has done it all the same: %s",
                         error_message(e));
        error_free(e);
        sync_applied_clear(&w->out->applied);
        TRY(sync_applied_read(result, &w->out->applied));
        return sync_compare(w);
    }
    if (strcmp(there, "CANCELLED") != 0 || error_kind(e) == ERR_CANCELLED)
        return e;
    error_free(e);
    FAIL(ERR_CANCELLED, "peer %s: the session was cancelled there", w->o->peer);
}

/* Of a pull, and of a trial, the end is said here, and told to the peer. */
static void tell_success(SyncWork *w, const Doc *result)
{
    AUTO(Doc) answer = NULL;
    AUTO(Error) e = sync_remote_end(&w->remote, NULL, result, &answer);
    const char *there = e ? NULL : doc_str(answer, "status", "");
    if (e)
        strlist_own(&w->out->warnings, mem_printf("peer %s could not be told that it is done: %s",
                                                  w->o->peer, error_message(e)));
    else if (strcmp(there, "COMPLETED") != 0)
        strlist_own(&w->out->warnings,
                    mem_printf("at peer %s the session is %s all the same: %s", w->o->peer, there,
                               doc_str(answer, "error", "it does not say why")));
}

/* Of the database here, and of what was copied here. */
static void clean_up(SyncWork *w)
{
    const SyncResult *r = w->out;
    bool pull = w->o->direction == SYNC_PULL;
    const char *own = pull ? r->applied.database : r->source;
    sync_clean_up(w->h, own, &w->out->warnings);
    if (pull && r->source && own && strcmp(r->source, own) != 0)
        sync_clean_up(w->h, r->source, &w->out->warnings);
}

/* Both sides say how it ended; a good end is the target's to say. */
static Error *finish(SyncWork *w, Error *e)
{
    SyncResult *out = w->out;
    bool opened = w->remote.opened != NULL;
    e = explain(w, e);
    if (e && opened)
        e = tell_failure(w, e);
    out->sent = link_sent(w->peer->link);
    out->received = link_received(w->peer->link);
    if (!e)
        sync_session_rows(w->session, out->rows, out->rows);
    e = e ? e : fault_reach("sync.done");
    AUTO(Doc) result = e ? NULL : sync_result_doc(out);
    if (result && out->applied.backup)
        doc_set(result, "applied", sync_applied_kept(&out->applied));
    AUTO(char) text = result ? doc_print(result, false) : NULL;
    e = sync_session_close(STEAL(w->session), e,
                           &(SyncSessionEnd){.backup = out->backup, .result = text});
    if (!e && opened && (w->o->direction == SYNC_PULL || w->o->test))
        tell_success(w, result);
    if (!e && !w->o->dry_run)
        clean_up(w);
    return e;
}

static Error *open_peer(const SyncHost *h, const SyncOptions *o, Peer **out)
{
    AUTO(State) state = NULL;
    Error *e = state_open(h->state_dir, &(StateOptions){.existing = true}, &state);
    if (e && error_kind(e) != ERR_NOT_FOUND)
        return e;
    error_drop(e);
    return peer_open(h->config, state, o->peer, job_cancel(h->op->job), out);
}

static uint64_t wire(void *ctx)
{
    const SyncWork *w = ctx;
    return link_sent(w->peer->link) + link_received(w->peer->link);
}

static Error *open_here(SyncWork *w)
{
    const SyncOptions *o = w->o;
    AUTO(char) database = op_database_name(w->h->op);
    AUTO(Doc) options = sync_options_doc(o);
    AUTO(char) text = doc_print(options, false);
    const char *there = o->peer_entry ? o->peer_entry : w->peer->config.entry;
    AUTO(char)
    place = o->direction == SYNC_PULL ? sync_place_here(w->h->entry, database)
                                      : sync_place_there(o->peer, there);
    return sync_session_open(&(SyncSessionOptions){.folder = w->h->state_dir,
                                                   .state = {.id = o->session,
                                                             .role = SYNC_INITIATOR,
                                                             .direction = o->direction,
                                                             .peer = o->peer,
                                                             .entry = w->h->entry,
                                                             .database = database,
                                                             .method = sync_method_name(o->method),
                                                             .options = text,
                                                             .place = place,
                                                             .resume = o->resume},
                                                   .job = w->h->op->job,
                                                   .beat = beat,
                                                   .wire = wire,
                                                   .ctx = w},
                             &w->session);
}

Error *sync_run(const SyncHost *h, const SyncOptions *o, SyncResult *out,
                Error *(*work)(SyncWork *w), SyncTestPhase until, FindingList *findings)
{
    AUTO(Peer) peer = NULL;
    SyncWork w = {.h = h, .o = o, .out = out, .until = until, .findings = findings};
    *out = (SyncResult){.direction = o->direction, .dry_run = o->dry_run};
    TRY(open_peer(h, o, &peer));
    w.peer = peer;
    out->peer = mem_strdup(o->peer);
    watch_init(&w.watch);
    w.remote = (SyncRemote){.peer = peer, .cancel = job_cancel(h->op->job)};
    Error *e = open_here(&w);
    if (!e) {
        out->session = mem_strdup(sync_session_id(w.session));
        w.remote.session = out->session;
        e = finish(&w, work(&w));
    }
    sync_remote_clear(&w.remote);
    watch_clear(&w.watch);
    return e;
}

Error *op_sync(const SyncHost *h, const SyncOptions *o, SyncResult *out)
{
    return sync_run(h, o, out, go, SYNC_TEST_RESTORE, NULL);
}

Error *sync_resume_options(const SyncHost *h, const char *session, SyncOptions *out)
{
    AUTO(State) state = NULL;
    AUTO(StateSession) row = NULL;
    AUTO(Doc) d = NULL;
    TRY(state_open(h->state_dir, &(StateOptions){.existing = true}, &state));
    TRY(state_session_get(state, session, SYNC_INITIATOR, &row));
    if (row->status == SYNC_COMPLETED)
        FAIL(ERR_EXISTS, "the sync session %s is COMPLETED: there is nothing left of it", session);
    if (!row->options)
        FAIL(ERR_NOT_FOUND, "of the sync session %s it is not known what was wanted", session);
    TRY(doc_parse(row->options, strlen(row->options), "the session's options", &d));
    TRY(sync_options_read(d, out));
    free(out->session);
    out->session = mem_strdup(session);
    out->resume = true;
    if (!out->peer)
        out->peer = mem_strdup(row->peer);
    return NULL;
}
