#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "state/state_internal.h"

/* -- what went wrong ----------------------------------------------------------------------------
 */

static Error *full(State *s, const char *doing)
{
    return error_hint(ERROR_NEW(ERR_IO, "%s in %s: the disk is full", doing, s->path),
                      "make room in %s", s->folder);
}

static Error *damaged(State *s, const char *doing)
{
    return error_hint(
        ERROR_NEW(ERR_DAMAGED, "%s in %s: %s", doing, s->path, sqlite3_errmsg(s->db)),
        "move %s away, with what stands beside it (-wal, -shm): the history, tokens and pending "
        "notifications in it are lost, backups are not in it",
        s->path);
}

Error *state_failure(State *s, int rc, const char *doing)
{
    int code = sqlite3_system_errno(s->db);
    const char *said = sqlite3_errmsg(s->db);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return full(s, doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return damaged(s, doing);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_hint(ERROR_NEW(ERR_TIMEOUT,
                                    "%s in %s: another process has kept it locked for %lld s",
                                    doing, s->path, (long long)(s->wait_ms / 1000)),
                          "see who has the file open (fuser -v %s)", s->path);
    case SQLITE_NOMEM:
        FAIL(ERR_MEMORY, "%s in %s: no memory", doing, s->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return error_hint(ERROR_NEW(ERR_IO, "%s in %s: %s", doing, s->path, said),
                          "%s and the files in it must be writable by this user", s->folder);
    case SQLITE_IOERR:
        if (code == ENOSPC || code == EDQUOT)
            return full(s, doing);
        return error_hint(ERROR_NEW(ERR_IO, "%s in %s: %s", doing, s->path, said),
                          "look into the system's log for errors of the disk");
    case SQLITE_CONSTRAINT:
        if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
            FAIL(ERR_EXISTS, "%s in %s: it exists already", doing, s->path);
        if (rc == SQLITE_CONSTRAINT_FOREIGNKEY)
            FAIL(ERR_NOT_FOUND, "%s in %s: what it belongs to is not there", doing, s->path);
        break;
    }
    FAIL(ERR_INTERNAL, "%s in %s: %s", doing, s->path, said);
}

/* -- statements ---------------------------------------------------------------------------------
 */

static const char working[] = "using the state";

/* Where a failure has ended a transaction as a whole, what was to be a part of it must not run by
 * itself. */
static Error *check_within(State *s)
{
    if (s->depth && sqlite3_get_autocommit(s->db))
        FAIL(ERR_IO, "%s in %s: the transaction was taken back", working, s->path);
    return NULL;
}

Error *query_open(State *s, const char *sql, Query *q)
{
    pthread_mutex_lock(s->mutex);
    *q = (Query){.s = s};
    TRY(check_within(s));
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &q->stmt, NULL);
    return rc == SQLITE_OK ? NULL : state_failure(s, rc, working);
}

void query_close(Query *q)
{
    if (!q->s)
        return;
    sqlite3_finalize(q->stmt);
    pthread_mutex_unlock(q->s->mutex);
    *q = (Query){0};
}

