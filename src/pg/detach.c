#include "pg/detach.h"

#include "sql.h"

void bindings_clear(Bindings *b)
{
    strlist_free(&b->slots);
    strlist_free(&b->subscriptions);
    strlist_free(&b->prepared);
    strlist_free(&b->extensions);
    *b = (Bindings){0};
}

static Error *names(Conn *c, const char *sql, size_t nparams, const char *name, StrList *out)
{
    AUTO(Rows) rows = NULL;
    const char *params[] = {name};
    TRY(conn_query(c, sql, nparams, params, &rows));
    for (size_t i = 0; i < rows_count(rows); i++)
        strlist_add(out, rows_text(rows, i, 0));
    return NULL;
}

Error *detach_find(Conn *c, Conn *inside, const char *name, Bindings *out)
{
    if (conn_server_version(c) >= 90400)
        TRY(names(c,
                  "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE database = $1 "
                  "ORDER BY 1",
                  1, name, &out->slots));
    if (conn_server_version(c) >= 100000)
        TRY(names(c, sql_db_subscriptions, 1, name, &out->subscriptions));
    TRY(names(c, "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1 ORDER BY 1", 1,
              name, &out->prepared));
    if (inside)
        TRY(names(inside,
                  "SELECT extname FROM pg_catalog.pg_extension WHERE extname IN "
                  "('pg_cron', 'pglogical', 'spock', 'bdr') ORDER BY 1",
                  0, name, &out->extensions));
    return NULL;
}

Error *detach_subscriptions(Conn *c, const char *name, StrList *warnings)
{
    if (conn_server_version(c) < 100000)
        return NULL;
    AUTO_VALUE(StrList) found = {0};
    TRY(names(c, sql_db_subscriptions, 1, name, &found));
    if (!found.count)
        return NULL;
    AUTO(Conn) inside = NULL;
    TRY(conn_open_like(c, name, NULL, &inside));
    for (size_t i = 0; i < found.count; i++) {
        AUTO(char) quoted = text_sql_ident(found.items[i]);
        TRY_CTX(conn_execf(inside,
                           "ALTER SUBSCRIPTION %s DISABLE; "
                           "ALTER SUBSCRIPTION %s SET (slot_name = NONE); DROP SUBSCRIPTION %s",
                           quoted, quoted, quoted),
                "detaching subscription %s", found.items[i]);
        strlist_own(warnings,
                    mem_printf("subscription \"%s\" was dropped; its replication slot on the "
                               "publisher, if it had one, is still there",
                               found.items[i]));
    }
    return NULL;
}
