#include "pg/preflight.h"

#include "pg/sql_words.h"
#include "sql.h"

/* Runs a query whose $1 is the names (and $2, if any, `second`), and collects its first column. */
static Error *names_of(Conn *c, const char *sql, const StrList *names, const char *second,
                       StrList *out)
{
    if (!names->count)
        return NULL;
    AUTO(Rows) rows = NULL;
    AUTO(char) array = sql_array(names);
    const char *params[] = {array, second};
    TRY(conn_query(c, sql, second ? 2 : 1, params, &rows));
    for (size_t i = 0; i < rows_count(rows); i++)
        strlist_add(out, rows_text(rows, i, 0));
    return NULL;
}

Error *preflight_missing_roles(Conn *c, const StrList *names, StrList *out)
{
    return names_of(c,
                    "SELECT n FROM pg_catalog.unnest($1::text[]) n WHERE NOT EXISTS "
                    "(SELECT FROM pg_catalog.pg_roles WHERE rolname = n)",
                    names, NULL, out);
}

Error *preflight_missing_extensions(Conn *c, const StrList *names, StrList *out)
{
    return names_of(c,
                    "SELECT n FROM pg_catalog.unnest($1::text[]) n WHERE NOT EXISTS "
                    "(SELECT FROM pg_catalog.pg_available_extensions WHERE name = n)",
                    names, NULL, out);
}

Error *preflight_missing_tablespaces(Conn *c, const StrList *names, StrList *out)
{
    return names_of(c,
                    "SELECT n FROM pg_catalog.unnest($1::text[]) n WHERE NOT EXISTS "
                    "(SELECT FROM pg_catalog.pg_tablespace WHERE spcname = n)",
                    names, NULL, out);
}

Error *preflight_foreign_roles(Conn *c, const char *user, const StrList *names, StrList *out)
{
    return names_of(c,
                    "SELECT r.rolname FROM pg_catalog.unnest($1::text[]) n "
                    "JOIN pg_catalog.pg_roles r ON r.rolname = n "
                    "WHERE n <> 'pg_database_owner' "
                    "AND NOT pg_catalog.pg_has_role($2::name, r.oid, 'MEMBER')",
                    names, user, out);
}

static Error *yes_or_no(Conn *c, const char *sql, size_t nparams, const char *const *params,
                        bool *out)
{
    AUTO(char) value = NULL;
    TRY(conn_value(c, sql, nparams, params, &value));
    *out = value && *value == 't';
    return NULL;
}

Error *preflight_knows_locale(Conn *c, const char *locale, bool *known)
{
    return yes_or_no(c, sql_knows_locale, 1, &locale, known);
}

Error *preflight_user(Conn *c, const char *user, ServerUser *out)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, "SELECT rolsuper, rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = $1", 1,
                   &user, &rows));
    *out = (ServerUser){.exists = rows_count(rows) == 1};
    if (out->exists) {
        out->superuser = rows_bool(rows, 0, 0);
        out->createdb = out->superuser || rows_bool(rows, 0, 1);
    }
    return NULL;
}

Error *preflight_is_member(Conn *c, const char *user, const char *role, bool *member)
{
    const char *params[] = {user, role};
    return yes_or_no(c, "SELECT pg_catalog.pg_has_role($1::name, $2::name, 'MEMBER')", 2, params,
                     member);
}

Error *preflight_database_exists(Conn *c, const char *name, bool *exists)
{
    return yes_or_no(c, "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", 1,
                     &name, exists);
}

Error *preflight_is_empty(Conn *inside, bool *empty)
{
    return yes_or_no(inside, sql_db_is_empty, 0, NULL, empty);
}

Error *preflight_sessions(Conn *c, const char *name, int64_t *all, int64_t *untouchable)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_db_sessions, 1, &name, &rows));
    *all = rows_int(rows, 0, 0);
    *untouchable = rows_int(rows, 0, 1);
    return NULL;
}

char *preflight_data_directory(Conn *c)
{
    char *value = NULL;
    error_drop(
        conn_value(c, "SELECT pg_catalog.current_setting('data_directory')", 0, NULL, &value));
    return value;
}

uint64_t preflight_database_size(Conn *c, const char *name)
{
    AUTO(char) value = NULL;
    error_drop(conn_value(c, "SELECT pg_catalog.pg_database_size($1::name)", 1, &name, &value));
    return value ? strtoull(value, NULL, 10) : 0;
}
