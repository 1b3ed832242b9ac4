#include "net/link.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/net_internal.h"

#define LINES_MAX 64      /* connections that are kept while nobody needs them */
#define FIRST_WAIT_MS 100 /* before the second attempt; then twice as long each time, to: */
#define LAST_WAIT_MS 5000
#define ERROR_TEXT_MAX 2000 /* bytes of what a peer says was wrong */
#define OWN_HEADERS 10
#define DOC_MS 600000 /* for an answer that is kept: a byte now and then is not enough */

struct Link {
    char *name, *base, *node, *ca_file, *proxy;
    Secret *key;
    char registration[SIGN_HEX]; /* "" where there is none */
    NetLimits limits;
    int64_t retry_ms;
    pthread_mutex_t lock; /* of what follows */
    HttpLine *free_lines[LINES_MAX];
    size_t free_count;
    uint64_t sent, received;
};

/* -- open and close ---------------------------------------------------------------------------- */

/* By its form alone: what a name server says of another name is not to be believed. */
static bool is_loopback(const char *host)
{
    struct in_addr four;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return !strcmp(host, "localhost") || !strcmp(host, "[::1]");
}

/* Its parts; false where it is no address. Caller frees. */
static bool take_apart(const char *url, char **scheme, char **host, bool *bare)
{
    AUTO(CURLU) u = curl_url();
    if (!u || curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return false;
    AUTO(char) query = net_part(u, CURLUPART_QUERY);
    AUTO(char) fragment = net_part(u, CURLUPART_FRAGMENT);
    AUTO(char) user = net_part(u, CURLUPART_USER);
    *bare = !query && !fragment && !user;
    *scheme = net_part(u, CURLUPART_SCHEME);
    *host = net_part(u, CURLUPART_HOST);
    return *scheme && *host;
}

bool link_is_local(const char *url)
{
    AUTO(char) scheme = NULL;
    AUTO(char) host = NULL;
    bool bare;
    return take_apart(url, &scheme, &host, &bare) && is_loopback(host);
}

static Error *check_url(const LinkOptions *o)
{
    AUTO(char) scheme = NULL;
    AUTO(char) host = NULL;
    bool bare = false;
    AUTO(char) origin = net_origin(o->url);
    if (!take_apart(o->url, &scheme, &host, &bare) || !bare ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return error_hint(
            ERROR_NEW(ERR_CONFIG, "peer %s: %s is no address of a service", o->name, origin),
            "write it as https://host or https://host:8443, without a login, \"?\" "
            "and \"#\"");
    if (!strcmp(scheme, "http") && !o->insecure && !is_loopback(host))
        return error_hint(ERROR_NEW(ERR_CONFIG, "peer %s: %s is not encrypted", o->name, origin),
                          "let its service use TLS (server.tlsCertificate) and write https, or set "
                          "insecure: true for this peer: all can then read the data on the way");
    return NULL;
}

Error *link_open(const LinkOptions *o, Link **out)
{
    TRY(check_url(o));
    AUTO(Link) l = mem_new(Link);
    pthread_mutex_init(&l->lock, NULL);
    size_t n = strlen(o->url);
    while (n && o->url[n - 1] == '/')
        n--;
    l->name = mem_strdup(o->name);
    l->base = mem_strndup(o->url, n);
    l->node = mem_strdup(o->node ? o->node : "");
    l->ca_file = mem_strdup(o->ca_file);
    l->limits = o->limits;
    /* No proxy of the network's leads to this host itself. */
    l->proxy = link_is_local(o->url) ? mem_strdup("") : mem_strdup(o->limits.proxy);
    l->limits.proxy = l->proxy;
    l->retry_ms = o->retry_ms ? o->retry_ms : LINK_RETRY_MS;
    if (o->key)
        l->key = secret_copy(secret_look(o->key), secret_length(o->key));
    else if (o->registration && secret_length(o->registration))
        sign_registration(o->registration, l->registration);
    if ((l->key || *l->registration) && !sign_is_node(l->node))
        return error_hint(ERROR_NEW(ERR_CONFIG, "\"%s\" cannot be this host's node id", l->node),
                          "set sync.nodeId: letters, digits, \"_\", \"-\", \".\", \":\"");
    *out = STEAL(l);
    return NULL;
}

void link_close(Link *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->free_count; i++)
        http_line_free(l->free_lines[i]);
    pthread_mutex_destroy(&l->lock);
    secret_free(l->key);
    secret_wipe(l->registration, sizeof l->registration);
    free(l->name);
    free(l->base);
    free(l->node);
    free(l->ca_file);
    free(l->proxy);
    free(l);
}

const char *link_name(const Link *l)
{
    return l->name;
}

static uint64_t figure(const Link *l, const uint64_t *of)
{
    Link *mutable = (Link *)(uintptr_t)l; /* the lock is no part of what is told */
    pthread_mutex_lock(&mutable->lock);
    uint64_t n = *of;
    pthread_mutex_unlock(&mutable->lock);
    return n;
}

uint64_t link_sent(const Link *l)
{
    return figure(l, &l->sent);
}

uint64_t link_received(const Link *l)
{
    return figure(l, &l->received);
}

char *link_escape(const char *s)
{
    AUTO_VALUE(Buf) b = {0};
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
        if (letter || (ch >= '0' && ch <= '9') || strchr("-._~", ch))
            buf_u8(&b, ch);
        else
            buf_printf(&b, "%%%02X", ch);
    }
    return buf_steal_str(&b);
}

