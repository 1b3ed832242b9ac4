#include "pg/globals.h"

#include <inttypes.h>
#include <string.h>

#include "pg/dbadmin_setting.h"
#include "sql.h"

void globals_clear(Globals *g)
{
    for (size_t i = 0; i < g->count; i++)
        doc_free(g->items[i]);
    free(g->items);
    *g = (Globals){0};
}

static void add(Globals *g, Doc *d)
{
    mem_grow(g->items, g->count, g->cap);
    g->items[g->count++] = d;
}

static Error *read_kind(Conn *c, const char *sql, Globals *g)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        const char *text = rows_text(rows, i, 0);
        AUTO(Doc) d = NULL;
        TRY_CTX(doc_parse(text, strlen(text), "a role or tablespace", &d),
                "the server's roles and tablespaces");
        add(g, STEAL(d));
    }
    return NULL;
}

static Error *read_passwords(Conn *c, Globals *g)
{
    AUTO(Rows) rows = NULL;
    Error *e = conn_query(c, sql_globals_passwords, 0, NULL, &rows);
    if (e && error_kind(e) == ERR_DB_PERMISSION)
        return error_hint(e, "only a superuser may read passwords: back up as one, or without "
                             "--role-passwords");
    TRY(e);
    for (size_t i = 0; i < rows_count(rows); i++) {
        Doc *role = (Doc *)globals_find(g, "role", rows_text(rows, i, 0));
        if (role)
            doc_set_str(role, "password", rows_text(rows, i, 1));
    }
    return NULL;
}

Error *globals_read(Conn *c, bool passwords, Globals *out)
{
    AUTO_VALUE(Globals) g = {0};
    TRY(read_kind(c, sql_globals_roles, &g));
    if (passwords)
        TRY(read_passwords(c, &g));
    TRY(read_kind(c, sql_globals_memberships, &g));
    TRY(read_kind(c, sql_globals_settings, &g));
    TRY(read_kind(c, sql_globals_tablespaces, &g));
    if (conn_server_major(c) >= 15)
        TRY(read_kind(c, sql_globals_parameters, &g));
    *out = g;
    g = (Globals){0};
    return NULL;
}

void globals_encode(const Globals *g, Buf *out)
{
    for (size_t i = 0; i < g->count; i++) {
        AUTO(char) line = doc_print(g->items[i], false);
        buf_printf(out, "%s\n", line);
    }
}

Error *globals_decode(const void *p, size_t n, Globals *out)
{
    AUTO_VALUE(Globals) g = {0};
    for (const char *at = p, *end = at + n; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        AUTO(Doc) d = NULL;
        if (!newline)
            FAIL(ERR_DAMAGED, "the globals end inside a line");
        TRY(doc_parse(at, (size_t)(newline - at), "a role or tablespace", &d));
        add(&g, STEAL(d));
        at = newline + 1;
    }
    *out = g;
    g = (Globals){0};
    return NULL;
}

static bool is_kind(const Doc *d, const char *kind)
{
    return !strcmp(doc_str(d, "kind", ""), kind);
}

size_t globals_count(const Globals *g, const char *kind, bool with_password)
{
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++)
        n += is_kind(g->items[i], kind) &&
             (!with_password || doc_str(g->items[i], "password", NULL) != NULL);
    return n;
}

const Doc *globals_find(const Globals *g, const char *kind, const char *name)
{
    for (size_t i = 0; i < g->count; i++)
        if (is_kind(g->items[i], kind) && !strcmp(doc_str(g->items[i], "name", ""), name))
            return g->items[i];
    return NULL;
}

/* -- statements ------------------------------------------------------------------------------- */

static char *ident(const Doc *d, const char *key)
{
    return text_sql_ident(doc_str(d, key, ""));
}

static void add_comment(const Doc *d, const char *what, const char *name, StrList *out)
{
    const char *comment = doc_str(d, "comment", NULL);
    AUTO(char) literal = comment ? text_sql_literal(comment) : NULL;
    if (literal)
        strlist_own(out, mem_printf("COMMENT ON %s %s IS %s", what, name, literal));
}

static void role_statements(const Doc *d, StrList *out)
{
    static const struct {
        const char *key, *word;
    } words[] = {{"superuser", "SUPERUSER"}, {"inherit", "INHERIT"}, {"createRole", "CREATEROLE"},
                 {"createDb", "CREATEDB"},   {"login", "LOGIN"},     {"replication", "REPLICATION"},
                 {"bypassRls", "BYPASSRLS"}};
    AUTO(char) name = ident(d, "name");
    const char *password = doc_str(d, "password", NULL), *until = doc_str(d, "validUntil", NULL);
    AUTO(char) hash = password ? text_sql_literal(password) : NULL;
    AUTO(char) limit = until ? text_sql_literal(until) : NULL;
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "CREATE ROLE %s WITH", name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        buf_printf(&b, " %s%s", doc_bool(d, words[i].key, false) ? "" : "NO", words[i].word);
    buf_printf(&b, " CONNECTION LIMIT %" PRId64, doc_int(d, "connectionLimit", -1));
    if (hash)
        buf_printf(&b, " PASSWORD %s", hash);
    if (limit)
        buf_printf(&b, " VALID UNTIL %s", limit);
    strlist_own(out, buf_steal_str(&b));
    add_comment(d, "ROLE", name, out);
}

