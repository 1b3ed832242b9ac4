#include "cli/keys_from.h"

#include "cli/key_prompt.h"
#include "op/secret_input.h"

static Error *prompt(void *ctx, KeyUse use, const char *where, Secret **out)
{
    AUTO(char)
    question = use == KEY_TO_MAKE ? mem_printf("new passphrase for the repository %s", where)
                                  : mem_printf("passphrase or recovery key of %s", where);
    return key_prompt_ask(question, use, ctx, out);
}

/* ids: a key file, a command, a passphrase. */
static KeyInput *strongest(Config *c, const SettingId ids[3], const char *passphrase_name,
                           const Cancel *cancel)
{
    return key_input_chosen(c, ids,
                            &(KeyInputs){.passphrase_name = passphrase_name,
                                         .prompt = prompt,
                                         .ctx = (void *)(uintptr_t)cancel,
                                         .cancel = cancel,
                                         .first_use = true});
}

KeyInput *keys_from_settings(Config *c, const Cancel *cancel)
{
    static const SettingId ids[] = {SETTING_KEY_FILE, SETTING_PASSPHRASE_COMMAND,
                                    SETTING_PASSPHRASE};
    return strongest(c, ids, "the passphrase in PGSTOW_PASSPHRASE", cancel);
}

KeyInput *keys_of_target(Config *c, const Cancel *cancel)
{
    static const SettingId ids[] = {SETTING_TO_KEY_FILE, SETTING_TO_PASSPHRASE_COMMAND,
                                    SETTING_TO_PASSPHRASE};
    return strongest(c, ids, "the passphrase in PGSTOW_TO_PASSPHRASE", cancel);
}

KeyInput *keys_new_passphrase(Config *c, const Cancel *cancel)
{
    return key_input_new(&(KeyInputs){.passphrase = secret_take(c, SETTING_NEW_PASSPHRASE),
                                      .passphrase_name = "the passphrase in PGSTOW_NEW_PASSPHRASE",
                                      .prompt = prompt,
                                      .ctx = (void *)(uintptr_t)cancel,
                                      .cancel = cancel});
}
