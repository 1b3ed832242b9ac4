/* What lies in keys/ and in a key file, as somebody may have put it there. The first byte says
 * which: 't' the text of a key; 's' the JSON of a slot; 'e' of an epoch; 'k' of a slot's key set;
 * 'b' what a slot hides, sealed by a key that is known here; 'r' a key set. */
#include "fuzz.h"

#include "crypto/hash.h"
#include "crypto/salted.h"
#include "repo/key_chain.h"
#include "repo/key_text.h"
#include "repo/keys_held.h"
#include "repo/repo_internal.h"

#define SLOT "0102030405060708090a0b0c"

static Error *give(void *ctx, KeyUse use, const char *where, Key *out)
{
    (void)ctx;
    (void)use;
    (void)where;
    *out = (Key){.file = true, .secret = secret_new(KEY_BYTES), .from = mem_strdup("a key")};
    return NULL;
}

/* Foreign bytes may also be what no key at hand opens. */
static bool sound_or_closed(Error *e)
{
    if (e && (error_kind(e) == ERR_KEY || error_kind(e) == ERR_NOT_FOUND))
        return succeeded(e);
    return sound(e);
}

static void read_text(const uint8_t *data, size_t size)
{
    AUTO(Secret) key = NULL;
    AUTO(Secret) again = NULL;
    Error *e = key_text_read((const char *)data, size, &key);
    MUST(!e || error_kind(e) == ERR_KEY);
    if (!succeeded(e))
        return;
    AUTO(char) text = key_text_write(key);
    MUST(succeeded(key_text_read(text, strlen(text), &again)));
    MUST(!memcmp(secret_look(key), secret_look(again), KEY_BYTES));
}

/* In a sound repository, instead of what is there. */
static void read_note(const char *name, const uint8_t *data, size_t size)
{
    AUTO(Repo) r = NULL;
    KeySource source = {give, NULL};
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(KeySlotList) list = {0};
    AUTO(Keyring) ring = NULL;
    AUTO(Hash) h = hash_new();
    uint8_t hash[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    MUST(
        succeeded(repo_open(store_open_memory(),
                            &(RepoOptions){.create = true, .encrypt = true, .keys = &source}, &r)));
    hash_once(h, data, size, hash);
    text_hex(hash, HASH_BYTES, hex);
    buf_add(&b, data, size);
    buf_printf(&b, "\n%s\n", hex);
    const Keys *held = repo_held(r);
    char own[KEY_NAME_TEXT];
    if (!name) { /* the set of our own slot */
        name = key_set_name(held->slot, keyring_current(held->ring), own);
        MUST(succeeded(store_delete(repo_store(r), name)));
    }
    MUST(succeeded(store_put(repo_store(r), name, b.data, b.len)));
    sound_or_closed(keys_list(r, &list));
    MUST(list.count <= 2);
    sound_or_closed(key_chain_load(repo_store(r), held->config, held->slot, &held->body, &ring));
    AUTO_VALUE(KeySlot) slot = {0};
    AUTO_VALUE(SlotBody) body = {0};
    AUTO_VALUE(Key) key = {0};
    bool opened = false;
    MUST(succeeded(give(NULL, KEY_TO_OPEN, "", &key)));
    if (sound_or_closed(key_slot_get(repo_store(r), SLOT, &slot)))
        sound(key_slot_open(&slot, repo_id(r), &key, &body, &opened));
    MUST(!opened);
}

static void read_hidden(const uint8_t *data, size_t size)
{
    AUTO(Secret) opener = secret_new(KEY_BYTES);
    AUTO(Secret) hidden = secret_copy(data, size);
    AUTO_VALUE(Key) key = {0};
    AUTO_VALUE(KeySlot) slot = {0};
    AUTO_VALUE(SlotBody) made = {0};
    AUTO_VALUE(SlotBody) body = {0};
    AUTO_VALUE(Buf) aad = {0};
    bool opened = false;
    MUST(succeeded(give(NULL, KEY_TO_OPEN, "", &key)));
    key_slot_new(size && data[0] == KEY_WRITE_ONLY ? KEY_WRITE_ONLY : KEY_FILE, "n", NULL, &slot,
                 &made);
    buf_block_str(&aad, "slot");
    buf_block_str(&aad, "id");
    buf_block_str(&aad, slot.bound);
    salted_close(secret_look(opener), "pgstow slot", &aad, hidden, &slot.sealed);
    if (sound(key_slot_open(&slot, "id", &key, &body, &opened)))
        MUST(opened && body.kind == slot.kind && secret_length(body.secret) == KEY_BYTES &&
             (body.kind == KEY_WRITE_ONLY) == (body.databases.count > 0));
}

static void read_set(const uint8_t *data, size_t size)
{
    AUTO(Secret) bytes = secret_copy(data, size);
    AUTO(Keyring) ring = keyring_new();
    if (!sound(keyring_read_set(ring, bytes)))
        return;
    MUST(keyring_count(ring) == 1 && keyring_current(ring));
    MUST(keyring_full(ring) || keyring_databases(ring)->count <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    switch (data[0]) {
    case 't':
        read_text(data + 1, size - 1);
        break;
    case 's':
        read_note("keys/" SLOT ".slot", data + 1, size - 1);
        break;
    case 'e':
        read_note("keys/epoch-2", data + 1, size - 1);
        break;
    case 'k':
        read_note(NULL, data + 1, size - 1);
        break;
    case 'b':
        read_hidden(data + 1, size - 1);
        break;
    case 'r':
        read_set(data + 1, size - 1);
        break;
    }
    return 0;
}
