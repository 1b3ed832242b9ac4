/* Backups: listed and shown in this process, made and deleted by jobs. */
#include <string.h>

#include "crypto/hash.h"
#include "repo/lineage.h"
#include "serve/api_internal.h"
#include "serve/stock.h"

#define ID_MAX 255
#define LIST_TAG (2 * HASH_BYTES + 3)

static Doc *found_doc(const Found *f)
{
    Doc *d = backup_info_doc(f->info);
    doc_set_str(d, "entry", f->entry->name);
    return d;
}

static Doc *list_doc(const Ask *a, const Stock *s)
{
    int64_t limit = api_int(a, "limit", API_LIMIT), shown = 0;
    const char *database = api_text(a, "database"), *entry = api_text(a, "entry");
    Instant since = api_time(a, "since", 0), until = api_time(a, "until", INT64_MAX);
    Doc *d = doc_object(), *backups = doc_array(), *damaged = doc_array();
    bool more = false;
    for (size_t i = 0; i < s->item_count; i++) {
        const Found *f = &s->items[i];
        if ((database && strcmp(database, f->info->database) != 0) ||
            (entry && strcmp(entry, f->entry->name) != 0) || f->info->timestamp < since ||
            f->info->timestamp >= until)
            continue;
        more = shown == limit;
        if (more)
            break;
        doc_push(backups, found_doc(f));
        shown++;
    }
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; s->views[i] && k < s->views[i]->list.damaged.count; k++)
            doc_push_str(damaged, s->views[i]->list.damaged.items[k]);
    doc_set(d, "backups", backups);
    doc_set(d, "damaged", damaged);
    doc_set_bool(d, "more", more);
    return d;
}

static void add_text(Hash *h, const char *text)
{
    hash_add(h, text, strlen(text) + 1);
}

/* Of all that the list depends on: who has it already is told so without its being made. */
static void list_tag(const Ask *a, const Stock *s, char out[LIST_TAG])
{
    AUTO(Hash) h = hash_new();
    uint8_t digest[HASH_BYTES];
    add_text(h, PGSTOW_VERSION);
    for (size_t i = 0; i < s->count; i++) {
        const ServiceEntry *entry = &a->config->entries[i];
        add_text(h, entry->name);
        add_text(h, entry->database);
        add_text(h, config_str(entry->config, SETTING_REPO));
        hash_add(h, s->views[i] ? "1" : "0", 1);
        if (s->views[i])
            hash_add(h, s->views[i]->print, HASH_BYTES);
    }
    for (size_t i = 0; i < a->call->names.count; i++) {
        add_text(h, a->call->names.items[i]);
        add_text(h, a->call->values.items[i]);
    }
    hash_end(h, digest);
    *out = '"';
    text_hex(digest, HASH_BYTES, out + 1);
    strcpy(out + 1 + 2 * HASH_BYTES, "\"");
}

Error *api_backups(Ask *a)
{
    AUTO_VALUE(Stock) s = {0};
    char tag[LIST_TAG];
    TRY(stock_read(a->config, &s));
    list_tag(a, &s, tag);
    http_reply_header(a->reply, "ETag", tag);
    a->reply->status = 200;
    if (http_tag_listed(http_call_header(a->call, "If-None-Match"), tag)) {
        a->reply->status = 304;
        return NULL;
    }
    a->reply->type = HTTP_JSON;
    a->reply->text = answers_find(a->api->answers, tag);
    if (a->reply->text)
        return NULL;
    AUTO(Doc) d = list_doc(a, &s);
    a->reply->text = doc_print(d, false);
    answers_keep(a->api->answers, tag, a->reply->text);
    return NULL;
}

/* The id in a file's name; NULL where it cannot be one. Caller frees. */
static char *id_in(const char *name)
{
    static const char *const endings[] = {".metadata.json", ".json", ".dump", ".sql.gz", ""};
    size_t n = strlen(name), ending = 0;
    while (!text_ends(name, endings[ending]))
        ending++;
    n -= strlen(endings[ending]);
    if (!n || n > ID_MAX || *name == '-' || *name == '.')
        return NULL;
    char *id = mem_strndup(name, n);
    if (strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-%") == n)
        return id;
    free(id);
    return NULL;
}

void api_backup_clear(ApiBackup *b)
{
    backup_info_clear(&b->info);
    *b = (ApiBackup){0};
}

static Error *take(const Found *f, ApiBackup *out)
{
    backup_info_copy(&out->info, f->info);
    out->entry = f->entry;
    return NULL;
}

Error *api_find_backup(Ask *a, const char *name, ApiBackup *out)
{
    AUTO_VALUE(Stock) s = {0};
    AUTO(char) id = id_in(name);
    TRY(stock_read(a->config, &s));
    for (size_t i = 0; id && i < s.item_count; i++)
        if (!strcmp(s.items[i].info->id, id))
            return take(&s.items[i], out);
    FAIL(ERR_NOT_FOUND, "there is no backup \"%s\"", name);
}

Error *api_newest_backup(Ask *a, const ServiceEntry *entry, ApiBackup *out)
{
    AUTO_VALUE(Stock) s = {0};
    TRY(stock_read(a->config, &s));
    for (size_t i = 0; i < s.item_count; i++) {
        const Found *f = &s.items[i];
        if (f->entry == entry && lineage_good(f->info) &&
            (!*entry->database || !strcmp(entry->database, f->info->database)))
            return take(f, out);
    }
    return error_hint(ERROR_NEW(ERR_NOT_FOUND, "there is no good backup of a whole database yet"),
                      "POST " API_PREFIX "/backups makes one");
}

/* The whole manifest is read, so that its checksum is among the facts. */
Error *api_backup(Ask *a)
{
    AUTO_VALUE(ApiBackup) b = {0};
    AUTO(Manifest) m = NULL;
    TRY(api_find_backup(a, a->part, &b));
    OpContext op = shelf_op(b.entry->shelf);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_show(&op, b.info.id, &m);
    pthread_mutex_unlock(&a->api->repository);
    TRY(e);
    api_reply(a, found_doc(&(Found){&m->info, b.entry}));
    return NULL;
}

Error *api_backup_delete(Ask *a)
{
    AUTO_VALUE(ApiBackup) b = {0};
    AUTO_VALUE(StrList) words = {0};
    TRY(api_find_backup(a, a->part, &b));
    a->object = mem_strdup(b.info.id);
    if (b.info.pinned)
        return error_hint(ERROR_NEW(ERR_PINNED, "%s is pinned", b.info.id),
                          "`pgstow unpin` lets it go");
    strlist_add(&words, "delete");
    strlist_add(&words, b.info.id);
    return api_submit(a, "delete", b.entry, &words, 0);
}

Error *api_backup_create(Ask *a)
{
    AUTO_VALUE(StrList) words = {0};
    const ServiceEntry *entry = NULL;
    TRY(api_asked_entry(a, &entry));
    a->object = mem_strdup(*entry->name ? entry->name : entry->database);
    strlist_add(&words, "backup");
    return api_submit(a, "backup", entry, &words,
                      config_duration(entry->config, SETTING_BACKUP_TIMEOUT));
}
