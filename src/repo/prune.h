/* Prune: the only one that deletes packs. Purges what lies in the trash long enough, then deletes
 * the packs that nothing names: a set difference, without reading or writing any of them. It runs
 * beside writers, readers and other prunes of any host; stopped anywhere, the next one goes on.
 * docs/adr/0007-keeping-and-prune.md says in which order, and why.
 */
#ifndef PGSTOW_REPO_PRUNE_H
#define PGSTOW_REPO_PRUNE_H

#include "flow/job.h"
#include "repo/repo.h"

typedef struct PruneOptions {
    Instant now;
    int64_t trash_ms; /* so long a deleted backup can be undeleted, and a dead run be continued */
    int64_t limit_ms; /* sessions of other hosts that are older are given up */
    bool dry_run;     /* says what would be, and touches nothing */
    /* With dry_run: ids that are to be taken as deleted just now; or NULL. */
    const StrList *deleting;
} PruneOptions;

typedef struct PruneResult {
    StrList purged;                  /* backup ids */
    StrList waiting;                 /* "id: why", of those that were due */
    uint64_t packs, bytes;           /* deleted */
    uint64_t packs_kept, bytes_kept; /* that are still there */
    uint64_t files, file_bytes;      /* unfinished files of killed runs, deleted */
    size_t sessions_ended, sessions_fenced;
} PruneResult;
void prune_result_clear(PruneResult *r);
DEFINE_AUTO_VALUE(PruneResult, prune_result_clear)

/* What was done before an error is in *out, too. An object that must be read and cannot be ends it
 * before any pack is touched. Memory: 32 bytes a pack, and the names of a folder. */
Error *prune_run(Repo *r, const PruneOptions *o, Job *job, PruneResult *out) MUST_CHECK;

#endif
