#include "pg/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "sql.h"

#define LOCK_BATCH 200
#define BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

struct Snapshot {
    Conn *conn;
    char *name;
    uint32_t *locked; /* sorted OIDs */
    size_t count;
    bool open;
};

static int compare_oid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_locked(const Snapshot *s, uint32_t oid)
{
    return bsearch(&oid, s->locked, s->count, sizeof oid, compare_oid) != NULL;
}

static Error *start_over(Error *e, const char *why)
{
    return error_rekind(error_context(e, "%s", why), ERR_DB_CHANGED);
}

/* The wait for one of these tables was too long. Which one the server's error does not say: it is
 * the first that cannot be had at once. */
static Error *waited(Conn *c, const char *savepoint, const Rows *tables, size_t from, size_t to,
                     Error *timeout)
{
    for (size_t i = from; i < to && !conn_broken(c); i++) {
        const char *name = rows_text(tables, i, 1);
        Error *e = conn_execf(c,
                              "ROLLBACK TO SAVEPOINT %s; "
                              "LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT",
                              savepoint, name);
        bool held = e && error_kind(e) == ERR_DB_IN_USE;
        error_free(e);
        if (!held)
            continue;
        error_free(timeout);
        FAIL(ERR_DB_CHANGED,
             "%s: others hold or wait for an exclusive lock on table %s, and it was not released",
             conn_describe(c), name);
    }
    return start_over(timeout, "waiting for a lock");
}

/* One table of a batch that failed as a whole. One that is gone or forbidden is left out: if the
 * backup needs it, pg_dump says so, or snapshot_cover finds it. */
static Error *lock_one(Conn *c, const Rows *tables, size_t i, bool *locked)
{
    const char *name = rows_text(tables, i, 1);
    TRY(conn_exec(c, "SAVEPOINT one"));
    Error *e = conn_execf(c, "LOCK TABLE ONLY %s IN ACCESS SHARE MODE", name);
    *locked = !e;
    if (!e)
        return conn_exec(c, "RELEASE SAVEPOINT one");
    bool skip = !strcmp(conn_last_sqlstate(c), "42P01") ||
                !strcmp(conn_last_sqlstate(c), "3F000") || error_kind(e) == ERR_DB_PERMISSION;
    if (!skip)
        return error_kind(e) == ERR_DB_IN_USE ? waited(c, "one", tables, i, i + 1, e) : e;
    log_debug("not locked: %s", error_message(e));
    error_free(e);
    return conn_exec(c, "ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one");
}

static Error *lock_batch(Snapshot *s, const Rows *tables, size_t from, size_t to)
{
    AUTO_VALUE(Buf) sql = {0};
    buf_add_str(&sql, "SAVEPOINT batch; LOCK TABLE ");
    for (size_t i = from; i < to; i++)
        buf_printf(&sql, "%sONLY %s", i > from ? ", " : "", rows_text(tables, i, 1));
    buf_add_str(&sql, " IN ACCESS SHARE MODE; RELEASE SAVEPOINT batch");
    buf_u8(&sql, 0);
    Error *e = conn_exec(s->conn, (const char *)sql.data);
    if (e && (conn_broken(s->conn) || error_kind(e) == ERR_DB_IN_USE))
        return error_kind(e) == ERR_DB_IN_USE ? waited(s->conn, "batch", tables, from, to, e) : e;
    if (!e) {
        for (size_t i = from; i < to; i++)
            s->locked[s->count++] = rows_oid(tables, i, 0);
        return NULL;
    }
    error_free(e);
    /* Released too: a snapshot cannot be exported from inside a subtransaction. */
    TRY(conn_exec(s->conn, "ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch"));
    for (size_t i = from; i < to; i++) {
        bool locked;
        TRY(lock_one(s->conn, tables, i, &locked));
        if (locked)
            s->locked[s->count++] = rows_oid(tables, i, 0);
    }
    return NULL;
}

