/* Running statements without ever waiting where a cancellation would not be heard. */
#include "pg/conn_internal.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "flow/cond.h"

#define STOP_PATIENCE_MS 3000

/* PQcancel opens a connection and waits for its end without any limit, so it has a thread of its
 * own, which is left alone when it takes too long. */
typedef struct Stop {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    PGcancel *cancel;
    int users; /* of this struct: the thread, and who waits for it */
    bool done;
} Stop;

static void stop_leave(Stop *s)
{
    bool last = --s->users == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    PQfreeCancel(s->cancel);
    free(s);
}

static void *stop_run(void *arg)
{
    Stop *s = arg;
    char why[256];
    PQcancel(s->cancel, why, sizeof why);
    pthread_mutex_lock(&s->lock);
    s->done = true;
    pthread_cond_broadcast(&s->changed);
    stop_leave(s);
    return NULL;
}

/* Asks the server to stop the statement that runs; nothing to do where it cannot be reached. */
static void stop_statement(Conn *c)
{
    PGcancel *cancel = PQgetCancel(c->pg);
    if (!cancel)
        return;
    Stop *s = mem_new(Stop);
    pthread_mutex_init(&s->lock, NULL);
    cond_init(&s->changed);
    s->cancel = cancel;
    s->users = 2;
    pthread_t thread;
    pthread_mutex_lock(&s->lock);
    if (pthread_create(&thread, NULL, stop_run, s) == 0) {
        pthread_detach(thread);
        int64_t until = clock_mono_ms() + STOP_PATIENCE_MS;
        while (!s->done && cond_wait_until(&s->changed, &s->lock, until))
            continue;
    } else {
        s->users = 1;
    }
    stop_leave(s);
}

Error *conn_wait(Conn *c, short events)
{
    bool ready = false;
    Silence silence = {0};
    while (!ready) {
        Error *e = cancel_poll(c->cancel, PQsocket(c->pg), events, c->silence_ms, &ready);
        if (!e && !ready)
            e = conn_look_after(c, true, &silence);
        if (!e)
            continue;
        /* Over a path that is lost nobody can be asked to stop. */
        if (error_kind(e) != ERR_CONNECT)
            stop_statement(c);
        c->broken = true;
        return e;
    }
    return NULL;
}

Error *conn_begin(Conn *c)
{
    c->sqlstate[0] = 0;
    if (c->broken)
        FAIL(ERR_CONNECT, "%s: the connection was lost or stopped before", c->describe);
    Error *e = cancel_check(c->cancel);
    c->broken = e != NULL;
    return e;
}

Error *conn_pump(Conn *c)
{
    for (;;) {
        /* Where sending fails the server may have said why: reading comes first. */
        int unsent = PQflush(c->pg);
        if (!PQisBusy(c->pg))
            return NULL;
        TRY(conn_wait(c, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0))));
        if (!PQconsumeInput(c->pg))
            return conn_failure(c, NULL);
    }
}

static bool is_failure(const PGresult *res)
{
    ExecStatusType s = PQresultStatus(res);
    return s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK && s != PGRES_EMPTY_QUERY;
}

static bool is_copy(const PGresult *res)
{
    ExecStatusType s = PQresultStatus(res);
    return s == PGRES_COPY_IN || s == PGRES_COPY_OUT || s == PGRES_COPY_BOTH;
}

Error *conn_finish(Conn *c, PGresult **last)
{
    Error *first = NULL;
    PGresult *kept = NULL;
    for (;;) {
        Error *e = conn_pump(c);
        PGresult *res = e ? NULL : PQgetResult(c->pg);
        if (!e && res && is_copy(res)) {
            e = ERROR_NEW(ERR_INTERNAL, "%s: a COPY where no rows were to pass", c->describe);
            c->broken = true;
        } else if (!e && res && is_failure(res) && !first) {
            e = conn_failure(c, res);
        }
        first = error_first(first, e);
        if (!res || c->broken) {
            PQclear(res);
            break;
        }
        PQclear(kept);
        kept = res;
    }
    if (first || !last)
        PQclear(kept);
    else
        *last = kept;
    /* The server ends the session with some errors (57P01): no use to try again on it. */
    c->broken = c->broken || PQstatus(c->pg) == CONNECTION_BAD;
    return first;
}

Error *conn_exec(Conn *c, const char *sql)
{
    TRY(conn_begin(c));
    if (!PQsendQuery(c->pg, sql))
        return conn_failure(c, NULL);
    return conn_finish(c, NULL);
}

