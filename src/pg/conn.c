#include "pg/conn_internal.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define CONNECT_TIMEOUT_S 30
#define SILENCE_MS 60000

static void wipe(char *s)
{
    for (volatile char *p = s; p && *p; p++)
        *p = 0;
}

static void params_free(StrList *keys, StrList *values)
{
    for (size_t i = 0; i < values->count; i++)
        wipe(values->items[i]);
    strlist_free(keys);
    strlist_free(values);
}

/* libpq's options as two lists of the same length; the values are wiped at the end. */
typedef struct Params {
    StrList keys, values;
} Params;

static void params_drop(Params *p)
{
    params_free(&p->keys, &p->values);
}
DEFINE_AUTO_VALUE(Params, params_drop)

static const char *params_get(const Params *p, const char *key)
{
    for (size_t i = 0; i < p->keys.count; i++)
        if (!strcmp(p->keys.items[i], key))
            return p->values.items[i];
    return NULL;
}

static void params_set(Params *p, const char *key, const char *value)
{
    if (!value)
        return;
    for (size_t i = 0; i < p->keys.count; i++)
        if (!strcmp(p->keys.items[i], key)) {
            wipe(p->values.items[i]);
            free(p->values.items[i]);
            p->values.items[i] = mem_strdup(value);
            return;
        }
    strlist_add(&p->keys, key);
    strlist_add(&p->values, value);
}

static void params_take(Params *p, const PQconninfoOption *options)
{
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (o->val && *o->val)
            params_set(p, o->keyword, o->val);
}

/* A password with characters that were not written as %XX makes a URI of another meaning, in which
 * part of it is taken for a port, a host or a database, and would be shown as such. */
static Error *check_uri(const char *uri, const Params *p)
{
    const char *rest = strstr(uri, "://") + 3;
    size_t n = strcspn(rest, "?"), login = strcspn(rest, "/?");
    size_t signs = 0;
    bool misplaced = false;
    for (size_t i = 0; i < n; i++) {
        signs += rest[i] == '@';
        misplaced = misplaced || (rest[i] == '@' && i > login);
    }
    const char *port = params_get(p, "port");
    if (signs > 1 || misplaced || (port && port[strspn(port, "0123456789,")]))
        return conn_url_failure("the port is not a number, or an @ is out of place");
    return NULL;
}

/* The url's own options; what it leaves open libpq adds itself. */
static Error *parse_url(const char *url, Params *p)
{
    if (!url || !*url)
        return NULL;
    bool uri = text_starts(url, "postgresql://") || text_starts(url, "postgres://");
    if (!uri && !strchr(url, '=')) {
        params_set(p, "dbname", url);
        return NULL;
    }
    char *said = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &said);
    if (!options) {
        Error *e = conn_url_failure(said);
        PQfreemem(said);
        return e;
    }
    params_take(p, options);
    PQconninfoFree(options);
    return uri ? check_uri(url, p) : NULL;
}

static void on_notice(void *ctx, const PGresult *res)
{
    (void)ctx;
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY);
    log_debug("PostgreSQL: %s: %s", severity ? severity : "NOTICE", text ? text : "");
}

static PGconn *start(const Params *p)
{
    const char **keys = mem_calloc(p->keys.count + 1, sizeof *keys);
    const char **values = mem_calloc(p->keys.count + 1, sizeof *values);
    for (size_t i = 0; i < p->keys.count; i++) {
        keys[i] = p->keys.items[i];
        values[i] = p->values.items[i];
    }
    PGconn *pg = PQconnectStartParams(keys, values, 0);
    free(keys);
    free(values);
    if (!pg)
        return NULL;
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE); /* for conn_login_failure */
    PQsetNoticeReceiver(pg, on_notice, NULL);
    return pg;
}

/* In milliseconds; -1: no limit. As libpq has it: 0 is none, and one second is too few. */
static int64_t connect_timeout(const Params *p)
{
    const char *s = params_get(p, "connect_timeout");
    long seconds = s ? strtol(s, NULL, 10) : CONNECT_TIMEOUT_S;
    return seconds <= 0 ? -1 : seconds < 2 ? 2000 : (int64_t)seconds * 1000;
}

static Error *wait_login(PGconn *pg, const Params *p, const Cancel *cancel, const char *where)
{
    int64_t limit = connect_timeout(p);
    int64_t until = clock_mono_ms() + limit;
    /* Looking up the host's name is the one part that libpq does without returning in between. */
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(pg) != CONNECTION_BAD) {
        bool ready = false;
        short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        int64_t left = limit < 0 ? -1 : until - clock_mono_ms();
        if (limit < 0 || left > 0)
            TRY(cancel_poll(cancel, PQsocket(pg), events, left, &ready));
        if (!ready && limit >= 0 && clock_mono_ms() >= until)
            return error_hint(
                ERROR_NEW(ERR_CONNECT, "cannot connect to %s: no answer within %lld s", where,
                          (long long)(limit / 1000)),
                "are host and port right, and does a firewall let it pass? connect_timeout in the "
                "URL or PGCONNECT_TIMEOUT sets the limit");
        if (!ready)
            continue;
        next = PQconnectPoll(pg);
        if (next == PGRES_POLLING_OK)
            return NULL;
        if (next == PGRES_POLLING_FAILED)
            break;
    }
    return conn_login_failure(pg, where);
}

