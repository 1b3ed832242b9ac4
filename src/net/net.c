#include "net/net.h"
#include "net/net_internal.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

/* How long a wait may last before looking at the deadline of a Cancel, which wakes nobody. */
#define LOOK_MS 200

static pthread_once_t started = PTHREAD_ONCE_INIT;
static CURLcode start_code;

static void start(void)
{
    start_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

char *net_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return NULL;
    char *copy = mem_strdup(text);
    curl_free(text);
    return copy;
}

char *net_origin(const char *url)
{
    AUTO(CURLU) parsed = curl_url();
    if (!parsed || curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return mem_strdup("an address");
    AUTO(char) scheme = net_part(parsed, CURLUPART_SCHEME);
    AUTO(char) host = net_part(parsed, CURLUPART_HOST);
    AUTO(char) port = net_part(parsed, CURLUPART_PORT);
    AUTO(char)
    text = mem_printf("%s://%s%s%s", or_empty(scheme), or_empty(host), port ? ":" : "",
                      or_empty(port));
    return text_printable(text);
}

Error *net_list_add(CurlList **list, const char *line)
{
    CurlList *longer = curl_slist_append(*list, line);
    if (!longer)
        FAIL(ERR_MEMORY, "no memory for a request");
    *list = longer;
    return NULL;
}

/* -- a handle --------------------------------------------------------------------------------- */

static int64_t limit_of(int64_t given, int64_t standard)
{
    return given > 0 ? given : standard;
}

Error *net_handle(const NetLimits *limits, const char *ca_file, CURL **out)
{
    pthread_once(&started, start);
    if (start_code != CURLE_OK)
        FAIL(ERR_INTERNAL, "libcurl does not start: %s", curl_easy_strerror(start_code));
    AUTO(CURL) h = curl_easy_init();
    if (!h)
        FAIL(ERR_MEMORY, "no memory for a request");
    long stall = (long)((limit_of(limits->stall, 60000) + 999) / 1000);
    NET_SET(h, CURLOPT_NOSIGNAL, 1L);
    /* A host name that nobody answers for must not keep us after a cancellation. */
    NET_SET(h, CURLOPT_QUICK_EXIT, 1L);
    NET_SET(h, CURLOPT_NOPROGRESS, 1L);
    NET_SET(h, CURLOPT_TCP_KEEPALIVE, 1L);
    NET_SET(h, CURLOPT_CONNECTTIMEOUT_MS, (long)limit_of(limits->connect, 30000));
    NET_SET(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    NET_SET(h, CURLOPT_LOW_SPEED_TIME, stall);
    NET_SET(h, CURLOPT_SERVER_RESPONSE_TIMEOUT, stall);
    if (limits->whole > 0)
        NET_SET(h, CURLOPT_TIMEOUT_MS, (long)limits->whole);
    if (limits->proxy)
        NET_SET(h, CURLOPT_PROXY, limits->proxy);
    NET_SET(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    NET_SET(h, CURLOPT_SSL_VERIFYPEER, 1L);
    NET_SET(h, CURLOPT_SSL_VERIFYHOST, 2L);
    if (ca_file) /* instead of the system's file; its folder stays */
        NET_SET(h, CURLOPT_CAINFO, ca_file);
    *out = STEAL(h);
    return NULL;
}

/* -- what went wrong -------------------------------------------------------------------------- */

static ErrorKind kind_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return ERR_MEMORY;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return ERR_CONFIG;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_LOGIN_DENIED:
    case CURLE_USE_SSL_FAILED:
    case CURLE_REMOTE_ACCESS_DENIED:
        return ERR_REFUSED;
    default:
        return ERR_NETWORK;
    }
}

/* What libcurl says of these is of hosts, ports and certificates; of others it might quote what
 * was sent. */
static bool may_be_quoted(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return true;
    default:
        return false;
    }
}

static Error *hinted(Error *e, CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return error_hint(e, "is it the right host, and is this machine's clock right? The "
                             "certificate of an authority of your own can be named");
    case CURLE_SSL_CACERT_BADFILE:
        return error_hint(e, "the file with certificates of authorities is missing or is none");
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_hint(e, "is the name right, and does this machine resolve names?");
    default:
        return e;
    }
}

static Error *failure(CURLcode code, const char *who, const char *words)
{
    /* The address was fine: libcurl says this of answers that begin like none of HTTP. */
    const char *first = code == CURLE_UNSUPPORTED_PROTOCOL ? "its answer is not understood"
                                                           : curl_easy_strerror(code);
    bool more = *words && may_be_quoted(code);
    AUTO(char) shown = text_printable(more ? words : "");
    Error *e = ERROR_NEW(kind_of(code), "%s: %s%s%s%s", who, first, more ? " (" : "", shown,
                         more ? ")" : "");
    return hinted(e, code);
}

