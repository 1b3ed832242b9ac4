#include "pg/dbadmin.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "flow/cond.h"
#include "sql.h"

#define NAME_BYTES 63

Error *dbadmin_create(Conn *c, const char *name, const char *options, const char *owner,
                      const char *tablespace)
{
    AUTO(char) quoted = text_sql_ident(name);
    AUTO(char) who = owner ? text_sql_ident(owner) : NULL;
    AUTO(char) where = tablespace ? text_sql_ident(tablespace) : NULL;
    TRY_CTX(conn_execf(c, "CREATE DATABASE %s %s%s%s%s%s", quoted, options, who ? " OWNER = " : "",
                       who ? who : "", where ? " TABLESPACE = " : "", where ? where : ""),
            "creating database \"%s\"", name);
    return NULL;
}

/* "WITH TEMPLATE = template0 ..." of the archive's CREATE DATABASE, without ";" and TABLESPACE
 * (whoever creates says where); NULL where there is none. */
static char *options_of_archive(const Toc *toc)
{
    const TocEntry *e = toc_first(toc, "DATABASE");
    const char *s = e && e->defn ? e->defn : "";
    if (!text_starts(s, "CREATE DATABASE "))
        return NULL;
    s += strlen("CREATE DATABASE ");
    if (*s == '"')
        for (s++; *s && (*s != '"' || *++s == '"');)
            s++;
    else
        s += strcspn(s, " ");
    s += strspn(s, " ");
    const char *end = strstr(s, " TABLESPACE = ");
    if (!end)
        end = s + strcspn(s, ";");
    return text_starts(s, "WITH TEMPLATE = template0") ? mem_strndup(s, (size_t)(end - s)) : NULL;
}

char *dbadmin_create_options(const Toc *toc, const char *encoding, const char *collate,
                             const char *ctype, int server_version)
{
    AUTO(char) own = toc ? options_of_archive(toc) : NULL;
    /* Before 15 no provider was named, before 13 no LOCALE that means both. */
    if (own && (server_version >= 150000 ||
                (!strstr(own, " LOCALE_PROVIDER") && server_version >= 130000)))
        return STEAL(own);
    AUTO(char) e = text_sql_literal(encoding);
    if (!collate || !*collate) /* an import that did not say */
        return mem_printf("WITH TEMPLATE = template0 ENCODING = %s", e);
    AUTO(char) l = text_sql_literal(collate);
    AUTO(char) t = text_sql_literal(ctype);
    return mem_printf("WITH TEMPLATE = template0 ENCODING = %s LC_COLLATE = %s LC_CTYPE = %s", e, l,
                      t);
}

Error *dbadmin_comment(Conn *c, const char *name, const char *text)
{
    AUTO(char) quoted = text_sql_ident(name);
    AUTO(char) literal = text ? text_sql_literal(text) : mem_strdup("NULL");
    return conn_execf(c, "COMMENT ON DATABASE %s IS %s", quoted, literal);
}

Error *dbadmin_rename(Conn *c, const char *from, const char *to)
{
    AUTO(char) f = text_sql_ident(from);
    AUTO(char) t = text_sql_ident(to);
    TRY_CTX(conn_execf(c, "ALTER DATABASE %s RENAME TO %s", f, t),
            "renaming database \"%s\" to \"%s\"", from, to);
    return NULL;
}

Error *dbadmin_drop(Conn *c, const char *name)
{
    AUTO(char) quoted = text_sql_ident(name);
    TRY_CTX(conn_execf(c, "DROP DATABASE IF EXISTS %s", quoted), "dropping database \"%s\"", name);
    return NULL;
}

void dbadmin_beside(const char *name, char out[64])
{
    uint64_t random = 0;
    if (getentropy(&random, sizeof random) < 0)
        random = (uint64_t)clock_now() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid() << 32;
    char tail[32];
    int n = snprintf(tail, sizeof tail, "_pgstow_%08x", (unsigned)(random >> 32));
    size_t keep = strlen(name);
    if (keep > NAME_BYTES - (size_t)n)
        keep = NAME_BYTES - (size_t)n;
    while (keep && ((unsigned char)name[keep] & 0xc0) == 0x80) /* not inside a UTF-8 character */
        keep--;
    snprintf(out, 64, "%.*s%s", (int)keep, name, tail);
}

Error *dbadmin_leftovers(Conn *c, const char *mark, Rows **out)
{
    const char *params[] = {mark};
    return conn_query(c, sql_db_leftovers, 1, params, out);
}

Error *dbadmin_try_lock(Conn *c, const char *what, const char *name, bool *got)
{
    const char *params[] = {what, name};
    AUTO(char) answer = NULL;
    TRY(conn_value(c,
                   "SELECT pg_catalog.pg_try_advisory_lock("
                   "pg_catalog.hashtext($1), pg_catalog.hashtext($2))",
                   2, params, &answer));
    *got = answer && *answer == 't';
    return NULL;
}

Error *dbadmin_lock(Conn *c, const char *name)
{
    bool got;
    TRY(dbadmin_try_lock(c, "pgstow restore", name, &got));
    if (!got)
        return error_hint(
            ERROR_NEW(ERR_DB_IN_USE, "another restore into database \"%s\" is running", name),
            "wait for it, or restore into another database with --to-db");
    return NULL;
}

#define CLOSE_AGAIN_MS 100

struct DbCloser {
    Conn *c;
    char *name;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stop;
};

static void *keep_closing(void *arg)
{
    DbCloser *d = arg;
    const char *params[] = {d->name};
    pthread_mutex_lock(&d->lock);
    while (!d->stop) {
        pthread_mutex_unlock(&d->lock);
        AUTO(char) ended = NULL;
        error_drop(conn_value(d->c, sql_db_terminate, 1, params, &ended));
        pthread_mutex_lock(&d->lock);
        if (!d->stop)
            cond_wait_until(&d->wake, &d->lock, clock_mono_ms() + CLOSE_AGAIN_MS);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

Error *dbadmin_close_begin(const Conn *c, const char *name, DbCloser **out)
{
    AUTO(DbCloser) d = mem_new(DbCloser);
    pthread_mutex_init(&d->lock, NULL);
    cond_init(&d->wake);
    d->name = mem_strdup(name);
    TRY(conn_open_like(c, NULL, NULL, &d->c));
    /* At once, so that most are gone before the caller's statement looks. */
    AUTO(char) ended = NULL;
    const char *params[] = {name};
    TRY_CTX(conn_value(d->c, sql_db_terminate, 1, params, &ended),
            "closing the connections to database \"%s\"", name);
    if (pthread_create(&d->thread, NULL, keep_closing, d) != 0)
        FAIL(ERR_MEMORY, "cannot start a thread");
    d->running = true;
    *out = STEAL(d);
    return NULL;
}

void db_closer_free(DbCloser *d)
{
    if (d->running) {
        pthread_mutex_lock(&d->lock);
        d->stop = true;
        pthread_cond_signal(&d->wake);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
    }
    if (d->c)
        conn_free(d->c);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d->name);
    free(d);
}
