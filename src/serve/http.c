#include "serve/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/tcp.h>
#endif

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "serve/http_target.h"

#define STACK_BYTES                                                                                \
    (1u << 20) /* of a connection's thread; only what is used of it costs memory                   \
                */
#define POOL_BYTES                                                                                 \
    (HTTP_HEADERS_MAX + HTTP_TARGET_MAX + 12288) /* libmicrohttpd's, a connection                  \
                                                  */
#define DISCARD_MAX (1u << 20) /* of a body that is too large; beyond that we hang up */
/* Of a body that is refused: who hears no more while he sends may not hear why. */
#define SWALLOW_MAX (8u << 20)
#define LEAST_PER_MS 8 /* bytes of a large body, on the average */
#define PEM_MAX (1u << 20)

/* A request, from its first line to its end. */
typedef struct Request {
    char *target; /* NULL: too long */
    Buf body;
    size_t discarded;
    bool begun, old; /* old: it is of HTTP/1.0 */
    Http *http;
    HttpAdmission admission;
    HttpReply refused; /* by HttpAdmit: told when the body is over, of which nothing is kept */
    bool is_refused;
    bool large;      /* it counts among those with a large body */
    int64_t started; /* then: by clock_mono_ms */
    Flow *flow;      /* its reply's body; or NULL */
} Request;

