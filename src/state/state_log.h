/* What a job or a sync session (state_session.h) has said, line by line. Bounded: beyond so many
 * lines, or of a job bytes, the oldest are dropped, and the list says how many. */
#ifndef PGSTOW_STATE_STATE_LOG_H
#define PGSTOW_STATE_STATE_LOG_H

#include "state/state.h"

#define STATE_LOG_LINES 5000 /* of one job */
#define STATE_LOG_BYTES (1 << 20)
#define STATE_LOG_LINE_MAX 8192 /* bytes; a longer line is cut */

/* Borrowed. */
typedef struct StateLogNew {
    Instant at;
    const char *level; /* "debug", "info", "warning", "error" */
    const char *line;
} StateLogNew;
/* All in one transaction, an fsync each: better a second's lines at once than each by itself.
 * ERR_NOT_FOUND. */
Error *state_log_add(State *s, int64_t job, const StateLogNew *lines, size_t count) MUST_CHECK;

typedef struct StateLogLine {
    int64_t n; /* from 1, without a gap, whatever is dropped */
    Instant at;
    char *level, *line;
} StateLogLine;
typedef struct StateLog {
    StateLogLine *items; /* the oldest first */
    size_t count, cap;
    uint64_t dropped; /* lines that were asked for and are no longer kept */
    bool more;
} StateLog;
void state_log_clear(StateLog *l);
DEFINE_AUTO_VALUE(StateLog, state_log_clear)

/* The lines behind number `after` (0: from the beginning); limit as for lists. A job that is not
 * there has no lines. */
Error *state_log_read(State *s, int64_t job, int64_t after, uint32_t limit,
                      StateLog *out) MUST_CHECK;

#endif
