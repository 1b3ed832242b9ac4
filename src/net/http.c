#include "net/http.h"
#include "net/net_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* The other side has no use for a connection on which nothing comes: a peer waits 20 s for the end
 * of the next request on it. */
#define KEPT_SECONDS 5
#define SKIPPED_MAX (1u << 20) /* of the body of a redirect that is followed */

void http_response_clear(HttpResponse *r)
{
    buf_free(&r->body);
    buf_free(&r->headers);
}

const char *http_header(const HttpResponse *r, const char *name)
{
    const char *at = (const char *)r->headers.data, *end = at + r->headers.len;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (!strcasecmp(at, name))
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

struct HttpLine {
    NetLine *net;
    uint64_t sent, received;
};

HttpLine *http_line_new(void)
{
    return mem_new(HttpLine);
}

void http_line_free(HttpLine *l)
{
    if (!l)
        return;
    net_line_free(l->net);
    free(l);
}

uint64_t http_line_sent(const HttpLine *l)
{
    return l->sent;
}

uint64_t http_line_received(const HttpLine *l)
{
    return l->received;
}

/* One exchange with one host. */
typedef struct Exchange {
    const HttpRequest *q;
    HttpResponse *out;
    CURL *handle;
    const char *who;
    uint64_t sent, skipped;
    size_t header_bytes;
    bool follow;  /* a redirect would be followed */
    bool headed;  /* all headers of the last answer are there */
    bool begun;   /* the request was sent, or something of it */
    Error *error; /* of a callback */
} Exchange;

static void exchange_clear(Exchange *x)
{
    error_drop(x->error);
}
DEFINE_AUTO_VALUE(Exchange, exchange_clear)

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* -- callbacks: 0 or a wrong number ends the transfer ------------------------------------------ */

static Error *keep_header(Exchange *x, const char *line, size_t n)
{
    while (n && (line[n - 1] == '\r' || line[n - 1] == '\n'))
        n--;
    x->headed = n == 0;
    if (n > 5 && !strncmp(line, "HTTP/", 5)) { /* the last answer's count */
        x->out->headers.len = 0;
        return NULL;
    }
    const char *colon = memchr(line, ':', n);
    if (!colon || memchr(line, '\0', n))
        return NULL;
    const char *value = colon + 1, *end = line + n;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    buf_add(&x->out->headers, line, (size_t)(colon - line));
    buf_u8(&x->out->headers, 0);
    buf_add(&x->out->headers, value, (size_t)(end - value));
    buf_u8(&x->out->headers, 0);
    return NULL;
}

static size_t on_header(char *p, size_t size, size_t count, void *ctx)
{
    Exchange *x = ctx;
    size_t n = size * count;
    x->header_bytes += n;
    if (x->header_bytes > HTTP_ANSWER_HEADERS_MAX)
        x->error = ERROR_NEW(ERR_LIMIT, "%s: the headers of its answer are larger than %u bytes",
                             x->who, HTTP_ANSWER_HEADERS_MAX);
    else
        x->error = keep_header(x, p, n);
    return x->error ? CURL_WRITEFUNC_ERROR : n;
}

static Error *take_body(Exchange *x, const void *p, size_t n)
{
    long status = 0;
    curl_easy_getinfo(x->handle, CURLINFO_RESPONSE_CODE, &status);
    if (x->follow && is_redirect(status)) {
        x->skipped += n;
        if (x->skipped > SKIPPED_MAX)
            FAIL(ERR_LIMIT, "%s: a redirect with a body of more than %u bytes", x->who,
                 SKIPPED_MAX);
        return NULL;
    }
    bool given = x->q->write && (!x->q->write_status || x->q->write_status == status);
    uint64_t max = given == (x->q->write != NULL) && x->q->max_bytes ? x->q->max_bytes
                   : given                                           ? UINT64_MAX
                                                                     : HTTP_KEPT_MAX;
    if (n > max - x->out->bytes)
        FAIL(ERR_LIMIT, "%s: its answer is larger than %llu bytes", x->who,
             (unsigned long long)max);
    x->out->bytes += n;
    if (given)
        return x->q->write(x->q->write_ctx, p, n);
    TRY(buf_reserve(&x->out->body, n, (size_t)max));
    buf_add(&x->out->body, p, n);
    return NULL;
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
    Exchange *x = ctx;
    x->error = take_body(x, p, size * count);
    return x->error ? CURL_WRITEFUNC_ERROR : size * count;
}

static Error *give_body(Exchange *x, void *p, size_t room, size_t *n)
{
    *n = 0;
    TRY(x->q->read(x->q->read_ctx, p, room, n));
    x->sent += *n;
    if (*n > room || (!*n && x->q->read_bytes >= 0 && x->sent < (uint64_t)x->q->read_bytes))
        FAIL(ERR_IO, "%s: what was to be sent is not as long as it was said", x->who);
    return NULL;
}

static size_t on_read(char *p, size_t size, size_t count, void *ctx)
{
    Exchange *x = ctx;
    size_t n;
    x->error = give_body(x, p, size * count, &n);
    return x->error ? CURL_READFUNC_ABORT : n;
}

/* -- what is asked ---------------------------------------------------------------------------- */

static bool has_body(const HttpRequest *q)
{
    return q->read || q->body_bytes;
}

static bool is_safe(const char *method)
{
    return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

static bool is_token(const char *s)
{
    for (const char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p))
            return false;
    return *s != '\0';
}

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            return true;
    return false;
}

