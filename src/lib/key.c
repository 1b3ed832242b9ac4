#include "lib/lib_internal.h"

#define KEY_ROOM 4096 /* bytes that a callback may write */

struct HandleKey {
    KeyInput *input;
    size_t (*ask)(void *ctx, const char *repo, int is_new, char *into, size_t room);
    void *ctx;
};

static Error *ask(void *arg, KeyUse use, const char *where, Secret **out)
{
    const HandleKey *k = arg;
    AUTO(Secret) room = secret_new(KEY_ROOM);
    size_t n =
        k->ask(k->ctx, where, use == KEY_TO_MAKE, (char *)secret_bytes(room), secret_length(room));
    if (n > secret_length(room))
        FAIL(ERR_KEY, "that is longer than a passphrase may be");
    if (n)
        *out = secret_copy(secret_look(room), n);
    return NULL;
}

HandleKey *handle_key_new(const pgstow_key *given)
{
    pgstow_key o = PGSTOW_KEY_INIT;
    options_take(&o, sizeof o, given);
    HandleKey *k = mem_new(HandleKey);
    k->ask = o.ask;
    k->ctx = o.ctx;
    k->input = key_input_new(&(KeyInputs){
        .key_file = o.file,
        .passphrase = o.passphrase ? secret_copy(o.passphrase, o.passphrase_length) : NULL,
        .prompt = o.ask ? ask : NULL,
        .ctx = k,
        .first_use = true});
    return k;
}

void handle_key_free(HandleKey *k)
{
    if (!k)
        return;
    key_input_free(k->input);
    free(k);
}

void handle_key_use(const HandleKey *k, OpContext *c)
{
    c->keys = key_input_source(k->input);
    c->key_given = key_input_given(k->input);
}
