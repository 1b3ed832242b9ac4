/* A body that is made while it is sent: serve/http.h takes it as a part of a reply. */
#ifndef PGSTOW_SERVE_HTTP_STREAM_H
#define PGSTOW_SERVE_HTTP_STREAM_H

#include <poll.h>

#include "flow/cancel.h"

typedef struct HttpStream {
    /* Up to n bytes into p, at least one; *got 0 is the end. Called on the connection's thread, and
     * may take its time; http_wait helps to notice when there is nobody any more. After an error
     * the connection is broken off, so that the client sees that the body is not whole. NULL: there
     * is only a head to send, for HEAD. */
    Error *(*read)(void *ctx, void *p, size_t n, size_t *got);
    /* Once, when nothing more is read, on any thread. whole: all of it was handed to the client's
     * connection. May be NULL. */
    void (*end)(void *ctx, bool whole);
    void *ctx;
    int64_t length; /* of the body; -1: known only at its end */
} HttpStream;

#define HTTP_WAIT_MAX 4
/* Waits until one of these (at most HTTP_WAIT_MAX) is ready, at most ms (-1: no limit); then
 * revents are set as poll does, all 0 where the time is over. ERR_CANCELLED where the client at
 * `socket`
 * (-1: none) has gone, or has ended its sending side, which is taken for the same; or where `stop`
 * (or NULL) is requested. */
Error *http_wait(int socket, const Cancel *stop, struct pollfd *fds, size_t n,
                 int64_t ms) MUST_CHECK;

#endif
