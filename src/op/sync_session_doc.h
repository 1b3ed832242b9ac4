/* A sync session as JSON, as `sync status --json` and the API show it; and what is done to sessions
 * from outside, whoever runs them. */
#ifndef PGSTOW_OP_SYNC_SESSION_DOC_H
#define PGSTOW_OP_SYNC_SESSION_DOC_H

#include "base/doc.h"
#include "state/state_session.h"

Doc *sync_session_doc(const StateSession *s);
Doc *sync_session_list_doc(const StateSessions *l); /* "sessions", and whether there are "more" */

#endif
