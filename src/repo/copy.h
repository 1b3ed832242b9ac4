/* Copying backups from one repository into another, whatever the keys of either are.
 *
 * Packs of data are copied whole, frame by frame, each chunk compared with what it is known by;
 * they are not compressed again. A copied pack has a name of the copying session, never that of the
 * source: names are never used twice. Which pack came from which one is remembered (repo/origin.h),
 * so that no pack is copied twice, also after a copy that died. Recipes are written anew, as they
 * name packs.
 *
 * The copy of a backup has its id (where a copy died in the moment of its commit, with -2 behind
 * it), its timestamp and its facts; number, predecessor and sizes are those of the target.
 */
#ifndef PGSTOW_REPO_COPY_H
#define PGSTOW_REPO_COPY_H

#include "flow/job.h"
#include "flow/rate.h"
#include "repo/catalog.h"

typedef struct CopyEnds {
    Repo *from, *to;
    unsigned jobs; /* threads */
    Rate *rate;    /* of what is written; may be NULL */
    Job *job;      /* may be NULL */
    /* Where the target has another backup of the id the copy gets a further number behind it,
     * instead of ERR_EXISTS. */
    bool renumber;
} CopyEnds;

typedef enum CopyState { COPY_DONE, COPY_THERE, COPY_STATES } CopyState;
typedef struct CopyOutcome {
    CopyState state;
    BackupInfo info;        /* of the copy */
    uint64_t packs, reused; /* of data: copied; there already */
} CopyOutcome;
void copy_outcome_clear(CopyOutcome *o);
DEFINE_AUTO_VALUE(CopyOutcome, copy_outcome_clear)

/* All is borrowed. ERR_CONFLICT where both ends are one repository; ERR_KEY where the source's key
 * reads no rows. */
typedef struct Copier Copier;
Error *copier_new(const CopyEnds *ends, Copier **out) MUST_CHECK;
void copier_free(Copier *c);
DEFINE_AUTO(Copier, copier_free)
/* `id` is one of the source. ERR_EXISTS where the target has another backup under it, or has
 * deleted the copy; ERR_DAMAGED where the source is damaged; ERR_BUSY where the target is writing a
 * backup of this database. */
Error *copier_run(Copier *c, const char *id, CopyOutcome *out) MUST_CHECK;

#endif
