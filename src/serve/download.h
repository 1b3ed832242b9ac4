/* Downloads: exports of backups as the bodies of replies. Each is a child `pgstow export`
 * (serve/errand.h) that writes while it is read: nothing of it is kept. So many are made at once;
 * further ones wait for their turn.
 *
 * A part is what is left of a whole export, so exports must always give the same bytes for the same
 * tag (op/export.h); the length of each that has come to its end is remembered. Thread-safe.
 */
#ifndef PGSTOW_SERVE_DOWNLOAD_H
#define PGSTOW_SERVE_DOWNLOAD_H

#include "serve/http_range.h"
#include "serve/http_stream.h"
#include "serve/runner.h"
#include "state/state_audit.h"

#define DOWNLOADS_AT_ONCE 8
#define DOWNLOADS_WAITING 100

typedef struct Downloads Downloads;
/* All are borrowed. `stop` breaks off those that run or wait. */
Downloads *downloads_new(State *state, const Runner *runner, const Cancel *stop);
/* They are all over. */
void downloads_free(Downloads *d);
DEFINE_AUTO(Downloads, downloads_free)

/* Borrowed for the call. */
typedef struct DownloadRequest {
    const char *entry;
    const StrList *words; /* of the export */
    const char *tag;
    const HttpRange *range; /* or NULL: the whole */
    int socket;
    const StateAuditNew *who; /* for the audit log, where its end is written: actor to object */
} DownloadRequest;
typedef struct Download {
    HttpStream stream; /* unless there is none: */
    bool crowded;      /* too many wait already */
    bool beyond;       /* the range is beyond the total */
    bool partial;
    uint64_t from, to, total; /* where it is partial: [from, to) of so many; where beyond: total */
} Download;
/* Waits for a turn, and until the export has written something: up to then errors are the child's,
 * or those of http_wait. */
Error *download_begin(Downloads *d, const DownloadRequest *request, Download *out) MUST_CHECK;
/* -1 where it is not known. */
int64_t download_length(Downloads *d, const char *tag);

#endif
