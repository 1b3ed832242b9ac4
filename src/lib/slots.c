/* Who can open an encrypted repository: the functions pgstow_key_... of the header. */
#include "lib/lib_internal.h"

#include "op/key.h"

pgstow_error *pgstow_key_list(pgstow *p, char **json)
{
    AUTO_VALUE(KeySlotList) l = {0};
    Call c;
    *json = NULL;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    e = op_key_list(&c.context, &l);
    if (!e)
        json_give(key_slots_doc(&l), json);
    return call_end(&c, e);
}

/* -- add -------------------------------------------------------------------------------------- */

static Error *check_add(const pgstow_key_add_options *o)
{
    if (!o->new_key_file == !o->passphrase)
        FAIL(ERR_USAGE, "a new key is a passphrase or a key file: one of the two must be given");
    if (o->databases && !o->new_key_file)
        FAIL(ERR_USAGE, "a write-only key is a file: new_key_file is missing");
    if (o->databases && !*o->databases)
        FAIL(ERR_USAGE, "it is not said which databases the write-only key is for: an empty list "
                        "means none");
    return NULL;
}

pgstow_error *pgstow_key_add(pgstow *p, const pgstow_key_add_options *given, char **json)
{
    pgstow_key_add_options o = PGSTOW_KEY_ADD_OPTIONS_INIT;
    AUTO_VALUE(StrList) databases = {0};
    AUTO_VALUE(KeySlotInfo) added = {0};
    Call c;
    if (json)
        *json = NULL;
    options_take(&o, sizeof o, given);
    Error *e = check_add(&o);
    if (!e)
        e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    AUTO(KeyInput)
    input = key_input_new(&(KeyInputs){
        .passphrase = o.passphrase ? secret_copy(o.passphrase, o.passphrase_length) : NULL,
        .passphrase_name = "the new passphrase"});
    options_add(&databases, o.databases);
    e = op_key_add(&c.context,
                   &(KeyAddOptions){.name = o.name,
                                    .new_key_file = o.new_key_file,
                                    .databases = &databases,
                                    .write_only = o.databases != NULL,
                                    .source = key_input_source(input)},
                   &added);
    if (!e)
        json_give(key_slot_doc(&added), json);
    return call_end(&c, e);
}

/* -- remove, rotate --------------------------------------------------------------------------- */

pgstow_error *pgstow_key_remove(pgstow *p, const char *which, char **json)
{
    AUTO_VALUE(KeySlotInfo) gone = {0};
    Call c;
    if (json)
        *json = NULL;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    e = op_key_remove(&c.context, which, &gone);
    if (!e)
        json_give(key_slot_doc(&gone), json);
    return call_end(&c, e);
}

pgstow_error *pgstow_key_rotate(pgstow *p, char **json)
{
    AUTO_VALUE(KeySlotList) l = {0};
    Call c;
    if (json)
        *json = NULL;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    e = op_key_rotate(&c.context, &l);
    if (!e)
        json_give(key_slots_doc(&l), json);
    return call_end(&c, e);
}

/* -- export ----------------------------------------------------------------------------------- */

typedef struct Keeper {
    int (*keep)(void *ctx, const pgstow_recovery *key);
    void *ctx;
} Keeper;

static Error *keep(void *arg, const RecoveryKey *k)
{
    const Keeper *to = arg;
    const pgstow_recovery key = {.text = k->text,
                                 .repository = k->repo_id,
                                 .where = k->where,
                                 .id = k->slot.id,
                                 .name = k->slot.name};
    if (to->keep(to->ctx, &key))
        return NULL;
    FAIL(ERR_CANCELLED, "the recovery key was not kept: it opens nothing");
}

pgstow_error *pgstow_key_export(pgstow *p, const char *name,
                                int (*write)(void *ctx, const pgstow_recovery *key), void *ctx,
                                char **json)
{
    AUTO_VALUE(RecoveryKey) made = {0};
    Call c;
    if (json)
        *json = NULL;
    Error *e = call_begin(p, &c);
    if (e)
        return call_fail(e);
    e = op_key_export(&c.context, name, keep, &(Keeper){write, ctx}, &made);
    if (!e)
        json_give(key_slot_doc(&made.slot), json);
    return call_end(&c, e);
}
