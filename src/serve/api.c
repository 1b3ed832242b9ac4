#include "serve/api_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "serve/failures.h"
#include "serve/sync_rights.h"
#include "state/state_audit.h"

/* So many refusals of strangers within a minute are written down of an address: more are its flood,
 * which is not to push everything else out of the audit log. */
#define REFUSED 240
#define REFUSED_MS 60000
#define COUNT_MS 60000 /* between two looks at what has happened, for the metrics */

/* -- for the routes -------------------------------------------------------------------------------
 */

void api_reply(Ask *a, Doc *d)
{
    a->reply->status = 200;
    a->reply->tagged = true;
    a->reply->body = d;
}

void api_reply_job(Ask *a, int64_t job)
{
    AUTO(char) where = mem_printf(API_PREFIX "/jobs/%lld", (long long)job);
    a->reply->status = 202;
    a->reply->body = doc_object();
    doc_set_int(a->reply->body, "job", job);
    http_reply_header(a->reply, "Location", where);
}

Error *api_begin(Ask *a, JobRequest *request)
{
    int64_t job;
    request->trigger = "api";
    request->asked = true;
    request->actor = a->actor;
    TRY(runner_submit(a->api->service->runner, request, &job));
    api_reply_job(a, job);
    return NULL;
}

Error *api_submit(Ask *a, const char *kind, const ServiceEntry *entry, const StrList *words,
                  int64_t timeout_ms)
{
    return api_begin(a, &(JobRequest){.kind = kind,
                                      .entry = entry->name,
                                      .database = entry->database,
                                      .words = words,
                                      .timeout_ms = timeout_ms,
                                      .alone = !strcmp(kind, "backup")});
}

Error *api_entry(const Ask *a, const char *name, const ServiceEntry **out)
{
    const ServiceConfig *c = a->config;
    if (!name && c->count > 1)
        return error_hint(ERROR_NEW(ERR_USAGE, "there are several databases"),
                          "name one as \"entry\", such as \"%s\"", c->entries[0].name);
    *out = name ? service_entry(c, name) : &c->entries[0];
    if (!*out)
        FAIL(ERR_NOT_FOUND, "there is no entry \"%s\" in the list of databases", name);
    return NULL;
}

Error *api_asked_entry(const Ask *a, const ServiceEntry **out)
{
    return api_entry(a, api_text(a, "entry"), out);
}

/* -- which route ----------------------------------------------------------------------------------
 */

/* The path's "{name}.dump" is any segment that ends so, and has something in front of that. */
static bool fits_part(const char *at, size_t n, const char *segment)
{
    const char *close = memchr(at, '}', n);
    size_t ending = close ? (size_t)(at + n - close - 1) : 0, length = strlen(segment);
    return length > ending && !memcmp(segment + length - ending, at + n - ending, ending);
}

/* Segment by segment; *part, the whole of the segment, is borrowed from the call. */
static bool matches(const Route *r, const HttpCall *call, const char **part)
{
    const char *at = r->path;
    *part = NULL;
    for (size_t i = 0; i < call->segments.count; i++) {
        const char *segment = call->segments.items[i];
        if (*at != '/')
            return false;
        size_t n = strcspn(++at, "/");
        if (*at == '{' && fits_part(at, n, segment))
            *part = segment;
        else if (strlen(segment) != n || memcmp(at, segment, n) != 0)
            return false;
        at += n;
    }
    return !*at;
}

static Error *no_route(HttpReply *reply, const StrList *methods, const char *asked)
{
    AUTO_VALUE(Buf) allowed = {0};
    if (!methods->count)
        FAIL(ERR_NOT_FOUND, "there is nothing of this name");
    for (size_t i = 0; i < methods->count; i++)
        buf_printf(&allowed, "%s%s%s", i ? ", " : "", methods->items[i],
                   strcmp(methods->items[i], "GET") ? "" : ", HEAD");
    AUTO(char) text = buf_steal_str(&allowed);
    http_reply_header(reply, "Allow", text);
    FAIL(ERR_METHOD, "%s cannot be done with it", asked);
}

