/* Backups: listed and shown in this process, made and deleted by jobs. */
#include <string.h>

#include "op/key_input.h"
#include "op/list.h"
#include "serve/api_internal.h"

#define ID_MAX 255

typedef struct Found {
    const BackupInfo *info;
    const ServiceEntry *entry;
} Found;

/* All repositories' backups. */
typedef struct Shelf {
    BackupList *lists; /* of each entry; empty for one whose repository is an earlier one's */
    size_t count;
    Found *items; /* the newest first */
    size_t item_count, item_cap;
} Shelf;
static void shelf_clear(Shelf *s)
{
    for (size_t i = 0; i < s->count; i++)
        backup_list_clear(&s->lists[i]);
    free(s->lists);
    free(s->items);
}
DEFINE_AUTO_VALUE(Shelf, shelf_clear)

static int by_age(const void *a, const void *b)
{
    const BackupInfo *x = ((const Found *)a)->info, *y = ((const Found *)b)->info;
    if (x->timestamp != y->timestamp)
        return x->timestamp < y->timestamp ? 1 : -1;
    return strcmp(x->id, y->id);
}

static KeyInput *key_of(const Config *c)
{
    const char *file = config_str(c, SETTING_KEY_FILE);
    return key_input_new(&(KeyInputs){
        .key_file = file, .command = file ? NULL : config_str(c, SETTING_PASSPHRASE_COMMAND)});
}

static Error *read_entry(const Config *c, BackupList *out)
{
    AUTO(KeyInput) key = key_of(c);
    OpContext op = {.repo_dir = config_str(c, SETTING_REPO),
                    .keys = key_input_source(key),
                    .accept_older = config_bool(c, SETTING_ACCEPT_OLDER)};
    Error *e = op_list(&op, NULL, out);
    if (!e || error_kind(e) != ERR_REPO_NOT_FOUND)
        return e;
    /* It is made by the first backup. */
    error_free(e);
    return NULL;
}

static bool is_read_already(const ServiceConfig *c, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(config_str(c->entries[k].config, SETTING_REPO),
                    config_str(c->entries[i].config, SETTING_REPO)))
            return true;
    return false;
}

/* The entry of this one's database, where several share a repository. */
static const ServiceEntry *entry_of(const ServiceConfig *c, size_t reader, const BackupInfo *info)
{
    const char *repo = config_str(c->entries[reader].config, SETTING_REPO);
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(config_str(c->entries[i].config, SETTING_REPO), repo) &&
            !strcmp(c->entries[i].database, info->database))
            return &c->entries[i];
    return &c->entries[reader];
}

static Error *read_all(const ServiceConfig *c, Shelf *s)
{
    s->lists = mem_calloc(c->count, sizeof *s->lists);
    s->count = c->count;
    for (size_t i = 0; i < c->count; i++) {
        if (is_read_already(c, i))
            continue;
        TRY(read_entry(c->entries[i].config, &s->lists[i]));
        for (size_t k = 0; k < s->lists[i].count; k++) {
            mem_grow(s->items, s->item_count, s->item_cap);
            const BackupInfo *info = &s->lists[i].items[k];
            s->items[s->item_count++] = (Found){info, entry_of(c, i, info)};
        }
    }
    mem_sort(s->items, s->item_count, sizeof *s->items, by_age);
    return NULL;
}

static Error *read_shelf(Ask *a, Shelf *s)
{
    pthread_mutex_lock(&a->api->repository);
    Error *e = read_all(a->config, s);
    pthread_mutex_unlock(&a->api->repository);
    return e;
}

static Doc *found_doc(const Found *f)
{
    Doc *d = backup_info_doc(f->info);
    doc_set_str(d, "entry", f->entry->name);
    return d;
}

