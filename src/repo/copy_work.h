/* What the files of copying share: one backup on its way. */
#ifndef PGSTOW_REPO_COPY_WORK_H
#define PGSTOW_REPO_COPY_WORK_H

#include "flow/group.h"
#include "repo/copy.h"
#include "repo/origin.h"
#include "repo/repo_internal.h"
#include "repo/writer_parts.h"

/* A pack of data that the backup uses. */
typedef struct Move {
    PackId source, target;
    const PackInfo *info; /* as the source's manifest has it */
    bool there;           /* the target had it already */
} Move;

typedef struct CopyWork {
    const CopyEnds *ends;
    const OriginList *origins;
    const Manifest *m; /* in the source */
    Writer *w;         /* in the target */
    bool same_ids;     /* both know chunks by the same hash: neither is encrypted */
    Move *moves;       /* sorted by source */
    size_t count;
    /* The backup in the source that the writer's parent is a copy of, where it is there still: what
     * it has in common with this one needs no reading. */
    Manifest *before;
    const Stream **before_streams; /* of each stream of m, or NULL */
} CopyWork;

const Move *copy_find_move(const CopyWork *c, PackId source); /* NULL where there is none */
/* Which packs are there, and copies the others. */
Error *copy_packs(CopyWork *c, CopyOutcome *out) MUST_CHECK;
/* Streams, pieces and their recipes. */
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
