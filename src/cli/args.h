/* The command line, taken apart: which command, which flags with which values, which arguments.
 *
 * As GNU has it: --flag value, --flag=value, -f value, -fvalue, -yq, --no-flag for yes-or-no flags,
 * and nothing behind -- is a flag. Flags that all commands take may stand before the command. What
 * a value may be is not looked at here but by config_load.
 */
#ifndef PGSTOW_CLI_ARGS_H
#define PGSTOW_CLI_ARGS_H

#include "cli/commands.h"
#include "config/config.h"

typedef struct Args {
    const CommandInfo *command; /* NULL where none was given */
    bool help, version;
    FlagValue *flags; /* in the order given; values point into argv */
    size_t flag_count, flag_cap;
    char **words; /* the arguments; borrowed from argv */
    size_t word_count, word_cap;
    StrList rest; /* ARGS_COMMAND: the command and its arguments */
} Args;
void args_clear(Args *a);
DEFINE_AUTO_VALUE(Args, args_clear)

/* ERR_USAGE, with the nearest name in the hint. What was understood before it is in *out even then
 * (whether --json was asked for, and of which command). */
Error *args_parse(int argc, char **argv, Args *out) MUST_CHECK;
/* The last value given for a yes-or-no flag that all commands take. */
bool args_flag(const Args *a, SettingId id);
/* Writes *** over every password of a --db, so that ps no longer shows it. The values are copied
 * before (config_load). */
void args_hide_secrets(int argc, char **argv);

#endif
