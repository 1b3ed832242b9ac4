#include "op/delete.h"

#include <string.h>

#include "repo/pin.h"

static Error *open_and_find(const OpContext *c, const char *name, Repo **repo, char **id)
{
    AUTO(char) database = op_database_name(c);
    TRY(op_open_repo(c, false, repo));
    return catalog_resolve(*repo, name, database, id);
}

Error *op_delete(const OpContext *c, const char *name, char **id)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) found = NULL;
    TRY(open_and_find(c, name, &repo, &found));
    store_use_reserve(repo_store(repo));
    TRY(trash_put(repo, found));
    store_keep_reserve(repo_store(repo));
    *id = STEAL(found);
    return NULL;
}

static Error *find_deleted(Repo *r, const char *name, char **id)
{
    AUTO_VALUE(TrashList) trash = {0};
    const char *found = NULL;
    TRY(trash_list(r, false, &trash));
    for (size_t i = 0; i < trash.count; i++) {
        const char *own = trash.items[i].id;
        if (!text_starts(own, name))
            continue;
        bool exact = !strcmp(own, name);
        if (found && !exact)
            return error_hint(ERROR_NEW(ERR_USAGE, "\"%s\" means several deleted backups: %s, %s",
                                        name, found, own),
                              "write the whole id of one");
        found = own;
        if (exact)
            break;
    }
    if (!found || !*name)
        return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no deleted backup \"%s\" in %s", name,
                                    repo_where(r)),
                          "`pgstow list --deleted` shows what can be brought back");
    *id = mem_strdup(found);
    return NULL;
}

Error *op_undelete(const OpContext *c, const char *name, char **id)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) found = NULL;
    TRY(op_open_repo(c, false, &repo));
    TRY(find_deleted(repo, name, &found));
    store_use_reserve(repo_store(repo));
    TRY(trash_undelete(repo, found));
    store_keep_reserve(repo_store(repo));
    *id = STEAL(found);
    return NULL;
}

Error *op_list_deleted(const OpContext *c, const char *database, TrashList *out)
{
    AUTO(Repo) repo = NULL;
    AUTO_VALUE(TrashList) all = {0};
    TRY(op_open_repo(c, false, &repo));
    TRY(trash_list(repo, true, &all));
    for (size_t i = 0; i < all.count; i++) {
        Trashed *t = &all.items[i];
        if (database && t->there && strcmp(t->info.database, database) != 0)
            continue;
        mem_grow(out->items, out->count, out->cap);
        out->items[out->count++] = *t;
        *t = (Trashed){0};
    }
    return NULL;
}

Error *op_pin(const OpContext *c, const char *name, char **id)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) found = NULL;
    TRY(open_and_find(c, name, &repo, &found));
    TRY(pin_put(repo, found));
    *id = STEAL(found);
    return NULL;
}

Error *op_unpin(const OpContext *c, const char *name, char **id, bool *was)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) found = NULL;
    TRY(open_and_find(c, name, &repo, &found));
    TRY(pin_remove(repo, found, was));
    *id = STEAL(found);
    return NULL;
}
