/* Syncs, for people: begun, looked at, stopped. What peers ask of each other is routes_sync.c. */
#include <string.h>

#include "op/job_doc.h"
#include "op/peer.h"
#include "op/sync_session.h"
#include "op/sync_session_doc.h"
#include "op/sync_stop.h"
#include "serve/sync_ask.h"

/* -- begun ----------------------------------------------------------------------------------------
 */

static void add_text(const Ask *a, const char *name, const char *flag, StrList *out)
{
    if (api_text(a, name))
        strlist_own(out, mem_printf("--%s=%s", flag, api_text(a, name)));
}

static void add_list(const Ask *a, const char *name, const char *flag, StrList *out)
{
    const Doc *list = api_list(a, name);
    for (size_t i = 0; i < doc_count(list); i++)
        strlist_own(out, mem_printf("--%s=%s", flag, doc_text(doc_at(list, i))));
}

static void add_flag(StrList *out, const char *flag, bool wanted)
{
    if (wanted)
        strlist_own(out, mem_printf("--%s", flag));
}

/* What is on unless it is turned off. */
static void add_off(const Ask *a, const char *name, const char *flag, StrList *out)
{
    add_flag(out, flag, a->body && doc_has(a->body, name) && !api_bool(a, name));
}

static void add_words(const Ask *a, const char *session, StrList *out)
{
    strlist_add(out, "sync");
    strlist_add(out, api_text(a, "direction"));
    strlist_own(out, mem_printf("--session=%s", session));
    add_text(a, "peerEntry", "peer-entry", out);
    add_text(a, "method", "method", out);
    add_text(a, "merge", "merge", out);
    add_text(a, "onConflict", "on-conflict", out);
    add_text(a, "maxRate", "max-rate", out);
    add_list(a, "where", "where", out);
    add_list(a, "excludeTables", "exclude-table", out);
    add_list(a, "masks", "mask", out);
    add_flag(out, "delta", api_bool(a, "delta"));
    add_flag(out, "cascade", api_bool(a, "cascade"));
    add_flag(out, "ignore-extra-columns", api_bool(a, "ignoreExtraColumns"));
    add_flag(out, "dry-run", api_bool(a, "dryRun"));
    add_off(a, "safetyBackup", "no-safety-backup", out);
    add_off(a, "verify", "no-verify", out);
    add_off(a, "compress", "no-compress", out);
    strlist_add(out, "--");
    strlist_add(out, api_text(a, "peer"));
}

/* The peer's settings; ERR_NOT_FOUND, with those that there are. */
static Error *check_peer(const Ask *a, const ServiceEntry *entry, const char *name,
                         char **its_entry)
{
    AUTO_VALUE(PeerList) peers = {0};
    AUTO_VALUE(Buf) names = {0};
    TRY(peer_list(entry->config, a->api->service->state, &peers));
    for (size_t i = 0; i < peers.count; i++) {
        const ConfigPeer *p = &peers.items[i].config;
        buf_printf(&names, "%s%s", i ? ", " : "", p->name);
        if (strcmp(p->name, name) != 0)
            continue;
        *its_entry = mem_strdup(p->entry);
        return NULL;
    }
    AUTO(char) all = buf_steal_str(&names);
    Error *e = ERROR_NEW(ERR_NOT_FOUND, "there is no peer \"%s\"", name);
    return *all ? error_hint(e, "there are %s", all)
                : error_hint(e, "pgstow peer add makes one known");
}

/* The session first, so that another one into the same database is refused at once; then its job,
 * which takes it over. Where there is no job, there is no session. */
static Error *begin(Ask *a, const StateSessionNew *new, const ServiceEntry *entry,
                    const StrList *words)
{
    State *state = a->api->service->state;
    AUTO(StateSession) session = NULL;
    int64_t job;
    TRY(state_session_open(state, new, &session));
    StateSessionRef ref = {session->id, session->role, session->attempt};
    Error *e = runner_submit(a->api->service->runner,
                             &(JobRequest){.kind = api_bool(a, "dryRun") ? "sync-dry-run" : "sync",
                                           .entry = entry->name,
                                           .database = entry->database,
                                           .words = words,
                                           .trigger = "api",
                                           .actor = a->who->name,
                                           .asked = true},
                             &job);
    if (!e)
        e = sync_ask_hold(a, &ref, job);
    if (e) {
        sync_ask_failed(a, &ref, e);
        return e;
    }
    api_reply_job(a, job);
    doc_set_str(a->reply->body, "sessionId", session->id);
    return NULL;
}

/* One that did not end well, once more. */
static Error *resume(Ask *a, const char *id)
{
    AUTO(StateSession) old = NULL;
    AUTO_VALUE(StrList) words = {0};
    const ServiceEntry *entry;
    TRY(state_session_get(a->api->service->state, id, SYNC_INITIATOR, &old));
    TRY(api_entry(a, *old->entry ? old->entry : NULL, &entry));
    strlist_add(&words, "sync");
    strlist_add(&words, "resume");
    strlist_add(&words, "--");
    strlist_add(&words, id);
    return begin(a,
                 &(StateSessionNew){.id = id,
                                    .role = SYNC_INITIATOR,
                                    .direction = old->direction,
                                    .peer = old->peer,
                                    .resume = true,
                                    .now = clock_now()},
                 entry, &words);
}

