/* A log of the state, page by page. */
#ifndef PGSTOW_CLI_LOG_PRINT_H
#define PGSTOW_CLI_LOG_PRINT_H

#include "base/doc.h"
#include "state/state_log.h"

/* Reads a page of a log: whose it is, `of` says. */
typedef Error *(*LogRead)(State *s, const void *of, int64_t after, StateLog *out);

/* All its lines: into the array `lines`, or, where that is NULL, printed, with a word about those
 * that are no longer kept. */
Error *log_print(State *s, LogRead read, const void *of, Doc *lines) MUST_CHECK;

#endif