static void bound(Query *q, int rc)
{
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void query_int(Query *q, int64_t v)
{
    bound(q, sqlite3_bind_int64(q->stmt, ++q->bound, v));
}

void query_maybe_int(Query *q, int64_t v)
{
    if (v)
        query_int(q, v);
    else
        q->bound++; /* what is not bound is NULL */
}

void query_text(Query *q, const char *v)
{
    query_maybe_text(q, v ? v : "");
}

static void add_text(Query *q, const char *v, size_t n)
{
    bound(q, sqlite3_bind_text64(q->stmt, ++q->bound, v, n, SQLITE_TRANSIENT, SQLITE_UTF8));
}

void query_maybe_text(Query *q, const char *v)
{
    add_text(q, v, v ? text_kept(v, STATE_TEXT_MAX) : 0);
}

void query_whole_text(Query *q, const char *v)
{
    add_text(q, v, v ? strlen(v) : 0);
}

void query_names(Query *q, unsigned bits, const char *const *names, unsigned count)
{
    AUTO_VALUE(Buf) text = {0};
    for (unsigned i = 0; i < count; i++)
        if (bits & (1u << i))
            buf_printf(&text, " %s ", names[i]);
    add_text(q, (const char *)text.data, text.len);
}

void query_blob(Query *q, const void *p, int n)
{
    bound(q, sqlite3_bind_blob(q->stmt, ++q->bound, p, n, SQLITE_STATIC));
}

Error *query_row(Query *q, bool *more)
{
    *more = false;
    if (q->rc == SQLITE_OK && q->bound != sqlite3_bind_parameter_count(q->stmt))
        FAIL(ERR_INTERNAL, "%d of %d parameters are given: %s", q->bound,
             sqlite3_bind_parameter_count(q->stmt), sqlite3_sql(q->stmt));
    int rc = q->rc == SQLITE_OK ? sqlite3_step(q->stmt) : q->rc;
    q->taken = 0;
    *more = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? NULL : state_failure(q->s, rc, working);
}

Error *query_page(Query *q, size_t have, uint32_t limit, bool *more, bool *got)
{
    TRY(query_row(q, got));
    if (!*got || have < limit)
        return NULL;
    *got = false;
    *more = true;
    return NULL;
}

Error *query_run(Query *q, int64_t *changed)
{
    bool more;
    TRY(query_row(q, &more));
    if (changed)
        *changed = sqlite3_changes64(q->s->db);
    return NULL;
}

int64_t query_get_int(Query *q)
{
    return sqlite3_column_int64(q->stmt, q->taken++);
}

char *query_get_text(Query *q)
{
    return mem_strdup((const char *)sqlite3_column_text(q->stmt, q->taken++));
}

/* -- short ways ---------------------------------------------------------------------------------
 */

Error *state_exec(State *s, const char *sql)
{
    pthread_mutex_lock(s->mutex);
    Error *e = check_within(s);
    int rc = e ? SQLITE_OK : sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        e = state_failure(s, rc, working);
    pthread_mutex_unlock(s->mutex);
    return e;
}

Error *state_number(State *s, const char *sql, int64_t *out)
{
    AUTO_VALUE(Query) q = {0};
    bool more;
    TRY(query_open(s, sql, &q));
    TRY(query_row(&q, &more));
    *out = more ? query_get_int(&q) : 0;
    return NULL;
}

int64_t query_last_id(const Query *q)
{
    return sqlite3_last_insert_rowid(q->s->db);
}

uint32_t state_limit(uint32_t wanted)
{
    return wanted && wanted < STATE_LIST_MAX ? wanted : STATE_LIST_MAX;
}

/* -- transactions -------------------------------------------------------------------------------
 */

static Error *finish(State *s, bool outermost)
{
    TRY(check_within(s));
    return state_exec(s, outermost ? "COMMIT" : "RELEASE inner");
}

static void take_back(State *s, bool outermost)
{
    if (!sqlite3_get_autocommit(s->db)) /* SQLite has not done it itself */
        error_drop(state_exec(s, outermost ? "ROLLBACK" : "ROLLBACK TO inner; RELEASE inner"));
}

Error *state_together(State *s, Error *(*work)(State *s, void *ctx), void *ctx)
{
    pthread_mutex_lock(s->mutex);
    bool outermost = s->depth == 0;
    Error *e = state_exec(s, outermost ? "BEGIN IMMEDIATE" : "SAVEPOINT inner");
    if (!e) {
        s->depth++;
        e = work(s, ctx);
        if (!e)
            e = finish(s, outermost);
        if (e)
            take_back(s, outermost);
        s->depth--;
    }
    pthread_mutex_unlock(s->mutex);
    return e;
}
