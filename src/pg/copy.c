#include "pg/copy.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "pg/conn_internal.h"

/* What one PQputCopyData is given: libpq buffers it whole before it sends. */
#define COPY_SLICE ((size_t)256 * 1024)
/* How often, and how far apart, to look after a COPY about which the server said something. */
#define DOUBTS 4
#define DOUBT_MS 250

static Error *begin(Conn *c, const char *sql)
{
    TRY(conn_begin(c));
    c->copy_rows = 0;
    c->copies_left = 0;
    c->doubts = 0;
    return PQsendQuery(c->pg, sql) ? NULL : conn_failure(c, NULL);
}

/* The next result must be this one. It goes to *out, which may be NULL. */
static Error *expect(Conn *c, ExecStatusType wanted, PGresult **out)
{
    TRY(conn_pump(c));
    PGresult *res = PQgetResult(c->pg);
    if (res && PQresultStatus(res) == wanted) {
        if (out)
            *out = res;
        else
            PQclear(res);
        return NULL;
    }
    Error *e = res && PQresultStatus(res) == PGRES_FATAL_ERROR ? conn_failure(c, res) : NULL;
    PQclear(res);
    if (!e) {
        c->broken = true;
        FAIL(ERR_INTERNAL, "%s: not the COPY that was expected", c->describe);
    }
    return error_first(e, conn_finish(c, NULL));
}

/* The outcome behind the last byte, and how many rows the server counted. */
static Error *outcome(Conn *c)
{
    PGresult *res = NULL;
    if (c->copies_left)
        TRY(expect(c, PGRES_COMMAND_OK, &res));
    else
        TRY(conn_finish(c, &res));
    c->copy_rows = strtoull(res ? PQcmdTuples(res) : "0", NULL, 10);
    PQclear(res);
    return NULL;
}

uint64_t copy_row_count(const Conn *c)
{
    return c->copy_rows;
}

Error *copy_out_begin(Conn *c, const char *sql)
{
    TRY(begin(c, sql));
    return expect(c, PGRES_COPY_OUT, NULL);
}

Error *copy_out_series(Conn *c, const char *sql, size_t copies, bool *held)
{
    TRY(begin(c, sql));
    /* What fails here is the LOCK, and not a COPY that met somebody else's. */
    Error *e = expect(c, PGRES_COMMAND_OK, NULL);
    *held = !e;
    if (e && (c->broken || error_kind(e) != ERR_DB_IN_USE))
        return e;
    error_free(e);
    if (!*held)
        return NULL;
    c->copies_left = copies - 1;
    return expect(c, PGRES_COPY_OUT, NULL);
}

Error *copy_out_next(Conn *c)
{
    TRY(conn_begin(c));
    if (!c->copies_left)
        FAIL(ERR_INTERNAL, "%s: the series of COPYs is over", c->describe);
    c->copies_left--;
    return expect(c, PGRES_COPY_OUT, NULL);
}

Error *copy_out_row(Conn *c, const char **row, size_t *n, bool *end)
{
    PQfreemem(c->copy_row);
    c->copy_row = NULL;
    *end = false;
    for (;;) {
        int got = PQgetCopyData(c->pg, &c->copy_row, 1);
        if (got > 0) {
            *row = c->copy_row;
            *n = (size_t)got;
            return NULL;
        }
        if (got == -1) {
            *row = NULL;
            *n = 0;
            *end = true;
            return outcome(c);
        }
        if (got == -2)
            return conn_failure(c, NULL);
        TRY(conn_wait(c, POLLIN));
        if (!PQconsumeInput(c->pg))
            return conn_failure(c, NULL);
    }
}

Error *copy_in_begin(Conn *c, const char *sql)
{
    TRY(begin(c, sql));
    return expect(c, PGRES_COPY_IN, NULL);
}

/* Something came from the server. While rows go in that is a notice, or that the COPY failed. */
static void listen_in(Conn *c)
{
    struct pollfd fd = {.fd = PQsocket(c->pg), .events = POLLIN};
    if (poll(&fd, 1, 0) > 0)
        c->doubts = DOUBTS;
}

/* Sends all that is buffered, reading what the server may have to say meanwhile: two that only
 * write would wait for each other. */
static Error *flush(Conn *c)
{
    for (;;) {
        int unsent = PQflush(c->pg);
        if (unsent == 0)
            return NULL;
        if (unsent < 0)
            return conn_failure(c, NULL);
        TRY(conn_wait(c, POLLIN | POLLOUT));
        listen_in(c);
        if (!PQconsumeInput(c->pg))
            return conn_failure(c, NULL);
    }
}

static Error *put_end(Conn *c, const char *why)
{
    for (;;) {
        int put = PQputCopyEnd(c->pg, why);
        if (put > 0)
            return flush(c);
        if (put < 0)
            return conn_failure(c, NULL);
        TRY(flush(c));
    }
}

/* What the session does, as another one sees it; true also where that cannot be known. */
static bool still_active(const Conn *c)
{
    AUTO(Conn) other = NULL;
    AUTO(char) state = NULL;
    AUTO(char) pid = mem_printf("%d", PQbackendPID(c->pg));
    const char *params[] = {pid};
    AUTO(Error) e = conn_open_like(c, NULL, NULL, &other);
    if (!e)
        e = conn_value(other, "SELECT state FROM pg_catalog.pg_stat_activity WHERE pid = $1::int",
                       1, params, &state);
    return e || !state || !strcmp(state, "active");
}

/* libpq tells that a COPY failed only when it is ended, however much is still to be sent. So when
 * the server has said something, a second session looks whether ours still copies; a few times,
 * because the message comes a little before the state changes. */
static Error *still_copying(Conn *c)
{
    listen_in(c);
    if (!c->doubts || clock_mono_ms() < c->doubt_after)
        return NULL;
    c->doubts--;
    c->doubt_after = clock_mono_ms() + DOUBT_MS;
    if (still_active(c))
        return NULL;
    c->doubts = 0;
    TRY(put_end(c, "the server ended it"));
    Error *e = outcome(c);
    return e ? e : ERROR_NEW(ERR_DB, "%s: the server ended the COPY early", c->describe);
}

Error *copy_in_write(Conn *c, const void *p, size_t n)
{
    const char *at = p;
    TRY(conn_begin(c));
    if (PQtransactionStatus(c->pg) != PQTRANS_ACTIVE)
        FAIL(ERR_INTERNAL, "%s: rows for a COPY that is over", c->describe);
    while (n) {
        size_t slice = n < COPY_SLICE ? n : COPY_SLICE;
        TRY(still_copying(c));
        int put = PQputCopyData(c->pg, at, (int)slice);
        if (put < 0)
            return conn_failure(c, NULL);
        TRY(flush(c));
        if (put > 0) {
            at += slice;
            n -= slice;
        }
    }
    return NULL;
}

Error *copy_in_end(Conn *c, uint64_t *rows)
{
    TRY(conn_begin(c));
    Error *e = put_end(c, NULL);
    /* A COPY that has failed already takes no end; its own error says more. */
    e = error_first(c->broken ? NULL : outcome(c), e);
    *rows = e ? 0 : c->copy_rows;
    return e;
}

Error *copy_in_abort(Conn *c, const char *why)
{
    if (c->broken)
        return NULL;
    if (PQtransactionStatus(c->pg) != PQTRANS_ACTIVE)
        return NULL;
    error_drop(put_end(c, why));
    error_drop(outcome(c));
    if (c->broken)
        FAIL(ERR_CONNECT, "%s: the connection was lost", c->describe);
    return NULL;
}
