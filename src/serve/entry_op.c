#include "serve/entry_op.h"

void entry_op_open(const Config *c, EntryOp *out)
{
    const char *file = config_str(c, SETTING_KEY_FILE);
    out->key = key_input_new(&(KeyInputs){
        .key_file = file, .command = file ? NULL : config_str(c, SETTING_PASSPHRASE_COMMAND)});
    out->op = (OpContext){.repo_dir = config_str(c, SETTING_REPO),
                          .db_url = config_str(c, SETTING_DB),
                          .keys = key_input_source(out->key),
                          .accept_older = config_bool(c, SETTING_ACCEPT_OLDER)};
}

void entry_op_clear(EntryOp *e)
{
    key_input_free(e->key);
    *e = (EntryOp){0};
}
