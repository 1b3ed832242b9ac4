#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "op/restore_work.h"
#include "pg/detach.h"

#define NOT_DROPPED "drop it by hand: DROP DATABASE %s"

void restore_shadow_clear(RestoreShadow *s)
{
    db_traits_clear(&s->traits);
}

/* How the comment of every database begins that a restore of this one makes or leaves behind. */
static char *mark_of(const char *database)
{
    return mem_printf("pgstow shadow of %s since ", database);
}

/* The comment until it has its name. Where the old database goes before the new one is complete,
 * what cannot be set on the shadow yet is noted here, for a restore after a crash. */
static char *mark_text(const RestoreWork *w, const DbTraits *t)
{
    char now[CLOCK_TEXT];
    AUTO(char) mark = mark_of(w->database);
    AUTO(char) first = mem_printf("%s%s", mark, clock_iso(clock_now(), now));
    bool taken_over = !w->exists && *t->name; /* by an earlier restore that noted them */
    if (w->o->way != RESTORE_IN_PLACE && !taken_over)
        return STEAL(first);
    return mem_printf("%s\nlimit=%d template=%d connect=%d%s%s", first, t->connection_limit,
                      t->is_template, t->allow_connections, t->comment ? "\n" : "",
                      t->comment ? t->comment : "");
}

/* What mark_text noted; false where nothing is noted. */
static bool read_mark(const char *text, const char *mark, DbTraits *t)
{
    int limit, template, connect, n = 0;
    const char *s = strchr(text + strlen(mark), '\n');
    if (!s ||
        sscanf(s + 1, "limit=%d template=%d connect=%d%n", &limit, &template, &connect, &n) < 3)
        return false;
    s += 1 + n;
    t->connection_limit = limit;
    t->is_template = template;
    t->allow_connections = connect;
    free(t->comment);
    t->comment = *s == '\n' ? mem_strdup(s + 1) : NULL;
    return true;
}

/* The traits of an old database that an interrupted restore in place took away. */
static Error *adopt(RestoreWork *w, const Rows *leftovers, const char *mark, RestoreShadow *s)
{
    for (size_t i = 0; i < rows_count(leftovers); i++) {
        AUTO_VALUE(DbTraits) t = {0};
        bool exists;
        TRY(dbadmin_traits(w->admin, rows_text(leftovers, i, 0), &exists, &t));
        if (!exists || !read_mark(rows_text(leftovers, i, 1), mark, &t))
            continue;
        s->traits = t;
        t = (DbTraits){0};
        return NULL;
    }
    return NULL;
}

/* DROP DATABASE by itself waits some seconds for whoever is still going, but not for a
 * subscription, which must go before. Where that fails DROP DATABASE says why. */
static void drop_or_warn(RestoreWork *w, const char *name, const char *what)
{
    Error *e = dbadmin_drop(w->admin, name);
    if (!e)
        return;
    AUTO(char) quoted = text_sql_ident(name);
    strlist_own(&w->warnings, mem_printf("%s stays behind as database \"%s\" (%s); " NOT_DROPPED,
                                         what, name, error_message(e), quoted));
    error_drop(e);
}

Error *restore_shadow_create(RestoreWork *w, RestoreShadow *s)
{
    AUTO(Rows) leftovers = NULL;
    AUTO(char) mark = mark_of(w->database);
    TRY(dbadmin_leftovers(w->admin, mark, &leftovers));
    s->traits = (DbTraits){.connection_limit = -1, .allow_connections = true};
    bool there;
    if (w->exists)
        TRY(dbadmin_traits(w->admin, w->database, &there, &s->traits));
    else
        TRY(adopt(w, leftovers, mark, s));
    if (!w->exists && !*s->traits.name)
        dbadmin_archive_traits(w->backup.toc, w->o->no_owner, w->o->no_privileges,
                               w->o->no_tablespaces, &s->traits);

    const BackupInfo *info = &w->backup.manifest->info;
    AUTO(char)
    options = dbadmin_create_options(w->backup.toc, info->encoding, info->collate, info->ctype,
                                     conn_server_version(w->admin));
    dbadmin_beside(w->database, s->name);
    TRY(dbadmin_create(w->admin, s->name, options, s->traits.owner ? s->traits.owner : w->o->role,
                       s->traits.tablespace));
    AUTO(char) text = mark_text(w, &s->traits);
    Error *e = dbadmin_comment(w->admin, s->name, text);
    if (!e)
        e = fault_reach("restore.created");
    if (!e)
        e = dbadmin_dress(w->admin, s->name, &s->traits);
    if (e) {
        restore_shadow_drop(w, s);
        return e;
    }
    for (size_t i = 0; i < rows_count(leftovers); i++) {
        const char *name = rows_text(leftovers, i, 0);
        error_drop(detach_subscriptions(w->admin, name, &w->warnings));
        drop_or_warn(w, name, "what an earlier restore left");
    }
    return NULL;
}

