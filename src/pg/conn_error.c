/* What PostgreSQL and libpq say, as errors of ours: the kind, one line, and what to do next. */
#include "pg/conn_internal.h"

#include <ctype.h>
#include <string.h>

typedef struct StateRow {
    const char *state; /* a whole SQLSTATE, or the two characters of a class */
    ErrorKind kind;
    const char *hint; /* NULL: the server's own, where it gives one */
} StateRow;

/* The first row that fits wins: whole codes before their class. */
static const StateRow states[] = {
    {"28P01", ERR_AUTH,
     "check user and password; give the password in PGPASSWORD, in the URL or in ~/.pgpass"},
    {"28000", ERR_AUTH, "check user and password, and the server's pg_hba.conf"},
    {"28", ERR_AUTH, "check user and password, and the server's pg_hba.conf"},
    {"3D000", ERR_DB_NOT_FOUND, "check the database's name (psql -l lists those of a server)"},
    {"42P04", ERR_DB_EXISTS, NULL},
    {"42501", ERR_DB_PERMISSION,
     "grant the missing privilege, or connect as the owner or a superuser; `pgstow doctor` prints "
     "the GRANTs that a backup needs"},
    {"53100", ERR_DB_FULL, "make room on the database server's disk and start again"},
    {"53200", ERR_DB, NULL},
    {"53300", ERR_CONNECT,
     "the server has no connection free: fewer --jobs, or a higher max_connections"},
    {"53400", ERR_DB, NULL},
    {"55006", ERR_DB_IN_USE, "end what uses it (pg_stat_activity lists the sessions), or wait"},
    {"55P03", ERR_DB_IN_USE, "another session holds a lock (see pg_locks); wait for it, or end it"},
    {"57014", ERR_TIMEOUT, "a time limit of the server or an administrator ended the statement"},
    {"57P01", ERR_CONNECT, "the server or the session was shut down; start again when it is up"},
    {"57P02", ERR_CONNECT, "the server crashed; look at its log, and start again when it is up"},
    {"57P03", ERR_CONNECT, "the server is starting up, shutting down or recovering; wait a little"},
    {"57P04", ERR_CONNECT, "the database was dropped by another session"},
    {"57P05", ERR_CONNECT, "the server's idle_session_timeout ended the session"},
    {"25P03", ERR_CONNECT, "the server's idle_in_transaction_session_timeout ended the session"},
    {"25P04", ERR_TIMEOUT, "the server's transaction_timeout ended the session"},
    {"25006", ERR_DB, "the server or the session is read-only: a standby cannot be written to"},
    {"40001", ERR_DB,
     "on a standby: raise max_standby_streaming_delay there, or set hot_standby_feedback = on"},
    {"08", ERR_CONNECT, "is the server up, and does the network keep idle connections open?"},
};

static const StateRow *find_state(const char *state)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (text_starts(state, states[i].state))
            return &states[i];
    return NULL;
}

char *conn_place(const char *dbname, const char *host, const char *port)
{
    bool v6 = host && strchr(host, ':') && host[0] != '/';
    bool socket = !host || !*host;
    return mem_printf("database \"%s\" on %s%s%s%s%s", dbname ? dbname : "", v6 ? "[" : "",
                      socket ? "the local server" : host, v6 ? "]" : "",
                      !port || !*port ? "" : socket ? ", port " : ":", port ? port : "");
}

/* One line of several, indentation and blank lines dropped. */
static void add_lines(Buf *out, const char *text, const char *between)
{
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, "\n");
        const char *next = text + n + (text[n] == '\n');
        while (n && isspace((unsigned char)*text)) {
            text++;
            n--;
        }
        if (n) {
            buf_add_str(out, first ? "" : between);
            buf_add(out, text, n);
            first = false;
        }
        text = next;
    }
}

/* The objects that the server names in fields of their own, where the message does not. */
static void add_object(Buf *out, const PGresult *res, const char *primary)
{
    static const struct {
        int field;
        const char *what;
    } fields[] = {{PG_DIAG_SCHEMA_NAME, "schema"},
                  {PG_DIAG_TABLE_NAME, "table"},
                  {PG_DIAG_COLUMN_NAME, "column"},
                  {PG_DIAG_DATATYPE_NAME, "type"},
                  {PG_DIAG_CONSTRAINT_NAME, "constraint"}};
    bool first = true;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *name = PQresultErrorField(res, fields[i].field);
        AUTO(char) quoted = mem_printf("\"%s\"", name ? name : "");
        if (!name || strstr(primary, quoted))
            continue;
        buf_printf(out, "%s%s \"%s\"", first ? " (" : ", ", fields[i].what, name);
        first = false;
    }
    if (!first)
        buf_add_str(out, ")");
}

static Error *hinted(Error *e, const StateRow *row, const char *server_hint)
{
    const char *hint = row && row->hint ? row->hint : server_hint;
    return hint ? error_hint(e, "%s", hint) : e;
}

