#include "pg/merge_scratch.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "pg/advisory.h"

#define MARK "pgstow merge since "
#define PREFIX "pgstow_merge_"
#define LOCK "1885828980, 1835364967" /* "pgst", "merg" */
#define AT_ONCE 200                   /* tables dropped in one transaction: each takes locks */

static Error *taken(Conn *c)
{
    AUTO(char) who = NULL;
    Error *e = advisory_holder(c, LOCK, &who);
    if (e && conn_broken(c))
        return e;
    error_drop(e);
    return error_hint(
        ERROR_NEW(ERR_DB_IN_USE, "%s: another merge is running into it%s%s", conn_describe(c),
                  who ? ": " : "", who ? who : ""),
        "wait for it; one that was killed ends with its last statement, and one whose "
        "network went away is ended by pgstow sync clear-locks");
}

Error *merge_scratch_lock(Conn *c, int64_t wait_ms)
{
    for (int64_t end = clock_mono_ms() + wait_ms;;) {
        AUTO(char) got = NULL;
        TRY(conn_value(c, "SELECT pg_catalog.pg_try_advisory_lock(" LOCK ")", 0, NULL, &got));
        if (got && *got == 't')
            return NULL;
        if (clock_mono_ms() >= end)
            return taken(c);
        TRY(cancel_check(conn_cancel(c)));
        clock_sleep_ms(100);
    }
}

Error *merge_scratch_unlock(Conn *c)
{
    return conn_exec(c, "SELECT pg_catalog.pg_advisory_unlock(" LOCK ")");
}

static Error *drop_tables(Conn *c, const char *schema)
{
    AUTO(Rows) rows = NULL;
    const char *params[] = {schema};
    TRY(conn_query(c,
                   "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM "
                   "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                   "WHERE pg_catalog.quote_ident(n.nspname) = $1 AND c.relkind = 'r'",
                   1, params, &rows));
    for (size_t r = 0; r < rows_count(rows);) {
        AUTO_VALUE(Buf) sql = {0};
        for (size_t end = r + AT_ONCE; r < end && r < rows_count(rows); r++)
            buf_printf(&sql, "%s%s", sql.len ? ", " : "DROP TABLE ", rows_text(rows, r, 0));
        AUTO(char) text = buf_steal_str(&sql);
        TRY(conn_exec(c, text));
    }
    return NULL;
}

Error *merge_scratch_drop(Conn *c, const char *schema)
{
    TRY_CTX(drop_tables(c, schema), "dropping the scratch schema %s", schema);
    TRY_CTX(conn_execf(c, "DROP SCHEMA %s CASCADE", schema), "dropping the scratch schema");
    return NULL;
}

Error *merge_scratch_sweep(Conn *c)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c,
                   "SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace WHERE "
                   "nspname ~ '^" PREFIX "' AND pg_catalog.obj_description(oid, 'pg_namespace') "
                   "~ '^" MARK "'",
                   0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        Error *e = merge_scratch_drop(c, rows_text(rows, i, 0));
        if (e)
            log_warning("%s, left by an earlier merge: %s", rows_text(rows, i, 0),
                        error_message(e));
        bool broken = conn_broken(c);
        if (broken)
            return e;
        error_drop(e);
    }
    return NULL;
}

Error *merge_scratch_create(Conn *c, char **schema)
{
    char since[CLOCK_TEXT];
    AUTO(char)
    name = mem_printf(PREFIX "%" PRIx64 "_%x", (uint64_t)clock_now(), (unsigned)getpid());
    Error *e =
        conn_execf(c, "BEGIN; CREATE SCHEMA %s; COMMENT ON SCHEMA %s IS '" MARK "%s'; COMMIT", name,
                   name, clock_iso(clock_now(), since));
    if (e) {
        if (error_kind(e) == ERR_DB_PERMISSION)
            e = error_context(e,
                              "a merge keeps the backup's rows in a schema of its own meanwhile, "
                              "for which it needs GRANT CREATE ON DATABASE");
        if (!conn_broken(c))
            error_drop(conn_exec(c, "ROLLBACK"));
        return e;
    }
    *schema = STEAL(name);
    return NULL;
}

bool merge_scratch_is(const char *schema)
{
    return text_starts(schema, PREFIX);
}
