/* Objects that arrive in pieces for one sync session (serve/sync_store.h). Thread-safe. */
#ifndef PGSTOW_SERVE_SYNC_UPLOADS_H
#define PGSTOW_SERVE_SYNC_UPLOADS_H

#include "serve/sync_store.h"

typedef struct SyncUploads SyncUploads;
SyncUploads *sync_uploads_new(Store *store); /* borrowed */
void sync_uploads_free(SyncUploads *u);      /* unfinished ones are dropped */
DEFINE_AUTO(SyncUploads, sync_uploads_free)
bool sync_uploads_idle(SyncUploads *u); /* there are none */

/* See sync_store_put. The piece's own hash is right, and its name may be written. */
Error *sync_uploads_put(SyncUploads *u, const SyncPiece *p, uint64_t *have) MUST_CHECK;
uint64_t sync_uploads_have(SyncUploads *u, const char *name, const char *upload);

#endif