Error *api_backups(Ask *a)
{
    static const char *const known[] = {"database", "entry", "since", "until", "limit", NULL};
    AUTO_VALUE(Shelf) s = {0};
    int64_t limit;
    Instant since = 0, until = INT64_MAX;
    TRY(api_known_query(a, known));
    TRY(api_number(a, "limit", 1000, API_LIMIT, &limit));
    const char *database = http_call_query(a->call, "database"),
               *entry = http_call_query(a->call, "entry");
    if (http_call_query(a->call, "since"))
        TRY_CTX(clock_parse(http_call_query(a->call, "since"), &since), "since");
    if (http_call_query(a->call, "until"))
        TRY_CTX(clock_parse(http_call_query(a->call, "until"), &until), "until");
    TRY(read_shelf(a, &s));
    Doc *d = doc_object(), *backups = doc_array(), *damaged = doc_array();
    int64_t shown = 0;
    bool more = false;
    for (size_t i = 0; i < s.item_count; i++) {
        const Found *f = &s.items[i];
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
    for (size_t i = 0; i < s.count; i++)
        for (size_t k = 0; k < s.lists[i].damaged.count; k++)
            doc_push_str(damaged, s.lists[i].damaged.items[k]);
    doc_set(d, "backups", backups);
    doc_set(d, "damaged", damaged);
    doc_set_bool(d, "more", more);
    api_reply(a, d);
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

/* Of exactly this id: no beginning of one, no "latest". */
static Error *find(Ask *a, const char *id, Shelf *s, const Found **out)
{
    TRY(read_shelf(a, s));
    for (size_t i = 0; id && i < s->item_count; i++)
        if (!strcmp(s->items[i].info->id, id)) {
            *out = &s->items[i];
            return NULL;
        }
    FAIL(ERR_NOT_FOUND, "there is no backup \"%s\"", a->part);
}

Error *api_backup(Ask *a)
{
    static const char *const none[] = {NULL};
    AUTO_VALUE(Shelf) s = {0};
    const Found *f = NULL;
    TRY(api_known_query(a, none));
    /* The backup's data are not served here, and facts are not to be taken for them. */
    bool data = text_ends(a->part, ".dump") || text_ends(a->part, ".sql.gz") ||
                (text_ends(a->part, ".json") && !text_ends(a->part, ".metadata.json"));
    AUTO(char) id = data ? NULL : id_in(a->part);
    TRY(find(a, id, &s, &f));
    api_reply(a, found_doc(f));
    return NULL;
}

Error *api_backup_delete(Ask *a)
{
    static const char *const none[] = {NULL};
    AUTO_VALUE(Shelf) s = {0};
    AUTO_VALUE(StrList) words = {0};
    const Found *f = NULL;
    TRY(api_known_query(a, none));
    AUTO(char) id = id_in(a->part);
    TRY(find(a, id, &s, &f));
    a->object = mem_strdup(f->info->id);
    if (f->info->pinned)
        return error_hint(ERROR_NEW(ERR_PINNED, "%s is pinned", f->info->id),
                          "`pgstow unpin` lets it go");
    strlist_add(&words, "delete");
    strlist_add(&words, f->info->id);
    return api_submit(a, "delete", f->entry, &words, 0);
}

/* {"entry": NAME}, which may be left out where there is only one. */
static Error *wanted_entry(Ask *a, const ServiceEntry **out)
{
    AUTO(Doc) d = NULL;
    const char *name = NULL;
    if (a->call->length) {
        Error *e = doc_parse((const char *)a->call->body, a->call->length, "the body", &d);
        if (e)
            return error_rekind(e, ERR_USAGE);
        AUTO(char) text = doc_print(d, false);
        if (*text != '{')
            FAIL(ERR_USAGE, "the body is no JSON object");
        for (size_t i = 0; i < doc_count(d); i++)
            if (!doc_key_at(d, i) || strcmp(doc_key_at(d, i), "entry") != 0 ||
                !doc_text(doc_get(d, "entry")))
                FAIL(ERR_USAGE, "the body is not an object with the text \"entry\"");
        name = doc_str(d, "entry", NULL);
    }
    const ServiceConfig *c = a->config;
    if (!name && c->count > 1)
        return error_hint(ERROR_NEW(ERR_USAGE, "there are several databases"),
                          "name one: {\"entry\": \"%s\"}", c->entries[0].name);
    *out = name ? service_entry(c, name) : &c->entries[0];
    if (!*out)
        FAIL(ERR_NOT_FOUND, "there is no entry \"%s\" in the list of databases", name);
    return NULL;
}

Error *api_backup_create(Ask *a)
{
    static const char *const none[] = {NULL};
    AUTO_VALUE(StrList) words = {0};
    const ServiceEntry *entry = NULL;
    TRY(api_known_query(a, none));
    TRY(wanted_entry(a, &entry));
    a->object = mem_strdup(*entry->name ? entry->name : entry->database);
    strlist_add(&words, "backup");
    return api_submit(a, "backup", entry, &words,
                      config_duration(entry->config, SETTING_BACKUP_TIMEOUT));
}
