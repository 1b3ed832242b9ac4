/* What the routes of a sync share: the session that a peer means, and how it is shown to him. */
#ifndef PGSTOW_SERVE_SYNC_ASK_H
#define PGSTOW_SERVE_SYNC_ASK_H

#include "op/sync.h"
#include "serve/api_internal.h"

/* Who asks, as sessions have it: the name that the peer has here, else its node id. */
const char *sync_ask_peer(const Ask *a);
/* The session that "sessionId" means, where it is this peer's: ERR_NOT_FOUND otherwise. */
Error *sync_ask_session(const Ask *a, StateSession **out) MUST_CHECK;
/* The entry that it is of. ERR_NOT_FOUND where the settings have it no more. */
Error *sync_ask_entry(const Ask *a, const StateSession *s, const ServiceEntry **out) MUST_CHECK;
/* For operations on an entry's database and repository, in this process. Borrows from the entry. */
OpContext sync_ask_op(const ServiceEntry *entry);
Error *sync_ask_options(const StateSession *s, SyncOptions *out) MUST_CHECK;

/* "success", "sessionId", "status", how far it is, and how it ended. */
Doc *sync_ask_doc(const StateSession *s);
/* The reply is that, as it is now. */
Error *sync_ask_reply(Ask *a, unsigned status, const char *id) MUST_CHECK;
/* Waits until `done` says so of the session, as it is then in *s, but no longer than ms (below 0:
 * as long as it takes). ERR_CANCELLED: the client has gone, or the service stops. */
Error *sync_ask_wait(Ask *a, StateSession **s, bool (*done)(const StateSession *s),
                     int64_t ms) MUST_CHECK;
/* As long as "wait" in the request says: who follows a session hears at once that it is done, and
 * asks seldom. Where the service stops meanwhile it is answered as it is. */
Error *sync_ask_linger(Ask *a, StateSession **s, bool (*done)(const StateSession *s)) MUST_CHECK;
/* Whether a job of this service waits or runs for it. */
bool sync_ask_has_job(const Ask *a, const StateSession *s);
/* That this job works for it. One that has done so and ended already is fine. */
Error *sync_ask_hold(const Ask *a, const StateSessionRef *ref, int64_t job) MUST_CHECK;
/* It has FAILED, with this; e stays the caller's. */
void sync_ask_failed(const Ask *a, const StateSessionRef *ref, const Error *e);
/* What the peer is told of a request for it, returned: a disk that is full here stands in the
 * session's way, which is seen here too, also where the peer comes no more. */
Error *sync_ask_told(const Ask *a, const StateSession *s, Error *e) MUST_CHECK;
/* A run of `pgstow sync VERB SESSION` as a job of it. */
Error *sync_ask_begin(const Ask *a, const StateSession *s, const ServiceEntry *entry,
                      const char *verb) MUST_CHECK;
/* Opens a session for the peer; `resume` also one that has ended, but for COMPLETED. */
Error *sync_ask_open(const Ask *a, const char *id, const SyncOptions *o, const ServiceEntry *entry,
                     bool resume, StateSession **out) MUST_CHECK;

#endif
