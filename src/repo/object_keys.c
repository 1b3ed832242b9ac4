#include "repo/object_keys.h"

#include <stdatomic.h>
#include <string.h>

/* A key block: u8 cipher, u8 what there is, salt, tag of the database, box with the payload's key.
 */
enum { HAS_INDEX = 1, HAS_PAYLOAD = 2 };

/* Three keys, one behind the other. */
enum { COMMON = 0, INDEX = KEY_BYTES, PAYLOAD = 2 * KEY_BYTES, ALL = 3 * KEY_BYTES };

struct ObjectKeys {
    atomic_uint owners;
    uint64_t set;
    SealCipher cipher;
    uint8_t tag[LINEAGE_TAG_BYTES];
    Secret *keys;
    bool index, payload; /* whether the keys at hand gave these */
    bool full;           /* they give all there is: what is missing is missing in the object */
    Buf block;
};

ObjectKeys *object_keys_share(ObjectKeys *k)
{
    if (k)
        atomic_fetch_add(&k->owners, 1);
    return k;
}

void object_keys_free(ObjectKeys *k)
{
    if (!k || atomic_fetch_sub(&k->owners, 1) > 1)
        return;
    secret_free(k->keys);
    buf_free(&k->block);
    free(k);
}

static ObjectKeys *blank(uint64_t set, SealCipher cipher)
{
    ObjectKeys *k = mem_new(ObjectKeys);
    atomic_init(&k->owners, 1);
    k->set = set;
    k->cipher = cipher;
    k->keys = secret_new(ALL);
    return k;
}

static uint8_t *key_at(const ObjectKeys *k, size_t at)
{
    return secret_bytes(k->keys) + at;
}

/* -- new ones ------------------------------------------------------------------------------------
 */

static ObjectKeys *start_block(const Keyring *k, uint8_t has, uint8_t salt[KEY_SALT_BYTES])
{
    ObjectKeys *o = blank(keyring_current(k), seal_best());
    random_bytes(salt, KEY_SALT_BYTES);
    buf_u8(&o->block, (uint8_t)o->cipher);
    buf_u8(&o->block, has);
    buf_add(&o->block, salt, KEY_SALT_BYTES);
    return o;
}

Error *object_keys_new(const Keyring *k, const char *database, const char *label, bool payload,
                       ObjectKeys **out)
{
    *out = NULL;
    if (!k)
        return NULL;
    uint8_t salt[KEY_SALT_BYTES];
    AUTO(ObjectKeys) o = start_block(k, payload ? HAS_INDEX | HAS_PAYLOAD : HAS_INDEX, salt);
    TRY(keyring_tag(k, database, o->tag));
    TRY(keyring_notes_key(k, o->set, label, salt, key_at(o, COMMON)));
    TRY(keyring_index_key(k, o->set, o->tag, label, salt, key_at(o, INDEX)));
    o->index = true;
    buf_add(&o->block, o->tag, sizeof o->tag);
    if (payload) {
        AUTO(Secret) fresh = secret_random(KEY_BYTES);
        memcpy(key_at(o, PAYLOAD), secret_look(fresh), KEY_BYTES);
        o->payload = true;
        TRY(keyring_box(k, o->set, secret_look(fresh), KEY_BYTES, &o->block));
    }
    *out = STEAL(o);
    return NULL;
}

Error *object_keys_new_note(const Keyring *k, ObjectKeys **out)
{
    *out = NULL;
    if (!k)
        return NULL;
    uint8_t salt[KEY_SALT_BYTES];
    AUTO(ObjectKeys) o = start_block(k, 0, salt);
    TRY(keyring_notes_key(k, o->set, "pgstow note", salt, key_at(o, COMMON)));
    *out = STEAL(o);
    return NULL;
}

/* -- those of an object that is read --------------------------------------------------------------
 */

/* ERR_KEY becomes false: the part is not ours to read. */
static Error *may_lack(Error *e, bool *got)
{
    *got = !e;
    if (!e || error_kind(e) != ERR_KEY)
        return e;
    error_free(e);
    return NULL;
}

static Error *read_block(const Keyring *k, const char *label, Reader *r, ObjectKeys *o)
{
    uint8_t cipher, has;
    const uint8_t *salt, *at;
    TRY(reader_u8(r, &cipher));
    TRY(reader_u8(r, &has));
    if (!seal_known(cipher) || has > (HAS_INDEX | HAS_PAYLOAD))
        FAIL(ERR_DAMAGED, "it is sealed by cipher %u", cipher);
    o->cipher = (SealCipher)cipher;
    TRY(reader_bytes(r, KEY_SALT_BYTES, &salt));
    TRY(keyring_notes_key(k, o->set, label, salt, key_at(o, COMMON)));
    if (has & HAS_INDEX) {
        TRY(reader_bytes(r, LINEAGE_TAG_BYTES, &at));
        memcpy(o->tag, at, LINEAGE_TAG_BYTES);
        TRY(may_lack(keyring_index_key(k, o->set, o->tag, label, salt, key_at(o, INDEX)),
                     &o->index));
    }
    if (has & HAS_PAYLOAD) {
        TRY(reader_bytes(r, KEY_BYTES + BOX_EXTRA, &at));
        TRY(may_lack(keyring_unbox(k, o->set, at, KEY_BYTES + BOX_EXTRA, key_at(o, PAYLOAD)),
                     &o->payload));
    }
    return reader_end(r);
}

