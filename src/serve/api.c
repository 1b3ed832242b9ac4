#include "serve/api_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "state/state_audit.h"

static const Route routes[] = {
    {"GET", "/healthz", -1, NULL, api_healthz},
    {"GET", "/readyz", -1, NULL, api_readyz},
    {"GET", "/api/v1/backups", ROLE_VIEWER, NULL, api_backups},
    {"POST", "/api/v1/backups", ROLE_OPERATOR, "backup.create", api_backup_create},
    {"GET", "/api/v1/backups/{}", ROLE_VIEWER, NULL, api_backup},
    {"DELETE", "/api/v1/backups/{}", ROLE_ADMIN, "backup.delete", api_backup_delete},
    {"GET", "/api/v1/jobs", ROLE_VIEWER, NULL, api_jobs},
    {"GET", "/api/v1/jobs/{}", ROLE_VIEWER, NULL, api_job},
    {"DELETE", "/api/v1/jobs/{}", ROLE_OPERATOR, "job.cancel", api_job_cancel},
    {"GET", "/api/v1/schedules", ROLE_VIEWER, NULL, api_schedules},
    {"GET", "/api/v1/databases", ROLE_VIEWER, NULL, api_databases},
};
#define ROUTES (sizeof routes / sizeof *routes)

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

Error *api_submit(Ask *a, const char *kind, const ServiceEntry *entry, const StrList *words,
                  int64_t timeout_ms)
{
    int64_t job;
    TRY(runner_submit(a->api->service->runner,
                      &(JobRequest){.kind = kind,
                                    .entry = entry->name,
                                    .database = entry->database,
                                    .words = words,
                                    .trigger = "api",
                                    .actor = a->who->name,
                                    .timeout_ms = timeout_ms,
                                    .alone = !strcmp(kind, "backup")},
                      &job));
    api_reply_job(a, job);
    return NULL;
}

Error *api_number(const Ask *a, const char *name, int64_t max, int64_t fallback, int64_t *out)
{
    const char *text = http_call_query(a->call, name);
    *out = fallback;
    Error *e = text ? text_parse_int(text, 1, max, out) : NULL;
    return e ? error_rekind(error_context(e, "%s", name), ERR_USAGE) : NULL;
}

Error *api_known_query(const Ask *a, const char *const *names)
{
    const StrList *given = &a->call->names;
    for (size_t i = 0; i < given->count; i++) {
        size_t k = 0;
        while (names[k] && strcmp(names[k], given->items[i]) != 0)
            k++;
        if (!names[k])
            FAIL(ERR_USAGE, "there is no parameter \"%s\" here", given->items[i]);
        for (size_t earlier = 0; earlier < i; earlier++)
            if (!strcmp(given->items[earlier], given->items[i]))
                FAIL(ERR_USAGE, "the parameter \"%s\" is there twice", given->items[i]);
    }
    return NULL;
}

/* -- which route ----------------------------------------------------------------------------------
 */

/* Segment by segment; *part is borrowed from the call. */
static bool matches(const Route *r, const HttpCall *call, const char **part)
{
    const char *at = r->path;
    *part = NULL;
    for (size_t i = 0; i < call->segments.count; i++) {
        const char *segment = call->segments.items[i];
        if (*at != '/')
            return false;
        size_t n = strcspn(++at, "/");
        if (n == 2 && !memcmp(at, "{}", 2))
            *part = segment;
        else if (strlen(segment) != n || memcmp(at, segment, n) != 0)
            return false;
        at += n;
    }
    return !*at;
}

/* NULL where there is none; the reply is then made. */
static const Route *find_route(const HttpCall *call, HttpReply *reply, const char **part)
{
    AUTO_VALUE(Buf) allowed = {0};
    for (size_t i = 0; i < ROUTES; i++) {
        if (!matches(&routes[i], call, part))
            continue;
        if (!strcmp(routes[i].method, call->method))
            return &routes[i];
        buf_printf(&allowed, "%s%s%s", allowed.len ? ", " : "", routes[i].method,
                   strcmp(routes[i].method, "GET") ? "" : ", HEAD");
    }
    if (!allowed.len) {
        http_refuse(reply, 404, "NOT_FOUND", "there is nothing of this name", NULL);
        return NULL;
    }
    AUTO(char) methods = buf_steal_str(&allowed);
    http_refuse(reply, 405, "METHOD", "this cannot be done with it", NULL);
    http_reply_header(reply, "Allow", methods);
    return NULL;
}