/* NULL where there is none; the reply is then made. */
static const Route *find_route(const HttpCall *call, HttpReply *reply, const char **part)
{
    AUTO_VALUE(StrList) methods = {0};
    const Route *r;
    for (size_t i = 0; (r = route_at(i)); i++) {
        if (!matches(r, call, part))
            continue;
        if (!strcmp(r->method, call->method))
            return r;
        if (!strlist_has(&methods, r->method))
            strlist_add(&methods, r->method);
    }
    AUTO(Error) e = no_route(reply, &methods, call->method);
    http_reply_error(reply, e);
    return NULL;
}

/* -- who, and the audit log -----------------------------------------------------------------------
 */

static Error *no_token(HttpReply *reply)
{
    http_reply_header(reply, "WWW-Authenticate", "Bearer realm=\"pgstow\"");
    return error_hint(ERROR_NEW(ERR_TOKEN, "this needs a valid token"),
                      "`pgstow token add` makes one; send it as \"Authorization: Bearer TOKEN\"");
}

static Error *too_often(HttpReply *reply)
{
    http_reply_header(reply, "Retry-After", "60");
    return error_hint(ERROR_NEW(ERR_RATE, "too many wrong tokens came from this address"),
                      "wait a minute");
}

static Error *identify(Ask *ask, StateToken **who)
{
    AuthAnswer answer;
    TRY(auth_check(ask->api->auth, http_call_header(ask->call, "Authorization"), ask->call->remote,
                   &answer, who));
    return answer == AUTH_KNOWN     ? NULL
           : answer == AUTH_UNKNOWN ? no_token(ask->reply)
                                    : too_often(ask->reply);
}

static Error *audit(Api *api, const Route *route, const HttpCall *call, const char *actor,
                    const char *role, const char *object, const HttpReply *reply)
{
    unsigned status = reply->status;
    AUTO(char) detail = reply->body ? doc_print(reply->body, false) : NULL;
    return state_audit_add(
        api->service->state,
        &(StateAuditNew){.actor = actor ? actor : "",
                         .role = role,
                         .origin = call->remote,
                         .action = route->action,
                         .object = object,
                         .outcome = reply->streams                                    ? "begun"
                                    : status < 300                                    ? "done"
                                    : status == 401 || status == 403 || status == 429 ? "refused"
                                                                                      : "failed",
                         .detail = detail,
                         .now = clock_now()},
        NULL);
}

/* The metrics may be everybody's. */
static int role_of(const Route *route, const ServiceConfig *config)
{
    bool open =
        route->handler == api_metrics && config_bool(config->config, SETTING_METRICS_PUBLIC);
    return open ? ROLE_NOBODY : route->role;
}

static Error *run_route(Ask *ask, const Route *route, StateToken **who)
{
    int role = role_of(route, ask->config);
    if (role == ROLE_PEER) {
        if (!ask->peer)
            FAIL(ERR_TOKEN, "only peers may ask for this");
        TRY(peer_auth_body(ask->peer, ask->call->body, ask->call->length));
    } else if (role != ROLE_NOBODY) {
        TRY(identify(ask, who));
        ask->who = *who;
        ask->actor = ask->who->name;
        if ((int)ask->who->role < route->role)
            FAIL(ERR_ROLE, "this needs the role %s", state_role_name((StateRole)route->role));
    }
    TRY(api_read_input(ask, route));
    return route->handler(ask);
}

static void release_caller(void *who)
{
    peer_caller_free(who);
}

/* A peer proves who it is before its body is taken. */
static Error *admit_peer(Ask *ask, HttpAdmission *out)
{
    PeerCaller *who = NULL;
    TRY(peer_auth_check(ask->api->peers, ask->config->config, ask->call, &who));
    out->body_max = PEER_BODY_MAX;
    out->who = who;
    out->release = release_caller;
    return NULL;
}