Error *snapshot_take(Conn *list, Conn *lock, int64_t lock_wait_ms, Job *job, Snapshot **out)
{
    AUTO(Rows) tables = NULL;
    AUTO(Snapshot) s = mem_new(Snapshot);
    s->conn = lock;
    TRY_CTX(conn_query(list, sql_list_tables, 0, NULL, &tables), "listing the tables");
    FAULT_POINT("backup.start.listed");
    size_t count = rows_count(tables);
    s->locked = mem_calloc(count, sizeof *s->locked);
    job_phase(job, "locking", 0, count);
    TRY(conn_exec(lock, BEGIN_READING));
    s->open = true;
    TRY(conn_execf(lock, "SET LOCAL lock_timeout = %lld", (long long)lock_wait_ms));
    for (size_t i = 0; i < count; i += LOCK_BATCH) {
        size_t to = i + LOCK_BATCH < count ? i + LOCK_BATCH : count;
        TRY(lock_batch(s, tables, i, to));
        job_add_items(job, to - i);
    }
    TRY(conn_exec(lock, "SET LOCAL lock_timeout = 0"));
    mem_sort(s->locked, s->count, sizeof *s->locked, compare_oid);
    FAULT_POINT("backup.start.locked");
    TRY_CTX(conn_value(lock, "SELECT pg_catalog.pg_export_snapshot()", 0, NULL, &s->name),
            "exporting the snapshot");
    FAULT_POINT("backup.start.snapshot");
    *out = STEAL(s);
    return NULL;
}

const char *snapshot_name(const Snapshot *s)
{
    return s->name;
}

const uint32_t *snapshot_tables(const Snapshot *s, size_t *count)
{
    *count = s->count;
    return s->locked;
}

static Error *cover_one(Snapshot *s, uint32_t oid)
{
    char text[16];
    snprintf(text, sizeof text, "%u", oid);
    const char *params[] = {text};
    AUTO(Rows) before = NULL;
    TRY(conn_query(s->conn, sql_table_file, 1, params, &before));
    if (!rows_count(before))
        FAIL(ERR_DB_CHANGED, "table with OID %u is in the TOC but not in the snapshot", oid);
    const char *name = rows_text(before, 0, 0);
    if (!rows_bool(before, 0, 3))
        return NULL; /* not of a kind that can be locked: a foreign table */
    Error *e = conn_execf(s->conn, "LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT", name);
    if (e)
        return conn_broken(s->conn) ? e : start_over(e, "locking a table that appeared late");
    AUTO(Rows) after = NULL;
    TRY(conn_query(s->conn, sql_table_file, 1, params, &after));
    const char *seen = rows_text(after, 0, 1), *now = rows_text(after, 0, 2);
    if (!seen || !now || strcmp(seen, now))
        FAIL(ERR_DB_CHANGED, "table %s was truncated or rewritten while the backup began", name);
    return NULL;
}

Error *snapshot_cover(Snapshot *s, const uint32_t *oids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_locked(s, oids[i]))
            TRY(cover_one(s, oids[i]));
    return NULL;
}

Error *snapshot_end(Snapshot *s)
{
    s->open = false;
    return conn_exec(s->conn, "COMMIT");
}

void snapshot_free(Snapshot *s)
{
    if (s->open && !conn_broken(s->conn))
        error_drop(conn_exec(s->conn, "ROLLBACK"));
    free(s->name);
    free(s->locked);
    free(s);
}

Error *snapshot_join(const char *name, Conn *c)
{
    AUTO(char) literal = text_sql_literal(name);
    Error *e = conn_execf(c, BEGIN_READING "; SET TRANSACTION SNAPSHOT %s", literal);
    /* The server knows only that the snapshot is not there. */
    if (e && error_kind(e) == ERR_DB)
        e = error_hint(
            e, "the session that held the snapshot has ended: the server's log says why; on "
               "a standby raise max_standby_streaming_delay, or set hot_standby_feedback "
               "= on");
    TRY(e);
    return conn_prepare_dump(c, NULL);
}
