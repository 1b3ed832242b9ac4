/* A child pgstow, with a descriptor on which it tells what it does (docs/events.md). */
#ifndef PGSTOW_SERVE_LAUNCH_H
#define PGSTOW_SERVE_LAUNCH_H

#include "base/file.h"
#include "base/proc.h"

typedef struct LaunchOptions {
    const StrList *argv; /* runner_line */
    const StrList *env;  /* as of proc_start; may be NULL */
    bool output;         /* its standard output is proc_out */
} LaunchOptions;
/* *events is the end to read: it closes when the child ends. */
Error *launch(const LaunchOptions *options, Proc **out, Fd *events) MUST_CHECK;

/* The kind of error that an exit status stands for. */
ErrorKind launch_kind(int status);
/* Of one that has ended without an "end": what it printed last, or how it ended. Caller frees. */
char *launch_last_words(const Proc *p, int status);

#endif