Error *conn_failure(Conn *c, const PGresult *res)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL) : NULL;
    const char *context = res ? PQresultErrorField(res, PG_DIAG_CONTEXT) : NULL;
    bool lost = PQstatus(c->pg) == CONNECTION_BAD;
    snprintf(c->sqlstate, sizeof c->sqlstate, "%s", state ? state : lost ? "08006" : "");
    c->broken = c->broken || lost;

    AUTO_VALUE(Buf) text = {0};
    if (primary) {
        add_lines(&text, primary, " ");
        if (detail) {
            buf_add_str(&text, ": ");
            add_lines(&text, detail, " ");
        }
        add_object(&text, res, primary);
        if (context) {
            buf_add_str(&text, " [");
            add_lines(&text, context, " < ");
            buf_add_str(&text, "]");
        }
    } else {
        add_lines(&text, res ? PQresultErrorMessage(res) : PQerrorMessage(c->pg), " ");
    }
    AUTO(char) message = buf_steal_str(&text);
    const StateRow *row = find_state(c->sqlstate);
    ErrorKind kind = row ? row->kind : ERR_DB;
    Error *e = ERROR_NEW(kind, "%s: %s", c->describe, *message ? message : "the connection failed");
    return hinted(e, row, res ? PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) : NULL);
}

/* "FATAL:  28P01: password ...": the login asked libpq to be verbose, which is the only way to get
 * at a failed login's SQLSTATE whatever the language of the server's messages. Copies the code. */
static bool login_state(const char *line, char *state)
{
    for (const char *p = strstr(line, ":  "); p; p = strstr(p + 3, ":  ")) {
        size_t n = 0;
        while (n < 5 && (isdigit((unsigned char)p[3 + n]) || isupper((unsigned char)p[3 + n])))
            n++;
        if (n == 5 && p[8] == ':' && p[9] == ' ') {
            memcpy(state, p + 3, 5);
            state[5] = 0;
            return true;
        }
    }
    return false;
}

/* One line of libpq's report, said shorter: without the server's address, which we say ourselves,
 * and without what verbosity adds. Empty for lines that say nothing. */
static char *login_line(const char *line, size_t n, char *state)
{
    AUTO(char) copy = mem_strndup(line, n);
    if (isspace((unsigned char)*copy) || text_starts(copy, "LOCATION:"))
        return mem_strdup("");
    char found[6];
    if (login_state(copy, found)) {
        memcpy(state, found, sizeof found);
        AUTO(char) code = mem_printf(":  %s: ", found);
        return mem_strdup(strstr(copy, code) + strlen(code));
    }
    const char *failed =
        text_starts(copy, "connection to server") ? strstr(copy, "failed: ") : NULL;
    return mem_strdup(failed ? failed + strlen("failed: ") : copy);
}

Error *conn_login_failure(PGconn *pg, const char *where)
{
    char state[6] = "";
    AUTO_VALUE(StrList) lines = {0};
    for (const char *p = PQerrorMessage(pg); *p;) {
        size_t n = strcspn(p, "\n");
        char *line = login_line(p, n, state);
        if (*line && !strlist_has(&lines, line))
            strlist_own(&lines, line);
        else
            free(line);
        p += n + (p[n] == '\n');
    }
    AUTO_VALUE(Buf) text = {0};
    for (size_t i = 0; i < lines.count; i++)
        buf_printf(&text, "%s%s", i ? "; " : "", lines.items[i]);
    AUTO(char) message = buf_steal_str(&text);
    const StateRow *row = find_state(state);
    /* Without a code it was not the server that refused. */
    if (PQconnectionNeedsPassword(pg))
        row = find_state("28P01");
    ErrorKind kind = row ? row->kind : *state ? ERR_DB : ERR_CONNECT;
    const char *hint = "is the server running, and are host and port right? Does it accept "
                       "connections from here (listen_addresses, firewall)?";
    /* At the door this code has these two meanings only. */
    static const StateRow closed = {
        "55000", ERR_DB,
        "open it with ALTER DATABASE ... ALLOW_CONNECTIONS true (template0 never changes and needs "
        "no backup); an invalid one can only be dropped"};
    if (!strcmp(state, closed.state))
        row = &closed;
    if (strstr(message, "SSL") || strstr(message, "certificate"))
        hint = "check sslmode, sslrootcert, sslcert and sslkey (libpq's TLS settings)";
    Error *e =
        ERROR_NEW(kind, "cannot connect to %s: %s", where, *message ? message : "no reason given");
    return hinted(e, row, kind == ERR_CONNECT ? hint : NULL);
}

Error *conn_url_failure(const char *said)
{
    /* What libpq quotes may be the password, or the whole string with it; one character is not. */
    AUTO_VALUE(Buf) text = {0};
    for (const char *p = said ? said : "out of memory"; *p && *p != '\n';) {
        const char *close = *p == '"' ? strchr(p + 1, '"') : NULL;
        if (*p == '"' && (!close || close - p > 2)) {
            buf_add_str(&text, "\"...\"");
            /* A quote inside of the quoted cannot be told from its end: take the last one. */
            close = strrchr(p + 1, '"');
            p = close ? close + 1 : p + strlen(p);
        } else {
            buf_u8(&text, (uint8_t)*p++);
        }
    }
    AUTO(char) message = buf_steal_str(&text);
    return error_hint(
        ERROR_NEW(ERR_CONFIG, "the database URL was not understood: %s", message),
        "write postgresql://user:password@host:port/database?sslmode=require with odd "
        "characters as %%XX, or \"host=... port=... dbname=... user=...\"");
}