static Error *reply_failure(Ask *ask, const Route *route, Error *e)
{
    if (!e)
        return NULL;
    http_reply_error(ask->reply, e);
    if (route->role == ROLE_PEER)
        doc_set_bool(ask->reply->body, "success", false);
    if (error_kind(e) == ERR_RATE && !strlist_has(&ask->reply->names, "Retry-After"))
        http_reply_header(ask->reply, "Retry-After", route->role == ROLE_PEER ? "1" : "30");
    if (error_kind(e) == ERR_TOKEN && route->role == ROLE_PEER)
        http_reply_header(ask->reply, "WWW-Authenticate", "Pgstow-Peer realm=\"pgstow\"");
    return e;
}

static bool is_flood(const Ask *ask)
{
    const char *from = ask->call->remote;
    if (ask->who || ask->peer)
        return false;
    bool often = failures_too_often(ask->api->refused, from);
    failures_count(ask->api->refused, from);
    return often;
}

/* What is wrong, or NULL, becomes a reply and an entry in the audit log. */
static Error *conclude(Ask *ask, const Route *route, const Error *e)
{
    const char *role = ask->peer ? "peer" : ask->who ? state_role_name(ask->who->role) : "";
    /* A key file or what a command prints may be another one by now. */
    for (size_t i = 0; e && error_kind(e) == ERR_KEY && i < ask->config->count; i++)
        shelf_forget_key(ask->config->entries[i].shelf);
    /* Of what is not sent there is nothing to tell. */
    bool nothing = ask->reply->status == 304 || (ask->call->head && ask->reply->status < 300);
    if (!route->action || ask->audited || nothing || ask->reply->status == 429 || is_flood(ask))
        return NULL;
    return audit(ask->api, route, ask->call, ask->actor, role,
                 ask->object ? ask->object : ask->part, ask->reply);
}

static Error *serve_route(Api *api, const Route *route, const HttpCall *call, const char *part,
                          HttpReply *reply)
{
    AUTO(StateToken) who = NULL;
    AUTO(ServiceConfig) config = service_config(api->service);
    Ask ask = {.api = api, .call = call, .reply = reply, .config = config, .part = part};
    ask.peer = call->who;
    ask.actor = ask.peer ? ask.peer->actor : NULL;
    AUTO(Error) e = reply_failure(&ask, route, run_route(&ask, route, &who));
    AUTO(Doc) body = ask.body;
    AUTO(char) object = ask.object;
    return conclude(&ask, route, e);
}

/* What went wrong with the state, rather than with the request. */
static void reply_broken(const HttpCall *call, const Route *route, HttpReply *reply, Error *e)
{
    log_warning("%s %s: %s", call->method, route->path, error_message(e));
    http_reply_error(reply, e);
    error_free(e);
}

static void answer(Api *api, const HttpCall *call, HttpReply *reply)
{
    const char *part;
    const Route *route = find_route(call, reply, &part);
    if (!route)
        return;
    Error *e = serve_route(api, route, call, part, reply);
    if (e)
        reply_broken(call, route, reply, e);
}

static bool on_admit(void *ctx, const HttpCall *call, HttpAdmission *out, HttpReply *reply)
{
    Api *api = ctx;
    const char *part;
    AUTO_VALUE(HttpReply) none = {0};
    const Route *route = find_route(call, &none, &part);
    if (!route || route->role != ROLE_PEER)
        return true; /* the rest is seen when it is here */
    AUTO(ServiceConfig) config = service_config(api->service);
    Ask ask = {.api = api, .call = call, .reply = reply, .config = config, .part = part};
    AUTO(Error) e = reply_failure(&ask, route, admit_peer(&ask, out));
    if (!e)
        return true;
    Error *broken = conclude(&ask, route, e);
    if (broken)
        reply_broken(call, route, reply, broken);
    metrics_request(api->metrics, reply->status);
    return false;
}

