/* Child processes: pg_dump, pg_restore, psql and the like.
 *
 * A child never prompts: its standard input is /dev/null unless a pipe is asked for, and it has no
 * controlling terminal (setsid). Its standard error is read by a thread and kept (the last 64 KiB),
 * so that it can never block the child. Secrets go in the environment, never in argv. Where the
 * system can, it dies with us.
 */
#ifndef PGSTOW_BASE_PROC_H
#define PGSTOW_BASE_PROC_H

#include "base/text.h"

typedef struct Proc Proc;

typedef struct ProcOptions {
    const StrList *argv; /* argv->items[0] is looked up in PATH where it has no slash */
    const StrList
        *env; /* "NAME=value" additions and replacements, "NAME" alone removes; may be NULL */
    bool pipe_in, pipe_out; /* give us proc_in / proc_out; otherwise /dev/null */
    int in_fd;              /* > 0: the child's standard input (borrowed), instead of a pipe */
    int pass_fd;            /* > 0: stays open in the child under the same number */
    bool
        err_to_out; /* with pipe_out: its standard error goes there too, and proc_stderr is empty */
    bool inherit;   /* our own standard input, output and error, and our terminal, instead of all
                       that: for a command that a person gave; nothing of it is kept */
    void (*line)(
        void *ctx,
        const char *line); /* each line of standard error, from the reading thread; or NULL */
    void *ctx;
} ProcOptions;

/* ERR_TOOL_MISSING where the program cannot be executed. */
Error *proc_start(const ProcOptions *options, Proc **out) MUST_CHECK;
int proc_in(const Proc *p);  /* write end of its standard input */
int proc_out(const Proc *p); /* read end of its standard output */
void proc_close_in(Proc *p);
void proc_close_out(Proc *p);
int64_t proc_pid(const Proc *p);
void proc_signal(Proc *p, int signal); /* to its whole process group */
/* Whether it has ended; it is still to be waited for. What it has started itself may go on. */
bool proc_has_ended(const Proc *p);
/* Waits for the end and for the last of its standard error. status: exit status, or 128 + signal.
 * Call once; proc_free ends it where it was not called. */
Error *proc_wait(Proc *p, int *status) MUST_CHECK;
/* SIGTERM, after so many milliseconds at most SIGKILL, to its whole process group; then as
 * proc_wait. */
Error *proc_end(Proc *p, int64_t ms, int *status) MUST_CHECK;
/* The same, but gives up after so many milliseconds: *done says whether it ended. */
Error *proc_wait_for(Proc *p, int64_t ms, bool *done, int *status) MUST_CHECK;
const char *proc_stderr(const Proc *p); /* valid after proc_wait; never NULL */
void proc_free(Proc *p);
DEFINE_AUTO(Proc, proc_free)

/* Runs to the end and captures at most max bytes of standard output. */
Error *proc_run(const StrList *argv, const StrList *env, size_t max, Buf *out, int *status,
                char **stderr_text) MUST_CHECK;
/* Splits a command as a shell would (quotes and backslashes, no expansion). ERR_CONFIG for an open
 * quote. */
Error *proc_split(const char *command, StrList *argv) MUST_CHECK;

#endif