/* -- lines ------------------------------------------------------------------------------------- */

static HttpLine *take_line(Link *l)
{
    pthread_mutex_lock(&l->lock);
    HttpLine *line = l->free_count ? l->free_lines[--l->free_count] : NULL;
    pthread_mutex_unlock(&l->lock);
    return line ? line : http_line_new();
}

static void give_line(Link *l, HttpLine *line, bool good, uint64_t sent, uint64_t received)
{
    pthread_mutex_lock(&l->lock);
    l->sent += sent;
    l->received += received;
    bool kept = good && l->free_count < LINES_MAX;
    if (kept)
        l->free_lines[l->free_count++] = line;
    pthread_mutex_unlock(&l->lock);
    if (!kept)
        http_line_free(line);
}

/* -- what the peer answers instead ------------------------------------------------------------- */

/* Its words, made fit to be shown; NULL stays NULL. */
static char *words_of(const char *s)
{
    if (!s)
        return NULL;
    AUTO(char) cut = text_cut(s, ERROR_TEXT_MAX);
    return text_printable(cut);
}

static ErrorKind kind_of_status(int status)
{
    switch (status) {
    case 401:
        return ERR_TOKEN;
    case 403:
        return ERR_ROLE;
    case 404:
        return ERR_NOT_FOUND;
    case 405:
        return ERR_METHOD;
    case 409:
        return ERR_BUSY;
    case 413:
        return ERR_LIMIT;
    case 416:
        return ERR_RANGE;
    case 429:
        return ERR_RATE;
    case 502:
    case 503:
        return ERR_NETWORK;
    case 504:
        return ERR_TIMEOUT;
    default:
        return ERR_REFUSED;
    }
}

/* By name, but none that our own callers would take for something of this program's own. */
static ErrorKind kind_of_peer(const char *name, int status)
{
    ErrorKind kind = name ? error_kind_named(name) : ERR_INTERNAL;
    bool ours = kind == ERR_INTERNAL || kind == ERR_CANCELLED || kind == ERR_MEMORY;
    return ours ? kind_of_status(status) : kind;
}

/* Both forms: {"error": {kind, message, hint}}, and {"error": "text", "hint"} with or without a
 * "kind". */
static Error *said(const Link *l, const HttpResponse *r)
{
    AUTO(Doc) d = NULL;
    Error *e = doc_parse((const char *)r->body.data, r->body.len, "its answer", &d);
    const Doc *error = d ? doc_get(d, "error") : NULL;
    const Doc *place = error && doc_type(error) == DOC_OBJECT ? error : d;
    const char *text = place ? doc_str(place, "message", NULL) : NULL;
    error_drop(e);
    if (!text && error)
        text = doc_text(error);
    if (!text)
        FAIL(kind_of_status(r->status), "peer %s: it answers with status %d", l->name, r->status);
    AUTO(char) message = words_of(text);
    AUTO(char) hint = words_of(doc_str(place, "hint", NULL));
    e = ERROR_NEW(kind_of_peer(doc_str(place, "kind", NULL), r->status), "peer %s: %s", l->name,
                  message);
    return hint && *hint ? error_hint(e, "%s", hint) : e;
}