Error *api_sync_start(Ask *a)
{
    const char *id = api_text(a, "sessionId"), *peer = api_text(a, "peer");
    const char *way = api_text(a, "direction");
    const ServiceEntry *entry;
    SyncDirection direction = SYNC_PULL;
    char made[SYNC_ID_TEXT];
    AUTO_VALUE(StrList) words = {0};
    AUTO(char) its_entry = NULL;
    if (api_bool(a, "resume")) {
        if (!id)
            FAIL(ERR_USAGE, "resume needs a \"sessionId\"");
        a->object = mem_strdup(id);
        return resume(a, id);
    }
    if (!peer || !state_session_direction_of(way, &direction))
        return error_hint(ERROR_NEW(ERR_USAGE, "from or to whom is it to be synced?"),
                          "send {\"direction\": \"pull\", \"peer\": \"NAME\"}");
    TRY(api_asked_entry(a, &entry));
    TRY(check_peer(a, entry, peer, &its_entry));
    if (!id)
        id = state_session_id_make(clock_now(), made);
    a->object = mem_strdup(id);
    add_words(a, id, &words);
    AUTO(char)
    place = direction == SYNC_PULL
                ? sync_place_here(entry->name, entry->database)
                : sync_place_there(peer,
                                   api_text(a, "peerEntry") ? api_text(a, "peerEntry") : its_entry);
    return begin(a,
                 &(StateSessionNew){.id = id,
                                    .role = SYNC_INITIATOR,
                                    .direction = direction,
                                    .peer = peer,
                                    .entry = entry->name,
                                    .database = entry->database,
                                    .method = api_text(a, "method"),
                                    .actor = a->who->name,
                                    .place = place,
                                    .now = clock_now()},
                 entry, &words);
}

/* -- looked at ------------------------------------------------------------------------------------
 */

Error *api_sync_list(Ask *a)
{
    AUTO_VALUE(StateSessions) l = {0};
    SyncStatus status;
    SyncRole role;
    StateSessionFilter f = {.id = api_text(a, "sessionId"),
                            .peer = api_text(a, "peer"),
                            .entry = api_text(a, "entry"),
                            .below = api_int(a, "before", 0),
                            .limit = (uint32_t)api_int(a, "limit", API_LIMIT)};
    if (state_session_status_of(api_text(a, "status"), &status))
        f.statuses = 1u << status;
    if (state_session_role_of(api_text(a, "role"), &role))
        f.roles = 1u << role;
    if (api_bool(a, "live"))
        f.statuses = f.statuses ? f.statuses & SYNC_LIVE : SYNC_LIVE;
    if (api_bool(a, "live") && !f.statuses)
        FAIL(ERR_USAGE, "one with this status is not live");
    TRY(state_session_list(a->api->service->state, &f, &l));
    api_reply(a, sync_session_list_doc(&l));
    return NULL;
}

static Error *with_log(State *state, const StateSession *s, int64_t after, uint32_t limit,
                       Doc **out)
{
    AUTO_VALUE(StateLog) log = {0};
    TRY(state_session_log_read(state, s->id, s->role, after, limit, &log));
    *out = sync_session_doc(s);
    log_doc_set(*out, &log);
    return NULL;
}

/* Of this id there may be two, where this service is both sides of it. */
Error *api_sync_session(Ask *a)
{
    State *state = a->api->service->state;
    AUTO_VALUE(StateSessions) l = {0};
    AUTO(Doc) d = doc_object();
    Doc *all = doc_array();
    doc_set(d, "sessions", all);
    TRY(state_session_list(state, &(StateSessionFilter){.id = a->part}, &l));
    if (!l.count)
        FAIL(ERR_NOT_FOUND, "there is no sync session \"%s\"", a->part);
    for (size_t i = 0; i < l.count; i++) {
        Doc *one;
        TRY(with_log(state, &l.items[i], api_int(a, "after", 0),
                     (uint32_t)api_int(a, "limit", STATE_LIST_MAX), &one));
        doc_push(all, one);
    }
    api_reply(a, STEAL(d));
    return NULL;
}

/* -- stopped --------------------------------------------------------------------------------------
 */

static Error *stop_job(void *ctx, int64_t job)
{
    return runner_cancel(ctx, job);
}

static Error *cancel(Ask *a, const char *id)
{
    AUTO_VALUE(StateSessions) l = {0};
    a->object = mem_strdup(id);
    TRY(op_sync_cancel(a->api->service->state, id, stop_job, a->api->service->runner, clock_now(),
                       &l));
    a->reply->status = 202;
    a->reply->body = sync_session_list_doc(&l);
    return NULL;
}

Error *api_sync_cancel(Ask *a)
{
    return cancel(a, api_text(a, "sessionId"));
}

Error *api_sync_session_cancel(Ask *a)
{
    return cancel(a, a->part);
}
