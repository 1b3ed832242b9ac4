/* What a writer may use again: the chunks of its parents, which are one backup and the packs of
 * sessions that died.
 *
 * A stream's piece is looked up in the same piece of the parent, then in the pieces that samples
 * (one id in 64, for the whole table; fewer of a very large one) hint at, and in what dead sessions
 * had stored of it. Nothing that is missing, of the wrong size or marked damaged is ever found;
 * what cannot be read is absent, with a warning. Frames and packs that are nearly dead are told as
 * sparse, so that the writer may write their chunks again (DESIGN 5.3: it is the compactor).
 */
#ifndef PGSTOW_REPO_DEDUP_H
#define PGSTOW_REPO_DEDUP_H

#include "repo/catalog.h"
#include "repo/chunk_map.h"
#include "repo/parent_packs.h"

typedef struct Dedup Dedup;             /* of a writer; its threads share it */
typedef struct DedupStream DedupStream; /* what the parents know of one stream; shared too */
typedef struct DedupHand DedupHand;     /* the pieces that one thread has loaded */

typedef struct DedupOptions {
    Manifest *parent;   /* taken over; NULL for none */
    bool same_database; /* the parent's OIDs mean the same tables */
    const SessionId *dead;
    size_t dead_count;
    size_t samples_max; /* of one table, in memory: at least 2; 0 for the usual number */
} DedupOptions;
Error *dedup_new(Repo *r, const DedupOptions *options, Dedup **out) MUST_CHECK;
void dedup_free(Dedup *d);
DEFINE_AUTO(Dedup, dedup_free)
const Manifest *dedup_parent(const Dedup *d); /* NULL for none */
/* Every pack that may be used again: what the session object must name. */
size_t dedup_pack_count(const Dedup *d);
PackId dedup_pack_at(const Dedup *d, size_t i);
/* NULL where the pack is not one of the parents'. */
const PackInfo *dedup_find_pack(const Dedup *d, PackId id);

/* The parent's rows of the same table, by OID, then by name; NULL where there are none. */
const Stream *dedup_parent_table(const Dedup *d, uint32_t oid, const char *schema,
                                 const char *name);
ParentPacks *dedup_packs(Dedup *d);
/* One for each stream of the backup, in their order: the first group of large objects is compared
 * with the parent's first, and so on. By one thread. */
/* s's strings are not kept. */
DedupStream *dedup_stream_new(Dedup *d, const Stream *s);
void dedup_stream_free(DedupStream *s);
/* The whole stream is written: its samples are let go. */
void dedup_stream_done(DedupStream *s);
/* Of memory, for its samples: at most 16 for each of samples_max, however large the table is. */
size_t dedup_stream_bytes(DedupStream *s);

DedupHand *dedup_hand_new(Dedup *d, Codec *codec, Hash *hash); /* borrows the thread's own */
void dedup_hand_free(DedupHand *h);
DEFINE_AUTO(DedupHand, dedup_hand_free)
size_t dedup_hand_bytes(const DedupHand *h); /* of memory: a few pieces */
Error *dedup_begin(DedupHand *h, DedupStream *s, uint32_t piece) MUST_CHECK;
/* NULL in *found where the chunk must be written; borrowed until the next call. */
Error *dedup_find(DedupHand *h, const ChunkId *id, uint32_t length,
                  const MapEntry **found) MUST_CHECK;
/* The parent's recipe of the piece begun, for sharing: its pages that are sound and not sparse.
 * *ref is NULL where the recipe cannot be used whole. */
void dedup_recipe(DedupHand *h, RecipeIndex *index, const RecipeRef **ref);
/* The same of any piece; which piece of the parent that is (NULL for none) goes to *known. */
void dedup_known(Dedup *d, const DedupStream *s, uint32_t piece, Codec *codec, Hash *hash,
                 RecipeIndex *index, const RecipeRef **ref, const Piece **known);

#endif
