/* The recipe of a piece that changed, read in a source that is far. Most of its pages are those
 * that an earlier backup's piece had, and that piece was copied: what became of their chunks stands
 * in the target's own recipe. So only the index, and pages that are new, come over the wire.
 *
 * Chunks must be known by the same hash on both sides.
 */
#ifndef PGSTOW_REPO_COPY_RECIPE_H
#define PGSTOW_REPO_COPY_RECIPE_H

#include "repo/parent_packs.h"
#include "repo/recipe.h"

typedef struct CopyRecipe {
    PackReader *source, *target;
    ParentPacks *packs; /* of the target: which frames may be used again */
    Codec *codec;
    Hash *hash;
    const Piece *before; /* in the source, of an earlier backup; or NULL */
    const Piece *copied; /* in the target: what `before` became, chunk by chunk */
} CopyRecipe;
/* Adds the piece's chunks to out, and to *known a byte for each: 1 where it is the target's, as it
 * may be used again; 0 where it is the source's. ERR_DAMAGED. */
Error *copy_recipe_load(const CopyRecipe *r, const Piece *piece, Page *out, Buf *known) MUST_CHECK;

#endif
