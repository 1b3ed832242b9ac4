/* What every command is given, and the functions behind the rows of spec/commands.def. */
#ifndef PGSTOW_CLI_COMMAND_H
#define PGSTOW_CLI_COMMAND_H

#include "cli/args.h"
#include "cli/output.h"
#include "op/history.h"
#include "op/op.h"

typedef struct Run {
    const Args *args;
    Config *config;
    OpContext op; /* made from the settings; its job is stopped by signals */
    Cancel *cancel;
    bool json, quiet, yes;
    Doc **result;     /* see run_result */
    char *backup;     /* the id of the backup that was made or used; see run_backup */
    char *backups;    /* of several databases: their ids, with spaces between them; or NULL */
    History *history; /* of this run; NULL where nothing is recorded */
    StrList facts;    /* "PGSTOW_ROWS=17", ... for hooks; see run_fact */
} Run;

/* One per command, in cmd_<name>.c: fills the operation's options in, calls it, prints its result.
 */
#define COMMAND(id, name, alias, arguments, least, most, summary, help, examples, settings,        \
                statuses)                                                                          \
    Error *cmd_##id(Run *run) MUST_CHECK;
#include "spec/commands.def"
#undef COMMAND

/* The operation's part of a command: progress is shown while `work` runs. */
Error *run_with_progress(Run *run, Error *(*work)(Run *run, void *arg), void *arg) MUST_CHECK;

/* What --json prints at the end, with an "error" besides where the command fails. Takes d over. */
void run_result(Run *run, Doc *d);
/* For the history and for hooks: the backup that was made, or used. */
void run_backup(Run *run, const char *id);
/* For hooks: what a number of the result is, under the variable's name without "PGSTOW_". */
void run_fact(Run *run, const char *name, uint64_t value);

/* The i-th argument, NULL where there are fewer. */
const char *run_word(const Run *run, size_t i);
/* The state that is there already. Where there is none: ERR_NOT_FOUND with this hint; without a
 * hint that is no error, and *out is NULL. */
Error *run_state(const Run *run, const char *hint, State **out) MUST_CHECK;

/* The list of backups, as `list` and a `restore` without an id print it. */
Error *run_list(Run *run, const char *database_or_null) MUST_CHECK;

#endif
