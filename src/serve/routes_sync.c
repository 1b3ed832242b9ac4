/* The session of a sync, as the peer that asks for it opens it, looks at it, and ends it. */
#include <string.h>

#include "op/peer.h"
#include "op/retention.h"
#include "serve/sync_ask.h"
#include "serve/sync_rights.h"

#define OPTIONS_MAX (256 << 10)

/* -- opened -------------------------------------------------------------------------------------
 */

/* What was pushed comes into a repository: there must be one. */
static Error *repository_facts(const Ask *a, const ServiceEntry *entry, bool create, Doc *d)
{
    AUTO(Repo) repo = NULL;
    uint64_t free_bytes;
    OpContext op = sync_ask_op(entry);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_open_repo(&op, create, &repo);
    pthread_mutex_unlock(&a->api->repository);
    if (e && !create && error_kind(e) == ERR_REPO_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    doc_set_str(d, "repositoryId", repo_id(repo));
    doc_set_bool(d, "encrypted", repo_keys(repo) != NULL);
    TRY(store_free_space(repo_store(repo), &free_bytes));
    doc_set_int(d, "freeBytes", free_bytes > INT64_MAX ? INT64_MAX : (int64_t)free_bytes);
    return NULL;
}

/* What a target without anything will be made by; told before anything is sent. */
static void tool_facts(const ServiceEntry *entry, Doc *d)
{
    AUTO(Tool) tool = NULL;
    OpContext op = sync_ask_op(entry);
    AUTO(Error) e = tools_find(&op.tools, TOOL_PG_RESTORE, 0, 0, &tool);
    doc_set_str(d, "pgRestore", tool ? tool->text : NULL);
    doc_set_str(d, "pgRestoreHint", e ? error_hint_text(e) : NULL);
}

/* One that is under way is the one that is asked for, once more: an answer was lost, or the peer's
 * run died and goes on before this side knew of it. */
static Error *find_or_open(Ask *a, const char *id, const SyncOptions *o, const ServiceEntry *entry,
                           StateSession **out)
{
    State *state = a->api->service->state;
    bool resume = api_bool(a, "resume");
    Error *e = sync_ask_session(a, out);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return sync_ask_open(a, id, o, entry, resume, out);
    }
    TRY(e);
    if ((*out)->status == SYNC_COMPLETED && resume)
        return NULL;
    if (!(*out)->ended && (*out)->direction == o->direction) {
        AUTO(Doc) options = sync_options_doc(o);
        AUTO(char) text = doc_print(options, false);
        StateSessionRef ref = {id, SYNC_REMOTE, (*out)->attempt};
        return state_session_learn(state, &ref, &(StateSessionFacts){.options = text}, clock_now());
    }
    state_session_free(STEAL(*out));
    return sync_ask_open(a, id, o, entry, resume, out);
}

/* They are kept with the session, and sessions are kept for long. */
static Error *read_options(const Ask *a, SyncOptions *out)
{
    const Doc *options = doc_get(a->body, "options");
    AUTO(char) text = doc_print(options, false);
    if (strlen(text) > OPTIONS_MAX)
        FAIL(ERR_LIMIT, "the options of a sync have more than %d bytes", OPTIONS_MAX);
    return sync_options_read(options, out);
}

Error *api_sync_open(Ask *a)
{
    AUTO_VALUE(SyncOptions) o = {0};
    AUTO(StateSession) s = NULL;
    const ServiceEntry *entry;
    const char *id = api_text(a, "sessionId");
    a->object = mem_strdup(id);
    TRY(peer_check_protocol("the host that asks", api_int(a, "protocol", PEER_PROTOCOL)));
    TRY(read_options(a, &o));
    TRY(api_asked_entry(a, &entry));
    SyncTerms terms = sync_terms(entry->config);
    TRY(sync_check_filters(&terms, &o)); /* and where it is done: that may be another entry */
    pthread_mutex_lock(&a->api->syncs);
    Error *e = find_or_open(a, id, &o, entry, &s);
    pthread_mutex_unlock(&a->api->syncs);
    TRY(e);
    TRY(sync_ask_entry(a, s, &entry)); /* of one that was open before: as it was opened */
    sync_rights_opened(a->api, id, entry);
    AUTO(Doc) d = sync_ask_doc(s);
    doc_set_str(d, "version", PGSTOW_VERSION);
    doc_set_int(d, "protocol", PEER_PROTOCOL);
    if (o.direction == SYNC_PUSH)
        tool_facts(entry, d);
    e = repository_facts(a, entry, o.direction == SYNC_PUSH, d);
    if (e) {
        sync_ask_failed(a, &(StateSessionRef){id, SYNC_REMOTE, s->attempt}, e);
        return e;
    }
    a->reply->status = 200;
    a->reply->body = STEAL(d);
    return NULL;
}

/* -- looked at ----------------------------------------------------------------------------------
 */

static bool has_ended(const StateSession *s)
{
    return s->ended;
}

Error *api_sync_look(Ask *a)
{
    AUTO(StateSession) s = NULL;
    TRY(sync_ask_session(a, &s));
    TRY(sync_ask_linger(a, &s, has_ended));
    a->reply->status = 200;
    a->reply->body = sync_ask_doc(s);
    return NULL;
}

Error *api_sync_schema(Ask *a)
{
    AUTO(StateSession) s = NULL;
    const ServiceEntry *entry;
    Doc *schema;
    TRY(sync_ask_session(a, &s));
    TRY(sync_ask_entry(a, s, &entry));
    OpContext op = sync_ask_op(entry);
    SyncTerms terms = sync_terms(entry->config);
    TRY(sync_schema_here(&op, &terms, &schema));
    a->reply->status = 200;
    a->reply->body = doc_object();
    doc_set_bool(a->reply->body, "success", true);
    doc_set(a->reply->body, "schema", schema);
    return NULL;
}

