#include "cli/service_flags.h"

extern char **environ;

Error *service_flags(const Run *run, StrList *words)
{
    static const SettingId handed_on[] = {SETTING_REPO, SETTING_KEY_FILE,
                                          SETTING_PASSPHRASE_COMMAND, SETTING_JOBS, SETTINGS};
    static const SettingId refused[] = {SETTING_DB, SETTING_ENTRY, SETTING_EVENTS, SETTINGS};
    for (size_t i = 0; i < run->args->flag_count; i++) {
        const FlagValue *f = &run->args->flags[i];
        if (setting_in(refused, f->id))
            return error_hint(ERROR_NEW(ERR_USAGE, "--%s is not for %s", setting_info(f->id)->flag,
                                        run->args->command->name),
                              "databases are named in the file of settings (database.url, "
                              "databases), or by DATABASE_URL");
        if (setting_in(handed_on, f->id))
            strlist_own(words, mem_printf("--%s=%s", setting_info(f->id)->flag, f->value));
    }
    return NULL;
}

ConfigInputs service_inputs(const Run *run)
{
    return (ConfigInputs){.flags = run->args->flags,
                          .flag_count = run->args->flag_count,
                          .environment = environ,
                          .dir = "."};
}
