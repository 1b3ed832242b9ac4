#include "cli/cmd_sync.h"
#include "cli/confirm.h"

static Error *ask(void *ctx, const char *question)
{
    const Run *run = ctx;
    return confirm_ask(question, run->yes, false, run->cancel);
}

SyncHost sync_host(Run *run)
{
    const Config *c = run->config;
    return (SyncHost){.op = &run->op,
                      .config = run->config,
                      .state_dir = config_str(c, SETTING_STATE_DIR),
                      .entry = config_str(c, SETTING_ENTRY),
                      .terms = sync_terms(c),
                      .level = (int)config_int(c, SETTING_COMPRESSION),
                      .ask = ask,
                      .ctx = run};
}

Error *sync_must_name(const Run *run)
{
    const StrList *entries = config_entries(run->config);
    if (!entries->count || config_str(run->config, SETTING_ENTRY) ||
        config_str(run->config, SETTING_DB))
        return NULL;
    AUTO_VALUE(Buf) all = {0};
    for (size_t i = 0; i < entries->count; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", entries->items[i]);
    AUTO(char) names = buf_steal_str(&all);
    return error_hint(ERROR_NEW(ERR_USAGE, "which database here?"),
                      "--entry NAME says so, of those in the settings: %s", names);
}
