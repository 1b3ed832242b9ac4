#include "pg/doctor_pooler.h"

#include <string.h>

#define PATIENCE_MS 10000

static Error *server_pid(Conn *c, char **out)
{
    return conn_value(c, "SELECT pg_catalog.pg_backend_pid()", 0, NULL, out);
}

/* In transaction mode a server process is lent for one transaction only: what one client gave back
 * a second one takes and keeps, and the first goes on with another. In session mode it never
 * changes. Where the pool has just one process, the first would wait for ever: hence the limit. */
static Error *swap_processes(const Conn *c, Cancel *cancel, bool *changed)
{
    AUTO(Conn) first = NULL;
    AUTO(Conn) second = NULL;
    AUTO(char) before = NULL;
    AUTO(char) after = NULL;
    TRY(conn_open_like(c, NULL, cancel, &first));
    TRY(conn_open_like(c, NULL, cancel, &second));
    TRY(server_pid(first, &before));
    TRY(conn_exec(second, "BEGIN"));
    TRY(server_pid(first, &after));
    *changed = strcmp(before, after) != 0;
    return conn_exec(second, "ROLLBACK");
}

Error *doctor_ask_pooler(Conn *c, FindingList *out)
{
    AUTO(char) pid = NULL;
    TRY(server_pid(c, &pid));
    AUTO(char) ours = mem_printf("%d", conn_backend_pid(c));
    if (!strcmp(pid, ours)) {
        finding_add(out, FINDING_OK, "connection", "straight to the server, no pooler between",
                    NULL);
        return NULL;
    }
    bool changed = false;
    AUTO(Cancel) limit = NULL;
    TRY(cancel_new(conn_cancel(c), &limit));
    cancel_deadline(limit, PATIENCE_MS);
    Error *e = swap_processes(c, limit, &changed);
    if (e && cancel_requested(conn_cancel(c)))
        return e;
    const char *remedy = "connect to the server itself (mostly port 5432), or to a pool in session "
                         "mode: locks and snapshots live in one server session";
    if (e && error_kind(e) == ERR_TIMEOUT)
        finding_add(out, FINDING_WARNING, "connection",
                    "a connection pooler that kept us waiting for a second session", remedy);
    else if (!e && changed)
        finding_add(out, FINDING_PROBLEM, "connection", "a connection pooler in transaction mode",
                    remedy);
    else if (!e)
        finding_add(out, FINDING_NOTE, "connection",
                    "a connection pooler, in session mode it seems",
                    "a direct connection is surer: backups need one session from begin to end");
    else {
        finding_add_error(out, "connection", e);
        return NULL;
    }
    error_free(e);
    return NULL;
}
