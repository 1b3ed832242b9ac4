/* What the files around libpq share: the connection itself. No other room includes this. */
#ifndef PGSTOW_PG_CONN_INTERNAL_H
#define PGSTOW_PG_CONN_INTERNAL_H

#include <libpq-fe.h>
#include "pg/conn.h"

struct Conn {
    PGconn *pg;
    Cancel *cancel; /* borrowed; may be NULL */
    /* libpq's options by which this very server is reached again, secrets among them. */
    StrList keys, values;
    char *describe;
    char version_text[32];
    char sqlstate[6];
    bool broken;
    int64_t silence_ms; /* as in ConnOptions, but never 0 */
    uint64_t copy_rows;
    char *copy_row;      /* libpq's, that of the last copy_out_row */
    size_t copies_left;  /* of a series: those behind the one that is read */
    int doubts;          /* how often still to look whether a COPY FROM has failed */
    int64_t doubt_after; /* and from when, by clock_mono_ms */
};

struct Rows {
    PGresult *res;
};

/* Before a statement: refuses on a broken or cancelled connection, forgets the last outcome. */
Error *conn_begin(Conn *c) MUST_CHECK;
/* Sends what is buffered and reads until PQgetResult would not block. */
Error *conn_pump(Conn *c) MUST_CHECK;
/* Waits until the socket has one of these poll events. What interrupts the wait ends the
 * connection: the server is asked to stop, and `c` is broken. */
Error *conn_wait(Conn *c, short events) MUST_CHECK;
/* After a time of silence: looks by a second connection whether the server is at work (then NULL:
 * go on waiting), and fails with ERR_CONNECT once it is sure that nothing more will come.
 * at_session: whether `c` itself is waited on, or a child's connection. */
Error *conn_look_after(const Conn *c, bool at_session, Silence *s) MUST_CHECK;
/* One more to the same server, for such a look: within the time of `limit`. */
Error *conn_open_look(const Conn *c, Cancel *limit, Conn **out) MUST_CHECK;
/* TCP's keepalive, where the user has not set it; and the same as options for children. */
void conn_keep_alive(const Conn *c);
void conn_keep_alive_args(const Conn *c, Buf *conninfo);

/* Reads all results of the statement that was sent. The last one goes to *last (may be NULL), the
 * first failure is returned. */
Error *conn_finish(Conn *c, PGresult **last) MUST_CHECK;

/* The error that a result, or where it is NULL the connection, tells of. Sets c->sqlstate, and
 * c->broken where the connection is gone. */
Error *conn_failure(Conn *c, const PGresult *res) MUST_CHECK;
/* The error of a login that failed; `where` says which server and database. */
Error *conn_login_failure(PGconn *pg, const char *where) MUST_CHECK;
/* An error for a connection string that libpq does not understand, without showing the string. */
Error *conn_url_failure(const char *libpq_message) MUST_CHECK;
/* "database "x" on host:port"; caller frees. */
char *conn_place(const char *dbname, const char *host, const char *port);

#endif
