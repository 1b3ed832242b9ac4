/* The catalog of a repository for who looks at it again and again: what manifests say is read once
 * and kept. What lies in the repository is listed each time, so that nothing is missed that was
 * made, deleted, brought back, pinned, proven or put in another's place since; only the facts of
 * objects that are still the same are not read again (store_list_stamped).
 *
 * One cache is for one repository as one key sees it; given another one it begins anew.
 * Thread-safe.
 */
#ifndef PGSTOW_REPO_CATALOG_CACHE_H
#define PGSTOW_REPO_CATALOG_CACHE_H

#include <stdatomic.h>

#include "repo/catalog.h"

typedef struct CatalogCache CatalogCache;
CatalogCache *catalog_cache_new(void);
void catalog_cache_free(CatalogCache *c);
DEFINE_AUTO(CatalogCache, catalog_cache_free)

/* What the catalog was when it was looked at. It never changes, and is shared by who asked: each
 * releases it. */
typedef struct CatalogView {
    atomic_uint owners;
    BackupList list;           /* as catalog_list gives it */
    uint8_t print[HASH_BYTES]; /* of all that the list depends on: same print, same list */
    uint8_t sight[HASH_BYTES]; /* of the repository, and what the key sees of it */
    struct CatalogKnown *known;
    size_t known_count;
} CatalogView;
CatalogView *catalog_view_keep(CatalogView *v); /* one more owner */
void catalog_view_release(CatalogView *v);
DEFINE_AUTO(CatalogView, catalog_view_release)

/* The catalog as it is now: what catalog_list(r, NULL, ...) would give. */
Error *catalog_cache_look(CatalogCache *c, Repo *r, CatalogView **out) MUST_CHECK;

#endif
