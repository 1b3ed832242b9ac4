#include "repo/keyring.h"

#include <string.h>

#include "base/fault.h"
#include "crypto/hash.h"
#include "crypto/salted.h"

#define SET_VERSION 1
#define LINEAGES_MAX 65536u

/* The secrets lie one behind the other: notes; then of a full set box, index, ids; of a write-only
 * one index and ids of each lineage. */
enum {
    NOTES = 0,
    BOX = KEY_BYTES,
    INDEX = 2 * KEY_BYTES,
    IDS = 3 * KEY_BYTES,
    FULL = 4 * KEY_BYTES
};

typedef struct KeySet {
    uint64_t id;
    uint32_t epoch;
    bool full;
    uint8_t public_half[BOX_PUBLIC_BYTES];
    Secret *secrets;
    uint8_t (*tags)[LINEAGE_TAG_BYTES]; /* of a write-only one, as `databases` has them */
    StrList databases;
} KeySet;

struct Keyring {
    KeySet *sets; /* by rising epoch */
    size_t count, cap;
    uint64_t current; /* 0: the last one */
    KeyringNewer newer;
    void *newer_ctx;
};

static void set_clear(KeySet *s)
{
    secret_free(s->secrets);
    free(s->tags);
    strlist_free(&s->databases);
    *s = (KeySet){0};
}
DEFINE_AUTO_VALUE(KeySet, set_clear)

Keyring *keyring_new(void)
{
    return mem_new(Keyring);
}

void keyring_free(Keyring *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++)
        set_clear(&k->sets[i]);
    free(k->sets);
    free(k);
}

/* -- sets -------------------------------------------------------------------------------------- */

static int by_epoch(const void *a, const void *b)
{
    const KeySet *x = a, *y = b;
    return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

/* Takes the set over. */
static void add_set(Keyring *k, KeySet *s)
{
    mem_grow(k->sets, k->count, k->cap);
    k->sets[k->count++] = *s;
    *s = (KeySet){0};
    mem_sort(k->sets, k->count, sizeof *k->sets, by_epoch);
}

static const KeySet *look_for(const Keyring *k, uint64_t id)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->sets[i].id == id)
            return &k->sets[i];
    return NULL;
}

static Error *no_set(uint64_t id)
{
    return error_hint(
        ERROR_NEW(ERR_KEY, "the key at hand does not open key set %016llx", (unsigned long long)id),
        "use a key that is as new as this data: \"pgstow key list\" shows them");
}

static Error *find_set(const Keyring *k, uint64_t id, const KeySet **out)
{
    *out = look_for(k, id);
    return *out ? NULL : no_set(id);
}

static Error *find_full(const Keyring *k, uint64_t id, const KeySet **out)
{
    TRY(find_set(k, id, out));
    if ((*out)->full)
        return NULL;
    return error_hint(ERROR_NEW(ERR_KEY, "this key may only write backups, not read their rows"),
                      "use the repository's passphrase, or a full key file");
}

static const uint8_t *secret_at(const KeySet *s, size_t at)
{
    return secret_look(s->secrets) + at;
}

uint64_t keyring_make_set(Keyring *k)
{
    const KeySet *last = k->count ? &k->sets[k->count - 1] : NULL;
    KeySet s = {.epoch = last ? last->epoch + 1 : 1, .full = true};
    while (!s.id || look_for(k, s.id))
        random_bytes(&s.id, sizeof s.id);
    s.secrets = secret_random(FULL);
    box_pair(s.public_half, secret_bytes(s.secrets) + BOX);
    /* How chunks are known stays: docs/adr/0006-encryption.md. Pages and pieces end where ids say
     * so; the tests' twin can be told ids that are the same each time. */
    const char *fixed = fault_setting("PGSTOW_FIXED_IDS");
    if (last)
        memcpy(secret_bytes(s.secrets) + IDS, secret_at(last, IDS), KEY_BYTES);
    else if (fixed)
        memset(secret_bytes(s.secrets) + IDS, *fixed, KEY_BYTES);
    uint64_t id = s.id;
    add_set(k, &s);
    return id;
}

