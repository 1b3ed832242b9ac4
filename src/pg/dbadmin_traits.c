#include "pg/dbadmin.h"
#include "pg/dbadmin_setting.h"

#include <stdio.h>
#include <string.h>

#include "sql.h"

void db_traits_clear(DbTraits *t)
{
    free(t->owner);
    free(t->encoding);
    free(t->collate);
    free(t->ctype);
    free(t->tablespace);
    free(t->locale_provider);
    free(t->locale);
    free(t->comment);
    strlist_free(&t->statements);
    *t = (DbTraits){0};
}

/* Statements are kept with "%s" where the database's name belongs, every other % doubled. */
static char *escape_percent(const char *s)
{
    AUTO_VALUE(Buf) b = {0};
    for (; *s; s++) {
        if (*s == '%')
            buf_u8(&b, '%');
        buf_u8(&b, (uint8_t)*s);
    }
    return buf_steal_str(&b);
}

static char *quoted_part(const char *ident)
{
    AUTO(char) quoted = text_sql_ident(ident);
    return escape_percent(quoted);
}

/* Everything is taken from everybody first, so that what remains is what the other database has,
 * in its order. */
static Error *read_privileges(Conn *c, const char *oid, const char *owner, StrList *out)
{
    AUTO(Rows) rows = NULL;
    const char *params[] = {oid};
    TRY(conn_query(c, sql_db_acl, 1, params, &rows));
    AUTO(char) who = quoted_part(owner);
    strlist_own(out, mem_printf("REVOKE ALL ON DATABASE %%s FROM PUBLIC, %s", who));
    for (size_t i = 0; i < rows_count(rows); i++) {
        AUTO(char) by = rows_null(rows, i, 0) ? NULL : quoted_part(rows_text(rows, i, 0));
        AUTO(char)
        to = rows_null(rows, i, 1) ? mem_strdup("PUBLIC") : quoted_part(rows_text(rows, i, 1));
        if (by)
            strlist_own(out, mem_printf("SET ROLE %s", by));
        strlist_own(out, mem_printf("GRANT %s ON DATABASE %%s TO %s%s", rows_text(rows, i, 2), to,
                                    rows_bool(rows, i, 3) ? " WITH GRANT OPTION" : ""));
        if (by)
            strlist_add(out, "RESET ROLE");
    }
    return NULL;
}

static Error *read_settings(Conn *c, const char *oid, StrList *out)
{
    AUTO(Rows) rows = NULL;
    const char *params[] = {oid};
    TRY(conn_query(c, sql_db_settings, 1, params, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        AUTO(char) clause = db_setting_clause(rows_text(rows, i, 1));
        AUTO(char) escaped = escape_percent(clause);
        AUTO(char) role = rows_null(rows, i, 0) ? NULL : quoted_part(rows_text(rows, i, 0));
        strlist_own(out, role ? mem_printf("ALTER ROLE %s IN DATABASE %%s SET %s", role, escaped)
                              : mem_printf("ALTER DATABASE %%s SET %s", escaped));
    }
    return NULL;
}

static Error *read_labels(Conn *c, const char *oid, StrList *out)
{
    AUTO(Rows) rows = NULL;
    const char *params[] = {oid};
    TRY(conn_query(c, sql_db_labels, 1, params, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        AUTO(char) provider = quoted_part(rows_text(rows, i, 0));
        AUTO(char) label = text_sql_literal(rows_text(rows, i, 1));
        AUTO(char) escaped = escape_percent(label);
        strlist_own(out,
                    mem_printf("SECURITY LABEL FOR %s ON DATABASE %%s IS %s", provider, escaped));
    }
    return NULL;
}

Error *dbadmin_traits(Conn *c, const char *name, bool *exists, DbTraits *out)
{
    AUTO(Rows) r = NULL;
    AUTO_VALUE(DbTraits) t = {0};
    const char *params[] = {name};
    TRY(conn_query(c, sql_db_traits, 1, params, &r));
    *exists = rows_count(r) == 1;
    if (!*exists)
        return NULL;
    snprintf(t.name, sizeof t.name, "%s", name);
    t.oid = rows_oid(r, 0, 0);
    t.owner = mem_strdup(rows_text(r, 0, 1));
    t.encoding = mem_strdup(rows_text(r, 0, 2));
    t.collate = mem_strdup(rows_text(r, 0, 3));
    t.ctype = mem_strdup(rows_text(r, 0, 4));
    t.tablespace = mem_strdup(rows_text(r, 0, 5));
    t.is_template = rows_bool(r, 0, 6);
    t.allow_connections = rows_bool(r, 0, 7);
    t.connection_limit = (int)rows_int(r, 0, 8);
    t.comment = mem_strdup(rows_text(r, 0, 10));
    t.locale_provider = mem_strdup(rows_text(r, 0, 11));
    t.locale = mem_strdup(rows_text(r, 0, 12));
    const char *oid = rows_text(r, 0, 0);
    if (rows_bool(r, 0, 9))
        TRY(read_privileges(c, oid, t.owner, &t.statements));
    TRY(read_settings(c, oid, &t.statements));
    TRY(read_labels(c, oid, &t.statements));
    *out = t;
    t = (DbTraits){0};
    return NULL;
}

/* The statement with the name at "%s" and "%%" as "%". */
static char *fill_in(const char *statement, const char *quoted_name)
{
    AUTO_VALUE(Buf) b = {0};
    for (const char *s = statement; *s; s++) {
        if (*s != '%')
            buf_u8(&b, (uint8_t)*s);
        else if (*++s == 's')
            buf_add_str(&b, quoted_name);
        else
            buf_u8(&b, (uint8_t)*s);
    }
    return buf_steal_str(&b);
}

Error *dbadmin_dress(Conn *c, const char *name, const DbTraits *traits)
{
    AUTO(char) quoted = text_sql_ident(name);
    for (size_t i = 0; i < traits->statements.count; i++) {
        AUTO(char) sql = fill_in(traits->statements.items[i], quoted);
        TRY_CTX(conn_exec(c, sql), "carrying over what belongs to database \"%s\" itself (%.60s)",
                traits->name, sql);
    }
    return NULL;
}

Error *dbadmin_finish(Conn *c, const char *name, const DbTraits *traits)
{
    AUTO(char) quoted = text_sql_ident(name);
    TRY(dbadmin_comment(c, name, traits->comment));
    if (traits->connection_limit != -1)
        TRY(conn_execf(c, "ALTER DATABASE %s CONNECTION LIMIT %d", quoted,
                       traits->connection_limit));
    if (traits->is_template)
        TRY(conn_execf(c, "ALTER DATABASE %s IS_TEMPLATE true", quoted));
    if (!traits->allow_connections)
        TRY(conn_execf(c, "ALTER DATABASE %s ALLOW_CONNECTIONS false", quoted));
    return NULL;
}