/* -- told of --------------------------------------------------------------------------------------
 */

/* Whether a backup is there that was made for this session, without a row: what the session says of
 * itself, and which one was pushed, its peer has said. */
static Error *is_trial(Ask *a, const ServiceEntry *entry, const StateSession *s, const char *id,
                       bool *trial)
{
    AUTO(Repo) repo = NULL;
    AUTO(Manifest) m = NULL;
    AUTO(char) tag = mem_printf(SYNC_TAG "=%s", s->id);
    OpContext op = sync_ask_op(entry);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_open_repo(&op, false, &repo);
    e = e ? e : catalog_load(repo, id, &m);
    pthread_mutex_unlock(&a->api->repository);
    *trial = !e && strlist_has(&m->info.tags, tag) && strstr(m->info.filter, SYNC_TRIAL);
    if (!e || (error_kind(e) != ERR_NOT_FOUND && error_kind(e) != ERR_REPO_NOT_FOUND))
        return e;
    error_drop(e);
    return NULL;
}

/* The backup of a trial is of no use to anybody. */
static Error *delete_trial(Ask *a, const StateSession *s)
{
    AUTO_VALUE(SyncOptions) o = {0};
    AUTO_VALUE(StrList) words = {0};
    const ServiceEntry *entry;
    const char *id = s->backup && *s->backup ? s->backup : api_text(a, "backupId");
    bool trial;
    TRY(sync_ask_options(s, &o));
    if (!o.test || !id)
        return NULL;
    TRY(sync_ask_entry(a, s, &entry));
    TRY(is_trial(a, entry, s, id, &trial));
    if (!trial)
        return NULL;
    strlist_add(&words, "delete");
    strlist_add(&words, "--ignore-missing");
    strlist_add(&words, id);
    return runner_submit(a->api->service->runner,
                         &(JobRequest){.kind = "delete",
                                       .entry = entry->name,
                                       .database = entry->database,
                                       .words = &words,
                                       .trigger = "api",
                                       .actor = a->actor,
                                       .asked = true},
                         NULL);
}

/* The peer's end of it. That it is COMPLETED is said by the target: of a push that is here, but for
 * a trial. */
static Error *take_end(Ask *a, const StateSession *s, SyncStatus status)
{
    State *state = a->api->service->state;
    const Doc *result = a->body ? doc_get(a->body, "result") : NULL;
    const char *error = api_text(a, "error");
    AUTO(char) text = result ? doc_print(result, false) : NULL;
    AUTO(char) message = error ? mem_printf("peer %s: %s", sync_ask_peer(a), error) : NULL;
    StateSessionRef ref = {s->id, SYNC_REMOTE, s->attempt};
    AUTO_VALUE(SyncOptions) o = {0};
    TRY(sync_ask_options(s, &o));
    if (status == SYNC_COMPLETED && s->direction == SYNC_PUSH && !o.test)
        FAIL(ERR_USAGE, "a push is COMPLETED when its target says so");
    if (status != SYNC_COMPLETED && sync_ask_has_job(a, s)) {
        Error *e = runner_cancel(a->api->service->runner, s->job);
        if (e && error_kind(e) != ERR_EXISTS && error_kind(e) != ERR_NOT_FOUND)
            return e;
        error_drop(e);
        /* What its child has committed already counts: it says the end itself. */
        if (s->direction == SYNC_PUSH && s->pid)
            return delete_trial(a, s);
    }
    TRY(state_session_end(state, &ref,
                          &(StateSessionEnd){.status = status,
                                             .result = text,
                                             .error_kind = api_text(a, "kind"),
                                             .error_message = message,
                                             .error_hint = api_text(a, "hint"),
                                             .now = clock_now()},
                          NULL));
    return delete_trial(a, s);
}

/* How far the peer is, of what it does itself. */
static Error *take_progress(Ask *a, const StateSession *s, SyncStatus status)
{
    State *state = a->api->service->state;
    StateSessionRef ref = {s->id, SYNC_REMOTE, s->attempt};
    bool busy = sync_ask_has_job(a, s), cancel = false;
    StateSessionProgress p = {.phase = api_text(a, "phase"),
                              .bytes_done = (uint64_t)api_int(a, "bytesDone", 0),
                              .bytes_total = (uint64_t)api_int(a, "bytesTotal", 0)};
    if (busy)
        return state_session_beat(state, &ref, clock_now(), &cancel);
    if (status > s->status && state_session_may_follow(s->status, status))
        TRY(state_session_step(state, &ref, status, p.phase, clock_now()));
    return state_session_progress(state, &ref, &p, clock_now(), &cancel);
}

Error *api_sync_report(Ask *a)
{
    AUTO(StateSession) s = NULL;
    SyncStatus status;
    TRY(sync_ask_session(a, &s));
    if (!state_session_status_of(api_text(a, "status"), &status))
        FAIL(ERR_USAGE, "there is no status \"%s\"", api_text(a, "status"));
    /* One that was taken for dead may still tell that it is done (state_session_end). */
    bool revived =
        s->status == SYNC_FAILED && s->direction == SYNC_PULL && status == SYNC_COMPLETED;
    bool over = s->ended && !revived, end = status >= SYNC_COMPLETED;
    Error *e = end    ? (over ? delete_trial(a, s) : take_end(a, s, status))
               : over ? NULL
                      : take_progress(a, s, status);
    /* It has ended meanwhile: the answer says how. */
    if (e && (error_kind(e) == ERR_FENCED || error_kind(e) == ERR_CANCELLED)) {
        error_drop(e);
        e = NULL;
    }
    TRY(e);
    return sync_ask_reply(a, 200, s->id);
}
