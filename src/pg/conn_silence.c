/* A server that is silent: at work, or out of reach? TCP's keepalive finds a machine that is gone.
 * It does not find a path on which somebody else answers it, such as a proxy, a load balancer or a
 * tunnel that no longer passes anything on, nor a server whose processes are all frozen. */
#include "pg/conn_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

/* Seconds of nothing until the first probe, and between probes; how many until it is given up.
 * Together 2 minutes, instead of the kernel's 2 hours and 11 minutes. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_BETWEEN_S 10
#define KEEPALIVE_COUNT 6
/* What was sent and is not acknowledged, where keepalive does not count. */
#define UNACKNOWLEDGED_MS 120000
/* How many looks in a row have to find nothing before the connection counts as lost. */
#define LOOKS 2

static bool is_given(const Conn *c, const char *key)
{
    return strlist_has(&c->keys, key);
}

/* Only where the user has said nothing, and by ourselves rather than through libpq's options: those
 * would overrule a service file. Refused for sockets that are no TCP, which need none. */
static void set_option(const Conn *c, const char *key, int option, int value)
{
    if (!is_given(c, key))
        (void)!setsockopt(PQsocket(c->pg), IPPROTO_TCP, option, &value, sizeof value);
}

void conn_keep_alive(const Conn *c)
{
#ifdef TCP_KEEPIDLE
    set_option(c, "keepalives_idle", TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
#endif
#ifdef TCP_KEEPINTVL
    set_option(c, "keepalives_interval", TCP_KEEPINTVL, KEEPALIVE_BETWEEN_S);
#endif
#ifdef TCP_KEEPCNT
    set_option(c, "keepalives_count", TCP_KEEPCNT, KEEPALIVE_COUNT);
#endif
#ifdef TCP_USER_TIMEOUT
    set_option(c, "tcp_user_timeout", TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
#endif
}

void conn_keep_alive_args(const Conn *c, Buf *conninfo)
{
    if (!is_given(c, "keepalives_idle"))
        buf_printf(conninfo, " keepalives_idle=%d", KEEPALIVE_IDLE_S);
    if (!is_given(c, "keepalives_interval"))
        buf_printf(conninfo, " keepalives_interval=%d", KEEPALIVE_BETWEEN_S);
    if (!is_given(c, "keepalives_count"))
        buf_printf(conninfo, " keepalives_count=%d", KEEPALIVE_COUNT);
}

typedef enum Sign {
    SIGN_ALIVE,   /* it works, or at least nothing says otherwise */
    SIGN_WAITING, /* it waits for us, as we for it */
    SIGN_NONE     /* no answer at all */
} Sign;

/* Whether the session waits for its client. A session that is not listed may still be there: a
 * pooler makes process numbers up. */
static Error *ask_of_session(const Conn *c, Conn *other, Sign *sign)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) pid = mem_printf("%d", PQbackendPID(c->pg));
    const char *params[] = {pid};
    const char *sql = PQserverVersion(c->pg) >= 90600
                          ? "SELECT wait_event IN ('ClientRead', 'ClientWrite') "
                            "FROM pg_catalog.pg_stat_activity WHERE pid = $1::int"
                          : "SELECT state <> 'active' FROM pg_catalog.pg_stat_activity "
                            "WHERE pid = $1::int";
    TRY(conn_query(other, sql, 1, params, &rows));
    const char *waits = rows_count(rows) == 1 ? rows_text(rows, 0, 0) : NULL;
    *sign = waits && !strcmp(waits, "t") ? SIGN_WAITING : SIGN_ALIVE;
    return NULL;
}

/* By a second connection. Any answer is a sign of life, also a refusal. */
static Error *look(const Conn *c, bool at_session, Sign *sign)
{
    AUTO(Cancel) limit = NULL;
    AUTO(Conn) other = NULL;
    TRY(cancel_new(c->cancel, &limit));
    cancel_deadline(limit, c->silence_ms);
    *sign = SIGN_ALIVE;
    Error *e = conn_open_look(c, limit, &other);
    if (!e && at_session)
        e = ask_of_session(c, other, sign);
    if (e && cancel_requested(limit))
        *sign = SIGN_NONE;
    error_drop(e);
    return cancel_check(c->cancel);
}

Error *conn_look_after(const Conn *c, bool at_session, Silence *s)
{
    Sign sign = SIGN_ALIVE;
    TRY(look(c, at_session, &sign));
    s->looks = sign == SIGN_ALIVE ? 0 : s->looks + 1;
    if (s->looks < LOOKS)
        return NULL;
    const char *hint =
        "is the network up, and does what lies between (firewall, proxy, tunnel) keep connections "
        "open? PGSTOW_SILENCE sets how long a server may be silent";
    if (sign == SIGN_WAITING)
        return error_hint(ERROR_NEW(ERR_CONNECT,
                                    "%s: the connection is lost: nothing passes on it, and the "
                                    "server's session waits as well",
                                    c->describe),
                          "%s", hint);
    return error_hint(ERROR_NEW(ERR_CONNECT,
                                "%s: the server is silent, and does not answer a second connection "
                                "either",
                                c->describe),
                      "%s", hint);
}

Error *conn_watch_child(const Conn *c, Silence *s)
{
    int64_t now = clock_mono_ms();
    if (!s->since)
        s->since = now;
    if (c->silence_ms < 0 || now - s->since < c->silence_ms)
        return NULL;
    TRY(conn_look_after(c, false, s));
    s->since = clock_mono_ms();
    return NULL;
}

Error *conn_poll_child(const Conn *c, Cancel *cancel, int fd)
{
    Silence s = {0};
    bool ready = false;
    for (;;) {
        TRY(cancel_poll(cancel, fd, POLLIN, c->silence_ms, &ready));
        if (ready)
            return NULL;
        TRY(conn_look_after(c, false, &s));
    }
}
