#include "pg/doctor_access.h"

#include <string.h>

#include "sql.h"

#define BACKUP_ROLE "pgstow_backup"
#define NAMES_SHOWN 5

typedef struct User {
    char *name; /* quoted */
    bool superuser, owner;
    int64_t row_security_tables;
} User;

static void user_clear(User *u)
{
    free(u->name);
}
DEFINE_AUTO_VALUE(User, user_clear)

static Error *ask_user(Conn *c, User *u)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_doctor_user, 0, NULL, &rows));
    if (rows_count(rows) != 1)
        FAIL(ERR_DB, "%s: the current user is not among its roles", conn_describe(c));
    u->name = mem_strdup(rows_text(rows, 0, 0));
    u->superuser = rows_bool(rows, 0, 1);
    u->owner = rows_bool(rows, 0, 2);
    u->row_security_tables = rows_int(rows, 0, 3);
    return NULL;
}

/* "a, b, c and 7 more"; caller frees. */
static char *some_names(const Rows *rows)
{
    AUTO_VALUE(Buf) b = {0};
    size_t n = rows_count(rows);
    for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", rows_text(rows, i, 0));
    if (n > NAMES_SHOWN)
        buf_printf(&b, " and %zu more", n - NAMES_SHOWN);
    return buf_steal_str(&b);
}

/* GRANTs for what `rows` of doctor_unreadable.sql say, schema by schema. */
static char *missing_grants(const Conn *c, const Rows *rows, const char *user)
{
    AUTO_VALUE(Buf) b = {0};
    if (conn_server_major(c) >= 14) {
        buf_printf(&b, "GRANT pg_read_all_data TO %s;", user);
        return buf_steal_str(&b);
    }
    AUTO_VALUE(StrList) seen = {0};
    for (size_t i = 0; i < rows_count(rows); i++) {
        const char *schema = rows_text(rows, i, 1);
        if (strlist_has(&seen, schema))
            continue;
        strlist_add(&seen, schema);
        buf_printf(&b,
                   "%sGRANT USAGE ON SCHEMA %s TO %s;\n"
                   "GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s;\n"
                   "GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO %s;",
                   b.len ? "\n" : "", schema, user, schema, user, schema, user);
    }
    return buf_steal_str(&b);
}

static Error *ask_tables(Conn *c, const User *u, FindingList *out, bool *missing)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_doctor_unreadable, 0, NULL, &rows));
    *missing = rows_count(rows) > 0;
    if (!*missing) {
        AUTO(char) what = mem_printf("%s may read every table and sequence", u->name);
        finding_add(out, FINDING_OK, "privileges", what, NULL);
        return NULL;
    }
    AUTO(char) names = some_names(rows);
    AUTO(char)
    what = mem_printf("%s may not read %zu of the tables and sequences: %s", u->name,
                      rows_count(rows), names);
    AUTO(char) grants = missing_grants(c, rows, u->name);
    finding_add(out, FINDING_PROBLEM, "privileges", what, grants);
    return NULL;
}

/* What lets `user` read an owner's large objects: to be a member of the owner's role, who must not
 * be a superuser; otherwise each is granted, and those to come are not. */
static void add_large_object_grant(Buf *b, const char *owner, bool superuser, const char *user)
{
    if (!superuser) {
        buf_printf(b, "GRANT %s TO %s; -- for its large objects\n", owner, user);
        return;
    }
    AUTO(char) to = mem_printf(" TO %s", user);
    AUTO(char) owner_word = text_sql_literal(owner);
    AUTO(char) to_word = text_sql_literal(to);
    buf_printf(b,
               "DO $$DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata WHERE "
               "lomowner = to_regrole(%s) LOOP EXECUTE 'GRANT SELECT ON LARGE OBJECT ' || o || %s; "
               "END LOOP; END$$; -- again when there are new ones\n",
               owner_word, to_word);
}

/* Large objects are not among what pg_read_all_data covers, nor can all be granted at once. */
static Error *ask_large_objects(Conn *c, const User *u, FindingList *out, Buf *grants)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_doctor_large_objects, 0, NULL, &rows));
    int64_t unreadable = 0;
    AUTO_VALUE(Buf) remedy = {0};
    for (size_t i = 0; i < rows_count(rows); i++) {
        const char *owner = rows_text(rows, i, 0);
        bool superuser = rows_bool(rows, i, 2);
        add_large_object_grant(grants, owner, superuser, BACKUP_ROLE);
        if (rows_int(rows, i, 1))
            add_large_object_grant(&remedy, owner, superuser, u->name);
        unreadable += rows_int(rows, i, 1);
    }
    if (!unreadable)
        return NULL;
    remedy.len--; /* the last newline */
    AUTO(char)
    what = mem_printf("%s may not read %lld large objects", u->name, (long long)unreadable);
    AUTO(char) how = buf_steal_str(&remedy);
    finding_add(out, FINDING_PROBLEM, "large objects", what, how);
    return NULL;
}

