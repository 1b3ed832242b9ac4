/* How child programs are told where to connect. */
#include "pg/child.h"
#include "pg/conn_internal.h"

#include <string.h>

/* Options that are no use to a child, or are passed in another way. */
static bool is_left_out(const char *key)
{
    static const char *const keys[] = {
        "password",        "passfile",    "dbname",
        "hostaddr",        "service",     "fallback_application_name",
        "client_encoding", "replication", "application_name"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

static void add(Buf *b, const char *key, const char *value)
{
    AUTO(char) quoted = text_conninfo_value(value);
    buf_printf(b, "%s%s=%s", b->len ? " " : "", key, quoted);
}

static void add_env(StrList *env, const char *name, const char *value)
{
    if (value && *value)
        strlist_own(env, mem_printf("%s=%s", name, value));
    else
        strlist_add(env, name);
}

Error *conn_child_env(const Conn *c, const char *dbname, StrList *env, StrList *args)
{
    return child_env(c, dbname, NULL, env, args);
}

Error *child_env(const Conn *c, const char *dbname, const char *settings, StrList *env,
                 StrList *args)
{
    PQconninfoOption *options = PQconninfo(c->pg);
    if (!options)
        FAIL(ERR_MEMORY, "not enough memory for the connection's options");
    AUTO_VALUE(Buf) b = {0};
    const char *app = "pgstow", *passfile = NULL, *given = NULL;
    bool sslpassword = false, timeout = false;
    /* From the pinned copy, not from `options`: there a list of hosts still stands. */
    for (size_t i = 0; i < c->keys.count; i++) {
        const char *key = c->keys.items[i], *value = c->values.items[i];
        const PQconninfoOption *o = options;
        while (o->keyword && strcmp(o->keyword, key))
            o++;
        /* A default stays unsaid, since an older libpq may not know the option; unless the
         * environment says something else, which the URL overruled. */
        bool is_default = o->compiled && !strcmp(o->compiled, value) &&
                          !(o->envvar && getenv(o->envvar)) && strcmp(key, "port");
        sslpassword = sslpassword || !strcmp(key, "sslpassword");
        timeout = timeout || !strcmp(key, "connect_timeout");
        if (!strcmp(key, "application_name"))
            app = value;
        if (!strcmp(key, "passfile"))
            passfile = value;
        if (!strcmp(key, "options"))
            given = value;
        else if (!is_left_out(key) && !is_default)
            add(&b, key, value);
    }
    PQconninfoFree(options);
    if (sslpassword)
        return error_hint(ERROR_NEW(ERR_CONFIG, "the password of the client's TLS key (sslpassword)"
                                                " cannot be passed to pg_dump without showing it"),
                          "use a key without a password, in a file that only you can read");
    if (!timeout)
        add(&b, "connect_timeout", "30");
    AUTO(char) all = given && settings ? mem_printf("%s %s", given, settings) : NULL;
    if (given || settings)
        add(&b, "options", all ? all : given ? given : settings);
    conn_keep_alive_args(c, &b);
    add(&b, "application_name", app);
    add(&b, "dbname", dbname ? dbname : PQdb(c->pg));
    AUTO(char) conninfo = buf_steal_str(&b);
    strlist_own(args, mem_printf("--dbname=%s", conninfo));
    /* The address that we reached: by environment, so that a tool in a container, which may have to
     * use another one for the same name, does not see it. */
    add_env(env, "PGHOSTADDR", PQhostaddr(c->pg));
    add_env(env, "PGPASSWORD", PQpass(c->pg));
    add_env(env, "PGPASSFILE", passfile);
    static const char *const away[] = {"PGSERVICE", "PGSERVICEFILE", "PGCLIENTENCODING",
                                       "PGDATABASE"};
    for (size_t i = 0; i < sizeof away / sizeof *away; i++)
        add_env(env, away[i], NULL);
    return NULL;
}
