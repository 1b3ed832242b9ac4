/* Doctor's question whether a connection pooler stands between us and the server, and of which
 * kind: one in transaction mode breaks locks and snapshots. */
#ifndef PGSTOW_PG_DOCTOR_POOLER_H
#define PGSTOW_PG_DOCTOR_POOLER_H

#include "base/finding.h"
#include "pg/conn.h"

Error *doctor_ask_pooler(Conn *c, FindingList *out) MUST_CHECK;

#endif
