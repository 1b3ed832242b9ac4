/* One HTTP request, answered whole. http and https alone; connections are kept between two of them
 * only where they are made on one HttpLine.
 *
 * Any status is an answer and no error: whether 404 or 500 will do is the caller's to say.
 */
#ifndef PGSTOW_NET_HTTP_H
#define PGSTOW_NET_HTTP_H

#include "base/buf.h"
#include "flow/cancel.h"
#include "net/net.h"

#define HTTP_KEPT_MAX (1u << 20) /* of a response that is kept, unless the request says more */
#define HTTP_ANSWER_HEADERS_MAX (64u << 10) /* of a response: ERR_LIMIT */

typedef struct HttpHeader {
    const char *name, *value;
} HttpHeader;

typedef struct HttpRequest {
    const char *method; /* GET HEAD POST PUT PATCH DELETE; NULL: GET */
    const char *url;    /* without a login (ERR_CONFIG): that belongs in a header */
    const HttpHeader *headers;
    size_t header_count;
    /* What is sent, not by GET or HEAD: from memory, or by a callback that gives up to `room` bytes
     * at a time, 0 at the end. read_bytes: how many they will be in all, -1 where that is not known
     * (then it is sent in chunks); fewer are ERR_IO, more are not asked for. */
    const void *body;
    size_t body_bytes;
    Error *(*read)(void *ctx, void *p, size_t room, size_t *n);
    void *read_ctx;
    int64_t read_bytes;
    /* What comes back: given to a callback as it comes, or kept in the response. ERR_LIMIT beyond
     * max_bytes (0: HTTP_KEPT_MAX where it is kept, no limit otherwise). */
    Error *(*write)(void *ctx, const void *p, size_t n);
    void *write_ctx;
    int write_status; /* not 0: any other status has its body kept instead, up to HTTP_KEPT_MAX */
    uint64_t max_bytes;
    /* How many redirects are followed: by GET and HEAD alone, never from https to http, and to
     * another origin without the headers above. Else a 3xx is the answer. */
    int redirects;
    NetLimits limits;
    const char *ca_file; /* certificates of authorities beside the system's; NULL: none */
} HttpRequest;

typedef struct HttpResponse {
    int status;
    Buf body;       /* where the request has no `write` */
    Buf headers;    /* names and values in turn, each with its NUL; see http_header */
    uint64_t bytes; /* of the body */
} HttpResponse;
void http_response_clear(HttpResponse *r);
DEFINE_AUTO_VALUE(HttpResponse, http_response_clear)

/* Errors as in net.h, the callbacks' own, and those of c. */
Error *http_request(const HttpRequest *q, const Cancel *c, HttpResponse *out) MUST_CHECK;
/* The same on connections that are kept. By one thread at a time; after an error it is of no use
 * any more. An idle connection is kept for a few seconds. */
typedef struct HttpLine HttpLine;
HttpLine *http_line_new(void);
void http_line_free(HttpLine *l);
DEFINE_AUTO(HttpLine, http_line_free)
Error *http_request_on(HttpLine *l, const HttpRequest *q, const Cancel *c,
                       HttpResponse *out) MUST_CHECK;
/* Bytes of all requests on it so far, whatever came of them: heads and bodies, without TLS. */
uint64_t http_line_sent(const HttpLine *l);
uint64_t http_line_received(const HttpLine *l);

/* The value of the first header of this name (in any case), NULL where there is none. */
const char *http_header(const HttpResponse *r, const char *name);

#endif
