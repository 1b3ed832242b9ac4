/* The objects of this host's repositories, as peers read and write them in the name of a sync
 * session (store/peer.h is the other end): what may be done follows from the session.
 *
 * Whoever may read sees what a copy needs: config, key slots, backups, packs, and notes about them.
 * Whoever may write puts packs of his own repository session, manifests, what describes them and
 * where packs come from; never anything in place of what is there. A reader puts his repository
 * session alone. Deleted are only repository sessions, by the node that put them. All that a put
 * has answered for is durable.
 *
 * An object comes in pieces, each with its SHA-256; until the last one it is not there. Unfinished
 * ones are bounded in number and bytes, and dropped when their session is over. Thread-safe.
 */
#ifndef PGSTOW_SERVE_SYNC_STORE_H
#define PGSTOW_SERVE_SYNC_STORE_H

#include "store/peer_wire.h"
#include "store/store.h"

#define SYNC_UPLOADS_MAX 64            /* unfinished objects of one session */
#define SYNC_UPLOAD_BYTES (4ull << 30) /* of all of them together */
#define SYNC_LOOK_MAX (16u << 20) /* bytes of an object that are looked at before it is there */
#define SYNC_LOOKS_MAX (4 * (size_t)SYNC_LOOK_MAX) /* of all of them, of all sessions */
#define SYNC_STORES_MAX 64                         /* sessions that have anything open */

/* Borrowed. */
typedef struct SyncRight {
    const char *session; /* the sync session's id, a slash, and which attempt of it */
    const char *node;    /* who asks */
    const char *folder;  /* of the repository */
    bool writes;
} SyncRight;

typedef struct SyncStores SyncStores;
SyncStores *sync_stores_new(void);
void sync_stores_free(SyncStores *s); /* nobody uses it any more */
DEFINE_AUTO(SyncStores, sync_stores_free)

/* All of these: ERR_REPO_PERMISSION where the session may not; ERR_REPO_NOT_FOUND, ERR_REPO_FULL
 * and the like from the repository. Answers are appended to `out`. */

/* A list in the form of store/peer_wire.h, of names behind `after`, with the first bytes of each.
 */
Error *sync_store_list(SyncStores *s, const SyncRight *r, const char *prefix, const char *after,
                       size_t with, Buf *out) MUST_CHECK;
/* The same of names that are asked for, each on a line. */
Error *sync_store_look(SyncStores *s, const SyncRight *r, const void *names, size_t n, size_t with,
                       Buf *out) MUST_CHECK;
Error *sync_store_size(SyncStores *s, const SyncRight *r, const char *name,
                       uint64_t *size) MUST_CHECK;
/* From offset up to n bytes, fewer where it ends. */
Error *sync_store_get(SyncStores *s, const SyncRight *r, const char *name, uint64_t offset,
                      size_t n, Buf *out, uint64_t *size) MUST_CHECK;
Error *sync_store_hash(SyncStores *s, const SyncRight *r, const char *name,
                       uint8_t sha256[HASH_BYTES], uint64_t *size) MUST_CHECK;
Error *sync_store_free_space(SyncStores *s, const SyncRight *r, uint64_t *bytes) MUST_CHECK;

/* Whether an object may be put: p has its first bytes, n of `size`. */
typedef Error *(*SyncLook)(void *ctx, const char *name, const uint8_t *p, size_t n, uint64_t size);

typedef struct SyncPiece {
    const char *name;
    const char *upload; /* which writing of it; [0-9a-f], may be empty */
    uint64_t offset;
    const uint8_t *bytes;
    size_t n;
    uint8_t sha256[HASH_BYTES]; /* of these bytes */
    bool last;
    uint8_t whole[HASH_BYTES]; /* of all of it, where this is the last */
    SyncLook look;             /* NULL: nothing is asked; the same for all pieces of an object */
    void *ctx;
} SyncPiece;
/* One that came already is a success, and so is an object that is there with just these contents.
 * ERR_NETWORK: it arrived otherwise than it was sent. ERR_EXISTS: another object of this name is
 * there. ERR_CONFLICT: what is before it is not here (any more). *have: bytes that are here. */
Error *sync_store_put(SyncStores *s, const SyncRight *r, const SyncPiece *p,
                      uint64_t *have) MUST_CHECK;
/* How much of it is here; 0 where nothing is. *done: it is there as a whole. */
Error *sync_store_have(SyncStores *s, const SyncRight *r, const char *name, const char *upload,
                       uint64_t *have, bool *done) MUST_CHECK;
Error *sync_store_remove(SyncStores *s, const SyncRight *r, const char *name) MUST_CHECK;
/* Names on lines: what another process finished, and perhaps did not live to make durable, is. */
Error *sync_store_adopt(SyncStores *s, const SyncRight *r, const void *names, size_t n) MUST_CHECK;

/* Drops what sessions have open that `lives` does not know for live, or that did nothing for so
 * long. */
typedef Error *(*SyncLives)(void *ctx, const char *session, bool *lives); /* as in SyncRight */
Error *sync_stores_sweep(SyncStores *s, SyncLives lives, void *ctx, int64_t idle_ms) MUST_CHECK;
/* Repository sessions that lie in a repository for a sync that is over count as dead from now on.
 */
Error *sync_store_give_up(const char *folder, SyncLives lives, void *ctx) MUST_CHECK;

#endif
