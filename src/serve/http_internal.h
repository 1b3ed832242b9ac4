/* What the listener's files share: connections and their time limits, and bodies that are made
 * while they are sent. */
#ifndef PGSTOW_SERVE_HTTP_INTERNAL_H
#define PGSTOW_SERVE_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "serve/http.h"

/* A connection, while it is open. */
typedef struct Client {
    struct Client *next, *previous;
    int fd;
    int64_t deadline; /* by clock_mono_ms; INT64_MAX: it is not the client that is waited for */
    bool streams;     /* it has its time anew with whatever it takes: */
    uint64_t taken;   /* bytes, at the last look */
    struct Request *request; /* the one under way; its connection's thread alone has it */
} Client;

struct Http {
    struct MHD_Daemon *daemon;
    HttpAdmit admit;
    HttpHandler handler;
    void *ctx;
    atomic_uint large; /* bodies under way that may be large */
    Buf certificate, key;
    unsigned port;
    pthread_mutex_t lock; /* of the list */
    Client *clients;
};

/* NULL where it is gone already. */
Client *http_client(struct MHD_Connection *c);
/* So many milliseconds from now, for the request (then it is all or nothing) or for the next part
 * of a body that streams; INT64_MAX: none. */
void http_set_deadline(Http *h, struct MHD_Connection *c, int64_t ms, bool streams);

/* Of a reply that does not stream, with its ETag where it has one; NULL where there is no memory. */
struct MHD_Response *http_make_document(struct MHD_Connection *c, HttpReply *r);

/* A body on its way. */
typedef struct Flow Flow;
/* Takes the stream over. `old`: the client speaks HTTP/1.0, for which the end of the connection is
 * the end of a body whose length was not told. */
Flow *flow_new(Http *h, struct MHD_Connection *c, HttpStream *stream, bool old);
/* NULL where there is no memory. Valid as long as the flow. */
struct MHD_Response *flow_response(Flow *f);
/* The request is over; `sent`: in the order that it should be. NULL is fine. */
void flow_end(Flow *f, bool sent);

#endif
