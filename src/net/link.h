/* A peer's API from the client's side. Calls are signed with the key of the two peers, or carry the
 * old registration header; connections are kept from one call to the next; what may be repeated is
 * repeated, waiting longer each time, until it works or a bounded time has passed.
 *
 * An answer other than 2xx is an error: of the kind that the peer says where this program knows it,
 * "peer NAME: message", with the peer's hint. What is no answer is ERR_NETWORK, ERR_TIMEOUT or
 * ERR_REFUSED as in net.h. Nothing of a peer is trusted: all that it sends is bounded, and what it
 * says is made printable.
 *
 * Thread-safe: any number of calls at once, each on a connection of its own.
 */
#ifndef PGSTOW_NET_LINK_H
#define PGSTOW_NET_LINK_H

#include "base/doc.h"
#include "crypto/sign.h"
#include "net/http.h"

#define LINK_RETRY_MS 60000
#define LINK_DOC_MAX (16u << 20) /* bytes of a JSON answer */

/* All copied. */
typedef struct LinkOptions {
    const char *name;           /* the peer's, for messages */
    const char *url;            /* http(s)://host[:port][/where its API begins behind a proxy] */
    const char *node;           /* our own id */
    const Secret *key;          /* what calls are signed with; NULL: the old header */
    const Secret *registration; /* for it; NULL: calls prove nothing */
    const char *ca_file;        /* certificates of authorities beside the system's; or NULL */
    bool insecure;              /* plain http also where it is not this host */
    NetLimits limits;           /* of one attempt */
    int64_t retry_ms;           /* how long calls are repeated; 0: LINK_RETRY_MS; -1: not at all */
} LinkOptions;

typedef struct Link Link;
/* Asks nothing yet. ERR_CONFIG: no address that can be asked, or plain http to another host. */
Error *link_open(const LinkOptions *o, Link **out) MUST_CHECK;
/* No call may be under way. */
void link_close(Link *l);
DEFINE_AUTO(Link, link_close)
const char *link_name(const Link *l);

typedef struct LinkCall {
    const char *method; /* NULL: GET */
    const char *target; /* "/api/sync/peer?name=value": escaped already, see link_escape */
    const HttpHeader *headers;
    size_t header_count;
    const void *body; /* not for GET */
    size_t body_bytes;
    const char *type; /* of the body; NULL: application/json */
    /* Where the body of a 2xx goes as it comes; NULL: into the answer, up to max_bytes (0:
     * LINK_DOC_MAX). Before an attempt that follows one of which something came already, `again` is
     * called to drop that; without an `again` such a call is not repeated. */
    Error *(*write)(void *ctx, const void *p, size_t n);
    void (*again)(void *ctx);
    void *write_ctx;
    uint64_t max_bytes;
    /* Only bytes [from, to): anything but 206 with exactly as many is an error. */
    bool ranged;
    uint64_t from, to;
    /* Doing it twice is as good as once. GET and DELETE are taken for such anyway. Others are
     * repeated only where nothing of them was sent. */
    bool repeatable;
    int64_t retry_ms; /* 0: as the link's */
    int64_t whole_ms; /* of one attempt; 0: 10 min where there is no `write`, else no limit */
} LinkCall;

/* out->body is what came where there is no `write`; out->status is 2xx. */
Error *link_call(Link *l, const LinkCall *q, const Cancel *c, HttpResponse *out) MUST_CHECK;
/* JSON for JSON. body: NULL has none. The answer: an object (else ERR_REFUSED). */
Error *link_ask(Link *l, const char *method, const char *target, const Doc *body, bool repeatable,
                const Cancel *c, Doc **answer) MUST_CHECK;

/* Bytes of all calls so far, also of those that failed: HTTP's, without what TLS adds. */
uint64_t link_sent(const Link *l);
uint64_t link_received(const Link *l);

/* A value for a query, or a segment of a path: all but letters, digits and "-._~" as %XX. Caller
 * frees. */
char *link_escape(const char *s);
/* Whether http to this address stays on this host. */
bool link_is_local(const char *url);

#endif