static bool is_good(const LinkCall *q, int status)
{
    return q->ranged ? status == 206 : status >= 200 && status < 300;
}

static Error *judge(const Link *l, const LinkCall *q, const HttpResponse *r)
{
    if (!is_good(q, r->status) && (r->status < 200 || r->status >= 300))
        return said(l, r);
    if (!is_good(q, r->status))
        FAIL(ERR_REFUSED, "peer %s: it was asked for a part, and its answer has status %d", l->name,
             r->status);
    if (q->ranged && r->bytes != q->to - q->from)
        FAIL(ERR_NETWORK, "peer %s: it was asked for %llu bytes and sent %llu", l->name,
             (unsigned long long)(q->to - q->from), (unsigned long long)r->bytes);
    return NULL;
}

/* -- one attempt ------------------------------------------------------------------------------- */

typedef struct Proof {
    char body[SIGN_HEX], time[24], nonce[SIGN_NONCE_HEX], signature[SIGN_HEX];
} Proof;

static void push(HttpHeader *headers, size_t *count, const char *name, const char *value)
{
    headers[(*count)++] = (HttpHeader){name, value};
}

/* Each attempt has a time and a nonce of its own. */
static void prove(const Link *l, const LinkCall *q, const char *method, Proof *p,
                  HttpHeader *headers, size_t *count)
{
    if (!l->key && !*l->registration)
        return;
    push(headers, count, SIGN_NODE_HEADER, l->node);
    if (!l->key) {
        push(headers, count, SIGN_REGISTRATION_HEADER, l->registration);
        return;
    }
    sign_body(q->body, q->body_bytes, p->body);
    sign_nonce(p->nonce);
    snprintf(p->time, sizeof p->time, "%lld", (long long)clock_now());
    sign_make(l->key,
              &(SignParts){.method = method,
                           .target = q->target,
                           .body = p->body,
                           .time = p->time,
                           .nonce = p->nonce,
                           .node = l->node},
              p->signature);
    push(headers, count, SIGN_TIME_HEADER, p->time);
    push(headers, count, SIGN_NONCE_HEADER, p->nonce);
    push(headers, count, SIGN_BODY_HEADER, p->body);
    push(headers, count, SIGN_SIGNATURE_HEADER, p->signature);
}

/* What the attempts of one call share. */
typedef struct Attempt {
    Link *link;
    const LinkCall *q;
    const char *method;
    bool sent; /* something of the last one was */
    bool came; /* something went to the caller's `write` */
    int status;
} Attempt;

static Error *on_write(void *ctx, const void *p, size_t n)
{
    Attempt *a = ctx;
    a->came = true;
    return a->q->write(a->q->write_ctx, p, n);
}

static Error *attempt(Attempt *a, const Cancel *c, HttpResponse *out)
{
    Link *l = a->link;
    const LinkCall *q = a->q;
    Proof proof;
    char range[64];
    size_t count = 0;
    AUTO(char) url = mem_printf("%s%s", l->base, q->target);
    HttpHeader *headers = mem_calloc(q->header_count + OWN_HEADERS, sizeof *headers);
    for (size_t i = 0; i < q->header_count; i++)
        headers[count++] = q->headers[i];
    prove(l, q, a->method, &proof, headers, &count);
    if (q->body_bytes)
        push(headers, &count, "Content-Type", q->type ? q->type : "application/json");
    if (q->ranged) {
        snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)q->from,
                 (unsigned long long)q->to - 1);
        push(headers, &count, "Range", range);
    }
    HttpRequest r = {.method = a->method,
                     .url = url,
                     .headers = headers,
                     .header_count = count,
                     .body = q->body,
                     .body_bytes = q->body_bytes,
                     .max_bytes = q->ranged      ? q->to - q->from
                                  : q->max_bytes ? q->max_bytes
                                  : q->write     ? 0
                                                 : LINK_DOC_MAX,
                     .limits = l->limits,
                     .ca_file = l->ca_file};
    if (q->whole_ms || !q->write)
        r.limits.whole = q->whole_ms ? q->whole_ms : DOC_MS;
    if (q->write) {
        r.write = on_write;
        r.write_ctx = a;
        r.write_status = q->ranged ? 206 : 200;
    } else if (r.max_bytes < HTTP_KEPT_MAX) {
        r.max_bytes = HTTP_KEPT_MAX; /* an error's text may be longer than a small part */
    }
    HttpLine *line = take_line(l);
    uint64_t sent = http_line_sent(line), received = http_line_received(line);
    Error *e = http_request_on(line, &r, c, out);
    sent = http_line_sent(line) - sent;
    give_line(l, line, !e, sent, http_line_received(line) - received);
    free(headers);
    a->sent = sent > 0;
    a->status = e ? 0 : out->status;
    return e ? error_context(e, "peer %s", l->name) : judge(l, q, out);
}

