/* The listener: libmicrohttpd's one home. It takes requests apart, within limits, and has a handler
 * answer them; which paths there are and who may use them is decided above (serve/api.h).
 *
 * A thread for each connection. Limited are connections (in all and of one address), the length of
 * a request's line, headers and body, and the time in which it must be here, and in which the reply
 * is taken: who is slower, or says nothing, is cut off. Thread-safe.
 */
#ifndef PGSTOW_SERVE_HTTP_H
#define PGSTOW_SERVE_HTTP_H

#include "base/doc.h"
#include "serve/http_stream.h"

#define HTTP_JSON "application/json"
#define HTTP_CONNECTIONS 512
#define HTTP_CONNECTIONS_OF_ONE 256
#define HTTP_TARGET_MAX 4096 /* bytes: path and query, as they come */
#define HTTP_HEADERS_MAX 16384
#define HTTP_BODY_MAX 65536
#define HTTP_LARGE_BODIES 16  /* of those that may be larger, so many at once; else 429 */
#define HTTP_REQUEST_MS 20000 /* from the connection, or the last reply, to the request's end */
#define HTTP_REPLY_MS 60000   /* from the reply to its end */
#define HTTP_STALL_MS 60000   /* of one that streams: without a byte of it being taken */

/* A request that is here as a whole. All borrowed for the call. */
typedef struct HttpCall {
    const char *method; /* "GET" for HEAD as well: */
    bool head;          /* what would be the body is not sent */
    /* Of the path, each with its %XX decoded: UTF-8 without control characters, and never "", "."
     * or ".."; a "/" in one was written as %2F and is no separator. */
    StrList segments;
    StrList names, values; /* of the query; a name may come more than once */
    const char *target;    /* path and query, as they came */
    const char *remote;    /* the client's address */
    const void *who;       /* what HttpAdmit has made of its head; or NULL */
    const uint8_t *body;
    size_t length;
    void *connection;
} HttpCall;
/* NULL where there is none; the first of several. */
const char *http_call_query(const HttpCall *c, const char *name);
const char *http_call_header(const HttpCall *c, const char *name);
/* The client's connection, for http_wait; valid until the reply is over. */
int http_call_socket(const HttpCall *c);
/* Whether a list of entity tags (If-None-Match) has this one, or is "*"; NULL has none. */
bool http_tag_listed(const char *list, const char *tag);

typedef struct HttpReply {
    unsigned status;
    Doc *body;  /* or NULL */
    char *text; /* instead of it, of this type; owned */
    const char *type;
    StrList names, values; /* headers besides Content-Length, and Content-Type but of a stream */
    bool tagged;           /* with an ETag; 304 where the client has that */
    bool streams;          /* the body is this instead: */
    HttpStream stream;
} HttpReply;
void http_reply_clear(HttpReply *r);
DEFINE_AUTO_VALUE(HttpReply, http_reply_clear)
void http_reply_header(HttpReply *r, const char *name, const char *value);
/* Takes the stream over; a Content-Type is to be among the headers. */
void http_reply_stream(HttpReply *r, unsigned status, const HttpStream *stream);
/* These make it that error: {"error": {kind, message, hint}}; a hint may be NULL. */
void http_refuse(HttpReply *r, unsigned status, const char *kind, const char *message,
                 const char *hint);
void http_reply_error(HttpReply *r, const Error *e);

/* Fills the reply in; `reply` is zeros. On the connection's thread. */
typedef void (*HttpHandler)(void *ctx, const HttpCall *call, HttpReply *reply);

/* By a request's head, before anything of a body is taken. */
typedef struct HttpAdmission {
    size_t body_max;            /* bytes; HTTP_BODY_MAX where it is not set to more */
    void *who;                  /* for the handler, as HttpCall.who; or NULL */
    void (*release)(void *who); /* when the request is over */
} HttpAdmission;
/* False where it is refused: then the reply is filled in, and `who` not set. The call has no body
 * yet. */
typedef bool (*HttpAdmit)(void *ctx, const HttpCall *call, HttpAdmission *out, HttpReply *reply);

typedef struct HttpOptions {
    const char *address;           /* "127.0.0.1", "::" */
    unsigned port;                 /* 0: any that is free */
    const char *certificate, *key; /* files, PEM; both, or none for plain HTTP */
    HttpAdmit admit;               /* or NULL: all are */
    HttpHandler handler;
    void *ctx;
} HttpOptions;

typedef struct Http Http;
/* ERR_CONFIG for the address, ERR_BUSY where it is taken, ERR_IO. Options are copied. */
Error *http_start(const HttpOptions *options, Http **out) MUST_CHECK;
unsigned http_port(const Http *h);
/* Cuts off who has been too slow. About once a second. */
void http_tick(Http *h);
/* Ends all connections; handlers that run come to their end first. */
void http_stop(Http *h);
DEFINE_AUTO(Http, http_stop)

/* Whether only this host can reach it. */
bool http_is_local(const char *address);

#endif
