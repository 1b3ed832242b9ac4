#include "cli/commands.h"

#include <string.h>

#include "base/text.h"

static const CommandInfo infos[COMMANDS] = {
#define COMMAND(id_, name_, alias_, arguments_, least_, most_, summary_, help_, examples_,         \
                settings_, statuses_)                                                              \
    [COMMAND_##id_] = {                                                                            \
        COMMAND_##id_, name_,    alias_, arguments_, least_,                                       \
        most_,         summary_, help_,  examples_,  (const SettingId[]){settings_ SETTINGS},      \
        statuses_},
#include "spec/commands.def"
#undef COMMAND
};

const SettingId command_everywhere[] = {
    SETTING_REPO,   SETTING_KEY_FILE, SETTING_PASSPHRASE_COMMAND,
    SETTING_DB,     SETTING_JOBS,     SETTING_YES,
    SETTING_JSON,   SETTING_QUIET,    SETTING_VERBOSE,
    SETTING_CONFIG, SETTING_ENTRY,    SETTING_EVENTS,
    SETTINGS};

bool command_takes(const CommandInfo *command, SettingId id)
{
    return !command || setting_in(command->settings, id) || setting_in(command_everywhere, id);
}

const CommandInfo *command_info(CommandId id)
{
    return &infos[id];
}

const CommandInfo *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(infos[i].name, name) || (*name && !strcmp(infos[i].alias, name)))
            return &infos[i];
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *names[2 * COMMANDS];
    size_t count = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        names[count++] = infos[i].name;
        if (*infos[i].alias)
            names[count++] = infos[i].alias;
    }
    return text_nearest(name, names, count);
}
