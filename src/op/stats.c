#include <string.h>

#include "op/list.h"

/* How much of a pack one backup refers to. */
typedef struct Use {
    PackId pack;
    uint64_t size;     /* stored bytes of the pack */
    uint32_t database; /* index of its database */
} Use;
typedef struct UseList {
    Use *items;
    size_t count, cap;
} UseList;
static void use_list_clear(UseList *l)
{
    free(l->items);
}
DEFINE_AUTO_VALUE(UseList, use_list_clear)

void repo_stats_clear(RepoStats *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->items[i].database);
    free(s->items);
    *s = (RepoStats){0};
}

static int compare_use(const void *a, const void *b)
{
    const Use *x = a, *y = b;
    int order = pack_id_compare(x->pack, y->pack);
    return order ? order : x->database < y->database ? -1 : x->database > y->database;
}

static Error *add_stored(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    *(uint64_t *)ctx += size;
    return NULL;
}

/* The list is sorted by database, then oldest first. */
static DatabaseStats *database_of(RepoStats *s, const BackupInfo *b)
{
    if (!s->count || strcmp(s->items[s->count - 1].database, b->database)) {
        mem_grow(s->items, s->count, s->cap);
        s->items[s->count++] = (DatabaseStats){.database = mem_strdup(b->database),
                                               .first_logical = b->logical_size,
                                               .first = b->timestamp};
    }
    return &s->items[s->count - 1];
}

static Error *add_backup(RepoStats *s, Repo *repo, const BackupInfo *b, UseList *uses)
{
    AUTO(Manifest) m = NULL;
    TRY(catalog_load(repo, b->id, &m));
    DatabaseStats *d = database_of(s, b);
    /* Until the end new_bytes_mean is a sum. */
    d->new_bytes_mean += d->backups ? b->new_bytes : 0;
    d->backups++;
    d->logical += b->logical_size;
    d->latest_logical = b->logical_size;
    d->latest = b->timestamp;
    for (size_t i = 0; i < m->pack_count; i++) {
        mem_grow(uses->items, uses->count, uses->cap);
        uses->items[uses->count++] =
            (Use){m->packs[i].id, m->packs[i].size, (uint32_t)(s->count - 1)};
    }
    return NULL;
}

Error *op_stats(const OpContext *c, RepoStats *out)
{
    AUTO(Repo) repo = NULL;
    AUTO_VALUE(BackupList) list = {0};
    AUTO_VALUE(UseList) uses = {0};
    TRY(op_open_repo(c, false, &repo));
    TRY(catalog_list(repo, NULL, &list));
    for (size_t i = 0; i < list.count; i++)
        TRY(add_backup(out, repo, &list.items[i], &uses));
    mem_sort(uses.items, uses.count, sizeof *uses.items, compare_use);
    uint64_t referenced = 0, packs = 0;
    for (size_t i = 0, next; i < uses.count; i = next) {
        bool new_pack = !i || !pack_id_equal(uses.items[i - 1].pack, uses.items[i].pack);
        for (next = i + 1; next < uses.count && !compare_use(&uses.items[i], &uses.items[next]);)
            next++;
        DatabaseStats *d = &out->items[uses.items[i].database];
        d->stored += uses.items[i].size;
        if (next > i + 1)
            d->shared += uses.items[i].size;
        if (new_pack)
            referenced += uses.items[i].size;
    }
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].backups > 1)
            out->items[i].new_bytes_mean /= out->items[i].backups - 1;
    TRY(store_list(repo_store(repo), "packs/", add_stored, &packs));
    out->stored_total = packs;
    TRY(store_list(repo_store(repo), "backups/", add_stored, &out->stored_total));
    out->unreferenced = packs > referenced ? packs - referenced : 0;
    return NULL;
}
