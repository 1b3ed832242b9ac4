/* An entry's repository for those who only look into it: its key, opened once, and what its catalog
 * says, read once (repo/catalog_cache.h, repo/key_memo.h). Both go with the settings that they
 * belong to, so a reload begins anew. Thread-safe.
 */
#ifndef PGSTOW_SERVE_SHELF_H
#define PGSTOW_SERVE_SHELF_H

#include "config/config.h"
#include "op/list.h"

typedef struct Shelf Shelf;
/* Takes the passphrase of the environment out of c; otherwise c is borrowed until shelf_free. */
Shelf *shelf_new(Config *c);
void shelf_free(Shelf *s);
DEFINE_AUTO(Shelf, shelf_free)

/* For operations that read this repository; borrowed from the shelf. */
OpContext shelf_op(const Shelf *s);
/* The key that is kept opened nothing: whoever opens it next has the file read, the command run,
 * anew. */
void shelf_forget_key(Shelf *s);
/* The catalog as it is now; *out is NULL where there is no repository yet (the first backup makes
 * it). */
Error *shelf_look(Shelf *s, CatalogView **out) MUST_CHECK;

/* What is known of it without waiting for anybody. */
typedef struct Glance {
    CatalogView *view;   /* the newest that was read; NULL: none yet */
    Instant when;        /* of that reading; 0: never */
    bool readable;       /* the last reading went well */
    bool has_free;       /* free_bytes is known */
    uint64_t free_bytes; /* of its disk */
} Glance;
void glance_clear(Glance *g);
DEFINE_AUTO_VALUE(Glance, glance_clear)
/* Reads the catalog where that was done longer ago than max_age_ms. While one does so all others
 * get what is known already: of a repository that hangs only one hangs with it. */
void shelf_glance(Shelf *s, int64_t max_age_ms, Glance *out);

#endif