static Error *check(const HttpRequest *q, const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    bool known = false;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        known = known || !strcmp(method, methods[i]);
    if (!known || (is_safe(method) && has_body(q)) || (q->read && q->body_bytes))
        FAIL(ERR_INTERNAL, "no request is made so: %s", method);
    for (size_t i = 0; i < q->header_count; i++)
        if (!is_token(q->headers[i].name) || has_control(q->headers[i].value))
            FAIL(ERR_CONFIG, "header %zu has characters that no header may have", i + 1);
    return NULL;
}

/* An address that may be asked; *secure: by https. */
static Error *check_url(const char *url, bool *secure)
{
    AUTO(CURLU) parsed = curl_url();
    if (!parsed)
        FAIL(ERR_MEMORY, "no memory for a request");
    AUTO(char) who = net_origin(url);
    if (has_control(url) || strchr(url, ' ') ||
        curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return error_hint(ERROR_NEW(ERR_CONFIG, "%s is not understood", who),
                          "write it as https://host/path");
    AUTO(char) scheme = net_part(parsed, CURLUPART_SCHEME);
    AUTO(char) user = net_part(parsed, CURLUPART_USER);
    AUTO(char) password = net_part(parsed, CURLUPART_PASSWORD);
    if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return error_hint(ERROR_NEW(ERR_CONFIG, "%s: only http and https can be asked", who),
                          "write it as https://host/path");
    if (user || password)
        return error_hint(ERROR_NEW(ERR_CONFIG, "%s: a login may not stand in an address", who),
                          "put it into a header: addresses end up in logs");
    *secure = !strcmp(scheme, "https");
    return NULL;
}

static bool has_header(const HttpRequest *q, const char *name)
{
    for (size_t i = 0; i < q->header_count; i++)
        if (!strcasecmp(q->headers[i].name, name))
            return true;
    return false;
}

static Error *set_headers(const HttpRequest *q, bool own, CurlList **list)
{
    for (size_t i = 0; own && i < q->header_count; i++) {
        const HttpHeader *h = &q->headers[i];
        /* One without a value is written with a semicolon, otherwise libcurl leaves it away. */
        AUTO(char)
        line = *h->value ? mem_printf("%s: %s", h->name, h->value) : mem_printf("%s;", h->name);
        TRY(net_list_add(list, line));
    }
    /* libcurl would wait for a leave to send, and call any body a form. */
    TRY(net_list_add(list, "Expect:"));
    return has_header(q, "Content-Type") ? NULL : net_list_add(list, "Content-Type:");
}

static Error *set_body(Exchange *x, const char *method)
{
    const HttpRequest *q = x->q;
    CURL *h = x->handle;
    if (!strcmp(method, "HEAD")) {
        NET_SET(h, CURLOPT_NOBODY, 1L);
        return NULL;
    }
    if (q->read) {
        NET_SET(h, CURLOPT_UPLOAD, 1L);
        NET_SET(h, CURLOPT_READFUNCTION, on_read);
        NET_SET(h, CURLOPT_READDATA, x);
        NET_SET(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->read_bytes);
    } else if (!is_safe(method)) {
        NET_SET(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_bytes);
        NET_SET(h, CURLOPT_POSTFIELDS, q->body_bytes ? (const char *)q->body : "");
    }
    NET_SET(h, CURLOPT_CUSTOMREQUEST, method);
    return NULL;
}

/* Where a kept connection turns out to be dead, libcurl sends the request on another one, though the
 * first may have arrived: whether it may come twice is the caller's to know. */
static int on_request(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    Exchange *x = ctx;
    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (x->begun)
        x->error = ERROR_NEW(ERR_NETWORK, "%s: the connection broke off before an answer", x->who);
    x->begun = true;
    return x->error ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* libcurl's own sums count the first part of a body twice. */
static int on_wire(CURL *h, curl_infotype type, char *p, size_t n, void *ctx)
{
    HttpLine *l = ctx;
    (void)h;
    (void)p;
    if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT)
        l->sent += n;
    else if (type == CURLINFO_HEADER_IN || type == CURLINFO_DATA_IN)
        l->received += n;
    return 0;
}

/* One request and its answer. `own`: with the caller's headers. *next is where a redirect that is
 * to be followed leads, otherwise NULL. */
static Error *exchange(HttpLine *l, const HttpRequest *q, const char *url, bool own, bool follow,
                       const Cancel *c, HttpResponse *out, char **next)
{
    const char *method = q->method ? q->method : "GET";
    AUTO(char) who = net_origin(url);
    AUTO(CURL) h = NULL;
    AUTO(CurlList) headers = NULL;
    TRY(net_handle(&q->limits, q->ca_file, &h));
    AUTO_VALUE(Exchange) x = {.q = q, .out = out, .handle = h, .who = who, .follow = follow};
    TRY(set_headers(q, own, &headers));
    NET_SET(h, CURLOPT_URL, url);
    NET_SET(h, CURLOPT_PROTOCOLS_STR, "http,https");
    NET_SET(h, CURLOPT_FOLLOWLOCATION, 0L);
    NET_SET(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    NET_SET(h, CURLOPT_HTTPHEADER, headers);
    NET_SET(h, CURLOPT_USERAGENT, "pgstow/" PGSTOW_VERSION);
    NET_SET(h, CURLOPT_HEADERFUNCTION, on_header);
    NET_SET(h, CURLOPT_HEADERDATA, &x);
    NET_SET(h, CURLOPT_WRITEFUNCTION, on_body);
    NET_SET(h, CURLOPT_WRITEDATA, &x);
    NET_SET(h, CURLOPT_PREREQFUNCTION, on_request);
    NET_SET(h, CURLOPT_PREREQDATA, &x);
    TRY(set_body(&x, method));
    NET_SET(h, CURLOPT_MAXAGE_CONN, (long)KEPT_SECONDS);
    if (!l->net)
        TRY(net_line_new(&l->net));
    NET_SET(h, CURLOPT_DEBUGFUNCTION, on_wire);
    NET_SET(h, CURLOPT_DEBUGDATA, l);
    NET_SET(h, CURLOPT_VERBOSE, 1L);
    TRY(net_run(l->net, h, who, c, &x.error));
    if (!x.headed) /* libcurl takes it for the end of an empty body */
        FAIL(ERR_NETWORK, "%s: its answer broke off among the headers", who);
    long status = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    const char *location = NULL;
    if (follow && is_redirect(status)) {
        curl_easy_getinfo(h, CURLINFO_REDIRECT_URL, &location);
        *next = mem_strdup(location);
    }
    return NULL;
}

Error *http_request(const HttpRequest *q, const Cancel *c, HttpResponse *out)
{
    AUTO(HttpLine) l = http_line_new();
    return http_request_on(l, q, c, out);
}

Error *http_request_on(HttpLine *l, const HttpRequest *q, const Cancel *c, HttpResponse *out)
{
    const char *method = q->method ? q->method : "GET";
    bool secure, own = true;
    int left = q->redirects;
    *out = (HttpResponse){0};
    TRY(check(q, method));
    TRY(check_url(q->url, &secure));
    AUTO(char) url = mem_strdup(q->url);
    for (;;) {
        AUTO(char) next = NULL;
        AUTO_VALUE(HttpResponse) answer = {0};
        TRY(exchange(l, q, url, own, q->redirects > 0 && is_safe(method), c, &answer, &next));
        if (!next) {
            *out = answer;
            answer = (HttpResponse){0};
            return NULL;
        }
        AUTO(char) from = net_origin(url);
        AUTO(char) to = net_origin(next);
        bool was_secure = secure;
        if (!left--)
            FAIL(ERR_LIMIT, "%s: more than %d redirects", from, q->redirects);
        TRY_CTX(error_rekind(check_url(next, &secure), ERR_REFUSED),
                "%s redirects to an address "
                "that is not followed",
                from);
        if (was_secure && !secure)
            FAIL(ERR_REFUSED, "%s redirects to %s, which is not encrypted", from, to);
        own = own && !strcmp(from, to);
        free(url);
        url = STEAL(next);
    }
}