size_t keyring_count(const Keyring *k)
{
    return k->count;
}

uint64_t keyring_set_id(const Keyring *k, size_t i)
{
    return k->sets[i].id;
}

uint32_t keyring_set_epoch(const Keyring *k, size_t i)
{
    return k->sets[i].epoch;
}

bool keyring_has(const Keyring *k, uint64_t set)
{
    return look_for(k, set);
}

Error *keyring_set_current(Keyring *k, uint64_t set)
{
    const KeySet *s;
    TRY(find_set(k, set, &s));
    k->current = set;
    return NULL;
}

uint64_t keyring_current(const Keyring *k)
{
    return k->current ? k->current : k->count ? k->sets[k->count - 1].id : 0;
}

void keyring_watch(Keyring *k, KeyringNewer newer, void *ctx)
{
    k->newer = newer;
    k->newer_ctx = ctx;
}

bool keyring_outdated(const Keyring *k)
{
    return k->newer && k->count && k->newer(k->newer_ctx, k->sets[k->count - 1].epoch);
}

bool keyring_full(const Keyring *k)
{
    return k->count && k->sets[k->count - 1].full;
}

const StrList *keyring_databases(const Keyring *k)
{
    static const StrList none;
    return k->count ? &k->sets[k->count - 1].databases : &none;
}

/* -- a set as bytes ------------------------------------------------------------------------------
 */

/* Keys that follow from a database's tag. */
static void derive_index(const KeySet *s, const uint8_t *tag, uint8_t *out)
{
    key_derive(secret_at(s, INDEX), "pgstow index", tag, LINEAGE_TAG_BYTES, out);
}

static void derive_ids(const KeySet *s, const uint8_t *tag, uint8_t *out)
{
    key_derive(secret_at(s, IDS), "pgstow ids", tag, LINEAGE_TAG_BYTES, out);
}

static void derive_tag(const KeySet *s, const char *database, uint8_t *tag)
{
    uint8_t whole[KEY_BYTES];
    key_derive(secret_at(s, IDS), "pgstow tag", database, strlen(database), whole);
    memcpy(tag, whole, LINEAGE_TAG_BYTES);
}

static void add_lineage(const KeySet *s, const char *database, Buf *b)
{
    uint8_t tag[LINEAGE_TAG_BYTES], key[KEY_BYTES];
    derive_tag(s, database, tag);
    buf_block_str(b, database);
    buf_add(b, tag, sizeof tag);
    derive_index(s, tag, key);
    buf_add(b, key, sizeof key);
    derive_ids(s, tag, key);
    buf_add(b, key, sizeof key);
    secret_wipe(key, sizeof key);
}

Error *keyring_write_set(const Keyring *k, uint64_t set, const StrList *databases, Secret **out)
{
    AUTO_VALUE(Buf) b = {0};
    const KeySet *s;
    TRY(find_full(k, set, &s));
    /* All room at once, so that no copy is left behind by growing. */
    size_t room = 128 + FULL;
    for (size_t i = 0; databases && i < databases->count; i++)
        room += strlen(databases->items[i]) + 3 * KEY_BYTES;
    TRY(buf_reserve(&b, room, room));
    buf_u8(&b, SET_VERSION);
    buf_u64(&b, s->id);
    buf_u32(&b, s->epoch);
    buf_add(&b, s->public_half, sizeof s->public_half);
    buf_u8(&b, !databases);
    buf_add(&b, secret_at(s, NOTES), KEY_BYTES);
    if (!databases)
        buf_add(&b, secret_at(s, BOX), FULL - BOX);
    else
        buf_varint(&b, databases->count);
    for (size_t i = 0; databases && i < databases->count; i++)
        add_lineage(s, databases->items[i], &b);
    *out = secret_copy(b.data, b.len);
    secret_wipe(b.data, b.len);
    return NULL;
}

static Error *read_into(Reader *r, KeySet *s, size_t at, size_t n)
{
    const uint8_t *p;
    TRY(reader_bytes(r, n, &p));
    memcpy(secret_bytes(s->secrets) + at, p, n);
    return NULL;
}

