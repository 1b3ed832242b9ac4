/* Origins: which packs of other repositories were copied into this one, and under which names, so
 * that nothing is copied twice. A note whose name says it all.
 *
 * An origin alone keeps no pack, and says nothing of whether the pack is still there: whoever uses
 * one sees to that as with any pack (docs/adr/0007-keeping-and-prune.md).
 */
#ifndef PGSTOW_REPO_ORIGIN_H
#define PGSTOW_REPO_ORIGIN_H

#include "repo/repo.h"

typedef struct Origin {
    PackId source, target;
    bool part; /* the target has only some of its frames, each under its number: its footer says
                  which */
} Origin;
typedef struct OriginList {
    Origin *items; /* sorted by source */
    size_t count, cap;
} OriginList;
void origin_list_clear(OriginList *l);
DEFINE_AUTO_VALUE(OriginList, origin_list_clear)

/* `repository`: the id of the one that `source` lies in. Before the pack `target` is visible. */
Error *origin_put(Repo *r, const char *repository, PackId source, PackId target) MUST_CHECK;
/* The same where `target` has only some of its frames. */
Error *origin_put_part(Repo *r, const char *repository, PackId source, PackId target) MUST_CHECK;
/* Of packs that came from there. */
Error *origin_list(Repo *r, const char *repository, OriginList *out) MUST_CHECK;
/* Those of one source pack; NULL where there are none. */
const Origin *origin_find(const OriginList *l, PackId source, size_t *count);
/* Removes those of packs that `gone` holds for deleted, where that is so: neither the pack nor the
 * session that was to write it is there. */
typedef bool (*OriginGone)(const void *ctx, PackId target);
Error *origin_sweep(Repo *r, OriginGone gone, const void *ctx) MUST_CHECK;
/* Whether a note is what its name says. ERR_DAMAGED. */
Error *origin_check(Repo *r, const char *name) MUST_CHECK;

#endif
