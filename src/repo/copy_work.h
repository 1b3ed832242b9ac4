/* What the files of copying share: one backup on its way. */
#ifndef PGSTOW_REPO_COPY_WORK_H
#define PGSTOW_REPO_COPY_WORK_H

#include <pthread.h>

#include "flow/group.h"
#include "repo/copy.h"
#include "repo/origin.h"
#include "repo/repo_internal.h"
#include "repo/writer_parts.h"

/* Numbers of frames, sorted once all are there. */
typedef struct FrameSet {
    uint32_t *items;
    size_t count, cap;
} FrameSet;
bool frame_set_has(const FrameSet *s, uint32_t frame);
void frame_set_sort(FrameSet *s); /* and each but once */

/* A pack of the target that has these frames of a source's pack. */
typedef struct MovePart {
    PackId target;
    FrameSet frames;
} MovePart;

/* A pack of data that the backup uses. */
typedef struct Move {
    PackId source;
    const PackInfo *info; /* as the source's manifest has it */
    bool there;           /* the target has all that is needed of it */
    bool whole;           /* `target` has all of it */
    PackId target;
    bool sparse;     /* less than half of it is in use: only what is needed is copied */
    FrameSet needed; /* of a sparse one */
    MovePart *parts; /* where its frames are, or some of them */
    size_t part_count, part_cap;
} Move;
/* The target's pack that has this frame; false where none has. */
bool move_find(const Move *m, uint32_t frame, PackId *target);
MovePart *move_add_part(Move *m, PackId target);

typedef struct CopyWork {
    const CopyEnds *ends;
    const OriginList *origins;
    const Manifest *m; /* in the source */
    Writer *w;         /* in the target */
    bool same_ids;     /* both know chunks by the same hash: neither is encrypted */
    bool far;          /* the target is: what the source says as well is not asked of it */
    Move *moves;       /* sorted by source */
    size_t count;
    pthread_mutex_t lock;    /* of what moves need, while that is found out */
    struct CopyUnits *units; /* what there is to do of streams */
    /* The backup in the source that the writer's parent is a copy of, where it is there still: what
     * it has in common with this one needs no reading. */
    Manifest *before;
    const Stream **before_streams; /* of each stream of m, or NULL */
} CopyWork;

/* copy_moves.c: */
Move *copy_find_move(const CopyWork *c, PackId source); /* NULL where there is none */
/* Which packs are there; *sparse: of some it must be known which frames are needed. */
Error *copy_moves(CopyWork *c, bool *sparse) MUST_CHECK;
void copy_moves_clear(CopyWork *c);
/* Copies what is not there. */
Error *copy_packs(CopyWork *c, CopyOutcome *out) MUST_CHECK;
/* The frames that are needed of sparse packs: they are in Move.needed then. */
Error *copy_needs(CopyWork *c) MUST_CHECK;
void copy_units_free(struct CopyUnits *u);
/* Streams, pieces and their recipes; the first before any of the others. */
Error *copy_streams_begin(CopyWork *c) MUST_CHECK;
Error *copy_streams(CopyWork *c) MUST_CHECK;

/* Runs `work` in threads that share what there is to do by copy_next. */
typedef struct CopyTurns {
    CopyWork *work;
    const void *ctx;
    Cancel *cancel;
    atomic_size_t next;
    size_t count;
} CopyTurns;
Error *copy_parallel(CopyWork *c, size_t count, GroupWork work, const void *ctx) MUST_CHECK;
/* false at the end. ERR_CANCELLED. */
Error *copy_next(CopyTurns *t, size_t *i, bool *got) MUST_CHECK;

#endif