Error *object_keys_open(const Keyring *k, uint64_t set, const void *block, size_t n,
                        const char *label, ObjectKeys **out)
{
    *out = NULL;
    if (!k && (set || n))
        FAIL(ERR_DAMAGED, "it is encrypted, in a repository that is not");
    if (k && !set)
        FAIL(ERR_DAMAGED, "it is not encrypted, in a repository that is");
    if (!k)
        return NULL;
    /* Every slot has every set: one that is nowhere is a flipped bit. */
    if (!keyring_has(k, set) && keyring_outdated(k))
        return error_hint(ERROR_NEW(ERR_BUSY, "keys were rotated while this ran"), "run it again");
    if (!keyring_has(k, set))
        FAIL(ERR_DAMAGED, "it names key set %016llx, which there is not", (unsigned long long)set);
    AUTO(ObjectKeys) o = blank(set, SEAL_AES_256_GCM);
    o->full = keyring_full(k);
    Reader r = reader_over(block, n, "the key block");
    TRY(read_block(k, label, &r, o));
    buf_add(&o->block, block, n);
    *out = STEAL(o);
    return NULL;
}

void object_keys_write(const ObjectKeys *k, Buf *out)
{
    buf_u64(out, k ? k->set : 0);
    buf_u16(out, k ? (uint16_t)k->block.len : 0);
    if (k)
        buf_add(out, k->block.data, k->block.len);
}

void object_keys_tag(const ObjectKeys *k, uint8_t tag[LINEAGE_TAG_BYTES])
{
    memset(tag, 0, LINEAGE_TAG_BYTES);
    if (k)
        memcpy(tag, k->tag, LINEAGE_TAG_BYTES);
}

/* -- parts ----------------------------------------------------------------------------------------
 */

static void begin_aad(const ObjectKeys *k, const Part *part, Buf *aad)
{
    buf_add_str(aad, "pgstow");
    buf_u16(aad, FORMAT_VERSION);
    buf_u8(aad, (uint8_t)part->kind);
    if (k)
        buf_u64(aad, k->set);
    buf_add(aad, part->name->data, part->name->len);
}

static void make_nonce(const Part *part, uint8_t nonce[NONCE_BYTES])
{
    memset(nonce, 0, NONCE_BYTES);
    for (int i = 0; i < 4; i++)
        nonce[i] = (uint8_t)(part->number >> (8 * i));
    nonce[4] = (uint8_t)part->kind;
}

/* The check of what is legible: by SHA-256, or keyed. */
static void legible_check(const ObjectKeys *k, Hash *hash, const Buf *aad, const uint8_t *p,
                          size_t n, uint8_t check[CHECK_BYTES])
{
    uint8_t whole[HASH_BYTES];
    AUTO(Hash) keyed = NULL;
    if (k) {
        uint8_t key[KEY_BYTES];
        key_derive(key_at(k, COMMON), "pgstow check", "", 0, key);
        hash = keyed = hash_new_keyed(key);
        secret_wipe(key, sizeof key);
    }
    hash_add(hash, aad->data, aad->len);
    hash_add(hash, p, n);
    hash_end(hash, whole);
    memcpy(check, whole, CHECK_BYTES);
}

static bool is_sealed(const ObjectKeys *k, const Part *part)
{
    return k && part->use != PART_LEGIBLE;
}

static const uint8_t *part_key(const ObjectKeys *k, const Part *part)
{
    return key_at(k, part->use == PART_PAYLOAD ? PAYLOAD
                     : part->use == PART_INDEX ? INDEX
                                               : COMMON);
}

void part_close(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                uint8_t check[CHECK_BYTES])
{
    AUTO_VALUE(Buf) aad = {0};
    begin_aad(k, part, &aad);
    if (!is_sealed(k, part)) {
        legible_check(k, hash, &aad, p, n, check);
        return;
    }
    uint8_t nonce[NONCE_BYTES];
    make_nonce(part, nonce);
    seal_close(k->cipher, part_key(k, part), nonce, aad.data, aad.len, p, n, p, check);
}

Error *part_open(const ObjectKeys *k, const Part *part, Hash *hash, uint8_t *p, size_t n,
                 const uint8_t check[CHECK_BYTES], const char *what)
{
    AUTO_VALUE(Buf) aad = {0};
    bool good;
    begin_aad(k, part, &aad);
    if (is_sealed(k, part)) {
        bool lacking =
            (part->use == PART_INDEX && !k->index) || (part->use == PART_PAYLOAD && !k->payload);
        if (lacking && k->full)
            FAIL(ERR_DAMAGED, "%s: it bears no key for it", what);
        if (lacking)
            return error_hint(ERROR_NEW(ERR_KEY, "%s: the key at hand does not open it", what),
                              part->use == PART_INDEX
                                  ? "use a key for this database, or a full one"
                                  : "this key may only write backups; use the repository's "
                                    "passphrase, or a full key file");
        uint8_t nonce[NONCE_BYTES];
        make_nonce(part, nonce);
        good = seal_open(k->cipher, part_key(k, part), nonce, aad.data, aad.len, p, n, check, p);
    } else {
        uint8_t found[CHECK_BYTES];
        legible_check(k, hash, &aad, p, n, found);
        good = hash_equal(found, check, CHECK_BYTES);
    }
    if (!good)
        FAIL(ERR_DAMAGED, "%s: check does not match", what);
    return NULL;
}