/* -- who, and the audit log -----------------------------------------------------------------------
 */

/* *who stays NULL where the reply is made. */
static Error *identify(Api *api, const HttpCall *call, HttpReply *reply, StateToken **who)
{
    AuthAnswer answer;
    TRY(auth_check(api->auth, http_call_header(call, "Authorization"), call->remote, &answer, who));
    if (answer == AUTH_UNKNOWN) {
        http_refuse(reply, 401, "TOKEN", "this needs a valid token",
                    "`pgstow token add` makes one; send it as \"Authorization: Bearer TOKEN\"");
        http_reply_header(reply, "WWW-Authenticate", "Bearer realm=\"pgstow\"");
    } else if (answer == AUTH_TOO_OFTEN) {
        http_refuse(reply, 429, "RATE", "too many wrong tokens came from this address",
                    "wait a minute");
        http_reply_header(reply, "Retry-After", "60");
    }
    return NULL;
}

static Error *audit(Api *api, const Route *route, const HttpCall *call, const StateToken *who,
                    const char *object, const HttpReply *reply)
{
    unsigned status = reply->status;
    AUTO(char) detail = doc_print(reply->body, false);
    return state_audit_add(
        api->service->state,
        &(StateAuditNew){.actor = who ? who->name : "",
                         .role = who ? state_role_name(who->role) : "",
                         .origin = call->remote,
                         .action = route->action,
                         .object = object,
                         .outcome = status < 300                                      ? "done"
                                    : status == 401 || status == 403 || status == 429 ? "refused"
                                                                                      : "failed",
                         .detail = detail,
                         .now = clock_now()},
        NULL);
}

static Error *run_route(Ask *ask, const Route *route)
{
    if (ask->who && (int)ask->who->role < route->role) {
        AUTO(char)
        message = mem_printf("this needs the role %s", state_role_name((StateRole)route->role));
        http_refuse(ask->reply, 403, "ROLE", message, NULL);
        return NULL;
    }
    return route->handler(ask);
}

static Error *serve_route(Api *api, const Route *route, const HttpCall *call, const char *part,
                          HttpReply *reply)
{
    AUTO(StateToken) who = NULL;
    AUTO(ServiceConfig) config = service_config(api->service);
    Ask ask = {.api = api, .call = call, .reply = reply, .config = config, .part = part};
    if (route->role >= 0)
        TRY(identify(api, call, reply, &who));
    ask.who = who;
    if (!reply->status) {
        Error *e = run_route(&ask, route);
        if (e)
            http_reply_error(reply, e);
        error_free(e);
    }
    AUTO(char) object = ask.object;
    /* The flood of those who are not let in at all is not to fill the disk. */
    if (!route->action || reply->status == 429)
        return NULL;
    return audit(api, route, call, who, object ? object : part, reply);
}

static void on_call(void *ctx, const HttpCall *call, HttpReply *reply)
{
    Api *api = ctx;
    const char *part;
    const Route *route = find_route(call, reply, &part);
    if (!route)
        return;
    Error *e = serve_route(api, route, call, part, reply);
    if (!e)
        return;
    log_warning("%s %s: %s", call->method, route->path, error_message(e));
    http_reply_error(reply, e);
    error_free(e);
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
                     .handler = on_call,
                     .ctx = api};
    api->service = s;
    api->auth = auth_new(s->state);
    pthread_mutex_init(&api->repository, NULL);
    Error *e = check_settings(&o, config_bool(c, SETTING_INSECURE));
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
    if (a)
        http_tick(a->http);
}

void api_stop(Api *a)
{
    if (!a)
        return;
    http_stop(a->http);
    auth_free(a->auth);
    pthread_mutex_destroy(&a->repository);
    free(a);
}
