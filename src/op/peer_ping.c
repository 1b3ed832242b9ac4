/* A peer is asked how it is. */
#include "op/peer.h"

#define TIME_MAX 253402300800000 /* the year 10000 */
#define RATE_MS 500
#define RATE_TIMES 6
#define ANSWER_MS 15000 /* it looks for tools, and into its repositories */

void peer_ping_clear(PeerPing *p)
{
    doc_free(p->answer);
    error_free(p->error);
    *p = (PeerPing){0};
}

/* Whether the peer itself has said so, as against the network. */
static bool is_said(ErrorKind kind)
{
    return kind != ERR_NETWORK && kind != ERR_TIMEOUT && kind != ERR_REFUSED && kind != ERR_CONFIG;
}

static Error *parse(const HttpResponse *r, const Peer *p, Doc **out)
{
    TRY_CTX(error_rekind(doc_parse((const char *)r->body.data, r->body.len, "its answer", out),
                         ERR_REFUSED),
            "peer %s", p->config.name);
    Instant there = doc_int(*out, "timeMs", -1);
    if (doc_type(*out) != DOC_OBJECT || doc_int(*out, "protocol", 0) < 1 || there < 0 ||
        there > TIME_MAX)
        FAIL(ERR_REFUSED, "peer %s: what answers there is no pgstow serve that can sync",
             p->config.name);
    return NULL;
}

static Error *ask(const Peer *p, PeerPing *ping)
{
    AUTO_VALUE(HttpResponse) r = {0};
    int64_t began = clock_mono_ms();
    Instant sent = clock_now();
    TRY(link_call(p->link,
                  &(LinkCall){.target = "/api/sync/peer", .retry_ms = -1, .whole_ms = ANSWER_MS},
                  p->cancel, &r));
    ping->answer_ms = clock_mono_ms() - began;
    TRY(parse(&r, p, &ping->answer));
    Instant there = doc_int(ping->answer, "timeMs", 0);
    /* It wrote its time between these two; what lies between is no difference. */
    Instant received = sent + ping->answer_ms;
    ping->clock_ms = there < sent ? there - sent : there > received ? there - received : 0;
    return NULL;
}

Error *op_peer_ping(const Peer *p, PeerPing *out)
{
    AUTO_VALUE(PeerPing) ping = {0};
    bool ready;
    ping.error = ask(p, &ping);
    /* One that has just started wants to be asked a little later (serve/replay.h). */
    for (int i = 0; ping.error && error_kind(ping.error) == ERR_RATE && i < RATE_TIMES; i++) {
        TRY(cancel_poll(p->cancel, -1, 0, RATE_MS, &ready));
        error_drop(STEAL(ping.error));
        ping.error = ask(p, &ping);
    }
    TRY(cancel_check(p->cancel));
    ping.online = !ping.error || is_said(error_kind(ping.error));
    ping.accepted = !ping.error;
    *out = ping;
    ping = (PeerPing){0};
    return NULL;
}

Doc *peer_ping_doc(const ConfigPeer *p, const PeerPing *ping)
{
    Doc *d = doc_object();
    doc_set_str(d, "peer", p->name);
    doc_set_str(d, "url", p->url);
    doc_set_bool(d, "online", ping->online);
    doc_set_bool(d, "accepted", ping->accepted);
    if (ping->answer) {
        doc_set_int(d, "answerMs", ping->answer_ms);
        doc_set_int(d, "clockDifferenceMs", ping->clock_ms);
        doc_set(d, "answer", doc_copy(ping->answer));
    }
    if (ping->error)
        doc_set(d, "error", doc_error(ping->error));
    return d;
}
