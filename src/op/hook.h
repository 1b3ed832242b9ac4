/* A hook: a command of the user's, which /bin/sh runs before or after a run. docs/hooks.md says
 * what it is told.
 *
 * It has no terminal and no standard input, and what it prints comes line by line. When the shell
 * has ended what it left running in its process group is ended too.
 */
#ifndef PGSTOW_OP_HOOK_H
#define PGSTOW_OP_HOOK_H

#include "base/text.h"
#include "flow/cancel.h"

/* Borrowed for the call. */
typedef struct Hook {
    const char *name; /* the setting that it comes from, for messages: "hooks.before" */
    const char *command;
    const StrList *env; /* as in ProcOptions */
    int64_t timeout_ms; /* 0: none */
    Cancel *cancel;     /* NULL: nobody stops it */
    /* Each line that it prints, in this thread, cut at 2000 bytes; of very many the first ones. */
    void (*line)(void *ctx, const char *line);
    void *ctx;
} Hook;

/* ERR_HOOK where it fails or is not done in time, with what it printed last in the hint;
 * ERR_CANCELLED. It has ended in any case. */
Error *hook_run(const Hook *hook) MUST_CHECK;

#endif