/* -- running ---------------------------------------------------------------------------------- */

/* OpenSSL writes to sockets without saying that it wants no SIGPIPE. Held back from this thread
 * meanwhile, and one that came is taken away. */
typedef struct PipeGuard {
    sigset_t before;
    bool pending;
} PipeGuard;

static void pipe_guard(PipeGuard *g)
{
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    g->pending = !sigpending(&pending) && sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &g->before);
}

static void pipe_unguard(const PipeGuard *g)
{
    sigset_t pipe;
    struct timespec none = {0};
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    while (!g->pending && sigtimedwait(&pipe, NULL, &none) == SIGPIPE)
        ;
    pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}

/* The sockets of a line, so that none outlives it: libcurl would say goodbye to a mail server and
 * wait for the answer, whether we were told to stop or not. */
#define SOCKETS_MAX 16
typedef struct Sockets {
    curl_socket_t open[SOCKETS_MAX]; /* -1: free */
} Sockets;

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    Sockets *s = ctx;
    (void)purpose;
    for (int i = 0; i < SOCKETS_MAX; i++)
        if (s->open[i] < 0)
            return s->open[i] = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    return CURL_SOCKET_BAD;
}

static int close_socket(void *ctx, curl_socket_t fd)
{
    Sockets *s = ctx;
    for (int i = 0; i < SOCKETS_MAX; i++)
        if (s->open[i] == fd)
            s->open[i] = -1;
    return close(fd);
}

static void shut(const Sockets *s, int how)
{
    for (int i = 0; i < SOCKETS_MAX; i++)
        if (s->open[i] >= 0)
            shutdown(s->open[i], how);
}

/* *code is CURLE_OK where the transfer went through. */
static Error *drive(CURLM *multi, const Cancel *c, const char *who, CURLcode *code)
{
    struct curl_waitfd wake = {.fd = cancel_fd(c), .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0, left;
        TRY_CTX(cancel_check(c), "%s", who);
        CURLMcode m = curl_multi_perform(multi, &running);
        for (CURLMsg *msg; (msg = curl_multi_info_read(multi, &left));)
            if (msg->msg == CURLMSG_DONE) {
                *code = msg->data.result;
                return NULL;
            }
        if (m == CURLM_OK)
            m = curl_multi_poll(multi, &wake, wake.fd >= 0 ? 1 : 0, LOOK_MS, NULL);
        if (m != CURLM_OK)
            FAIL(m == CURLM_OUT_OF_MEMORY ? ERR_MEMORY : ERR_INTERNAL, "%s: %s", who,
                 curl_multi_strerror(m));
    }
}

struct NetLine {
    CURLM *multi;
    Sockets sockets; /* what its connections close themselves with */
};

Error *net_line_new(NetLine **out)
{
    AUTO(NetLine) l = mem_new(NetLine);
    for (int i = 0; i < SOCKETS_MAX; i++)
        l->sockets.open[i] = -1;
    l->multi = curl_multi_init();
    if (!l->multi)
        FAIL(ERR_MEMORY, "no memory for a request");
    *out = STEAL(l);
    return NULL;
}

void net_line_free(NetLine *l)
{
    PipeGuard guard;
    if (!l)
        return;
    pipe_guard(&guard); /* a goodbye may still be sent, but nobody waits for what comes back */
    shut(&l->sockets, SHUT_RD);
    curl_multi_cleanup(l->multi);
    pipe_unguard(&guard);
    free(l);
}

Error *net_run(NetLine *l, CURL *handle, const char *who, const Cancel *c, Error **callback)
{
    char words[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OK;
    PipeGuard guard;
    NET_SET(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    NET_SET(handle, CURLOPT_OPENSOCKETDATA, &l->sockets);
    NET_SET(handle, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    NET_SET(handle, CURLOPT_CLOSESOCKETDATA, &l->sockets);
    NET_SET(handle, CURLOPT_ERRORBUFFER, words);
    pipe_guard(&guard);
    Error *e = NULL;
    if (curl_multi_add_handle(l->multi, handle) != CURLM_OK)
        e = ERROR_NEW(ERR_MEMORY, "no memory for a request");
    else
        e = drive(l->multi, c, who, &code);
    if (e || code != CURLE_OK)
        shut(&l->sockets, SHUT_RDWR);
    curl_multi_remove_handle(l->multi, handle);
    pipe_unguard(&guard);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
    if (*callback)
        return error_first(STEAL(*callback), e);
    return e || code == CURLE_OK ? e : failure(code, who, words);
}
