#include "pg/part_target.h"

#include "pg/sql_words.h"
#include "sql.h"

static Error *about_names(Conn *c, const char *sql, const StrList *schemas, const StrList *names,
                          Rows **out)
{
    AUTO(char) first = sql_array(schemas);
    AUTO(char) second = sql_array(names);
    const char *params[] = {first, second};
    return conn_query(c, sql, 2, params, out);
}

Error *part_target_relations(Conn *c, const StrList *schemas, const StrList *names, bool there,
                             StrList *out)
{
    AUTO(Rows) rows = NULL;
    if (!names->count)
        return NULL;
    TRY(about_names(c, sql_part_relations, schemas, names, &rows));
    for (size_t i = 0; i < rows_count(rows); i++)
        if (rows_bool(rows, i, 1) == there)
            strlist_add(out, rows_text(rows, i, 0));
    return NULL;
}

static Error *has(Conn *c, const char *sql, const char *name, bool *there)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql, 1, &name, &rows));
    *there = rows_count(rows) > 0;
    return NULL;
}

Error *part_target_has_schema(Conn *c, const char *schema, bool *there)
{
    return has(c, "SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", schema, there);
}

Error *part_target_has_extension(Conn *c, const char *name, bool *there)
{
    return has(c, "SELECT FROM pg_catalog.pg_extension WHERE extname = $1", name, there);
}

Error *part_target_has_language(Conn *c, const char *name, bool *there)
{
    return has(c, "SELECT FROM pg_catalog.pg_language WHERE lanname = $1", name, there);
}

Error *part_target_filled(Conn *c, const char *schema, const char *name, bool *filled)
{
    AUTO(Rows) conditions = NULL;
    AUTO(char) value = NULL;
    AUTO(char) first = text_sql_ident(schema);
    AUTO(char) second = text_sql_ident(name);
    const char *params[] = {schema, name};
    TRY(conn_query(c, sql_part_condition, 2, params, &conditions));
    const char *condition = rows_count(conditions) ? rows_text(conditions, 0, 0) : NULL;
    AUTO(char)
    sql = mem_printf("SELECT EXISTS (SELECT FROM ONLY %s.%s %s)", first, second,
                     condition ? condition : "");
    TRY(conn_value(c, sql, 0, NULL, &value));
    *filled = value && *value == 't';
    return NULL;
}

Error *part_target_hold(Conn *c, const char *schema, const char *name, bool *filled)
{
    AUTO(char) first = text_sql_ident(schema);
    AUTO(char) second = text_sql_ident(name);
    TRY(conn_execf(c, "LOCK TABLE ONLY %s.%s IN SHARE ROW EXCLUSIVE MODE", first, second));
    return part_target_filled(c, schema, name, filled);
}

Error *part_target_own_sequence(Conn *c, const char *schema, const char *name)
{
    AUTO(char) first = text_sql_ident(schema);
    AUTO(char) second = text_sql_ident(name);
    return conn_execf(c, "ALTER SEQUENCE %s.%s RESTART", first, second);
}

/* Runs the first column of each row, and keeps the second. */
static Error *run_each(Conn *c, const Rows *rows, StrList *before)
{
    for (size_t i = 0; i < rows_count(rows); i++) {
        TRY(conn_exec(c, rows_text(rows, i, 0)));
        strlist_add(before, rows_text(rows, i, 1));
    }
    return NULL;
}

Error *part_target_open_tables(Conn *c, const StrList *schemas, const StrList *names,
                               StrList *before)
{
    AUTO(Rows) triggers = NULL;
    AUTO(Rows) keys = NULL;
    TRY(about_names(c, sql_part_triggers, schemas, names, &triggers));
    TRY(about_names(c, sql_part_foreign_keys, schemas, names, &keys));
    TRY(run_each(c, triggers, before));
    TRY(run_each(c, keys, before));
    return conn_exec(c, "SET CONSTRAINTS ALL DEFERRED");
}

Error *part_target_as_before(Conn *c, const StrList *before)
{
    TRY(conn_exec(c, "SET CONSTRAINTS ALL IMMEDIATE"));
    for (size_t i = 0; i < before->count; i++)
        TRY(conn_exec(c, before->items[i]));
    return NULL;
}
