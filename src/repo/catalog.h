/* The catalog: which backups are there, and which one a name means. Marked (deleted) ones and
 * tombstones are not shown. */
#ifndef PGSTOW_REPO_CATALOG_H
#define PGSTOW_REPO_CATALOG_H

#include "repo/repo.h"

typedef struct BackupList {
    BackupInfo *items; /* by database, then oldest first: lineage_sort */
    size_t count, cap;
    StrList damaged; /* manifests whose facts cannot be read: "id: why" */
} BackupList;
void backup_list_clear(BackupList *l);
DEFINE_AUTO_VALUE(BackupList, backup_list_clear)

/* Facts only (no packs, no streams), with the last proofs; with a write-only key those of its
 * databases. `database` NULL: all. */
Error *catalog_list(Repo *r, const char *database, BackupList *out) MUST_CHECK;
/* What a person writes (an id, a key, "latest", "latest:DB", a unique beginning of an id) to an id;
 * caller frees. `database` (may be NULL) settles keys and plain "latest". ERR_NOT_FOUND with the
 * nearest names in the hint; a key or a beginning that several have is ERR_USAGE, naming them. */
Error *catalog_resolve(Repo *r, const char *name, const char *database, char **id) MUST_CHECK;
/* The newest good backup of a database not after t. ERR_NOT_FOUND. */
Error *catalog_at(Repo *r, const char *database, Instant t, char **id) MUST_CHECK;
/* The whole manifest, verified. ERR_NOT_FOUND (also for marked ones), ERR_DAMAGED. */
Error *catalog_load(Repo *r, const char *id, Manifest **out) MUST_CHECK;
/* Hex SHA-256 of a manifest's object, marked or not; caller frees. */
Error *catalog_checksum(Repo *r, const char *id, char **hex) MUST_CHECK;
/* Fills last_proof and what belongs to it, and pinned, as catalog_list does, for what catalog_load
 * gave. */
Error *catalog_add_proof(Repo *r, BackupInfo *info) MUST_CHECK;
/* backups/<id>.metadata.json of a committed backup; one that is there already stays. Written after
 * the manifest and before the session ends, also by whoever finds a dead session's manifest
 * committed: so a manifest without it and without a session is a sign of damage. */
Error *catalog_put_metadata(Repo *r, const BackupInfo *info) MUST_CHECK;
/* Whether it has a marker in trash/ (repo/trash.h). */
Error *catalog_is_deleted(Repo *r, const char *id, bool *deleted) MUST_CHECK;

/* A proof: that a backup was found good (or not) at a level, and when. */
Error *proof_put(Repo *r, const char *id, const char *level, bool good,
                 const char *detail) MUST_CHECK;
typedef struct Proof {
    const char *level;
    bool good;
    const char *detail;  /* what was found; or NULL */
    Instant since;       /* where it rests on earlier checks too: the oldest of them; else 0 */
    int64_t duration_ms; /* of a drill; else 0 */
    int64_t restore_ms;  /* of the restore in it; else 0 */
} Proof;
Error *proof_put_whole(Repo *r, const char *id, const Proof *p) MUST_CHECK;
/* When it was last found good at this level or a higher one, with nothing found against it since;
 * 0: never. */
Error *proof_last_good(Repo *r, const char *id, const char *level, Instant *when) MUST_CHECK;
/* Damage markers: the writer no longer reuses this frame (frame UINT32_MAX: the whole pack). */
Error *damage_put(Repo *r, PackId pack, uint32_t frame, const char *why) MUST_CHECK;
typedef struct Damage {
    PackId pack;
    uint32_t frame;
} Damage;
Error *damage_list(Repo *r, Damage **out, size_t *count) MUST_CHECK; /* sorted by pack, frame */

#endif