/* -- again ------------------------------------------------------------------------------------- */

/* Whether another attempt may go better. */
static bool may_pass(const Attempt *a, const Error *e)
{
    ErrorKind kind = error_kind(e);
    if (!a->status)
        return kind == ERR_NETWORK || kind == ERR_TIMEOUT;
    bool later = a->status == 429 || (a->status >= 502 && a->status <= 504);
    return (later && error_kind_info(kind)->retryable) || (a->q->ranged && kind == ERR_NETWORK);
}

static bool may_repeat(const Attempt *a)
{
    bool harmless = a->q->repeatable || !strcmp(a->method, "GET") || !strcmp(a->method, "DELETE");
    /* One that was turned away did nothing. */
    return (harmless || !a->sent || a->status == 429) && (!a->came || a->q->again);
}

static Error *wait(int64_t ms, const Cancel *c)
{
    uint32_t chance;
    bool ready;
    random_bytes(&chance, sizeof chance); /* so that many do not come back at once */
    return cancel_poll(c, -1, 0, ms / 2 + (int64_t)(chance % (uint32_t)(ms / 2 + 1)), &ready);
}

static int64_t time_for(const Link *l, const LinkCall *q)
{
    int64_t ms = q->retry_ms ? q->retry_ms : l->retry_ms;
    return ms > 0 ? ms : 0;
}

Error *link_call(Link *l, const LinkCall *q, const Cancel *c, HttpResponse *out)
{
    Attempt a = {.link = l, .q = q, .method = q->method ? q->method : "GET"};
    int64_t end = clock_mono_ms() + time_for(l, q), pause = FIRST_WAIT_MS;
    if (*q->target != '/' || (q->ranged && q->from >= q->to))
        FAIL(ERR_INTERNAL, "no peer is asked so");
    *out = (HttpResponse){0};
    for (;;) {
        AUTO_VALUE(HttpResponse) answer = {0};
        Error *e = attempt(&a, c, &answer);
        if (!e) {
            *out = answer;
            answer = (HttpResponse){0};
            return NULL;
        }
        if (!may_pass(&a, e) || !may_repeat(&a) || clock_mono_ms() + pause > end)
            return e;
        log_debug("%s; again in %lld ms", error_message(e), (long long)pause);
        Error *stopped = wait(pause, c);
        if (stopped)
            return error_cause(stopped, e);
        error_drop(e);
        if (a.came && q->again)
            q->again(q->write_ctx);
        a.came = false;
        pause = pause * 2 < LAST_WAIT_MS ? pause * 2 : LAST_WAIT_MS;
    }
}

Error *link_ask(Link *l, const char *method, const char *target, const Doc *body, bool repeatable,
                const Cancel *c, Doc **answer)
{
    AUTO_VALUE(HttpResponse) r = {0};
    AUTO(Doc) d = NULL;
    AUTO(char) text = body ? doc_print(body, false) : NULL;
    TRY(link_call(l,
                  &(LinkCall){.method = method,
                              .target = target,
                              .body = text,
                              .body_bytes = text ? strlen(text) : 0,
                              .repeatable = repeatable},
                  c, &r));
    Error *e = doc_parse((const char *)r.body.data, r.body.len, "its answer", &d);
    if (e)
        return error_context(error_rekind(e, ERR_REFUSED), "peer %s", l->name);
    if (doc_type(d) != DOC_OBJECT)
        FAIL(ERR_REFUSED, "peer %s: its answer is no JSON object", l->name);
    *answer = STEAL(d);
    return NULL;
}
