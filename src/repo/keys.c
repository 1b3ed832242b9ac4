#include "repo/keys.h"

#include <string.h>

#include "repo/key_chain.h"
#include "repo/keys_held.h"
#include "repo/repo_internal.h"

void keys_free(Keys *k)
{
    if (!k)
        return;
    keyring_free(k->ring);
    slot_body_clear(&k->body);
    doc_free(k->config);
    free(k);
}

const Keyring *keys_ring(const Keys *k)
{
    return k->ring;
}

Error *keys_check_config(const Keys *k, const Doc *config)
{
    return key_chain_check_config(config, k->ring);
}

bool keys_needed(const Doc *config)
{
    static const char *const uses[] = {"read", "write", "delete"};
    for (size_t u = 0; u < 3; u++) {
        const Doc *list = doc_get(doc_get(config, "features"), uses[u]);
        for (size_t i = 0; i < doc_count(list); i++) {
            const char *name = doc_text(doc_at(list, i));
            if (name && !strcmp(name, FEATURE_ENCRYPTION))
                return true;
        }
    }
    return false;
}

static bool has_newer(void *ctx, uint32_t epoch)
{
    uint32_t now = 0;
    Error *e = key_chain_length(ctx, &now);
    bool newer = !e && now > epoch;
    error_drop(e);
    return newer;
}

static Error *keep_config(Keys *k, const Doc *config)
{
    AUTO(char) text = doc_print(config, false);
    return doc_parse(text, strlen(text), "the config", &k->config);
}

/* -- the first slot -------------------------------------------------------------------------------
 */

Error *keys_create(Store *s, Doc *config, const Key *key, Keys **out)
{
    AUTO(Keys) k = mem_new(Keys);
    AUTO_VALUE(KeySlot) slot = {0};
    const char *id = doc_str(config, "id", "");
    KeyKind kind = key->file ? KEY_FILE : KEY_PASSPHRASE;
    k->ring = keyring_new();
    uint64_t set = keyring_make_set(k->ring);
    keyring_watch(k->ring, has_newer, s);
    TRY(key_chain_sign_config(config, k->ring));
    TRY(keep_config(k, config));
    key_slot_new(kind, key_kind_name(kind), NULL, &slot, &k->body);
    memcpy(k->slot, slot.id, sizeof k->slot);
    FAULT_POINT("keys.create.begin");
    TRY(key_set_put(s, id, &slot, &k->body, k->ring, set));
    FAULT_POINT("keys.create.set");
    TRY(key_slot_put(s, id, &slot, key, &k->body));
    FAULT_POINT("keys.create.slot");
    *out = STEAL(k);
    return NULL;
}

void keys_discard(Store *s, const Keys *k)
{
    char name[KEY_NAME_TEXT];
    error_drop(store_delete(s, key_slot_name(k->slot, name)));
    error_drop(store_delete(s, key_set_name(k->slot, keyring_set_id(k->ring, 0), name)));
}

/* -- opening --------------------------------------------------------------------------------------
 */

/* What one slot says may be wrong, or more than this machine can do: that is no reason not to try
 * the others. */
static bool is_its_own_matter(const Error *e)
{
    return error_kind(e) == ERR_DAMAGED || error_kind(e) == ERR_LIMIT ||
           error_kind(e) == ERR_REPO_UNSUPPORTED || error_kind(e) == ERR_NOT_FOUND ||
           error_kind(e) == ERR_MEMORY;
}

/* Asks for more than this program writes: somebody may have put it there to keep us busy. */
static bool is_dear(const KeySlot *slot)
{
    return slot->ops > PASSPHRASE_OPS || slot->memory > PASSPHRASE_MEMORY;
}

/* The slot that the key opens, of the dear ones or of the others. One that is broken or of a newer
 * kind is none of ours, unless nothing else opens. */
static Error *find_slot(Store *s, const char *repo_id, const Key *key, bool dear, char *id,
                        SlotBody *body, bool *found)
{
    AUTO_VALUE(StrList) ids = {0};
    AUTO(Error) first = NULL;
    *found = false;
    TRY(key_slot_ids(s, &ids));
    for (size_t i = 0; i < ids.count && !*found; i++) {
        AUTO_VALUE(KeySlot) slot = {0};
        Error *e = key_slot_get(s, ids.items[i], &slot);
        if (!e && is_dear(&slot) == dear)
            e = key_slot_open(&slot, repo_id, key, body, found);
        if (e && !is_its_own_matter(e))
            return e;
        first = error_first(STEAL(first), e);
        if (*found)
            memcpy(id, slot.id, sizeof slot.id);
    }
    if (!*found && first && error_kind(first) != ERR_NOT_FOUND)
        return error_context(STEAL(first), "no key slot could be opened");
    return NULL;
}

Error *keys_open(Store *s, const Doc *config, const Key *key, Keys **out)
{
    AUTO(Keys) k = mem_new(Keys);
    bool found = false;
    const char *id = doc_str(config, "id", "");
    AUTO(Error) first = find_slot(s, id, key, false, k->slot, &k->body, &found);
    if (!found)
        first = error_first(STEAL(first), find_slot(s, id, key, true, k->slot, &k->body, &found));
    if (!found && first)
        return STEAL(first);
    if (!found)
        return error_hint(
            ERROR_NEW(ERR_KEY, "%s does not open the repository %s", key->from, store_where(s)),
            key->file ? "use another key file, or the passphrase"
                      : "look at the spelling, and whether it is this repository's");
    TRY(keep_config(k, config));
    TRY(key_chain_load(s, config, k->slot, &k->body, &k->ring));
    keyring_watch(k->ring, has_newer, s);
    *out = STEAL(k);
    return NULL;
}