Error *conn_execf(Conn *c, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    AUTO(char) sql = mem_zalloc((size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0)
        vsnprintf(sql, (size_t)n + 1, fmt, again);
    va_end(again);
    return conn_exec(c, sql);
}

Error *conn_exec_rows(Conn *c, const char *sql, uint64_t *rows)
{
    TRY(conn_begin(c));
    if (!PQsendQuery(c->pg, sql))
        return conn_failure(c, NULL);
    PGresult *res = NULL;
    TRY(conn_finish(c, &res));
    *rows = res ? strtoull(PQcmdTuples(res), NULL, 10) : 0;
    PQclear(res);
    return NULL;
}

static Error *query(Conn *c, const char *sql, size_t nparams, const char *const *params, int format,
                    Rows **out)
{
    TRY(conn_begin(c));
    if (!PQsendQueryParams(c->pg, sql, (int)nparams, NULL, params, NULL, NULL, format))
        return conn_failure(c, NULL);
    PGresult *res = NULL;
    TRY(conn_finish(c, &res));
    Rows *rows = mem_new(Rows);
    rows->res = res;
    *out = rows;
    return NULL;
}

Error *conn_query(Conn *c, const char *sql, size_t nparams, const char *const *params, Rows **out)
{
    return query(c, sql, nparams, params, 0, out);
}

Error *conn_query_binary(Conn *c, const char *sql, size_t nparams, const char *const *params,
                         Rows **out)
{
    return query(c, sql, nparams, params, 1, out);
}

Error *conn_exec_bytes(Conn *c, const char *sql, size_t nparams, const char *const *params,
                       const void *p, size_t n)
{
    if (n > INT32_MAX)
        FAIL(ERR_LIMIT, "%zu bytes do not fit into one parameter", n);
    TRY(conn_begin(c));
    const char **values = mem_calloc(nparams + 1, sizeof *values);
    int *lengths = mem_calloc(nparams + 1, sizeof *lengths);
    int *formats = mem_calloc(nparams + 1, sizeof *formats);
    if (nparams)
        memcpy(values, params, nparams * sizeof *values);
    values[nparams] = n ? p : "";
    lengths[nparams] = (int)n;
    formats[nparams] = 1;
    int sent = PQsendQueryParams(c->pg, sql, (int)nparams + 1, NULL, values, lengths, formats, 0);
    free(values);
    free(lengths);
    free(formats);
    if (!sent)
        return conn_failure(c, NULL);
    return conn_finish(c, NULL);
}

Error *conn_value(Conn *c, const char *sql, size_t nparams, const char *const *params, char **out)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql, nparams, params, &rows));
    if (rows_count(rows) != 1 || rows_columns(rows) < 1)
        FAIL(ERR_DB, "%s: %zu rows where one was expected", c->describe, rows_count(rows));
    *out = mem_strdup(rows_text(rows, 0, 0));
    return NULL;
}

Error *conn_use_utf8(Conn *c)
{
    const char *server = PQparameterStatus(c->pg, "server_encoding");
    bool raw = server && !strcmp(server, "SQL_ASCII");
    return conn_execf(c, "SET client_encoding = '%s'", raw ? "SQL_ASCII" : "UTF8");
}

const char *conn_send_encoding(const Conn *c, const char *encoding)
{
    const char *server = PQparameterStatus(c->pg, "server_encoding");
    return encoding && server && !strcmp(encoding, "SQL_ASCII") ? server : encoding;
}

Error *conn_prepare_dump(Conn *c, const char *encoding)
{
    AUTO(char) own = NULL;
    if (!encoding)
        TRY(conn_value(c,
                       "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
                       " WHERE datname = pg_catalog.current_database()",
                       0, NULL, &own));
    AUTO(char) name = text_sql_literal(encoding ? encoding : own);
    AUTO_VALUE(Buf) sql = {0};
    /* pg_dump's own settings first; the last three are for the same bytes from every backup. */
    buf_printf(&sql,
               "SET client_encoding = %s; SET search_path = ''; SET DateStyle = ISO; "
               "SET IntervalStyle = postgres; SET extra_float_digits = 3; "
               "SET synchronize_seqscans = off; SET TimeZone = 'UTC'; SET bytea_output = hex",
               name);
    if (PQserverVersion(c->pg) >= 90500)
        buf_add_str(&sql, "; SET row_security = off");
    if (PQserverVersion(c->pg) >= 90600)
        buf_add_str(&sql, "; SET max_parallel_workers_per_gather = 0");
    AUTO(char) text = buf_steal_str(&sql);
    return conn_exec(c, text);
}

Error *conn_encoded(Conn *c, const char *utf8, char **out)
{
    size_t n = strlen(utf8), ascii = 0;
    const char *server = PQparameterStatus(c->pg, "server_encoding");
    while (ascii < n && (unsigned char)utf8[ascii] < 128)
        ascii++;
    if (ascii == n || !server || !strcmp(server, "UTF8") || !strcmp(server, "SQL_ASCII")) {
        *out = mem_strdup(utf8);
        return NULL;
    }
    AUTO(char) hex = mem_zalloc(2 * n + 1);
    text_hex(utf8, n, hex);
    const char *params[] = {hex};
    TRY_CTX(conn_value(c, "SELECT pg_catalog.convert_from(pg_catalog.decode($1, 'hex'), 'UTF8')", 1,
                       params, out),
            "%.200s", utf8);
    return NULL;
}
