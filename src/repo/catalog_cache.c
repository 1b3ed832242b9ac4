#include "repo/catalog_cache.h"

#include <pthread.h>
#include <string.h>

#include "repo/catalog_names.h"
#include "repo/repo_internal.h"

/* A backup of the list, and the object that it was read from. */
typedef struct CatalogKnown {
    const BackupInfo *info;
    uint64_t size, stamp;
} CatalogKnown;

struct CatalogCache {
    pthread_mutex_t lock; /* of the view */
    pthread_mutex_t work; /* one at a time reads manifests: it costs memory */
    CatalogView *view;    /* NULL: nothing was read yet */
};

CatalogCache *catalog_cache_new(void)
{
    CatalogCache *c = mem_new(CatalogCache);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->work, NULL);
    return c;
}

void catalog_cache_free(CatalogCache *c)
{
    if (!c)
        return;
    catalog_view_release(c->view);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->work);
    free(c);
}

CatalogView *catalog_view_keep(CatalogView *v)
{
    if (v)
        atomic_fetch_add(&v->owners, 1);
    return v;
}

void catalog_view_release(CatalogView *v)
{
    if (!v || atomic_fetch_sub(&v->owners, 1) > 1)
        return;
    backup_list_clear(&v->list);
    free(v->known);
    free(v);
}

/* -- what is known ------------------------------------------------------------------------------
 */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const CatalogKnown *)a)->info->id, ((const CatalogKnown *)b)->info->id);
}

static const CatalogKnown *find_known(const CatalogView *v, const char *name)
{
    AUTO(char) id = catalog_id_of(name, ".manifest");
    BackupInfo wanted = {.id = id};
    CatalogKnown key = {.info = &wanted};
    return id && v->known_count ? bsearch(&key, v->known, v->known_count, sizeof *v->known, by_id)
                                : NULL;
}

static const BackupInfo *find(void *ctx, const CatalogName *name)
{
    const CatalogKnown *k = ctx ? find_known(ctx, name->name) : NULL;
    return k && k->size == name->size && k->stamp == name->stamp ? k->info : NULL;
}

/* The list is complete, and stays where it is. */
static void note_known(CatalogView *v, const CatalogNames *names)
{
    v->known = mem_calloc(v->list.count + 1, sizeof *v->known);
    v->known_count = v->list.count;
    for (size_t i = 0; i < v->list.count; i++)
        v->known[i].info = &v->list.items[i];
    mem_sort(v->known, v->known_count, sizeof *v->known, by_id);
    for (size_t i = 0; i < names->count; i++) {
        CatalogKnown *k = (CatalogKnown *)(uintptr_t)find_known(v, names->items[i].name);
        if (k) {
            k->size = names->items[i].size;
            k->stamp = names->items[i].stamp;
        }
    }
}

/* -- looking --------------------------------------------------------------------------------------
 */

/* A write-only key sees less. */
static void sight_of(const Repo *r, uint8_t out[HASH_BYTES])
{
    AUTO(Hash) h = hash_new();
    const Keyring *k = repo_keys(r);
    const StrList *databases = k && !keyring_full(k) ? keyring_databases(k) : NULL;
    hash_add(h, repo_id(r), strlen(repo_id(r)) + 1);
    hash_add(h, k ? "sealed" : "plain", k ? 7 : 6);
    for (size_t i = 0; databases && i < databases->count; i++)
        hash_add(h, databases->items[i], strlen(databases->items[i]) + 1);
    hash_end(h, out);
}

static void print_of(const uint8_t sight[HASH_BYTES], const CatalogNames *names,
                     uint8_t out[HASH_BYTES])
{
    AUTO(Hash) h = hash_new();
    hash_add(h, sight, HASH_BYTES);
    hash_add(h, names->print, HASH_BYTES);
    hash_end(h, out);
}

/* The view that there is, if it has this print (NULL: any). */
static CatalogView *current(CatalogCache *c, const uint8_t *print)
{
    pthread_mutex_lock(&c->lock);
    bool same = c->view && (!print || !memcmp(c->view->print, print, HASH_BYTES));
    CatalogView *v = same ? catalog_view_keep(c->view) : NULL;
    pthread_mutex_unlock(&c->lock);
    return v;
}

/* One at a time. `fresh` has its prints. */
static Error *renew(CatalogCache *c, Repo *r, const CatalogNames *names, CatalogView *fresh)
{
    AUTO(CatalogView) old = current(c, NULL);
    /* What another key saw, or in another repository, is none of this one's. */
    bool same = old && !memcmp(old->sight, fresh->sight, HASH_BYTES);
    TRY(catalog_list_named(r, NULL, names, find, same ? old : NULL, &fresh->list));
    note_known(fresh, names);
    pthread_mutex_lock(&c->lock);
    CatalogView *gone = c->view;
    c->view = catalog_view_keep(fresh);
    pthread_mutex_unlock(&c->lock);
    catalog_view_release(gone);
    return NULL;
}

Error *catalog_cache_look(CatalogCache *c, Repo *r, CatalogView **out)
{
    AUTO_VALUE(CatalogNames) names = {0};
    AUTO(CatalogView) fresh = mem_new(CatalogView);
    fresh->owners = 1;
    TRY(catalog_names(r, &names));
    sight_of(r, fresh->sight);
    print_of(fresh->sight, &names, fresh->print);
    *out = current(c, fresh->print);
    if (*out)
        return NULL;
    pthread_mutex_lock(&c->work);
    *out = current(c, fresh->print); /* somebody else may have read it meanwhile */
    Error *e = *out ? NULL : renew(c, r, &names, fresh);
    pthread_mutex_unlock(&c->work);
    if (!e && !*out)
        *out = STEAL(fresh);
    return e;
}
