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
                      .exclude = config_list(c, SETTING_SYNC_EXCLUDE),
                      .level = (int)config_int(c, SETTING_COMPRESSION),
                      .ask = ask,
                      .ctx = run};
}