static Error *read_lineages(Reader *r, KeySet *s)
{
    uint64_t count;
    const uint8_t *notes, *tag;
    TRY(reader_bytes(r, KEY_BYTES, &notes));
    TRY(reader_varint_max(r, LINEAGES_MAX, &count));
    s->secrets = secret_new(KEY_BYTES + (size_t)count * 2 * KEY_BYTES);
    s->tags = mem_calloc(count ? (size_t)count : 1, sizeof *s->tags);
    memcpy(secret_bytes(s->secrets), notes, KEY_BYTES);
    for (size_t i = 0; i < count; i++) {
        AUTO(char) name = NULL;
        TRY(reader_block_str(r, &name));
        TRY(reader_bytes(r, LINEAGE_TAG_BYTES, &tag));
        memcpy(s->tags[i], tag, LINEAGE_TAG_BYTES);
        TRY(read_into(r, s, KEY_BYTES + i * 2 * KEY_BYTES, 2 * KEY_BYTES));
        strlist_own(&s->databases, STEAL(name));
    }
    return NULL;
}

static Error *parse_set(Reader *r, KeySet *s)
{
    uint8_t version, full;
    const uint8_t *p;
    TRY(reader_u8(r, &version));
    TRY(reader_u64(r, &s->id));
    TRY(reader_u32(r, &s->epoch));
    TRY(reader_bytes(r, sizeof s->public_half, &p));
    memcpy(s->public_half, p, sizeof s->public_half);
    TRY(reader_u8(r, &full));
    if (version != SET_VERSION || full > 1 || !s->id || !s->epoch)
        FAIL(ERR_DAMAGED, "a key set of version %u", version);
    s->full = full;
    if (full) {
        s->secrets = secret_new(FULL);
        TRY(read_into(r, s, 0, FULL));
    } else {
        TRY(read_lineages(r, s));
    }
    return reader_end(r);
}

Error *keyring_read_set(Keyring *k, const Secret *bytes)
{
    AUTO_VALUE(KeySet) s = {0};
    Reader r = reader_over(secret_look(bytes), secret_length(bytes), "the key set");
    TRY(parse_set(&r, &s));
    for (size_t i = 0; i < k->count; i++)
        if (k->sets[i].id == s.id || k->sets[i].epoch == s.epoch || k->sets[i].full != s.full)
            FAIL(ERR_DAMAGED, "key set %016llx does not fit the others", (unsigned long long)s.id);
    add_set(k, &s);
    return NULL;
}

/* -- signing and sealing --------------------------------------------------------------------------
 */

Error *keyring_sign(const Keyring *k, uint64_t set, bool full, const char *label, const void *p,
                    size_t n, uint8_t out[KEY_BYTES])
{
    const KeySet *s;
    uint8_t key[KEY_BYTES];
    TRY(full ? find_full(k, set, &s) : find_set(k, set, &s));
    key_derive(secret_at(s, full ? INDEX : NOTES), "pgstow sign", "", 0, key);
    key_derive(key, label, p, n, out);
    secret_wipe(key, sizeof key);
    return NULL;
}

Error *keyring_close_secret(const Keyring *k, uint64_t set, const Buf *aad, const Secret *secret,
                            Buf *out)
{
    const KeySet *s;
    TRY(find_full(k, set, &s));
    salted_close(secret_at(s, INDEX), "pgstow secret", aad, secret, out);
    return NULL;
}

Error *keyring_open_secret(const Keyring *k, uint64_t set, const Buf *aad, const void *p, size_t n,
                           Secret **out)
{
    const KeySet *s;
    TRY(find_full(k, set, &s));
    if (!salted_open(secret_at(s, INDEX), "pgstow secret", aad, p, n, out))
        FAIL(ERR_DAMAGED, "a sealed secret was changed, or is of something else");
    return NULL;
}

/* -- keys for objects -----------------------------------------------------------------------------
 */

