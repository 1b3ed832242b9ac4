/* A connection to a PostgreSQL server: the only way to reach one from here.
 *
 * A Conn belongs to one thread at a time. Nothing here blocks without looking at the connection's
 * Cancel: on cancellation the server is asked to stop the statement, the call returns ERR_CANCELLED
 * or ERR_TIMEOUT, and the connection is broken (every later call fails).
 *
 * What every connection has: client_encoding UTF8 and an empty search_path (so qualify names; only
 * pg_catalog is searched). Servers from 9.2 on.
 *
 * A peer that is gone or hangs ends in ERR_CONNECT within a few times silence_ms, however long a
 * statement may otherwise run.
 *
 * Errors name server and database and carry PostgreSQL's message, detail and context; never a
 * password. Kinds: CONNECT (unreachable, shut down, connection lost), AUTH, DB_NOT_FOUND,
 * DB_EXISTS, DB_IN_USE (55006, and 55P03 lock_not_available), DB_PERMISSION, DB_FULL, TIMEOUT
 * (57014 that we did not ask for), CANCELLED, DB (anything else). Callers that must tell more ask
 * conn_last_sqlstate. After an ordinary statement error the connection stays usable.
 */
#ifndef PGSTOW_PG_CONN_H
#define PGSTOW_PG_CONN_H

#include <stdint.h>
#include "base/text.h"
#include "flow/cancel.h"
#include "pg/rows.h"

typedef struct Conn Conn;

typedef struct ConnOptions {
    const char *url;      /* URI, "key=value ..." or a bare database name; NULL: PG* variables,
                             service and password file, as libpq takes them (also for what url
                             leaves open) */
    const char *dbname;   /* instead of the one in url; or NULL */
    const char *app_name; /* application_name; NULL: "pgstow", unless url or PGAPPNAME says one */
    Cancel *cancel;       /* borrowed, must outlive the connection; or NULL */
    int64_t silence_ms;   /* how long the server may say nothing, while it is waited for, before a
                             second connection looks whether it is there; 0: 60 s, < 0: for ever */
} ConnOptions;

/* connect_timeout is honoured, 30 s where none is set. */
Error *conn_open(const ConnOptions *options, Conn **out) MUST_CHECK;
/* One more to exactly the same server (the address that `c` reached, also where its name or host
 * list means several), with the same options. dbname NULL: the same database. cancel NULL: that of
 * `c`. Only reads `c`: several threads may do this at once. */
Error *conn_open_like(const Conn *c, const char *dbname_or_null, Cancel *cancel_or_null,
                      Conn **out) MUST_CHECK;
void conn_free(Conn *c);
DEFINE_AUTO(Conn, conn_free)

const char *conn_dbname(const Conn *c);
const char *conn_host(const Conn *c); /* name, address, or folder of the socket */
const char *conn_port(const Conn *c);
const char *conn_user(const Conn *c);
const char *conn_describe(const Conn *c);            /* database "x" on host:port */
int conn_server_version(const Conn *c);              /* 150018; 90624 */
int conn_server_major(const Conn *c);                /* 15; 9 */
const char *conn_server_version_text(const Conn *c); /* "PostgreSQL 15.3" */
bool conn_standard_strings(const Conn *c);           /* standard_conforming_strings, as it is now */
bool conn_in_transaction(const Conn *c);
int conn_backend_pid(const Conn *c); /* as the login said it: a pooler makes one up */
Cancel *conn_cancel(const Conn *c);  /* as it was given; may be NULL */
/* SQLSTATE of the last failed statement; "" where the last one went well or none was sent. */
const char *conn_last_sqlstate(const Conn *c);
bool conn_broken(const Conn *c);

/* One or several statements (";" between) whose rows nobody wants. */
Error *conn_exec(Conn *c, const char *sql) MUST_CHECK;
Error *conn_execf(Conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3))) MUST_CHECK;
/* One statement; how many rows it inserted, updated, deleted or created. */
Error *conn_exec_rows(Conn *c, const char *sql, uint64_t *rows) MUST_CHECK;
/* One statement with text parameters $1 ... (NULL is SQL NULL); nparams may be 0. */
Error *conn_query(Conn *c, const char *sql, size_t nparams, const char *const *params,
                  Rows **out) MUST_CHECK;
/* The same with results in binary format: for bytea, by rows_bytes. */
Error *conn_query_binary(Conn *c, const char *sql, size_t nparams, const char *const *params,
                         Rows **out) MUST_CHECK;
/* One statement whose last parameter, $(nparams + 1), is a bytea of n bytes; results not kept. */
Error *conn_exec_bytes(Conn *c, const char *sql, size_t nparams, const char *const *params,
                       const void *p, size_t n) MUST_CHECK;
/* The first column of the only row as a new string (NULL for SQL NULL); ERR_DB for 0 or 2+ rows. */
Error *conn_value(Conn *c, const char *sql, size_t nparams, const char *const *params,
                  char **out) MUST_CHECK;

/* What is sent and read from now on is UTF-8; in a SQL_ASCII database, whose bytes have no meaning
 * to the server, it passes as it is (there the server would refuse bytes that are no UTF-8). */
Error *conn_use_utf8(Conn *c) MUST_CHECK;

/* Under which encoding a backup's text is to be sent. Bytes of a SQL_ASCII database are taken for
 * text of this one: under that name COPY would let in what is none (PostgreSQL 14 and later). */
const char *conn_send_encoding(const Conn *c, const char *encoding_or_null);

/* The session settings under which rows are read for a backup. encoding: that of the
 * archive's ENCODING entry; NULL: the database's own. */
Error *conn_prepare_dump(Conn *c, const char *encoding_or_null) MUST_CHECK;

/* A text in UTF-8 as this connection takes it: in the database's encoding, which must be the
 * client's too (conn_prepare_dump). Caller frees. */
Error *conn_encoded(Conn *c, const char *utf8, char **out) MUST_CHECK;

/* Of a server that is silent: {0} to begin with. */
typedef struct Silence {
    int looks;     /* in a row that found no sign of life */
    int64_t since; /* conn_watch_child: when it last looked, by clock_mono_ms */
} Silence;
/* To be called again and again while a child program works with the same server: looks every
 * silence_ms, and ends in ERR_CONNECT where the server no longer answers anybody. */
Error *conn_watch_child(const Conn *c, Silence *s) MUST_CHECK;
/* Waits for what a child program writes, and watches meanwhile. */
Error *conn_poll_child(const Conn *c, Cancel *cancel, int fd) MUST_CHECK;

/* How to tell pg_dump, pg_restore and psql to reach the same server: adds to `args` one --dbname=
 * with everything but secrets, and to `env` the password and what has to be taken away. ERR_CONFIG
 * where that cannot be done without showing a secret (sslpassword). */
Error *conn_child_env(const Conn *c, const char *dbname_or_null, StrList *env,
                      StrList *args) MUST_CHECK;

#endif