void restore_shadow_drop(RestoreWork *w, const RestoreShadow *s)
{
    DbCloser *closer = NULL;
    AUTO_VALUE(StrList) said = {0};
    /* Before the closer, which would end its connection as well. The slots that the archive's
     * subscriptions name are those of the database that was backed up: there is nothing to tell. */
    error_drop(detach_subscriptions(w->admin, s->name, &said));
    /* What pg_restore and our own threads had open may still be going. */
    error_drop(dbadmin_close_begin(w->admin, s->name, &closer));
    drop_or_warn(w, s->name, "the incomplete database");
    if (closer)
        db_closer_free(closer);
}

/* A statement list as one transaction: rolled back where one fails. */
static Error *in_transaction(RestoreWork *w,
                             Error *(*steps)(RestoreWork *, const RestoreShadow *, const char *),
                             const RestoreShadow *s, const char *aside)
{
    TRY(conn_exec(w->admin, "BEGIN"));
    Error *e = steps(w, s, aside);
    if (!e)
        e = conn_exec(w->admin, "COMMIT");
    if (e)
        error_drop(conn_exec(w->admin, "ROLLBACK"));
    return e;
}

static Error *rename_steps(RestoreWork *w, const RestoreShadow *s, const char *aside)
{
    (void)aside;
    TRY(dbadmin_rename(w->admin, s->name, w->database));
    return dbadmin_finish(w->admin, w->database, &s->traits);
}

Error *restore_shadow_rename(RestoreWork *w, const RestoreShadow *s)
{
    FAULT_POINT("restore.swap.before");
    AUTO(DbCloser) closer = NULL; /* autovacuum, monitors: nobody else knows the name */
    TRY(dbadmin_close_begin(w->admin, s->name, &closer));
    TRY(in_transaction(w, rename_steps, s, NULL));
    FAULT_POINT("restore.swap.renamed");
    return NULL;
}

/* From the first rename to the commit nobody can connect to the old database: whoever tries waits,
 * and then finds the new one. No state is left by which it would stay closed after a crash. */
static Error *swap_steps(RestoreWork *w, const RestoreShadow *s, const char *aside)
{
    TRY(dbadmin_rename(w->admin, w->database, aside));
    FAULT_POINT("restore.swap.closed");
    TRY(rename_steps(w, s, aside));
    if (w->o->keep_old)
        return NULL;
    char now[CLOCK_TEXT];
    AUTO(char) mark = mark_of(w->database);
    AUTO(char) text = mem_printf("%s%s", mark, clock_iso(clock_now(), now));
    return dbadmin_comment(w->admin, aside, text);
}

/* What holds a database that is to be dropped. */
static Error *release(RestoreWork *w, const char *name)
{
    if (w->old.is_template) {
        AUTO(char) quoted = text_sql_ident(name);
        TRY(conn_execf(w->admin, "ALTER DATABASE %s IS_TEMPLATE false", quoted));
    }
    if (w->o->detach)
        TRY(detach_subscriptions(w->admin, name, &w->warnings));
    return NULL;
}

static void drop_replaced(RestoreWork *w, const char *name)
{
    AUTO(DbCloser) closer = NULL;
    Error *e = release(w, name); /* before the closer, which would end its connection as well */
    if (e)
        strlist_own(&w->warnings, mem_printf("\"%s\": %s", name, error_message(e)));
    error_drop(e);
    error_drop(dbadmin_close_begin(w->admin, name, &closer));
    drop_or_warn(w, name, "the replaced database");
}

Error *restore_shadow_swap(RestoreWork *w, const RestoreShadow *s)
{
    char aside[64];
    if (w->o->keep_old)
        snprintf(aside, sizeof aside, "%s", w->o->keep_old);
    else
        dbadmin_beside(w->database, aside);
    FAULT_POINT("restore.swap.before");
    {
        AUTO(DbCloser) old = NULL;
        AUTO(DbCloser) new = NULL;
        TRY(dbadmin_close_begin(w->admin, w->database, &old));
        TRY(dbadmin_close_begin(w->admin, s->name, &new));
        TRY(in_transaction(w, swap_steps, s, aside));
    }
    /* The restored database stands: what cannot be tidied up is a warning. */
    Error *e = fault_reach("restore.swap.renamed");
    if (!w->o->keep_old)
        drop_replaced(w, aside);
    TRY(e);
    FAULT_POINT("restore.swap.dropped");
    return NULL;
}

Error *restore_shadow_drop_old(RestoreWork *w)
{
    AUTO(DbCloser) closer = NULL;
    TRY(release(w, w->database));
    TRY(dbadmin_close_begin(w->admin, w->database, &closer));
    return dbadmin_drop(w->admin, w->database);
}