static void on_call(void *ctx, const HttpCall *call, HttpReply *reply)
{
    Api *api = ctx;
    answer(api, call, reply);
    metrics_request(api->metrics, reply->status);
}

/* -- start and end --------------------------------------------------------------------------------
 */

static Error *check_settings(const HttpOptions *o, bool insecure)
{
    if (!o->certificate != !o->key)
        FAIL(ERR_CONFIG, "of server.tlsCertificate and server.tlsKey only one is set");
    if (o->certificate || insecure || http_is_local(o->address))
        return NULL;
    return error_hint(
        ERROR_NEW(ERR_CONFIG,
                  "the API would be open to others at %s, and tokens would pass unencrypted",
                  o->address),
        "set server.tlsCertificate and server.tlsKey, or, behind a proxy that does TLS, "
        "server.insecure");
}

Error *api_start(Service *s, Api **out)
{
    AUTO(ServiceConfig) config = service_config(s);
    const Config *c = config->config;
    *out = NULL;
    if (!config_int(c, SETTING_PORT))
        return NULL;
    Api *api = mem_new(Api);
    HttpOptions o = {.address = config_str(c, SETTING_ADDRESS),
                     .port = (unsigned)config_int(c, SETTING_PORT),
                     .certificate = config_str(c, SETTING_TLS_CERTIFICATE),
                     .key = config_str(c, SETTING_TLS_KEY),
                     .admit = on_admit,
                     .handler = on_call,
                     .ctx = api};
    api->service = s;
    api->auth = auth_new(s->state);
    api->peers = peer_auth_new(s->state);
    api->answers = answers_new();
    api->refused = failures_new(REFUSED, REFUSED_MS);
    api->sync_stores = sync_stores_new();
    api->sync_rights = sync_rights_new();
    pthread_mutex_init(&api->repository, NULL);
    pthread_mutex_init(&api->syncs, NULL);
    Error *e = check_settings(&o, config_bool(c, SETTING_INSECURE));
    e = e ? e : cancel_new(NULL, &api->stop);
    api->row_turns = turns_new(SYNC_ROWS_AT_ONCE, SYNC_ROWS_WAITING);
    api->downloads = downloads_new(s->state, s->runner, api->stop);
    e = e ? e : metrics_new(s, &api->metrics);
    e = e ? e : events_new(s->state, &api->events);
    e = e ? e : http_start(&o, &api->http);
    if (e) {
        api_stop(api);
        return e;
    }
    log_info("the API listens on %s, port %u%s", o.address, http_port(api->http),
             o.certificate ? ", with TLS" : "");
    *out = api;
    return NULL;
}

void api_tick(Api *a)
{
    int64_t now = clock_mono_ms();
    if (!a)
        return;
    http_tick(a->http);
    sync_rights_tick(a);
    if (atomic_load(&a->service->stopping))
        events_close(a->events);
    if (now - a->counted < COUNT_MS)
        return;
    a->counted = now;
    metrics_tick(a->metrics);
    sync_rows_tick(a);
}

void api_stop(Api *a)
{
    if (!a)
        return;
    cancel_request(a->stop);
    if (a->events)
        events_close(a->events);
    http_stop(a->http);
    downloads_free(a->downloads);
    turns_free(a->row_turns);
    events_free(a->events);
    cancel_free(a->stop);
    auth_free(a->auth);
    peer_auth_free(a->peers);
    metrics_free(a->metrics);
    answers_free(a->answers);
    failures_free(a->refused);
    sync_stores_free(a->sync_stores);
    sync_rights_free(a->sync_rights);
    pthread_mutex_destroy(&a->repository);
    pthread_mutex_destroy(&a->syncs);
    free(a);
}
