/* The compactor's eye (DESIGN 5.3): which frames of a parent's piece are worth referring to again.
 *
 * A frame is sparse where its pack is, where less than a quarter of it is used by the piece that it
 * belongs to, or where the piece touches more than 16 frames of under a quarter of the target size.
 * Chunks in sparse frames are written again, as far as the run's limit goes, so that old packs die
 * whole and restores need few of them. Only a pack that dies gives space back, so sparse packs come
 * first: what they may need is set apart, and frames elsewhere have what is left of the limit.
 */
#ifndef PGSTOW_REPO_COMPACTOR_H
#define PGSTOW_REPO_COMPACTOR_H

#include "repo/parent_packs.h"

#define SPARSE_PART 4 /* a quarter: of a frame or pack, of a target size */
#define SMALL_FRAMES_MAX 16
#define SMALL_PACKS_MAX 16
/* What one run may write again: so much of the parent's logical size, or a quarter of what the
 * parent's own run wrote where that is more, up to the second number. A pack is written out of the
 * way when less than a quarter of it is left, so that what a run wrote costs later ones less than a
 * quarter of it: with that much the compactor keeps up with change, with less packs pile up. */
#define REWRITE_PERCENT 5
#define REWRITE_PERCENT_MAX 10
uint64_t rewrite_limit(const BackupInfo *parent);

/* Consecutive chunks of a recipe that lie in one frame. */
typedef struct FrameRun {
    ParentPack *pack; /* NULL where the parents have no such pack */
    uint32_t frame;
    uint32_t first, count; /* of the recipe's chunks */
    uint32_t end;          /* above every number that its chunks have within the frame */
    uint64_t bytes;
    bool sound; /* its chunks may be used again */
    bool small;
    Sparse sparse;
} FrameRun;
typedef struct FrameRuns {
    FrameRun *items; /* in the order of the recipe */
    size_t count, cap;
} FrameRuns;
void frame_runs_clear(FrameRuns *r);
DEFINE_AUTO_VALUE(FrameRuns, frame_runs_clear)

/* `exclusive`: the frames hold chunks of this piece only, so that what it does not use of them is
 * dead. A pack whose footer cannot be read is distrusted. */
void frame_runs_judge(ParentPacks *packs, PackReader *reader, Hash *hash, const Page *page,
                      bool exclusive, FrameRuns *out);

#endif
