#include "serve/stock.h"

#include <string.h>

void stock_clear(Stock *s)
{
    for (size_t i = 0; i < s->count; i++)
        catalog_view_release(s->views[i]);
    free(s->views);
    free(s->items);
    *s = (Stock){0};
}

static const char *repo_of(const ServiceConfig *c, size_t i)
{
    return config_str(c->entries[i].config, SETTING_REPO);
}

bool stock_same(const ServiceConfig *c, size_t a, size_t b)
{
    return !strcmp(repo_of(c, a), repo_of(c, b));
}

bool stock_is_shared(const ServiceConfig *c, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (stock_same(c, k, i))
            return true;
    return false;
}

const ServiceEntry *stock_owner(const ServiceConfig *c, size_t reader, const BackupInfo *info)
{
    for (size_t i = 0; i < c->count; i++)
        if (stock_same(c, i, reader) && !strcmp(c->entries[i].database, info->database))
            return &c->entries[i];
    return &c->entries[reader];
}

static int by_age(const void *a, const void *b)
{
    const BackupInfo *x = ((const Found *)a)->info, *y = ((const Found *)b)->info;
    if (x->timestamp != y->timestamp)
        return x->timestamp < y->timestamp ? 1 : -1;
    return strcmp(x->id, y->id);
}

Error *stock_read(const ServiceConfig *c, Stock *s)
{
    s->views = mem_calloc(c->count, sizeof *s->views);
    s->count = c->count;
    for (size_t i = 0; i < c->count; i++) {
        if (!stock_is_shared(c, i))
            TRY(shelf_look(c->entries[i].shelf, &s->views[i]));
        for (size_t k = 0; s->views[i] && k < s->views[i]->list.count; k++) {
            const BackupInfo *info = &s->views[i]->list.items[k];
            mem_grow(s->items, s->item_count, s->item_cap);
            s->items[s->item_count++] = (Found){info, stock_owner(c, i, info)};
        }
    }
    mem_sort(s->items, s->item_count, sizeof *s->items, by_age);
    return NULL;
}
