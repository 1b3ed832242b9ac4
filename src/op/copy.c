#include "op/copy.h"

#include <string.h>

static void copy_item_clear(CopyItem *i)
{
    free(i->id);
    copy_outcome_clear(&i->outcome);
    error_free(i->error);
}

void copy_result_clear(CopyResult *r)
{
    for (size_t i = 0; i < r->count; i++)
        copy_item_clear(&r->items[i]);
    free(r->items);
    *r = (CopyResult){0};
}

/* -- both repositories ------------------------------------------------------------------------- */

static Error *ask(const CopyOptions *o, const Repo *from)
{
    AUTO(char)
    question =
        mem_printf("%s is encrypted, %s is not: the rows will lie there for everybody who can "
                   "read its files.",
                   repo_where(from), o->to->repo_dir);
    return o->ask(o->ctx, question);
}

/* Nothing is made before it was asked about. */
static Error *open_target(const CopyOptions *o, const Repo *from, Repo **out)
{
    AUTO(Repo) to = NULL;
    Error *e = op_open_repo(o->to, false, &to);
    bool missing = e && error_kind(e) == ERR_REPO_NOT_FOUND;
    if (e && !missing)
        return e;
    error_drop(e);
    if (repo_keys(from) && (missing ? !o->to->encrypt : !repo_keys(to)))
        TRY(ask(o, from));
    /* Once more where it is there: what is asked for must be what it is. */
    if (missing || ((o->to->encrypt || o->to->key_given) && !repo_keys(to))) {
        repo_free(STEAL(to));
        TRY(op_open_repo(o->to, true, &to));
    }
    *out = STEAL(to);
    return NULL;
}

/* -- which ------------------------------------------------------------------------------------- */

static Error *choose(const OpContext *c, const CopyOptions *o, Repo *from, StrList *out)
{
    AUTO_VALUE(BackupList) list = {0};
    AUTO_VALUE(StrList) wanted = {0};
    AUTO(char) database = op_database_name(c);
    for (size_t i = 0; i < o->names->count; i++) {
        char *id;
        TRY(catalog_resolve(from, o->names->items[i], database, &id));
        strlist_own(&wanted, id);
    }
    if (wanted.count == 1) { /* there is no order to find: a peer's is not read for it */
        strlist_add(out, wanted.items[0]);
        return NULL;
    }
    TRY(catalog_list(from, NULL, &list));
    for (size_t i = 0; i < list.count; i++)
        if (!o->names->count || strlist_has(&wanted, list.items[i].id))
            strlist_add(out, list.items[i].id);
    /* Those whose facts cannot be read, too: they must not be missing without a word. */
    for (size_t i = 0; i < list.damaged.count; i++) {
        const char *text = list.damaged.items[i];
        AUTO(char) id = mem_strndup(text, strcspn(text, ":"));
        if (!o->names->count)
            strlist_add(out, id);
    }
    for (size_t i = 0; i < wanted.count; i++)
        if (!strlist_has(out, wanted.items[i]))
            strlist_add(out, wanted.items[i]);
    return NULL;
}

/* -- all of them ------------------------------------------------------------------------------- */

static bool ends_all(const Error *e)
{
    static const ErrorKind kinds[] = {ERR_CANCELLED,       ERR_TIMEOUT, ERR_REPO_FULL,
                                      ERR_REPO_PERMISSION, ERR_MEMORY,  ERR_INTERNAL};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (error_kind(e) == kinds[i])
            return true;
    return false;
}

static Error *copy_items(const CopyOptions *o, Copier *copier, const StrList *ids, CopyResult *out)
{
    out->total = ids->count;
    for (size_t i = 0; i < ids->count; i++) {
        CopyItem item = {.id = mem_strdup(ids->items[i])};
        item.error = copier_run(copier, item.id, &item.outcome);
        if (item.error && ends_all(item.error)) {
            Error *e = STEAL(item.error);
            copy_item_clear(&item);
            return e;
        }
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = item;
        if (o->done)
            o->done(o->ctx, &out->items[out->count - 1]);
    }
    return NULL;
}

Error *op_copy(const OpContext *c, const CopyOptions *o, CopyResult *out)
{
    AUTO(Repo) from = NULL;
    AUTO(Repo) to = NULL;
    AUTO(Copier) copier = NULL;
    AUTO_VALUE(StrList) ids = {0};
    AUTO(Rate) rate = rate_new(o->max_rate);
    TRY(op_open_repo(c, false, &from));
    TRY(choose(c, o, from, &ids));
    TRY(open_target(o, from, &to));
    CopyEnds ends = {.from = from,
                     .to = to,
                     .jobs = op_jobs(c),
                     .rate = rate,
                     .job = c->job,
                     .renumber = o->renumber};
    TRY(copier_new(&ends, &copier));
    return copy_items(o, copier, &ids, out);
}
