/* Backups that are kept, or brought back: pins, and the trash. */
#include <string.h>

#include "op/delete.h"
#include "serve/api_internal.h"

#define DAY_MS 86400000ll

/* `verb ID` in the entry's repository. */
static Error *submit(Ask *a, const char *verb, const char *id, const ServiceEntry *entry)
{
    AUTO_VALUE(StrList) words = {0};
    a->object = mem_strdup(id);
    strlist_add(&words, verb);
    strlist_add(&words, id);
    return api_submit(a, verb, entry, &words, 0);
}

static Error *with_backup(Ask *a, const char *verb)
{
    AUTO_VALUE(ApiBackup) b = {0};
    TRY(api_find_backup(a, a->part, &b));
    return submit(a, verb, b.info.id, b.entry);
}

Error *api_pin(Ask *a)
{
    return with_backup(a, "pin");
}

Error *api_unpin(Ask *a)
{
    return with_backup(a, "unpin");
}

static Error *read_trash(Ask *a, const ServiceEntry *entry, TrashList *out)
{
    OpContext op = shelf_op(entry->shelf);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_list_deleted(&op, NULL, out);
    pthread_mutex_unlock(&a->api->repository);
    if (!e || error_kind(e) != ERR_REPO_NOT_FOUND)
        return e;
    error_free(e); /* it is made by the first backup */
    return NULL;
}

Error *api_trash(Ask *a)
{
    const ServiceEntry *entry;
    AUTO_VALUE(TrashList) list = {0};
    TRY(api_asked_entry(a, &entry));
    TRY(read_trash(a, entry, &list));
    Doc *d = doc_object(), *all = doc_array();
    for (size_t i = 0; i < list.count; i++)
        doc_push(all, trashed_doc(&list.items[i],
                                  config_int(entry->config, SETTING_TRASH_DAYS) * DAY_MS));
    doc_set(d, "deleted", all);
    api_reply(a, d);
    return NULL;
}

/* Of several entries that share a repository the one of its database, else the first. */
static const ServiceEntry *better(const ServiceEntry *found, const ServiceEntry *other,
                                  const Trashed *t)
{
    bool fits = t->there && !strcmp(other->database, t->info.database);
    return !found || fits ? other : found;
}

Error *api_undelete(Ask *a)
{
    const ServiceEntry *found = NULL;
    for (size_t i = 0; i < a->config->count; i++) {
        AUTO_VALUE(TrashList) list = {0};
        TRY(read_trash(a, &a->config->entries[i], &list));
        for (size_t k = 0; k < list.count; k++)
            if (!strcmp(list.items[k].id, a->part))
                found = better(found, &a->config->entries[i], &list.items[k]);
    }
    if (!found)
        FAIL(ERR_NOT_FOUND, "there is no deleted backup \"%s\"", a->part);
    return submit(a, "undelete", a->part, found);
}
