#include "serve/sync_ask.h"

#include <string.h>

#define LOOK_LEAST_MS 5 /* what the session's job writes is looked for so often, and then: */
#define LOOK_MOST_MS 20

const char *sync_ask_peer(const Ask *a)
{
    return a->peer->peer ? a->peer->peer : a->peer->node;
}

static Error *no_session(const char *id)
{
    AUTO(char) shown = text_printable(id);
    return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no sync session \"%s\"", shown),
                      "POST /api/sync/session opens one");
}

/* Of somebody else's it is not even said that it is there. */
Error *sync_ask_session(const Ask *a, StateSession **out)
{
    const char *id = api_text(a, "sessionId");
    AUTO(StateSession) s = NULL;
    Error *e = state_session_get(a->api->service->state, id, SYNC_REMOTE, &s);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        return no_session(id);
    }
    TRY(e);
    if (strcmp(s->peer, sync_ask_peer(a)) != 0)
        return no_session(id);
    *out = STEAL(s);
    return NULL;
}

Error *sync_ask_entry(const Ask *a, const StateSession *s, const ServiceEntry **out)
{
    return api_entry(a, *s->entry ? s->entry : NULL, out);
}

OpContext sync_ask_op(const ServiceEntry *entry)
{
    const Config *c = entry->config;
    OpContext op = shelf_op(entry->shelf);
    int64_t silence = config_duration(c, SETTING_SILENCE);
    op.db_url = config_str(c, SETTING_DB);
    op.silence_ms = silence > 0 ? silence : -1;
    op.encrypt = config_bool(c, SETTING_ENCRYPTION);
    op.tools =
        (ToolsOptions){.setting = {[TOOL_PG_DUMP] = config_str(c, SETTING_PG_DUMP),
                                   [TOOL_PG_RESTORE] = config_str(c, SETTING_PG_RESTORE),
                                   [TOOL_PSQL] = config_str(c, SETTING_PSQL)},
                       .force_pg_dump_missing = config_bool(c, SETTING_FORCE_PG_DUMP_MISSING)};
    return op;
}

Error *sync_ask_options(const StateSession *s, SyncOptions *out)
{
    AUTO(Doc) d = NULL;
    const char *text = s->options ? s->options : "{}";
    TRY(doc_parse(text, strlen(text), "the session's options", &d));
    return sync_options_read(d, out);
}

/* -- shown --------------------------------------------------------------------------------------
 */

static void add_end(Doc *d, const StateSession *s)
{
    AUTO(Doc) result = NULL;
    AUTO(Error)
    e = s->result ? doc_parse(s->result, strlen(s->result), "the result", &result) : NULL;
    if (result)
        doc_set(d, "result", STEAL(result));
    if (!s->error_message)
        return;
    doc_set_str(d, "kind", s->error_kind);
    doc_set_str(d, "error", s->error_message);
    doc_set_str(d, "hint", s->error_hint);
}

Doc *sync_ask_doc(const StateSession *s)
{
    Doc *d = doc_object();
    doc_set_bool(d, "success", s->status != SYNC_FAILED && s->status != SYNC_CANCELLED);
    doc_set_str(d, "sessionId", s->id);
    doc_set_str(d, "status", state_session_status_name(s->status));
    doc_set_str(d, "direction", state_session_direction_name(s->direction));
    doc_set_int(d, "attempt", s->attempt);
    doc_set_str(d, "method", s->method);
    doc_set_str(d, "phase", s->phase);
    doc_set_str(d, "entry", s->entry);
    doc_set_str(d, "database", s->database);
    doc_set_str(d, "backupId", s->backup && *s->backup ? s->backup : NULL);
    doc_set_int(d, "bytesDone", (int64_t)s->bytes_done);
    doc_set_int(d, "bytesTotal", (int64_t)s->bytes_total);
    doc_set_int(d, "rowsDone", (int64_t)s->rows_done);
    doc_set_int(d, "rowsTotal", (int64_t)s->rows_total);
    doc_set_int(d, "transferSpeed", (int64_t)s->speed);
    doc_set_time(d, "estimatedCompletion", s->completion);
    add_end(d, s);
    return d;
}

Error *sync_ask_reply(Ask *a, unsigned status, const char *id)
{
    AUTO(StateSession) now = NULL;
    TRY(state_session_get(a->api->service->state, id, SYNC_REMOTE, &now));
    a->reply->status = status;
    a->reply->body = sync_ask_doc(now);
    return NULL;
}

/* -- waited for ---------------------------------------------------------------------------------
 */