static Error *ask_row_security(Conn *c, const User *u, FindingList *out)
{
    AUTO(Rows) rows = NULL;
    if (conn_server_version(c) < 90500 || !u->row_security_tables)
        return NULL;
    TRY(conn_query(c, sql_doctor_row_security, 0, NULL, &rows));
    if (!rows_count(rows))
        return NULL;
    AUTO(char) names = some_names(rows);
    AUTO(char)
    what = mem_printf("row security hides rows of %zu tables from %s, so that they cannot "
                      "be backed up: %s",
                      rows_count(rows), u->name, names);
    AUTO(char) how = mem_printf("ALTER ROLE %s BYPASSRLS;", u->name);
    finding_add(out, FINDING_PROBLEM, "row security", what, how);
    return NULL;
}

static Error *ask_subscriptions(Conn *c, const User *u, FindingList *out)
{
    AUTO(char) count = NULL;
    if (u->superuser || conn_server_major(c) < 10)
        return NULL;
    TRY(conn_value(c,
                   "SELECT count(*) FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d"
                   " ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()",
                   0, NULL, &count));
    if (strcmp(count, "0"))
        finding_add(out, FINDING_WARNING, "subscriptions",
                    "pg_dump leaves subscriptions out where the user is no superuser",
                    "back up as a superuser, or write their definitions down");
    return NULL;
}

/* Before 14 there is no role that may read everything: schema by schema, and for what each owner of
 * tables will still make. */
static Error *add_schema_grants(Conn *c, Buf *b)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_doctor_schemas, 0, NULL, &rows));
    const char *last = "";
    for (size_t i = 0; i < rows_count(rows); i++) {
        const char *schema = rows_text(rows, i, 0), *owner = rows_text(rows, i, 1);
        if (strcmp(schema, last))
            buf_printf(b,
                       "GRANT USAGE ON SCHEMA %s TO " BACKUP_ROLE ";\n"
                       "GRANT SELECT ON ALL TABLES IN SCHEMA %s TO " BACKUP_ROLE ";\n"
                       "GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO " BACKUP_ROLE ";\n",
                       schema, schema, schema);
        last = schema;
        buf_printf(b,
                   "ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s GRANT SELECT ON TABLES "
                   "TO " BACKUP_ROLE ";\n"
                   "ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s GRANT SELECT ON SEQUENCES "
                   "TO " BACKUP_ROLE ";\n",
                   owner, schema, owner, schema);
    }
    return NULL;
}

static Error *tell_grants(Conn *c, const User *u, const Buf *lo_grants, FindingList *out)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) database = text_sql_ident(conn_dbname(c));
    buf_printf(&b, "CREATE ROLE " BACKUP_ROLE " LOGIN; -- then \\password " BACKUP_ROLE "\n");
    buf_printf(&b, "GRANT CONNECT ON DATABASE %s TO " BACKUP_ROLE ";\n", database);
    if (conn_server_major(c) >= 14)
        buf_add_str(&b, "GRANT pg_read_all_data TO " BACKUP_ROLE ";\n");
    else
        TRY(add_schema_grants(c, &b));
    if (u->row_security_tables)
        buf_add_str(&b, "ALTER ROLE " BACKUP_ROLE " BYPASSRLS;\n");
    buf_add(&b, lo_grants->data, lo_grants->len);
    b.len--; /* the last newline */
    AUTO(char) grants = buf_steal_str(&b);
    AUTO(char)
    what = mem_printf("%s may do more than read; a user that is made for backups may not", u->name);
    finding_add(out, FINDING_NOTE, "backup user", what, grants);
    return NULL;
}

Error *doctor_ask_access(Conn *c, FindingList *out)
{
    AUTO_VALUE(User) u = {0};
    AUTO_VALUE(Buf) lo_grants = {0};
    bool missing = false;
    TRY(ask_user(c, &u));
    TRY(ask_tables(c, &u, out, &missing));
    TRY(ask_large_objects(c, &u, out, &lo_grants));
    TRY(ask_row_security(c, &u, out));
    TRY(ask_subscriptions(c, &u, out));
    /* Who lacks something has been told already what to grant. */
    if (u.superuser || (u.owner && !missing))
        TRY(tell_grants(c, &u, &lo_grants, out));
    return NULL;
}
