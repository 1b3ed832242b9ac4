#include "cli/keys_from.h"

#include <string.h>

#include "cli/key_prompt.h"

static Secret *take(Config *c, SettingId id)
{
    char *text = config_take_secret(c, id);
    if (!text)
        return NULL;
    size_t all = strlen(text), n = all;
    /* Files of secrets end with a newline that nobody could type. */
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    Secret *s = secret_copy(text, n);
    secret_wipe(text, all);
    free(text);
    return s;
}

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
    size_t chosen = 3;
    for (size_t i = 0; i < 3; i++)
        if (config_str(c, ids[i]) &&
            (chosen == 3 || config_source(c, ids[i]) > config_source(c, ids[chosen])))
            chosen = i;
    return key_input_new(&(KeyInputs){.key_file = chosen == 0 ? config_str(c, ids[0]) : NULL,
                                      .command = chosen == 1 ? config_str(c, ids[1]) : NULL,
                                      .passphrase = chosen == 2 ? take(c, ids[2]) : NULL,
                                      .passphrase_name = passphrase_name,
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
    return key_input_new(&(KeyInputs){.passphrase = take(c, SETTING_NEW_PASSPHRASE),
                                      .passphrase_name = "the passphrase in PGSTOW_NEW_PASSPHRASE",
                                      .prompt = prompt,
                                      .ctx = (void *)(uintptr_t)cancel,
                                      .cancel = cancel});
}
