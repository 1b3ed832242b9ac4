/* Globals onto a server that may have some of them. */
#include <string.h>

#include "pg/globals.h"

void globals_result_clear(GlobalsResult *r)
{
    strlist_free(&r->roles);
    strlist_free(&r->tablespaces);
    strlist_free(&r->warnings);
}

typedef struct Apply {
    Conn *c;
    const Globals *wanted;
    Globals there;
    StrList all_roles, databases; /* of the server */
    bool really;
    GlobalsResult *out;
} Apply;

static void apply_clear(Apply *a)
{
    globals_clear(&a->there);
    strlist_free(&a->all_roles);
    strlist_free(&a->databases);
}
DEFINE_AUTO_VALUE(Apply, apply_clear)

static Error *read_names(Conn *c, const char *sql, StrList *out)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++)
        strlist_add(out, rows_text(rows, i, 0));
    return NULL;
}

static bool is_kind(const Doc *d, const char *kind)
{
    return !strcmp(doc_str(d, "kind", ""), kind);
}

/* Whether it was missing and is made by us. */
static bool made(const Apply *a, const char *role)
{
    return role && strlist_has(&a->out->roles, role);
}

static bool known(const Apply *a, const char *role)
{
    return role && (made(a, role) || strlist_has(&a->all_roles, role));
}

static bool same_text(const Doc *a, const Doc *b, const char *key)
{
    return !strcmp(doc_str(a, key, ""), doc_str(b, key, ""));
}

static bool same_keys(const Doc *a, const Doc *b, const char *const *keys)
{
    for (; *keys; keys++)
        if (!same_text(a, b, *keys))
            return false;
    return true;
}

/* -- one statement that may fail -------------------------------------------------------------- */

/* Inside of our transaction, which goes on. *failed is NULL or why, the caller's to free. */
static Error *attempt(Apply *a, const char *sql, Error **failed)
{
    *failed = NULL;
    TRY(conn_exec(a->c, "SAVEPOINT one"));
    Error *e = conn_exec(a->c, sql);
    if (e && conn_broken(a->c))
        return e;
    *failed = e;
    return conn_exec(a->c, e ? "ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one"
                             : "RELEASE SAVEPOINT one");
}

static Error *attempt_or_warn(Apply *a, const char *sql)
{
    AUTO(Error) failed = NULL;
    TRY(attempt(a, sql, &failed));
    if (failed)
        strlist_add(&a->out->warnings, error_message(failed));
    return NULL;
}

/* -- roles ------------------------------------------------------------------------------------ */

static void compare_role(Apply *a, const Doc *here, const Doc *wanted)
{
    static const char *const flags[] = {"superuser", "inherit",     "createRole", "createDb",
                                        "login",     "replication", "bypassRls"};
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (doc_bool(here, flags[i], false) != doc_bool(wanted, flags[i], false))
            buf_printf(&b, "%s%s", b.len ? ", " : "", flags[i]);
    if (doc_int(here, "connectionLimit", -1) != doc_int(wanted, "connectionLimit", -1))
        buf_printf(&b, "%sconnectionLimit", b.len ? ", " : "");
    if (!same_text(here, wanted, "validUntil"))
        buf_printf(&b, "%svalidUntil", b.len ? ", " : "");
    if (!b.len)
        return;
    AUTO(char) list = buf_steal_str(&b);
    strlist_own(&a->out->warnings,
                mem_printf("role \"%s\" is there already and stays as it is; it differs from the "
                           "backup's in: %s",
                           doc_str(wanted, "name", ""), list));
}

static Error *make_roles(Apply *a)
{
    AUTO_VALUE(Buf) silent = {0};
    for (size_t i = 0; i < a->wanted->count; i++) {
        const Doc *d = a->wanted->items[i];
        const char *name = doc_str(d, "name", "");
        if (!is_kind(d, "role"))
            continue;
        const Doc *here = globals_find(&a->there, "role", name);
        if (here) {
            compare_role(a, here, d);
            continue;
        }
        strlist_add(&a->out->roles, name);
        if (doc_bool(d, "login", false) && !doc_str(d, "password", NULL))
            buf_printf(&silent, "%s%s", silent.len ? ", " : "", name);
        AUTO_VALUE(StrList) statements = {0};
        globals_statements(d, conn_server_version(a->c), &statements);
        for (size_t k = 0; a->really && k < statements.count; k++)
            TRY_CTX(conn_exec(a->c, statements.items[k]), "making role \"%s\"", name);
    }
    if (silent.len) {
        AUTO(char) names = buf_steal_str(&silent);
        strlist_own(&a->out->warnings,
                    mem_printf("these roles may log in but have no password, since the backup has "
                               "none (ALTER ROLE ... PASSWORD): %s",
                               names));
    }
    return NULL;
}

