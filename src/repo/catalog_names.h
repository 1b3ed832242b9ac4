/* What the catalog looks at, for catalog.c and catalog_cache.c alone. */
#ifndef PGSTOW_REPO_CATALOG_NAMES_H
#define PGSTOW_REPO_CATALOG_NAMES_H

#include "repo/catalog.h"

/* What lies in the folders that the catalog looks at, in byte order. */
typedef struct CatalogName {
    char *name;
    uint64_t size, stamp; /* as store_list_stamped has them */
} CatalogName;
typedef struct CatalogNames {
    CatalogName *items; /* of backups/ */
    size_t count, cap;
    StrList trash, proofs, pins;
    uint8_t
        print[HASH_BYTES]; /* of all of them, with sizes and stamps, and of the repository's id */
} CatalogNames;
void catalog_names_clear(CatalogNames *n);
DEFINE_AUTO_VALUE(CatalogNames, catalog_names_clear)
Error *catalog_names(Repo *r, CatalogNames *out) MUST_CHECK;
/* This very object, as it was listed before; NULL where it was not. Its facts are taken over, and
 * not what proofs and pins said. */
typedef const BackupInfo *(*CatalogFind)(void *ctx, const CatalogName *name);
/* catalog_list, of these names; find may be NULL, and is called by several threads. */
Error *catalog_list_named(Repo *r, const char *database, const CatalogNames *names,
                          CatalogFind find, void *ctx, BackupList *out) MUST_CHECK;

#endif