Error *sync_ask_wait(Ask *a, StateSession **s, bool (*done)(const StateSession *s), int64_t ms)
{
    int64_t until = ms < 0 ? INT64_MAX : clock_mono_ms() + ms, pause = LOOK_LEAST_MS;
    AUTO(char) id = mem_strdup((*s)->id);
    while (!done(*s)) {
        int64_t left = until - clock_mono_ms();
        if (left <= 0)
            return NULL;
        TRY(http_wait(http_call_socket(a->call), a->api->stop, NULL, 0,
                      pause < left ? pause : left));
        pause = 2 * pause < LOOK_MOST_MS ? 2 * pause : LOOK_MOST_MS;
        state_session_free(STEAL(*s));
        TRY(state_session_get(a->api->service->state, id, SYNC_REMOTE, s));
    }
    return NULL;
}

Error *sync_ask_linger(Ask *a, StateSession **s, bool (*done)(const StateSession *s))
{
    Error *e = sync_ask_wait(a, s, done, api_int(a, "wait", 0));
    if (!e || error_kind(e) != ERR_CANCELLED)
        return e;
    error_free(e);
    return NULL;
}

/* -- its job ------------------------------------------------------------------------------------
 */

bool sync_ask_has_job(const Ask *a, const StateSession *s)
{
    AUTO(StateJob) job = NULL;
    if (!s->job)
        return false;
    AUTO(Error) e = state_job_get(a->api->service->state, s->job, &job);
    return !e && (job->status == JOB_QUEUED || job->status == JOB_RUNNING);
}

/* Only what changes the database here is a sync that people are told of as done. */
static const char *kind_of(const StateSession *s, const char *verb)
{
    AUTO(Doc) options = NULL;
    if (strcmp(verb, "apply") != 0)
        return "sync-backup";
    if (s->options)
        error_drop(doc_parse(s->options, strlen(s->options), "a session", &options));
    return options && doc_bool(options, "dryRun", false) ? "sync-dry-run" : "sync";
}

Error *sync_ask_hold(const Ask *a, const StateSessionRef *ref, int64_t job)
{
    Error *e = state_session_hold(a->api->service->state, ref, 0, job, clock_now());
    /* Its job has taken it over, and ended it, already. */
    if (!e || error_kind(e) != ERR_FENCED)
        return e;
    error_free(e);
    return NULL;
}

void sync_ask_failed(const Ask *a, const StateSessionRef *ref, const Error *e)
{
    StateSessionEnd end = {.status = SYNC_FAILED,
                           .error_kind = error_kind_info(error_kind(e))->name,
                           .error_message = error_message(e),
                           .error_hint = error_hint_text(e),
                           .now = clock_now()};
    error_drop(state_session_end(a->api->service->state, ref, &end, NULL));
}

Error *sync_ask_told(const Ask *a, const StateSession *s, Error *e)
{
    State *state = a->api->service->state;
    if (!e || error_kind(e) != ERR_REPO_FULL)
        return e;
    error_drop(state_session_log(state, s->id, s->role, clock_now(), "error", error_message(e)));
    error_drop(
        state_session_learn(state, &(StateSessionRef){s->id, s->role, s->attempt},
                            &(StateSessionFacts){.error_kind = error_kind_info(ERR_REPO_FULL)->name,
                                                 .error_message = error_message(e),
                                                 .error_hint = error_hint_text(e)},
                            clock_now()));
    return e;
}

Error *sync_ask_begin(const Ask *a, const StateSession *s, const ServiceEntry *entry,
                      const char *verb)
{
    AUTO_VALUE(StrList) words = {0};
    StateSessionRef ref = {s->id, SYNC_REMOTE, s->attempt};
    int64_t job;
    strlist_add(&words, "sync");
    strlist_add(&words, verb);
    strlist_add(&words, "--");
    strlist_add(&words, s->id);
    TRY(runner_submit(a->api->service->runner,
                      &(JobRequest){.kind = kind_of(s, verb),
                                    .entry = entry->name,
                                    .database = entry->database,
                                    .words = &words,
                                    .trigger = "api",
                                    .actor = a->actor,
                                    .asked = true,
                                    .served = true},
                      &job));
    return sync_ask_hold(a, &ref, job);
}

Error *sync_ask_open(const Ask *a, const char *id, const SyncOptions *o, const ServiceEntry *entry,
                     bool resume, StateSession **out)
{
    AUTO(Doc) options = sync_options_doc(o);
    AUTO(char) text = doc_print(options, false);
    /* What is only read is nobody's to keep others from. */
    AUTO(char)
    place = o->direction == SYNC_PUSH ? sync_place_here(entry->name, entry->database) : NULL;
    return state_session_open(a->api->service->state,
                              &(StateSessionNew){.id = id,
                                                 .role = SYNC_REMOTE,
                                                 .direction = o->direction,
                                                 .peer = sync_ask_peer(a),
                                                 .entry = entry->name,
                                                 .database = entry->database,
                                                 .method = sync_method_name(o->method),
                                                 .options = text,
                                                 .actor = a->actor,
                                                 .place = place,
                                                 .resume = resume,
                                                 .now = clock_now()},
                              out);
}