/* -- memberships ------------------------------------------------------------------------------ */

static bool has_membership(const Apply *a, const Doc *d)
{
    static const char *const keys[] = {"role", "member", NULL};
    for (size_t i = 0; i < a->there.count; i++)
        if (is_kind(a->there.items[i], "membership") && same_keys(a->there.items[i], d, keys))
            return true;
    return false;
}

static bool wants_grant(Apply *a, const Doc *d)
{
    const char *role = doc_str(d, "role", ""), *member = doc_str(d, "member", "");
    if (!is_kind(d, "membership"))
        return false;
    if (!known(a, role) || !known(a, member)) {
        strlist_own(&a->out->warnings,
                    mem_printf("role \"%s\" does not become a member of \"%s\": this server has no "
                               "role \"%s\"",
                               member, role, known(a, role) ? member : role));
        return false;
    }
    if (made(a, role) || made(a, member))
        return true;
    if (!has_membership(a, d))
        strlist_own(&a->out->warnings,
                    mem_printf("role \"%s\" is a member of \"%s\" in the backup, but not here; "
                               "both were there already and stay as they are",
                               member, role));
    return false;
}

/* Who may grant may himself have it from a grant that comes later: so in rounds. Where a grantor is
 * not to be had (another superuser's name), the grant is our own. */
static Error *make_memberships(Apply *a)
{
    const Doc **open = mem_calloc(a->wanted->count + 1, sizeof *open);
    size_t count = 0;
    int version = conn_server_version(a->c);
    Error *e = NULL;
    for (size_t i = 0; i < a->wanted->count; i++)
        if (wants_grant(a, a->wanted->items[i]))
            open[count++] = a->wanted->items[i];
    for (bool by_grantor = true; a->really && count && !e;) {
        size_t left = 0;
        for (size_t i = 0; i < count && !e; i++) {
            AUTO(Error) failed = NULL;
            AUTO(char) sql = globals_grant(open[i], version, by_grantor);
            e = attempt(a, sql, &failed);
            if (!e && failed && !by_grantor)
                e = error_context(STEAL(failed), "making \"%s\" a member of \"%s\"",
                                  doc_str(open[i], "member", ""), doc_str(open[i], "role", ""));
            if (failed)
                open[left++] = open[i];
        }
        by_grantor = by_grantor && left < count;
        count = left;
    }
    free(open);
    return e;
}

/* -- settings, parameters --------------------------------------------------------------------- */

static bool has_setting(const Apply *a, const Doc *d)
{
    static const char *const keys[] = {"role", "database", "setting", NULL};
    for (size_t i = 0; i < a->there.count; i++)
        if (is_kind(a->there.items[i], "setting") && same_keys(a->there.items[i], d, keys))
            return true;
    return false;
}

/* Settings of databases come with each database's own backup. */
static Error *make_setting(Apply *a, const Doc *d)
{
    const char *role = doc_str(d, "role", NULL), *database = doc_str(d, "database", NULL);
    if (!role && !database && !has_setting(a, d))
        strlist_own(&a->out->warnings,
                    mem_printf("all roles have the setting %s in the backup, but not here (ALTER "
                               "ROLE ALL): it would be that of the roles that were there already "
                               "too, and is not made",
                               doc_str(d, "setting", "")));
    if (!role || (database && !strlist_has(&a->databases, database)))
        return NULL;
    if (!made(a, role)) {
        if (!has_setting(a, d))
            strlist_own(&a->out->warnings,
                        mem_printf("role \"%s\" has the setting %s%s%s in the backup, but not "
                                   "here; it was there already and stays as it is",
                                   role, doc_str(d, "setting", ""), database ? " in database " : "",
                                   database ? database : ""));
        return NULL;
    }
    AUTO_VALUE(StrList) statements = {0};
    globals_statements(d, conn_server_version(a->c), &statements);
    return a->really && statements.count ? attempt_or_warn(a, statements.items[0]) : NULL;
}

static bool has_privilege(const Apply *a, const char *parameter, const Doc *privilege)
{
    const Doc *here = globals_find(&a->there, "parameter", parameter);
    const Doc *list = here ? doc_get(here, "privileges") : NULL;
    for (size_t i = 0; i < doc_count(list); i++)
        if (same_text(doc_at(list, i), privilege, "grantee") &&
            same_text(doc_at(list, i), privilege, "privilege"))
            return true;
    return false;
}