static Error *not_ours(const KeySet *s, const char *database)
{
    AUTO_VALUE(Buf) names = {0};
    for (size_t i = 0; i < s->databases.count && i < 5; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", s->databases.items[i]);
    AUTO(char) text = buf_steal_str(&names);
    return error_hint(ERROR_NEW(ERR_KEY, "this key is not for %s%s", database ? "database " : "",
                                database ? database : "that database"),
                      "it is for %s", text);
}

/* Where a write-only set's lineage has its secrets; ERR_KEY. */
static Error *find_lineage(const KeySet *s, const uint8_t *tag, size_t *at)
{
    for (size_t i = 0; i < s->databases.count; i++)
        if (!memcmp(s->tags[i], tag, LINEAGE_TAG_BYTES)) {
            *at = KEY_BYTES + i * 2 * KEY_BYTES;
            return NULL;
        }
    return not_ours(s, NULL);
}

static Error *latest_set(const Keyring *k, const KeySet **out)
{
    if (!k->count)
        FAIL(ERR_INTERNAL, "a keyring without keys was used");
    *out = &k->sets[k->count - 1];
    return NULL;
}

Error *keyring_tag(const Keyring *k, const char *database, uint8_t tag[LINEAGE_TAG_BYTES])
{
    const KeySet *s;
    TRY(latest_set(k, &s));
    if (s->full) {
        derive_tag(s, database, tag);
        return NULL;
    }
    for (size_t i = 0; i < s->databases.count; i++)
        if (!strcmp(s->databases.items[i], database)) {
            memcpy(tag, s->tags[i], LINEAGE_TAG_BYTES);
            return NULL;
        }
    return not_ours(s, database);
}

Error *keyring_id_key(const Keyring *k, const uint8_t tag[LINEAGE_TAG_BYTES],
                      uint8_t out[KEY_BYTES])
{
    const KeySet *s;
    size_t at = 0;
    TRY(latest_set(k, &s));
    if (s->full) {
        derive_ids(s, tag, out);
        return NULL;
    }
    TRY(find_lineage(s, tag, &at));
    memcpy(out, secret_at(s, at + KEY_BYTES), KEY_BYTES);
    return NULL;
}

/* `from` and the salt make the object's own key. */
static void derive_object(const uint8_t *from, const char *label, const uint8_t *salt, uint8_t *out)
{
    key_derive(from, label, salt, KEY_SALT_BYTES, out);
}

Error *keyring_index_key(const Keyring *k, uint64_t set, const uint8_t tag[LINEAGE_TAG_BYTES],
                         const char *label, const uint8_t salt[KEY_SALT_BYTES],
                         uint8_t out[KEY_BYTES])
{
    const KeySet *s;
    size_t at = 0;
    TRY(find_set(k, set, &s));
    if (s->full) {
        uint8_t key[KEY_BYTES];
        derive_index(s, tag, key);
        derive_object(key, label, salt, out);
        secret_wipe(key, sizeof key);
        return NULL;
    }
    TRY(find_lineage(s, tag, &at));
    derive_object(secret_at(s, at), label, salt, out);
    return NULL;
}

Error *keyring_notes_key(const Keyring *k, uint64_t set, const char *label,
                         const uint8_t salt[KEY_SALT_BYTES], uint8_t out[KEY_BYTES])
{
    const KeySet *s;
    TRY(find_set(k, set, &s));
    derive_object(secret_at(s, NOTES), label, salt, out);
    return NULL;
}

Error *keyring_box(const Keyring *k, uint64_t set, const void *p, size_t n, Buf *out)
{
    const KeySet *s;
    TRY(find_set(k, set, &s));
    size_t at = out->len;
    TRY(buf_reserve(out, n + BOX_EXTRA, SIZE_MAX / 2));
    box_close(s->public_half, p, n, out->data + at);
    out->len += n + BOX_EXTRA;
    return NULL;
}

Error *keyring_unbox(const Keyring *k, uint64_t set, const void *p, size_t n, void *out)
{
    const KeySet *s;
    TRY(find_full(k, set, &s));
    if (!box_open(s->public_half, secret_at(s, BOX), p, n, out))
        FAIL(ERR_DAMAGED, "a sealed key was changed");
    return NULL;
}
