/* The trash: deleted backups that are still there. docs/adr/0007-keeping-and-prune.md says why each
 * step stands where it does.
 *
 * A marker under trash/ hides a backup; nothing else changes until it is purged, and until then it
 * can be taken back.
 */
#ifndef PGSTOW_REPO_TRASH_H
#define PGSTOW_REPO_TRASH_H

#include "repo/session.h"

/* Puts the marker. ERR_NOT_FOUND where there is no such backup or it is marked; ERR_PINNED. */
Error *trash_put(Repo *r, const char *id) MUST_CHECK;
/* Takes the marker away. ERR_NOT_FOUND where there is none, or the backup is purged, if only in
 * part; ERR_FENCED where this process was taken for dead meanwhile: look what there is. */
Error *trash_undelete(Repo *r, const char *id) MUST_CHECK;

typedef struct Trashed {
    char *id;
    Instant deleted;       /* 0: the marker cannot be read, and stays */
    char by[SESSION_TEXT]; /* tells one marker of a backup from the next */
    bool there;            /* its manifest is there and can be read: `info` is filled */
    BackupInfo info;
} Trashed;
typedef struct TrashList {
    Trashed *items; /* by id */
    size_t count, cap;
} TrashList;
void trash_list_clear(TrashList *l);
DEFINE_AUTO_VALUE(TrashList, trash_list_clear)
/* `facts`: also what the manifests say. */
Error *trash_list(Repo *r, bool facts, TrashList *out) MUST_CHECK;
/* The marker as it is now; *found is false where there is none. */
Error *trash_look(Repo *r, const char *id, Trashed *out, bool *found) MUST_CHECK;
void trashed_clear(Trashed *t);
DEFINE_AUTO_VALUE(Trashed, trashed_clear)

typedef struct PurgeOptions {
    SessionId own; /* the prune's session: visible before the marker was listed */
    Instant now;
    int64_t limit_ms;  /* for sessions of other hosts */
    const char *later; /* the id of a later backup of the lineage, NULL where none is known */
} PurgeOptions;
/* Purges one backup whose marker was seen. *purged is false, with the reason in *why (caller
 * frees), where somebody works with it, it is pinned, or the marker is another one by now.
 * Interrupted, it is done again. ERR_FENCED where the own session is gone. */
Error *trash_purge(Repo *r, const PurgeOptions *o, const Trashed *seen, bool *purged,
                   char **why) MUST_CHECK;

#endif