/* Only what roles get that are made here. */
static Error *make_parameter(Apply *a, const Doc *d)
{
    AUTO_VALUE(StrList) statements = {0};
    const Doc *privileges = doc_get(d, "privileges");
    globals_statements(d, conn_server_version(a->c), &statements);
    for (size_t i = 0; i < statements.count && i < doc_count(privileges); i++) {
        const Doc *p = doc_at(privileges, i);
        const char *grantee = doc_str(p, "grantee", NULL);
        if (a->really && made(a, grantee))
            TRY(attempt_or_warn(a, statements.items[i]));
        else if (!made(a, grantee) && !has_privilege(a, doc_str(d, "name", ""), p))
            strlist_own(&a->out->warnings,
                        mem_printf("%s has %s on parameter %s in the backup, but not here; it was "
                                   "there already and stays as it is",
                                   grantee ? grantee : "PUBLIC", doc_str(p, "privilege", ""),
                                   doc_str(d, "name", "")));
    }
    return NULL;
}

/* -- tablespaces ------------------------------------------------------------------------------ */

/* Each statement by itself: CREATE TABLESPACE takes no transaction. */
static Error *make_tablespace(Apply *a, const Doc *d)
{
    const char *name = doc_str(d, "name", ""), *location = doc_str(d, "location", "");
    AUTO_VALUE(StrList) statements = {0};
    globals_statements(d, conn_server_version(a->c), &statements);
    if (*location != '/')
        error_drop(conn_exec(a->c, "SET allow_in_place_tablespaces = on"));
    for (size_t i = 0; i < statements.count; i++) {
        AUTO(Error) e = conn_exec(a->c, statements.items[i]);
        if (e && conn_broken(a->c))
            return STEAL(e);
        if (!e)
            continue;
        strlist_own(&a->out->warnings,
                    mem_printf("tablespace \"%s\" (%s) %s: %s; its folder must exist on the "
                               "server, be empty and belong to the server's user",
                               name, location, i ? "is not as in the backup" : "cannot be made",
                               error_message(e)));
        if (!i)
            return NULL;
    }
    strlist_add(&a->out->tablespaces, name);
    return NULL;
}

static Error *make_tablespaces(Apply *a)
{
    for (size_t i = 0; i < a->wanted->count; i++) {
        const Doc *d = a->wanted->items[i];
        const char *name = doc_str(d, "name", "");
        if (!is_kind(d, "tablespace"))
            continue;
        const Doc *here = globals_find(&a->there, "tablespace", name);
        if (here && !same_text(here, d, "location"))
            strlist_own(&a->out->warnings,
                        mem_printf("tablespace \"%s\" lies in %s here, in %s in the backup", name,
                                   doc_str(here, "location", ""), doc_str(d, "location", "")));
        if (!here && a->really)
            TRY(make_tablespace(a, d));
        else if (!here)
            strlist_add(&a->out->tablespaces, name);
    }
    return NULL;
}

/* -- all of it -------------------------------------------------------------------------------- */

static Error *make_all_of_roles(Apply *a)
{
    TRY(make_roles(a));
    TRY(make_memberships(a));
    for (size_t i = 0; i < a->wanted->count; i++) {
        if (is_kind(a->wanted->items[i], "setting"))
            TRY(make_setting(a, a->wanted->items[i]));
        else if (is_kind(a->wanted->items[i], "parameter"))
            TRY(make_parameter(a, a->wanted->items[i]));
    }
    return NULL;
}

Error *globals_apply(Conn *c, const Globals *g, bool really, bool tablespaces, GlobalsResult *out)
{
    AUTO_VALUE(Apply) a = {.c = c, .wanted = g, .really = really, .out = out};
    TRY(globals_read(c, false, &a.there));
    TRY(read_names(c, "SELECT rolname FROM pg_catalog.pg_roles", &a.all_roles));
    TRY(read_names(c, "SELECT datname FROM pg_catalog.pg_database", &a.databases));
    if (really)
        TRY(conn_exec(c, "BEGIN"));
    Error *e = make_all_of_roles(&a);
    if (!e && really)
        e = conn_exec(c, "COMMIT");
    if (e) {
        if (really && !conn_broken(c))
            error_drop(conn_exec(c, "ROLLBACK"));
        return error_hint(error_context(e, "no role was made"),
                          "roles can be made by a superuser; or make them yourself and restore "
                          "without --globals");
    }
    return tablespaces ? make_tablespaces(&a) : NULL;
}
