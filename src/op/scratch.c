#include "op/scratch.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/dbadmin.h"
#include "pg/detach.h"

#define LOCK "pgstow scratch"

void scratch_clear(Scratch *s)
{
    if (*s->name) {
        Error *e = scratch_drop(s);
        if (e)
            log_warning("%s", error_message(e));
        error_drop(e);
    }
    if (s->admin)
        conn_free(s->admin);
    if (s->calm)
        cancel_free(s->calm);
    *s = (Scratch){0};
}

Error *scratch_drop(Scratch *s)
{
    AUTO(DbCloser) closer = NULL; /* autovacuum, monitors, our own threads' last words */
    AUTO_VALUE(StrList) said = {0};
    AUTO(char) quoted = text_sql_ident(s->name);
    /* A dump's subscriptions would hold it. First, as this needs a connection into the database,
     * which the closer would end. */
    error_drop(detach_subscriptions(s->admin, s->name, &said));
    error_drop(dbadmin_close_begin(s->admin, s->name, &closer));
    Error *e = dbadmin_drop(s->admin, s->name);
    if (!e)
        *s->name = 0;
    return e ? error_hint(error_context(e, "a scratch database stays behind"),
                          "drop it by hand: DROP DATABASE %s", quoted)
             : NULL;
}

/* Advisory locks hold between sessions of the same database only: so the comment says which. */
static char *mark_of(const Scratch *s)
{
    return mem_printf(SCRATCH_MARK "%s since ", conn_dbname(s->admin));
}

/* What killed runs left: nobody holds their lock. */
static Error *sweep(Scratch *s, const char *mark)
{
    AUTO(Rows) leftovers = NULL;
    TRY(dbadmin_leftovers(s->admin, mark, &leftovers));
    for (size_t i = 0; i < rows_count(leftovers); i++) {
        const char *name = rows_text(leftovers, i, 0);
        bool dead;
        TRY(dbadmin_try_lock(s->admin, LOCK, name, &dead));
        AUTO_VALUE(StrList) said = {0};
        if (dead)
            error_drop(detach_subscriptions(s->admin, name, &said));
        Error *e = dead ? dbadmin_drop(s->admin, name) : NULL;
        if (e)
            log_warning("scratch database \"%s\", left by an earlier run, cannot be dropped: %s",
                        name, error_message(e));
        error_drop(e);
    }
    return NULL;
}

static Error *options_like(const OpContext *c, const Scratch *s, char **out)
{
    AUTO(char) like = op_database_name(c);
    AUTO_VALUE(DbTraits) t = {0};
    bool exists = false;
    if (like)
        TRY(dbadmin_traits(s->admin, like, &exists, &t));
    *out = exists ? dbadmin_create_options(NULL, t.encoding, t.collate, t.ctype,
                                           conn_server_version(s->admin))
                  : mem_strdup("WITH TEMPLATE = template0");
    return NULL;
}

Error *scratch_create(const OpContext *c, const char *beside, const Toc *toc, Scratch *out)
{
    AUTO_VALUE(Scratch) s = {0};
    AUTO(char) options = NULL;
    char now[CLOCK_TEXT];
    TRY(cancel_new(NULL, &s.calm));
    TRY(op_connect_admin(c, "", s.calm, &s.admin));
    AUTO(char) mark = mark_of(&s);
    AUTO(char) comment = mem_printf("%s%s", mark, clock_iso(clock_now(), now));
    TRY(sweep(&s, mark));
    if (toc)
        options = dbadmin_create_options(toc, "UTF8", "C", "C", conn_server_version(s.admin));
    else
        TRY(options_like(c, &s, &options));
    char name[64];
    bool ours;
    dbadmin_beside(beside, name);
    TRY(dbadmin_try_lock(s.admin, LOCK, name, &ours));
    TRY_CTX(dbadmin_create(s.admin, name, options, NULL, NULL), "making a scratch database");
    memcpy(s.name, name, sizeof name); /* from here on it is dropped at the end */
    TRY(dbadmin_comment(s.admin, s.name, comment));
    *out = s;
    s = (Scratch){0};
    return NULL;
}
