/* What the files of state_session.h share. */
#ifndef PGSTOW_STATE_SESSION_ROWS_H
#define PGSTOW_STATE_SESSION_ROWS_H

#include "state/state_internal.h"
#include "state/state_session.h"

#define SESSION_COLUMNS                                                                            \
    "n, id, role, direction, status, attempt, peer, entry, database, target, place, method, "      \
    "phase, bytes_done, bytes_total, wire_bytes, rows_done, rows_total, speed, completion, "       \
    "error_kind, error_message, error_hint, backup, options, result, actor, created, started, "    \
    "ended, heartbeat, beat_mono, pid, pid_start, boot, job, cancel_requested, expired"

/* Of one that has brought its rows over: a dry run and a trial are COMPLETED as well. */
#define SESSION_SYNCED                                                                             \
    "(status = 'COMPLETED' AND NOT coalesce(CASE WHEN json_valid(options) THEN"                     \
    " json_extract(options, '$.dryRun') END, 0))"

/* All rows, and with `limit` whether there were more than so many. */
Error *session_rows(Query *q, uint32_t limit, StateSessions *out) MUST_CHECK;
/* NULL where there is none. */
Error *session_only(Query *q, StateSession **out) MUST_CHECK;
/* The same, without a look at who is dead. */
Error *session_row(State *s, const char *id, SyncRole role, StateSession **out) MUST_CHECK;
Error *session_missing(const char *id) MUST_CHECK;

/* Within a transaction: one more line of the log. */
Error *session_add_line(State *s, int64_t n, Instant at, const char *level,
                        const char *line) MUST_CHECK;
/* Within a transaction: dead ones end; `out` (may be NULL) has those. */
Error *session_expire_all(State *s, Instant now, StateSessions *out) MUST_CHECK;

#endif
