/* What can still be had of a damaged backup. */
#include <string.h>

#include "op/restore_work.h"
#include "pg/load.h"
#include "pg/restore_script.h"
#include "pg/toc_write.h"

bool restore_is_damage(const Error *e)
{
    switch (error_kind(e)) {
    case ERR_DAMAGED:
    case ERR_IO: /* a disk that cannot read its sectors */
    case ERR_LIMIT:
        return true;
    default:
        return false;
    }
}

void restore_miss(RestoreWork *w, const Stream *s, const char *name, Error *why)
{
    mem_grow(w->missing, w->missing_count, w->missing_cap);
    w->missing[w->missing_count++] = (RestoreMissing){.name = part_text(w->backup.encoding, name),
                                                      .why = mem_strdup(error_message(why)),
                                                      .rows = s->rows,
                                                      .bytes = s->bytes,
                                                      .table = s->kind == STREAM_TABLE};
    error_free(why);
}

/* -- foreign keys ----------------------------------------------------------------------------- */

static bool is_foreign_key(const TocEntry *e)
{
    return toc_is(e, "FK CONSTRAINT");
}

/* Also what says something of one: its comment. */
static bool goes_with_foreign_key(void *ctx, const TocEntry *e)
{
    const Toc *toc = ctx;
    if (is_foreign_key(e))
        return true;
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *on = toc_find(toc, e->deps[i]);
        if (on && is_foreign_key(on))
            return true;
    }
    return false;
}

static bool goes_without(void *ctx, const TocEntry *e)
{
    return !goes_with_foreign_key(ctx, e);
}

/* The statement with NOT VALID at its end. Caller frees. */
static char *not_valid(const char *sql)
{
    const char *end = strrchr(sql, ';');
    return end ? mem_printf("%.*s NOT VALID;", (int)(end - sql), sql) : mem_strdup(sql);
}

static Error *undo(Conn *c)
{
    return conn_exec(c, "ROLLBACK");
}

/* Runs it by itself; *why (else NULL) is the statement's error, which left nothing. */
static Error *attempt(Conn *c, const char *sql, Error **why)
{
    *why = NULL;
    TRY(conn_exec(c, "BEGIN"));
    Error *e = conn_exec(c, sql);
    if (!e)
        e = conn_exec(c, "COMMIT");
    if (!e)
        return NULL;
    if (conn_broken(c))
        return e;
    Error *undone = undo(c);
    if (undone) {
        error_free(e);
        return undone;
    }
    *why = e;
    return NULL;
}

static Error *make_one(RestoreWork *w, Conn *c, const RestoreStep *step)
{
    AUTO(char)
    text = mem_printf("%s %s.%s", step->entry->desc, step->entry->schema, step->entry->tag);
    AUTO(char) name = part_text(w->backup.encoding, text);
    AUTO(char) loose = not_valid(step->sql);
    Error *why, *again = NULL;
    job_object(w->c->job, name);
    TRY(attempt(c, step->sql, &why));
    if (!why)
        return NULL;
    if (is_foreign_key(step->entry)) {
        Error *e = attempt(c, loose, &again);
        if (e) {
            error_free(why);
            return e;
        }
        if (!again)
            strlist_own(&w->loosened,
                        mem_printf("%s was made NOT VALID: %s", name, error_message(why)));
    }
    if (again || !is_foreign_key(step->entry))
        strlist_own(&w->loosened, mem_printf("%s was not made: %s", name, error_message(why)));
    error_free(again);
    error_free(why);
    return NULL;
}

static Error *make_foreign_keys(RestoreWork *w, Conn *c)
{
    AUTO_VALUE(RestoreScript) script = {0};
    RestorePassOptions o = {.tool = w->tool,
                            .toc = w->backup.toc,
                            .server = w->admin,
                            .no_owner = w->o->no_owner,
                            .no_privileges = w->o->no_privileges,
                            .no_tablespaces = w->o->no_tablespaces,
                            .cancel = w->cancel};
    TRY(restore_script_make(&o, goes_with_foreign_key, w->backup.toc, &script));
    for (size_t i = 0; i < script.count; i++) {
        TRY(cancel_check(w->cancel));
        if (*script.steps[i].settings)
            TRY(conn_exec(c, script.steps[i].settings));
        TRY(make_one(w, c, &script.steps[i]));
    }
    return NULL;
}

Error *restore_salvage_behind(RestoreWork *w, const char *dbname, Conn *prepared)
{
    AUTO(Toc) without = NULL;
    AUTO(Conn) c = NULL;
    TRY(toc_rewrite(w->backup.toc, &(TocShape){.want = goes_without, .ctx = w->backup.toc},
                    &without));
    TRY(restore_pass(w, dbname, RESTORE_BEHIND, without));
    TRY(conn_open_like(prepared, NULL, w->cancel, &c));
    TRY(load_session(c, w->backup.encoding, w->o->role));
    return make_foreign_keys(w, c);
}

/* -- beyond it -------------------------------------------------------------------------------- */

/* The backups next to this one that nothing is known against: "a (older), b (newer)". */
static Error *neighbours(RestoreWork *w, const char *id, char **out)
{
    AUTO(Repo) repo = NULL;
    AUTO_VALUE(BackupList) l = {0};
    AUTO_VALUE(Buf) text = {0};
    const BackupInfo *own = NULL, *older = NULL, *newer = NULL;
    TRY(op_open_repo(w->c, false, &repo));
    TRY(catalog_list(repo, NULL, &l));
    for (size_t i = 0; i < l.count; i++)
        if (!strcmp(l.items[i].id, id))
            own = &l.items[i];
    for (size_t i = 0; own && i < l.count; i++) {
        const BackupInfo *b = &l.items[i];
        if (strcmp(b->database, own->database) != 0 || (b->last_proof_level && !b->proven))
            continue;
        if (b < own)
            older = b;
        else if (b > own && !newer)
            newer = b;
    }
    if (older)
        buf_printf(&text, "%s (older)", older->id);
    if (newer)
        buf_printf(&text, "%s%s (newer)", older ? ", " : "", newer->id);
    *out = text.len ? buf_steal_str(&text) : NULL;
    return NULL;
}

Error *restore_beyond_salvage(RestoreWork *w, Error *e)
{
    AUTO(char) database = op_database_name(w->c);
    AUTO(Error) damage = e;
    AUTO(Repo) repo = NULL;
    AUTO(char) id = NULL;
    AUTO(char) others = NULL;
    Error *lost = ERROR_NEW(error_kind(damage),
                            "nothing of this backup can be restored, not even in part, because its "
                            "manifest or its table of contents is damaged: %s",
                            error_message(damage));
    /* Only to give a better hint. */
    Error *failed = op_open_repo(w->c, false, &repo);
    if (!failed && w->o->backup)
        failed = catalog_resolve(repo, w->o->backup, database, &id);
    if (!failed && id)
        failed = neighbours(w, id, &others);
    error_drop(failed);
    if (!others)
        return error_hint(lost, "no other backup of this database is known to be whole; look for a "
                                "copy of the repository that has the damaged objects");
    return error_hint(lost,
                      "its rows without the definitions are of no use; restore another backup "
                      "of this database: %s; or look for a copy of the repository that has "
                      "the damaged objects",
                      others);
}
