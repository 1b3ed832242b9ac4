#include "serve/http_stream.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/http_internal.h"

#define BLOCK_BYTES ((size_t)128 << 10) /* handed to the connection at once */

#ifdef POLLRDHUP
#define HUNG_UP POLLRDHUP
#else
#define HUNG_UP 0
#endif

struct Flow {
    Http *http;
    struct MHD_Connection *connection;
    HttpStream stream;
    uint64_t given;
    bool old, whole;
};

Flow *flow_new(Http *h, struct MHD_Connection *c, HttpStream *stream, bool old)
{
    Flow *f = mem_new(Flow);
    f->http = h;
    f->connection = c;
    f->stream = *stream;
    f->old = old;
    *stream = (HttpStream){0};
    return f;
}

/* For a client that would take any end for the right one: the connection is reset. */
static void reset(struct MHD_Connection *c)
{
    const Client *client = http_client(c);
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    if (client && connect(client->fd, &nobody, sizeof nobody) < 0)
        log_debug("a connection could not be reset: %s", strerror(errno));
}

/* The time limit is for the client, and does not run while the body is made. */
static ssize_t produce(void *ctx, uint64_t position, char *p, size_t n)
{
    Flow *f = ctx;
    size_t got = 0;
    (void)position;
    http_set_deadline(f->http, f->connection, INT64_MAX, true);
    AUTO(Error) e = f->stream.read(f->stream.ctx, p, n, &got);
    http_set_deadline(f->http, f->connection, HTTP_STALL_MS, true);
    if (e) {
        if (f->old && f->stream.length < 0)
            reset(f->connection);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    f->given += got;
    f->whole = f->stream.length < 0 ? !got : f->given == (uint64_t)f->stream.length;
    return got ? (ssize_t)got : MHD_CONTENT_READER_END_OF_STREAM;
}

struct MHD_Response *flow_response(Flow *f)
{
    uint64_t length = f->stream.length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)f->stream.length;
    /* Between two parts nothing may happen for as long as it takes; http_tick sees to slow clients.
     */
    MHD_set_connection_option(f->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    return MHD_create_response_from_callback(length, BLOCK_BYTES, produce, f, NULL);
}

void flow_end(Flow *f, bool sent)
{
    if (!f)
        return;
    MHD_set_connection_option(f->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                              (unsigned)(HTTP_REQUEST_MS / 1000));
    if (f->stream.end)
        f->stream.end(f->stream.ctx, sent && f->whole);
    free(f);
}

Error *http_wait(int socket, const Cancel *stop, struct pollfd *fds, size_t n, int64_t ms)
{
    struct pollfd all[HTTP_WAIT_MAX + 2];
    int64_t until = ms < 0 ? INT64_MAX : clock_mono_ms() + ms;
    if (n > HTTP_WAIT_MAX)
        FAIL(ERR_INTERNAL, "%zu descriptors are too many to wait for", n);
    for (;;) {
        int64_t left = ms < 0 ? -1 : until - clock_mono_ms();
        if (n)
            memcpy(all, fds, n * sizeof *fds);
        all[n] = (struct pollfd){.fd = socket, .events = HUNG_UP};
        all[n + 1] = (struct pollfd){.fd = cancel_fd(stop), .events = POLLIN};
        int ready = poll(all, n + 2,
                         left < 0 && ms >= 0 ? 0
                         : left > INT_MAX    ? INT_MAX
                                             : (int)left);
        if (ready < 0 && errno != EINTR)
            return error_errno(ERR_IO, ERR_IO, "cannot wait");
        if (ready < 0)
            continue;
        if (all[n].revents)
            FAIL(ERR_CANCELLED, "the client has gone");
        if (all[n + 1].revents)
            FAIL(ERR_CANCELLED, "the service is stopping");
        if (n)
            memcpy(fds, all, n * sizeof *fds);
        if (ready > 0 || (ms >= 0 && clock_mono_ms() >= until))
            return NULL;
    }
}
