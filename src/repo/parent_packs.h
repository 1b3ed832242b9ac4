/* The packs that a writer's parents offer: those of the parent's manifest, and the finished ones of
 * sessions that died. Thread-safe. */
#ifndef PGSTOW_REPO_PARENT_PACKS_H
#define PGSTOW_REPO_PARENT_PACKS_H

#include <stdatomic.h>
#include "repo/catalog.h"
#include "repo/chunk_map.h"

typedef struct ParentPack {
    PackInfo info;          /* of a dead session's: sha256 only once proven */
    bool dead;              /* of a dead session */
    bool sparse;            /* nearly unused, or one of too many small ones */
    atomic_bool distrusted; /* missing, of the wrong size, damaged: never used */
    bool proven;            /* a dead one: read from end to end (under the lock) */
} ParentPack;

/* A frame of a dead session's data pack, by its label. */
typedef struct DeadFrame {
    uint32_t oid, piece;  /* 0, 0: shared by small streams */
    uint32_t frame, pack; /* `pack`: number for parent_packs_at */
} DeadFrame;

typedef struct ParentPacks ParentPacks;
/* Looks at the size of every pack. `parent` may be NULL. */
Error *parent_packs_new(Repo *r, const Manifest *parent, const SessionId *dead, size_t dead_count,
                        ParentPacks **out) MUST_CHECK;
void parent_packs_free(ParentPacks *p);
DEFINE_AUTO(ParentPacks, parent_packs_free)
/* Of the parent's rows, what the run may write again for this reason. */
uint64_t parent_packs_rewrite_limit(const ParentPacks *p, Sparse sparse);
size_t parent_packs_count(const ParentPacks *p);
ParentPack *parent_packs_at(ParentPacks *p, size_t i);    /* sorted by id */
ParentPack *parent_packs_find(ParentPacks *p, PackId id); /* NULL where there is none */
/* May a chunk in this frame be used again? False for a NULL pack. */
bool parent_packs_sound(const ParentPacks *p, const ParentPack *pack, uint32_t frame);
/* Takes the error over: a warning, the first time, and the pack is used no more. */
void parent_pack_distrust(ParentPack *pack, Error *why);
/* A dead session's pack is read whole before its first use, because no manifest vouches for it:
 * false where that fails (it is then distrusted). */
bool parent_packs_prove(ParentPacks *p, ParentPack *pack);
/* May all of it be used again? A dead one is proven. False for a NULL pack. */
bool parent_packs_whole(ParentPacks *p, ParentPack *pack);
/* The frames with this label. */
const DeadFrame *parent_packs_frames(const ParentPacks *p, uint32_t oid, uint32_t piece,
                                     size_t *count);

#endif
