/* The backups of all repositories, as one list. */
#ifndef PGSTOW_SERVE_STOCK_H
#define PGSTOW_SERVE_STOCK_H

#include "serve/service.h"

typedef struct Found {
    const BackupInfo *info;
    const ServiceEntry *entry;
} Found;

typedef struct Stock {
    CatalogView **views; /* of each entry; NULL for one whose repository is an earlier one's, and
                            where there is none yet */
    size_t count;
    Found *items; /* the newest first; borrowed from the views and the settings */
    size_t item_count, item_cap;
} Stock;
void stock_clear(Stock *s);
DEFINE_AUTO_VALUE(Stock, stock_clear)
Error *stock_read(const ServiceConfig *c, Stock *out) MUST_CHECK;

/* Whether two entries have one repository. */
bool stock_same(const ServiceConfig *c, size_t a, size_t b);
/* Whether this entry's repository is an earlier one's, which reads it for both. */
bool stock_is_shared(const ServiceConfig *c, size_t i);
/* Whose a backup is that entry `reader` has found: the entry of its database, where several share a
 * repository. */
const ServiceEntry *stock_owner(const ServiceConfig *c, size_t reader, const BackupInfo *info);

#endif