char *globals_grant(const Doc *d, int server_version, bool by_grantor)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) role = ident(d, "role");
    AUTO(char) member = ident(d, "member");
    bool admin = doc_bool(d, "admin", false);
    buf_printf(&b, "GRANT %s TO %s", role, member);
    if (server_version >= 160000) {
        buf_printf(&b, " WITH ADMIN %s", admin ? "TRUE" : "FALSE");
        /* A server before 16 had none of these; what they do there is the default. */
        bool known = doc_bool(d, "inherit", true) == doc_bool(d, "inherit", false);
        if (known)
            buf_printf(&b, ", INHERIT %s, SET %s", doc_bool(d, "inherit", false) ? "TRUE" : "FALSE",
                       doc_bool(d, "set", false) ? "TRUE" : "FALSE");
    } else if (admin) {
        buf_add_str(&b, " WITH ADMIN OPTION");
    }
    if (by_grantor && doc_str(d, "grantor", NULL)) {
        AUTO(char) grantor = ident(d, "grantor");
        buf_printf(&b, " GRANTED BY %s", grantor);
    }
    return buf_steal_str(&b);
}

static void setting_statement(const Doc *d, StrList *out)
{
    AUTO(char) clause = db_setting_clause(doc_str(d, "setting", ""));
    const char *role = doc_str(d, "role", NULL), *database = doc_str(d, "database", NULL);
    AUTO(char) role_name = role ? text_sql_ident(role) : NULL;
    AUTO(char) database_name = database ? text_sql_ident(database) : NULL;
    if (role && database)
        strlist_own(out, mem_printf("ALTER ROLE %s IN DATABASE %s SET %s", role_name, database_name,
                                    clause));
    else if (database)
        strlist_own(out, mem_printf("ALTER DATABASE %s SET %s", database_name, clause));
    else
        strlist_own(out, mem_printf("ALTER ROLE %s SET %s", role ? role_name : "ALL", clause));
}

static void add_grants(const Doc *d, const char *what, const char *name, StrList *out)
{
    const Doc *list = doc_get(d, "privileges");
    for (size_t i = 0; i < doc_count(list); i++) {
        const Doc *p = doc_at(list, i);
        const char *grantee = doc_str(p, "grantee", NULL);
        AUTO(char) to = grantee ? text_sql_ident(grantee) : mem_strdup("PUBLIC");
        /* A word of PostgreSQL's own; anything else is none. */
        const char *privilege = doc_str(p, "privilege", "");
        if (*privilege && strspn(privilege, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ") == strlen(privilege))
            strlist_own(out,
                        mem_printf("GRANT %s ON %s %s TO %s%s", privilege, what, name, to,
                                   doc_bool(p, "grantable", false) ? " WITH GRANT OPTION" : ""));
    }
}

static void tablespace_statements(const Doc *d, StrList *out)
{
    AUTO(char) name = ident(d, "name");
    AUTO(char) owner = ident(d, "owner");
    const char *location = doc_str(d, "location", "");
    /* One inside of the data directory (allow_in_place_tablespaces) has a relative path. */
    AUTO(char) path = text_sql_literal(*location == '/' ? location : "");
    const Doc *options = doc_get(d, "options");
    strlist_own(out, mem_printf("CREATE TABLESPACE %s OWNER %s LOCATION %s", name, owner, path));
    for (size_t i = 0; i < doc_count(options); i++) {
        const char *option = doc_text(doc_at(options, i));
        size_t n = option ? strcspn(option, "=") : 0;
        AUTO(char) key = mem_strndup(option ? option : "", n);
        AUTO(char) quoted = text_sql_ident(key);
        AUTO(char) value = text_sql_literal(option && option[n] ? option + n + 1 : "");
        strlist_own(out, mem_printf("ALTER TABLESPACE %s SET (%s = %s)", name, quoted, value));
    }
    if (doc_count(doc_get(d, "privileges"))) {
        strlist_own(out, mem_printf("REVOKE ALL ON TABLESPACE %s FROM PUBLIC, %s", name, owner));
        add_grants(d, "TABLESPACE", name, out);
    }
    add_comment(d, "TABLESPACE", name, out);
}

static void parameter_statements(const Doc *d, StrList *out)
{
    /* The parts of a custom parameter's name are identifiers. */
    AUTO_VALUE(Buf) name = {0};
    const char *part = doc_str(d, "name", "");
    for (const char *dot; (dot = strchr(part, '.')); part = dot + 1) {
        AUTO(char) one = mem_strndup(part, (size_t)(dot - part));
        AUTO(char) quoted = text_sql_ident(one);
        buf_printf(&name, "%s.", quoted);
    }
    AUTO(char) last = text_sql_ident(part);
    buf_add_str(&name, last);
    AUTO(char) text = buf_steal_str(&name);
    add_grants(d, "PARAMETER", text, out);
}

void globals_statements(const Doc *d, int server_version, StrList *out)
{
    if (is_kind(d, "role"))
        role_statements(d, out);
    else if (is_kind(d, "membership"))
        strlist_own(out, globals_grant(d, server_version, true));
    else if (is_kind(d, "setting"))
        setting_statement(d, out);
    else if (is_kind(d, "tablespace"))
        tablespace_statements(d, out);
    else if (is_kind(d, "parameter") && server_version >= 150000)
        parameter_statements(d, out);
}

void globals_script(const Globals *g, int server_version, Buf *out)
{
    buf_add_str(out, "-- What belongs to the server: roles, memberships, settings, tablespaces.\n"
                     "-- Statements for roles that are there already fail and change nothing.\n"
                     "SET client_encoding = 'UTF8';\n"
                     "SET standard_conforming_strings = on;\n\n");
    for (size_t i = 0; i < g->count; i++) {
        AUTO_VALUE(StrList) statements = {0};
        globals_statements(g->items[i], server_version, &statements);
        for (size_t k = 0; k < statements.count; k++)
            buf_printf(out, "%s;\n", statements.items[k]);
    }
}
