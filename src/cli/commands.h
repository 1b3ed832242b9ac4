/* The commands as data: the rows of spec/commands.def. */
#ifndef PGSTOW_CLI_COMMANDS_H
#define PGSTOW_CLI_COMMANDS_H

#include "config/setting.h"

typedef enum CommandId {
#define COMMAND(id, name, alias, arguments, least, most, summary, help, examples, settings,        \
                statuses)                                                                          \
    COMMAND_##id,
#include "spec/commands.def"
#undef COMMAND
    COMMANDS
} CommandId;

#define ARGS_MANY (-1)
#define ARGS_COMMAND (-2) /* the first argument and all behind it are another program's */

typedef struct CommandInfo {
    CommandId id;
    const char *name, *alias, *arguments;
    int least, most;
    const char *summary, *help, *examples;
    const SettingId *settings; /* a set, without those of command_everywhere */
    KindSet statuses;          /* without those of KINDS_ANY */
} CommandInfo;

/* What every command takes, and what any command can end with. */
extern const SettingId command_everywhere[];
#define KINDS_ANY                                                                                  \
    (KIND(INTERNAL) | KIND(USAGE) | KIND(CONFIG) | KIND(IO) | KIND(MEMORY) | KIND(CANCELLED))

const CommandInfo *command_info(CommandId id);
/* Whether the command takes the setting's flag; NULL: whether any command does. */
bool command_takes(const CommandInfo *command, SettingId id);
/* By name or alias; NULL where there is none. */
const CommandInfo *command_find(const char *name);
/* The nearest name, or NULL. */
const char *command_nearest(const char *name);

#endif