static enum MHD_Result send_reply(Http *h, struct MHD_Connection *c, Request *request, HttpReply *r,
                                  bool close)
{
    struct MHD_Response *response;
    http_set_deadline(h, c, HTTP_REPLY_MS, r->streams);
    if (r->streams) {
        request->flow = flow_new(h, c, &r->stream, request->old);
        r->streams = false;
        response = flow_response(request->flow);
    } else {
        response = http_make_document(c, r);
    }
    if (!response)
        return MHD_NO;
    if (!strlist_has(&r->names, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-cache");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (close)
        MHD_add_response_header(response, "Connection", "close");
    for (size_t i = 0; i < r->names.count; i++)
        MHD_add_response_header(response, r->names.items[i], r->values.items[i]);
    enum MHD_Result done = MHD_queue_response(c, r->status, response);
    MHD_destroy_response(response);
    return done;
}

/* -- requests -------------------------------------------------------------------------------------
 */

const char *http_call_query(const HttpCall *c, const char *name)
{
    for (size_t i = 0; i < c->names.count; i++)
        if (!strcmp(c->names.items[i], name))
            return c->values.items[i];
    return NULL;
}

const char *http_call_header(const HttpCall *c, const char *name)
{
    return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, name);
}

/* What is decoded is decoded by http_target. */
static size_t leave_escaped(void *ctx, struct MHD_Connection *c, char *s)
{
    (void)ctx;
    (void)c;
    return strlen(s);
}

Client *http_client(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

int http_call_socket(const HttpCall *c)
{
    const Client *client = http_client(c->connection);
    return client ? client->fd : -1;
}

/* Bytes that the client's side has acknowledged. */
static uint64_t taken_of(int fd)
{
#ifdef __linux__
    struct tcp_info info = {0};
    socklen_t n = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 ? info.tcpi_bytes_acked : 0;
#else
    (void)fd;
    return 0;
#endif
}

void http_set_deadline(Http *h, struct MHD_Connection *c, int64_t ms, bool streams)
{
    Client *client = http_client(c);
    if (!client)
        return;
    pthread_mutex_lock(&h->lock);
    client->deadline = ms == INT64_MAX ? ms : clock_mono_ms() + ms;
    client->streams = streams;
    pthread_mutex_unlock(&h->lock);
}

static void end_request(Request *r, bool whole)
{
    if (!r)
        return;
    flow_end(r->flow, whole);
    if (r->admission.who && r->admission.release)
        r->admission.release(r->admission.who);
    if (r->large)
        atomic_fetch_sub(&r->http->large, 1);
    http_reply_clear(&r->refused);
    free(r->target);
    buf_free(&r->body);
    free(r);
}

/* Whose line has come. libmicrohttpd says nothing of the end of those whose headers it refuses by
 * itself: they end with the next one, or with the connection. */
static void *on_target(void *ctx, const char *target, struct MHD_Connection *c)
{
    Client *client = http_client(c);
    if (!client)
        return NULL;
    end_request(client->request, false);
    client->request = mem_new(Request);
    client->request->http = ctx;
    client->request->admission.body_max = HTTP_BODY_MAX;
    if (strlen(target) <= HTTP_TARGET_MAX)
        client->request->target = mem_strdup(target);
    return client->request;
}

static void on_done(void *ctx, struct MHD_Connection *c, void **state,
                    enum MHD_RequestTerminationCode how)
{
    Client *client = http_client(c);
    http_set_deadline(ctx, c, HTTP_REQUEST_MS, false);
    *state = NULL;
    if (client)
        end_request(STEAL(client->request), how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

static void remote_of(struct MHD_Connection *c, char *out, size_t n)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    socklen_t length =
        a && a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!a || getnameinfo(a, length, out, (socklen_t)n, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(out, n, "unknown");
}

/* -- a call ---------------------------------------------------------------------------------------
 */

typedef struct Called {
    HttpCall call;
    char remote[NI_MAXHOST];
} Called;

static void called_clear(Called *c)
{
    strlist_free(&c->call.segments);
    strlist_free(&c->call.names);
    strlist_free(&c->call.values);
}
DEFINE_AUTO_VALUE(Called, called_clear)

/* False where the target is none; the reply is then made. */
static bool make_call(struct MHD_Connection *c, const char *method, const Request *r, Called *out,
                      HttpReply *reply)
{
    out->call = (HttpCall){.method = strcmp(method, "HEAD") ? method : "GET",
                           .head = !strcmp(method, "HEAD"),
                           .target = r->target,
                           .remote = out->remote,
                           .who = r->admission.who,
                           .body = r->body.data,
                           .length = r->body.len,
                           .connection = c};
    remote_of(c, out->remote, sizeof out->remote);
    if (http_target_parse(r->target, &out->call.segments, &out->call.names, &out->call.values))
        return true;
    http_refuse(reply, MHD_HTTP_BAD_REQUEST, "USAGE", "the request's target was not understood",
                "a path of whole segments, each in UTF-8, other characters as %XX");
    return false;
}

/* Room for a body that is larger than others'. */
static bool take_large(Http *h, Request *r, HttpReply *reply)
{
    if (atomic_fetch_add(&h->large, 1) < HTTP_LARGE_BODIES) {
        r->large = true;
        r->started = clock_mono_ms();
        return true;
    }
    atomic_fetch_sub(&h->large, 1);
    http_refuse(reply, MHD_HTTP_TOO_MANY_REQUESTS, "RATE", "too many large bodies come at once",
                "again in a moment");
    http_reply_header(reply, "Retry-After", "1");
    return false;
}

static bool admit(Http *h, struct MHD_Connection *c, const char *method, Request *r,
                  HttpReply *reply)
{
    AUTO_VALUE(Called) called = {0};
    return !h->admit || (make_call(c, method, r, &called, reply) &&
                         h->admit(h->ctx, &called.call, &r->admission, reply));
}

/* Whether a refused body is to come all the same: where it is under way already. */
static bool swallows(struct MHD_Connection *c, Request *r, unsigned long long announced,
                     HttpReply *reply)
{
    if (!announced || announced > SWALLOW_MAX ||
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Expect"))
        return false;
    r->refused = *reply;
    r->is_refused = true;
    *reply = (HttpReply){0};
    return true;
}

/* What is wrong with it by its head alone; the body is then not waited for. */
static bool refuse_head(Http *h, struct MHD_Connection *c, const char *method, Request *r,
                        HttpReply *reply)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    bool chunked = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding") != NULL;
    unsigned long long announced = length ? strtoull(length, NULL, 10) : 0;
    if (!r->target)
        http_refuse(reply, MHD_HTTP_URI_TOO_LONG, "LIMIT", "the request's target is too long",
                    NULL);
    else if (info && info->header_size > HTTP_HEADERS_MAX)
        http_refuse(reply, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "LIMIT",
                    "the request's headers are too large", NULL);
    else if (!admit(h, c, method, r, reply))
        return !swallows(c, r, announced, reply);
    else if (announced > r->admission.body_max)
        http_refuse(reply, MHD_HTTP_CONTENT_TOO_LARGE, "LIMIT", "the request's body is too large",
                    NULL);
    else
        return r->admission.body_max > HTTP_BODY_MAX && (chunked || announced > HTTP_BODY_MAX) &&
               !take_large(h, r, reply);
    return true;
}

static bool take_body(Request *r, const char *data, size_t n)
{
    size_t max = r->large ? r->admission.body_max : HTTP_BODY_MAX;
    if (r->is_refused)
        return true;
    Error *e = r->discarded ? NULL : buf_reserve(&r->body, n, max);
    if (r->discarded || e) {
        error_drop(e);
        r->discarded += n;
        return r->discarded <= DISCARD_MAX;
    }
    buf_add(&r->body, data, n);
    return true;
}

static void answer(Http *h, struct MHD_Connection *c, const char *method, Request *r,
                   HttpReply *reply)
{
    AUTO_VALUE(Called) called = {0};
    if (r->is_refused) {
        *reply = r->refused;
        r->refused = (HttpReply){0};
    } else if (r->discarded)
        http_refuse(reply, MHD_HTTP_CONTENT_TOO_LARGE, "LIMIT", "the request's body is too large",
                    NULL);
    else if (make_call(c, method, r, &called, reply))
        h->handler(h->ctx, &called.call, reply);
}

/* Who has proven who he is may have a slow line; but not too slow a one, and something must come.
 */
static int64_t time_left(const Request *r)
{
    int64_t end = r->started + HTTP_REQUEST_MS + (int64_t)r->body.len / LEAST_PER_MS;
    int64_t left = end - clock_mono_ms();
    return left < HTTP_REQUEST_MS ? left : HTTP_REQUEST_MS;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **state)
{
    Http *h = ctx;
    Request *r = *state;
    AUTO_VALUE(HttpReply) reply = {0};
    (void)url;
    if (!r)
        return MHD_NO;
    if (!r->begun) {
        r->begun = true;
        r->old = !strcmp(version, "HTTP/1.0");
        return refuse_head(h, c, method, r, &reply) ? send_reply(h, c, r, &reply, true) : MHD_YES;
    }
    if (*n) {
        bool taken = take_body(r, data, *n);
        *n = 0;
        if (r->large)
            http_set_deadline(h, c, time_left(r), false);
        return taken ? MHD_YES : MHD_NO;
    }
    /* What we take to answer is not the client's fault. */
    http_set_deadline(h, c, INT64_MAX, false);
    answer(h, c, method, r, &reply);
    return send_reply(h, c, r, &reply, r->discarded > 0);
}

/* -- connections ----------------------------------------------------------------------------------
 */

/* A client that vanished without a word is noticed while nothing is sent: see http_wait. */
static void keep_looking(int fd)
{
    int yes = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes) < 0)
        return;
#ifdef __linux__
    int idle = 30, between = 10, most = 3; /* seconds, seconds, attempts */
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &most, sizeof most);
#endif
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    Http *h = ctx;
    Client *client = *state;
    Request *left = NULL;
    pthread_mutex_lock(&h->lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        *state = client = mem_new(Client);
        client->fd = info ? info->connect_fd : -1;
        keep_looking(client->fd);
        client->deadline = clock_mono_ms() + HTTP_REQUEST_MS;
        client->next = h->clients;
        if (client->next)
            client->next->previous = client;
        h->clients = client;
    } else if (client) {
        *(client->previous ? &client->previous->next : &h->clients) = client->next;
        if (client->next)
            client->next->previous = client->previous;
        left = client->request;
        free(client);
        *state = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    end_request(left, false);
}

/* A body that streams may take as long as it likes, as long as something of it is taken: the system
 * holds megabytes of it ready, so that this is not seen by what it asks for. */
static void look_at(Client *c, int64_t now)
{
    if (c->fd < 0 || c->deadline == INT64_MAX)
        return;
    uint64_t taken = c->streams ? taken_of(c->fd) : c->taken;
    if (taken != c->taken)
        c->deadline = now + HTTP_STALL_MS;
    c->taken = taken;
    /* Its thread then finds the connection ended. The descriptor is open as long as the client is
     * in the list. */
    if (c->deadline <= now)
        shutdown(c->fd, SHUT_RDWR);
}

void http_tick(Http *h)
{
    pthread_mutex_lock(&h->lock);
    int64_t now = clock_mono_ms();
    for (Client *c = h->clients; c; c = c->next)
        look_at(c, now);
    pthread_mutex_unlock(&h->lock);
}

/* -- start and end --------------------------------------------------------------------------------
 */

bool http_is_local(const char *address)
{
    struct in6_addr six;
    struct in_addr four;
    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static Error *listen_on(const HttpOptions *o, Fd *out, unsigned *port)
{
    char number[16];
    struct addrinfo *found = NULL, hints = {.ai_family = AF_UNSPEC,
                                            .ai_socktype = SOCK_STREAM,
                                            .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    snprintf(number, sizeof number, "%u", o->port);
    if (getaddrinfo(o->address, number, &hints, &found) != 0)
        return error_hint(ERROR_NEW(ERR_CONFIG, "\"%s\" is no address to listen on", o->address),
                          "a number such as 127.0.0.1, 0.0.0.0 or ::");
    AUTO_VALUE(Fd)
    fd = {socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    int yes = 1;
    bool ok = fd.n >= 0 && setsockopt(fd.n, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
              bind(fd.n, found->ai_addr, found->ai_addrlen) == 0 && listen(fd.n, 128) == 0;
    int problem = errno;
    freeaddrinfo(found);
    if (!ok && problem == EADDRINUSE)
        return error_hint(ERROR_NEW(ERR_BUSY, "port %u of %s is taken", o->port, o->address),
                          "server.port chooses another one");
    errno = problem;
    if (!ok)
        return error_errno(ERR_IO, ERR_IO, "cannot listen on %s, port %u", o->address, o->port);
    struct sockaddr_storage own = {0};
    socklen_t n = sizeof own;
    if (getsockname(fd.n, (struct sockaddr *)&own, &n) == 0)
        *port = ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
                                                : ((struct sockaddr_in *)&own)->sin_port);
    out->n = fd.n;
    fd.n = -1;
    return NULL;
}

static Error *read_pem(Http *h, const HttpOptions *o)
{
    TRY_CTX(file_read(o->certificate, PEM_MAX, &h->certificate), "server.tlsCertificate");
    TRY_CTX(file_read(o->key, PEM_MAX, &h->key), "server.tlsKey");
    return NULL;
}

static void http_free(Http *h)
{
    if (h->key.data)
        secret_wipe(h->key.data, h->key.len);
    buf_free(&h->key);
    buf_free(&h->certificate);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static void no_log(void *ctx, const char *format, va_list list)
{
    (void)ctx;
    (void)format;
    (void)list;
}

static struct MHD_Daemon *start_daemon(Http *h, int fd, bool tls)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem pem[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, h->certificate.data},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, h->key.data},
                                   {MHD_OPTION_END, 0, NULL}};
    /* The log comes first: it counts for what follows. */
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_OF_ONE,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(HTTP_REQUEST_MS / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)STACK_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_done,
        h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        h, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_ARRAY, tls ? pem : pem + 2,
        MHD_OPTION_END);
}

Error *http_start(const HttpOptions *o, Http **out)
{
    AUTO_VALUE(Fd) fd = {-1};
    Http *h = mem_new(Http);
    h->admit = o->admit;
    h->handler = o->handler;
    h->ctx = o->ctx;
    pthread_mutex_init(&h->lock, NULL);
    Error *e = o->certificate ? read_pem(h, o) : NULL;
    e = e ? e : listen_on(o, &fd, &h->port);
    if (!e) {
        h->daemon = start_daemon(h, fd.n, o->certificate != NULL);
        if (!h->daemon && o->certificate)
            e = error_hint(ERROR_NEW(ERR_CONFIG, "TLS cannot be served with %s and %s",
                                     o->certificate, o->key),
                           "both are PEM, and the key is the certificate's");
        else if (!h->daemon)
            e = ERROR_NEW(ERR_IO, "cannot serve HTTP on %s, port %u", o->address, o->port);
    }
    if (e) {
        http_free(h);
        return e;
    }
    fd.n = -1; /* the daemon closes it */
    *out = h;
    return NULL;
}

unsigned http_port(const Http *h)
{
    return h->port;
}

void http_stop(Http *h)
{
    if (!h)
        return;
    MHD_stop_daemon(h->daemon);
    http_free(h);
}