/* The n-th of a comma-separated list; NULL beyond its end. */
static char *nth(const char *list, size_t n)
{
    while (list && n--) {
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    return list ? mem_strndup(list, strcspn(list, ",")) : NULL;
}

static char *place_of(const Params *p)
{
    const char *dbname = params_get(p, "dbname"), *host = params_get(p, "host");
    const char *port = params_get(p, "port");
    host = host ? host : params_get(p, "hostaddr");
    return conn_place(dbname ? dbname : params_get(p, "user"), host, port);
}

static Error *login_one(const Params *p, const Cancel *cancel, PGconn **out)
{
    AUTO(char) where = place_of(p);
    PGconn *pg = start(p);
    if (!pg)
        FAIL(ERR_MEMORY, "not enough memory for a connection");
    Error *e = wait_login(pg, p, cancel, where);
    if (e)
        PQfinish(pg);
    else
        *out = pg;
    return e;
}

/* libpq goes through a list of hosts itself, but its asynchronous half has no time limit for each:
 * a host that does not answer would use up the limit of all. So one after the other, by us. */
static Error *login_each(const Params *p, const Cancel *cancel, PGconn **out)
{
    const char *hosts = params_get(p, "host"), *addresses = params_get(p, "hostaddr");
    const char *ports = params_get(p, "port");
    AUTO_VALUE(Buf) said = {0};
    for (size_t i = 0;; i++) {
        AUTO(char) host = nth(hosts, i);
        AUTO(char) address = nth(addresses, i);
        if (!host && !address)
            break;
        AUTO(char) port = nth(ports, ports && strchr(ports, ',') ? i : 0);
        AUTO_VALUE(Params) one = {0};
        strlist_copy(&one.keys, &p->keys);
        strlist_copy(&one.values, &p->values);
        params_set(&one, "host", host);
        params_set(&one, "hostaddr", address);
        params_set(&one, "port", port);
        Error *e = login_one(&one, cancel, out);
        if (!e || error_kind(e) != ERR_CONNECT)
            return e;
        buf_printf(&said, "%s%s", said.len ? "; " : "", error_message(e));
        error_drop(e);
    }
    AUTO(char) all = buf_steal_str(&said);
    return error_hint(ERROR_NEW(ERR_CONNECT, "none of the hosts can be reached: %s", all),
                      "is one of the servers running, and are hosts and ports right?");
}

/* Connects, and leaves in `p` every option as libpq resolved it (environment, service file). */
static Error *login(Params *p, const Cancel *cancel, PGconn **out)
{
    AUTO(char) where = place_of(p);
    PGconn *pg = start(p);
    if (!pg)
        FAIL(ERR_MEMORY, "not enough memory for a connection");
    PQconninfoOption *options = PQconninfo(pg);
    params_take(p, options);
    PQconninfoFree(options);
    const char *hosts = params_get(p, "host"), *addresses = params_get(p, "hostaddr");
    const char *attrs = params_get(p, "target_session_attrs");
    bool several = (hosts && strchr(hosts, ',')) || (addresses && strchr(addresses, ','));
    if (several && !(attrs && !strcmp(attrs, "prefer-standby"))) {
        PQfinish(pg);
        return login_each(p, cancel, out);
    }
    AUTO(char) resolved = place_of(p);
    Error *e = wait_login(pg, p, cancel, resolved);
    if (e)
        PQfinish(pg);
    else
        *out = pg;
    return e;
}

/* What would lead elsewhere next time is replaced by where we are now. */
static void pin(Conn *c, Params *p)
{
    AUTO_VALUE(Params) pinned = {0};
    for (size_t i = 0; i < p->keys.count; i++)
        if (strcmp(p->keys.items[i], "service") && strcmp(p->keys.items[i], "host") &&
            strcmp(p->keys.items[i], "hostaddr") && strcmp(p->keys.items[i], "port"))
            params_set(&pinned, p->keys.items[i], p->values.items[i]);
    params_set(&pinned, "host", PQhost(c->pg));
    if (PQhostaddr(c->pg) && *PQhostaddr(c->pg))
        params_set(&pinned, "hostaddr", PQhostaddr(c->pg));
    params_set(&pinned, "port", PQport(c->pg));
    params_set(&pinned, "dbname", PQdb(c->pg));
    params_set(&pinned, "user", PQuser(c->pg));
    if (PQpass(c->pg) && *PQpass(c->pg))
        params_set(&pinned, "password", PQpass(c->pg));
    c->keys = pinned.keys;
    c->values = pinned.values;
    pinned = (Params){0};
}

static void read_version(Conn *c)
{
    const char *s = PQparameterStatus(c->pg, "server_version");
    size_t n = s ? strspn(s, "0123456789.") : 0;
    if (n)
        snprintf(c->version_text, sizeof c->version_text, "PostgreSQL %.*s", (int)n, s);
    else
        snprintf(c->version_text, sizeof c->version_text, "PostgreSQL %d.%d",
                 PQserverVersion(c->pg) / 10000, PQserverVersion(c->pg) % 10000);
}

/* A time limit of role or database must not end a long backup or restore, nor another user's
 * schema come before pg_catalog in the search for a function. */
static Error *settle(Conn *c)
{
    int version = PQserverVersion(c->pg);
    if (version < 90200)
        FAIL(ERR_CONFIG, "%s runs %s; the oldest that pgstow works with is 9.2", c->describe,
             c->version_text);
    AUTO_VALUE(Buf) sql = {0};
    buf_add_str(&sql, "SET search_path = ''; SET statement_timeout = 0");
    if (version >= 90300)
        buf_add_str(&sql, "; SET lock_timeout = 0");
    if (version >= 90600)
        buf_add_str(&sql, "; SET idle_in_transaction_session_timeout = 0");
    /* Estimates over the catalog are large enough for it; compiling took longer than all else. */
    if (version >= 110000)
        buf_add_str(&sql, "; SET jit = off");
    if (version >= 140000)
        buf_add_str(&sql, "; SET idle_session_timeout = 0");
    if (version >= 170000)
        buf_add_str(&sql, "; SET transaction_timeout = 0");
    AUTO(char) text = buf_steal_str(&sql);
    TRY(conn_exec(c, text));
    return conn_use_utf8(c);
}

/* Takes pg over. */
static Error *make(PGconn *pg, Params *p, Cancel *cancel, int64_t silence_ms, Conn **out)
{
    AUTO(Conn) c = mem_new(Conn);
    c->pg = pg;
    c->cancel = cancel;
    c->silence_ms = silence_ms ? silence_ms : SILENCE_MS;
    c->describe = conn_place(PQdb(pg), PQhost(pg), PQport(pg));
    PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
    if (PQsetnonblocking(pg, 1) != 0)
        return conn_failure(c, NULL);
    read_version(c);
    pin(c, p);
    conn_keep_alive(c);
    TRY(settle(c));
    *out = STEAL(c);
    return NULL;
}

Error *conn_open(const ConnOptions *o, Conn **out)
{
    AUTO_VALUE(Params) p = {0};
    TRY(cancel_check(o->cancel));
    TRY(parse_url(o->url, &p));
    params_set(&p, "dbname", o->dbname);
    params_set(&p, "application_name", o->app_name);
    params_set(&p, "fallback_application_name", "pgstow");
    params_set(&p, "client_encoding", "UTF8");
    PGconn *pg = NULL;
    TRY(login(&p, o->cancel, &pg));
    return make(pg, &p, o->cancel, o->silence_ms, out);
}

Error *conn_open_like(const Conn *c, const char *dbname, Cancel *cancel, Conn **out)
{
    AUTO_VALUE(Params) p = {0};
    strlist_copy(&p.keys, &c->keys);
    strlist_copy(&p.values, &c->values);
    params_set(&p, "dbname", dbname);
    cancel = cancel ? cancel : c->cancel;
    TRY(cancel_check(cancel));
    PGconn *pg = NULL;
    TRY(login_one(&p, cancel, &pg));
    return make(pg, &p, cancel, c->silence_ms, out);
}

Error *conn_open_look(const Conn *c, Cancel *limit, Conn **out)
{
    AUTO_VALUE(Params) p = {0};
    strlist_copy(&p.keys, &c->keys);
    strlist_copy(&p.values, &c->values);
    params_set(&p, "connect_timeout", "0");
    PGconn *pg = NULL;
    TRY(login_one(&p, limit, &pg));
    return make(pg, &p, limit, -1, out);
}

void conn_free(Conn *c)
{
    PQfreemem(c->copy_row);
    PQfinish(c->pg);
    params_free(&c->keys, &c->values);
    free(c->describe);
    free(c);
}

const char *conn_dbname(const Conn *c)
{
    return PQdb(c->pg);
}

const char *conn_host(const Conn *c)
{
    return PQhost(c->pg);
}

const char *conn_port(const Conn *c)
{
    return PQport(c->pg);
}

const char *conn_user(const Conn *c)
{
    return PQuser(c->pg);
}

const char *conn_describe(const Conn *c)
{
    return c->describe;
}

int conn_server_version(const Conn *c)
{
    return PQserverVersion(c->pg);
}

int conn_server_major(const Conn *c)
{
    return PQserverVersion(c->pg) / 10000;
}

const char *conn_server_version_text(const Conn *c)
{
    return c->version_text;
}

int conn_backend_pid(const Conn *c)
{
    return PQbackendPID(c->pg);
}

Cancel *conn_cancel(const Conn *c)
{
    return c->cancel;
}

bool conn_standard_strings(const Conn *c)
{
    const char *value = PQparameterStatus(c->pg, "standard_conforming_strings");
    return value && !strcmp(value, "on");
}

bool conn_in_transaction(const Conn *c)
{
    return PQtransactionStatus(c->pg) != PQTRANS_IDLE;
}

const char *conn_last_sqlstate(const Conn *c)
{
    return c->sqlstate;
}

bool conn_broken(const Conn *c)
{
    return c->broken;
}
