/* Keys. The first byte says which: 't' the text of a key file; 's' the JSON of a slot, to which the
 * hash is added, opened by a key file's key; 'b' the key block in the header of a sealed object;
 * 'n' a sealed note; 'k' the secret bytes of a key set. */
#include "fuzz.h"
#include "repo/key_slot.h"
#include "repo/key_text.h"
#include "repo/repo_internal.h"

#define SLOT "0102030405060708090a0b0c"
static const char repository[] = "000102030405060708090a0b0c0d0e0f";

static bool fine(Error *e)
{
    if (e && error_kind(e) == ERR_KEY) {
        error_free(e);
        return false;
    }
    return sound(e);
}

static Secret *known_secret(void)
{
    uint8_t bytes[KEY_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    return secret_copy(bytes, sizeof bytes);
}

static void read_text(const uint8_t *data, size_t size)
{
    AUTO(Secret) key = NULL;
    AUTO(Secret) again = NULL;
    if (!fine(key_text_read((const char *)data, size, &key)))
        return;
    AUTO(char) text = key_text_write(key);
    MUST(succeeded(key_text_read(text, strlen(text), &again)));
    MUST(secret_length(key) == secret_length(again) &&
         !memcmp(secret_look(key), secret_look(again), secret_length(key)));
}

static void read_slot(const uint8_t *data, size_t size)
{
    AUTO(Store) s = store_open_memory();
    AUTO(Hash) h = hash_new();
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(KeySlot) slot = {0};
    AUTO_VALUE(SlotBody) body = {0};
    char name[KEY_NAME_TEXT], hex[2 * HASH_BYTES + 1];
    uint8_t hash[HASH_BYTES];
    hash_once(h, data, size, hash);
    text_hex(hash, HASH_BYTES, hex);
    buf_add(&b, data, size);
    buf_printf(&b, "\n%s\n", hex);
    MUST(succeeded(store_put(s, key_slot_name(SLOT, name), b.data, b.len)));
    if (!fine(key_slot_get(s, SLOT, &slot)))
        return;
    Key key = {.file = true, .secret = known_secret(), .from = mem_strdup("a test")};
    bool opened = false;
    fine(key_slot_open(&slot, repository, &key, &body, &opened));
    key_clear(&key);
}

static const Keyring *ring(void)
{
    static Keyring *k;
    if (!k) {
        k = keyring_new();
        keyring_make_set(k);
    }
    return k;
}

static void open_block(const uint8_t *data, size_t size)
{
    AUTO(ObjectKeys) keys = NULL;
    fine(object_keys_open(ring(), keyring_current(ring()), data, size, "pgstow pack", &keys));
}

/* Behind the right number of the key set, which is random. */
static void open_note(const uint8_t *data, size_t size)
{
    AUTO_VALUE(Buf) sealed = {0};
    AUTO(Doc) nothing = doc_object();
    AUTO(Doc) d = NULL;
    fine(note_open(ring(), "trash/x", data, size, &d));
    if (!succeeded(note_seal(ring(), "trash/x", nothing, &sealed)))
        return;
    for (size_t i = 0; i + 1 < size; i += 2)
        sealed.data[data[i] % sealed.len] ^= data[i + 1];
    AUTO(Doc) changed = NULL;
    fine(note_open(ring(), "trash/x", sealed.data, sealed.len, &changed));
}

static void read_set(const uint8_t *data, size_t size)
{
    AUTO(Keyring) k = keyring_new();
    AUTO(Secret) bytes = secret_copy(data, size);
    if (fine(keyring_read_set(k, bytes)))
        MUST(keyring_count(k) == 1);
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
        read_slot(data + 1, size - 1);
        break;
    case 'b':
        open_block(data + 1, size - 1);
        break;
    case 'n':
        open_note(data + 1, size - 1);
        break;
    case 'k':
        read_set(data + 1, size - 1);
        break;
    }
    return 0;
}
