/* Slots, sets and epochs in a real folder, and what somebody does who can write to it. */
#include "kit.h"

#include "base/file.h"
#include "repo/key_chain.h"
#include "repo/keys_held.h"
#include "repo/repo_internal.h"

typedef struct Place {
    char *dir;
} Place;
static void place_clear(Place *p)
{
    OK(file_remove_tree(p->dir));
    free(p->dir);
}
DEFINE_AUTO_VALUE(Place, place_clear)

static Place place_new(void)
{
    Place p = {0};
    OK(file_temp_dir(&p.dir));
    return p;
}

static Store *place_store(const Place *p)
{
    Store *s;
    OK(store_open_dir(p->dir, true, &s));
    return s;
}

/* "file:" and 64 hexadecimal digits is a key file, all else a passphrase. */
static Error *give(void *ctx, KeyUse use, const char *where, Key *out)
{
    const char *text = ctx;
    (void)use;
    assert_non_null(where);
    if (!text)
        FAIL(ERR_KEY, "the test has no key");
    out->file = text_starts(text, "file:");
    if (out->file) {
        out->secret = secret_new(KEY_BYTES);
        assert_true(text_unhex(text + 5, secret_bytes(out->secret), KEY_BYTES));
    } else {
        out->secret = secret_copy(text, strlen(text));
    }
    out->from = mem_strdup("the test's key");
    return NULL;
}

#define FILE_A "file:1111111111111111111111111111111111111111111111111111111111111111"
#define FILE_B "file:2222222222222222222222222222222222222222222222222222222222222222"
#define FILE_C "file:3333333333333333333333333333333333333333333333333333333333333333"

static Error *try_open(const Place *p, const char *key, bool encrypt, Repo **out)
{
    KeySource source = {give, (void *)(uintptr_t)key};
    return repo_open(place_store(p),
                     &(RepoOptions){.create = true, .encrypt = encrypt, .keys = &source}, out);
}

static Repo *open_as(const Place *p, const char *key)
{
    Repo *r = NULL;
    OK(try_open(p, key, false, &r));
    assert_non_null(repo_keys(r));
    return r;
}

static Place place_encrypted(const char *key)
{
    Place p = place_new();
    AUTO(Repo) r = NULL;
    OK(try_open(&p, key, true, &r));
    assert_true(keyring_full(repo_keys(r)));
    return p;
}

static void add(const Place *p, const char *with, KeyKind kind, const char *name,
                const char *database, const char *key)
{
    AUTO(Repo) r = open_as(p, with);
    AUTO_VALUE(Key) k = {0};
    AUTO_VALUE(StrList) databases = {0};
    AUTO_VALUE(KeySlotInfo) info = {0};
    if (database)
        strlist_add(&databases, database);
    OK(give((void *)(uintptr_t)key, KEY_TO_MAKE, "", &k));
    OK(keys_add(r, kind, name, database ? &databases : NULL, &k, &info));
    assert_string_equal(info.name, name);
}

static uint32_t rotate(const Place *p, const char *with)
{
    AUTO(Repo) r = open_as(p, with);
    AUTO_VALUE(KeySlotList) l = {0};
    OK(keys_rotate(r, &l));
    for (size_t i = 0; i < l.count; i++)
        assert_int_equal(l.items[i].state, KEY_SLOT_GOOD);
    return l.epoch;
}

static void cannot_open(const Place *p, const char *key, ErrorKind kind)
{
    Repo *r = NULL;
    FAILS(kind, try_open(p, key, false, &r));
}

/* The id of the slot of this name. */
static void slot_called(const Place *p, const char *with, const char *name, char out[KEY_SLOT_TEXT])
{
    AUTO(Repo) r = open_as(p, with);
    AUTO_VALUE(KeySlotList) l = {0};
    OK(keys_list(r, &l));
    *out = '\0';
    for (size_t i = 0; i < l.count; i++)
        if (!strcmp(l.items[i].name, name))
            memcpy(out, l.items[i].id, KEY_SLOT_TEXT);
    assert_int_equal(strlen(out), KEY_SLOT_TEXT - 1);
}

/* -- opening ------------------------------------------------------------------------------------
 */

static void test_open(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO(Repo) r = open_as(&p, "correct horse");
    AUTO(Repo) again = open_as(&p, "correct horse");
    assert_string_equal(repo_id(r), repo_id(again));
    assert_int_equal(keyring_current(repo_keys(r)), keyring_current(repo_keys(again)));
    OK(repo_check_config(r));
    OK(repo_may(r, REPO_WRITE));
    OK(repo_may(r, REPO_DELETE));
    cannot_open(&p, "correct house", ERR_KEY);
    cannot_open(&p, "", ERR_KEY);
    cannot_open(&p, FILE_A, ERR_KEY);
    cannot_open(&p, NULL, ERR_KEY);
    Repo *none = NULL;
    FAILS(ERR_KEY, repo_open(place_store(&p), &(RepoOptions){.create = true}, &none));
}

static void test_key_file_opens(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted(FILE_A);
    AUTO(Repo) r = open_as(&p, FILE_A);
    cannot_open(&p, FILE_B, ERR_KEY);
    cannot_open(&p, "1111", ERR_KEY);
}

static void test_plain(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_new();
    AUTO(Repo) r = NULL;
    Repo *none = NULL;
    OK(try_open(&p, NULL, false, &r));
    assert_null(repo_keys(r));
    Error *e = try_open(&p, "correct horse", true, &none);
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_CONFIG);
    assert_non_null(strstr(error_hint_text(e), "pgstow copy --all --to NEW"));
    error_free(e);
    AUTO_VALUE(KeySlotList) l = {0};
    FAILS(ERR_KEY, keys_list(r, &l));
}

/* What an encrypted one left behind that was never finished does not become a plain one, and does
 * not keep anybody from making it anew. */
static void test_unfinished(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO(Store) s = place_store(&p);
    OK(store_delete(s, "config"));
    cannot_open(&p, NULL, ERR_DAMAGED);
    AUTO(Repo) r = NULL;
    OK(try_open(&p, "another", true, &r));
    AUTO(Repo) again = open_as(&p, "another");
    cannot_open(&p, "correct horse", ERR_KEY);
}

/* -- slots ----------------------------------------------------------------------------------------
 */

static void test_slots(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    add(&p, "correct horse", KEY_FILE, "office", NULL, FILE_A);
    add(&p, FILE_A, KEY_PASSPHRASE, "colleague", NULL, "battery staple");
    add(&p, "battery staple", KEY_WRITE_ONLY, "web1", "shop", FILE_B);
    const char *const full[] = {"correct horse", FILE_A, "battery staple"};
    uint64_t set = 0;
    for (size_t i = 0; i < 3; i++) {
        AUTO(Repo) r = open_as(&p, full[i]);
        AUTO_VALUE(KeySlotList) l = {0};
        assert_true(keyring_full(repo_keys(r)));
        assert_true(!set || set == keyring_current(repo_keys(r)));
        set = keyring_current(repo_keys(r));
        OK(keys_list(r, &l));
        assert_int_equal(l.count, 4);
        assert_int_equal(l.epoch, 1);
        size_t ours = 0;
        for (size_t k = 0; k < l.count; k++) {
            assert_int_equal(l.items[k].state, KEY_SLOT_GOOD);
            assert_int_equal(l.items[k].databases.count, l.items[k].kind == KEY_WRITE_ONLY);
            ours += l.items[k].ours;
        }
        assert_int_equal(ours, 1);
    }
    AUTO(Repo) r = open_as(&p, FILE_B);
    assert_false(keyring_full(repo_keys(r)));
    assert_string_equal(keyring_databases(repo_keys(r))->items[0], "shop");
    AUTO_VALUE(KeySlotList) l = {0};
    OK(keys_list(r, &l));
    for (size_t i = 0; i < l.count; i++)
        assert_int_equal(l.items[i].state, l.items[i].ours ? KEY_SLOT_GOOD : KEY_SLOT_UNCHECKED);
    AUTO_VALUE(Key) k = {0};
    AUTO_VALUE(KeySlotInfo) info = {0};
    AUTO_VALUE(KeySlotList) none = {0};
    OK(give((void *)(uintptr_t)FILE_C, KEY_TO_MAKE, "", &k));
    FAILS(ERR_KEY, keys_add(r, KEY_FILE, "more", NULL, &k, &info));
    FAILS(ERR_KEY, keys_remove(r, "office", &info));
    FAILS(ERR_KEY, keys_rotate(r, &none));
    AUTO(Repo) owner = open_as(&p, FILE_A);
    FAILS(ERR_EXISTS, keys_add(owner, KEY_FILE, "office", NULL, &k, &info));
}

static void test_remove(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    add(&p, "correct horse", KEY_FILE, "office", NULL, FILE_A);
    add(&p, "correct horse", KEY_WRITE_ONLY, "web1", "shop", FILE_B);
    AUTO(Repo) r = open_as(&p, "correct horse");
    AUTO_VALUE(KeySlotInfo) gone = {0};
    AUTO_VALUE(KeySlotInfo) other = {0};
    FAILS(ERR_NOT_FOUND, keys_remove(r, "attic", &gone));
    FAILS(ERR_NOT_FOUND, keys_remove(r, "", &gone));
    OK(keys_remove(r, "office", &gone));
    cannot_open(&p, FILE_A, ERR_KEY);
    AUTO_VALUE(StrList) left = {0};
    OK(note_names(repo_store(r), KEYS_FOLDER, &left));
    assert_int_equal(left.count, 4);
    /* A name that looks like another one's id takes neither away. */
    char id[KEY_SLOT_TEXT];
    slot_called(&p, "correct horse", "passphrase", id);
    id[4] = '\0';
    add(&p, "correct horse", KEY_FILE, id, NULL, FILE_A);
    FAILS(ERR_USAGE, keys_remove(r, id, &other));
    char named[KEY_SLOT_TEXT];
    slot_called(&p, "correct horse", id, named);
    OK(keys_remove(r, named, &other));
    assert_string_equal(other.name, id);
    key_slot_info_clear(&other);
    /* The write-only one does not count as one that can read. */
    FAILS(ERR_CONFLICT, keys_remove(r, "passphrase", &other));
    AUTO(Repo) still = open_as(&p, "correct horse");
    OK(keys_remove(r, "web1", &other));
    cannot_open(&p, FILE_B, ERR_KEY);
}

static void test_rotate(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    add(&p, "correct horse", KEY_FILE, "office", NULL, FILE_A);
    add(&p, "correct horse", KEY_WRITE_ONLY, "web1", "shop", FILE_B);
    AUTO(Repo) old = open_as(&p, FILE_A);
    assert_int_equal(rotate(&p, "correct horse"), 2);
    assert_int_equal(rotate(&p, FILE_A), 3);
    add(&p, FILE_A, KEY_FILE, "late", NULL, FILE_C);
    assert_int_equal(rotate(&p, FILE_C), 4);
    const char *const all[] = {"correct horse", FILE_A, FILE_B, FILE_C};
    for (size_t i = 0; i < 4; i++) {
        AUTO(Repo) r = open_as(&p, all[i]);
        assert_int_equal(keyring_count(repo_keys(r)), 4);
        assert_true(keyring_has(repo_keys(r), keyring_current(repo_keys(old))));
        assert_int_not_equal(keyring_current(repo_keys(r)), keyring_current(repo_keys(old)));
        uint8_t tag[LINEAGE_TAG_BYTES], a[KEY_BYTES], b[KEY_BYTES];
        OK(keyring_tag(repo_keys(r), "shop", tag));
        OK(keyring_id_key(repo_keys(r), tag, a));
        OK(keyring_id_key(repo_keys(old), tag, b));
        assert_memory_equal(a, b, KEY_BYTES);
    }
    /* Whoever opened before is told the truth by what he reads now. */
    AUTO_VALUE(KeySlotList) l = {0};
    OK(keys_list(old, &l));
    assert_int_equal(l.epoch, 4);
}

/* Somebody rotates between an adder's sets and his slot, or the other way round. */
static void test_add_races_rotate(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO(Repo) adder = open_as(&p, "correct horse");
    AUTO_VALUE(Key) k = {0};
    AUTO_VALUE(KeySlotInfo) info = {0};
    assert_int_equal(rotate(&p, "correct horse"), 2);
    OK(give((void *)(uintptr_t)FILE_A, KEY_TO_MAKE, "", &k));
    OK(keys_add(adder, KEY_FILE, "office", NULL, &k, &info));
    AUTO(Repo) r = open_as(&p, FILE_A);
    assert_int_equal(keyring_count(repo_keys(r)), 2);
    /* An adder that died before it looked again: its slot is behind, says so, and is in nobody's
     * way. */
    AUTO(Store) s = place_store(&p);
    char name[KEY_NAME_TEXT];
    OK(store_delete(s, key_set_name(info.id, keyring_current(repo_keys(r)), name)));
    cannot_open(&p, FILE_A, ERR_KEY);
    AUTO(Repo) owner = open_as(&p, "correct horse");
    AUTO_VALUE(KeySlotList) l = {0};
    AUTO_VALUE(KeySlotList) none = {0};
    AUTO_VALUE(KeySlotInfo) gone = {0};
    OK(keys_list(owner, &l));
    assert_int_equal(l.items[1].state, KEY_SLOT_BEHIND);
    FAILS(ERR_CONFLICT, keys_rotate(owner, &none));
    OK(keys_remove(owner, "office", &gone));
    assert_int_equal(rotate(&p, "correct horse"), 3);
}

/* What was written since by newer keys is no damage to who opened it before; a set that never was
 * is. */
static void test_rotated_meanwhile(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO(Repo) before = open_as(&p, "correct horse");
    assert_int_equal(rotate(&p, "correct horse"), 2);
    AUTO(Repo) now = open_as(&p, "correct horse");
    AUTO(Doc) d = doc_object();
    AUTO(Doc) back = NULL;
    AUTO_VALUE(Buf) bytes = {0};
    OK(note_put(now, "pins/a", d));
    FAILS(ERR_BUSY, note_get(before, "pins/a", &back));
    OK(store_get_all(repo_store(now), "pins/a", 4096, &bytes));
    bytes.data[10] ^= 1; /* the set's id */
    OK(store_put(repo_store(now), "pins/b", bytes.data, bytes.len));
    FAILS(ERR_DAMAGED, note_get(now, "pins/b", &back));
}

/* Two rotate at once: one of them is told. */
static void test_rotate_races(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO(Repo) r = open_as(&p, "correct horse");
    const Keys *held = repo_held(r);
    AUTO(Keyring) mine = NULL;
    OK(key_chain_load(repo_store(r), held->config, held->slot, &held->body, &mine));
    keyring_make_set(mine);
    assert_int_equal(rotate(&p, "correct horse"), 2);
    FAILS(ERR_EXISTS, key_chain_extend(repo_store(r), repo_id(r), mine));
    AUTO(Repo) again = open_as(&p, "correct horse");
    assert_false(keyring_has(repo_keys(again), keyring_set_id(mine, 1)));
    /* A put that was tried again and met itself is no other's. */
    AUTO(Keyring) next = NULL;
    OK(key_chain_load(repo_store(r), held->config, held->slot, &held->body, &next));
    keyring_make_set(next);
    OK(key_chain_extend(repo_store(r), repo_id(r), next));
    OK(key_chain_extend(repo_store(r), repo_id(r), next));
}

/* -- somebody who can write, but has no key -------------------------------------------------------
 */

static void put_doc(Store *s, const char *name, const Doc *d)
{
    Error *e = store_delete(s, name);
    assert_true(!e || error_kind(e) == ERR_NOT_FOUND);
    error_drop(e);
    OK(note_put_legible(s, name, d));
}

/* The object with another text in it, and its hash made right. */
static void exchange(Store *s, const char *name, const char *from, const char *to)
{
    AUTO(Doc) was = NULL;
    AUTO(Doc) now = NULL;
    AUTO_VALUE(Buf) b = {0};
    OK(note_get_legible(s, name, &was));
    AUTO(char) text = doc_print(was, false);
    char *at = strstr(text, from);
    assert_non_null(at);
    buf_add(&b, text, (size_t)(at - text));
    buf_add_str(&b, to);
    buf_add_str(&b, at + strlen(from));
    AUTO(char) changed = buf_steal_str(&b);
    OK(doc_parse(changed, strlen(changed), "the test", &now));
    put_doc(s, name, now);
}

static void test_config_exchanged(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"\"read\": [\"encryption\"]", "\"read\": []"},
        {"\"write\": [\"encryption\"]", "\"write\": []"},
        {"\"mean\": 8192", "\"mean\": 4096"},
        {"\"id\": \"", "\"id\": \"0"},
        {"\"created\": \"2", "\"created\": \"1"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        AUTO_VALUE(Place) p = place_encrypted("correct horse");
        AUTO(Store) s = place_store(&p);
        exchange(s, "config", changes[i][0], changes[i][1]);
        Repo *r = NULL;
        Error *e = try_open(&p, "correct horse", false, &r);
        assert_non_null(e);
        /* An id of another length is none at all; with another id no slot opens. */
        assert_true(error_kind(e) == ERR_DAMAGED || error_kind(e) == ERR_KEY);
        error_free(e);
    }
    /* All of it away: the keys that lie there speak against it. */
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO_VALUE(Place) plain = place_new();
    AUTO(Repo) made = NULL;
    OK(try_open(&plain, NULL, false, &made));
    AUTO(Store) s = place_store(&p);
    AUTO(Doc) config = NULL;
    OK(note_get_legible(repo_store(made), "config", &config));
    put_doc(s, "config", config);
    cannot_open(&p, "correct horse", ERR_DAMAGED);
    cannot_open(&p, NULL, ERR_DAMAGED);
    /* Something behind what was signed. */
    AUTO_VALUE(Place) q = place_encrypted("correct horse");
    AUTO(Store) t = place_store(&q);
    AUTO(Doc) signed_one = NULL;
    OK(note_get_legible(t, "config", &signed_one));
    doc_set_bool(signed_one, "more", true);
    put_doc(t, "config", signed_one);
    cannot_open(&q, "correct horse", ERR_DAMAGED);
}

/* All that is encrypted taken away, and a plain repository of the same id put there. */
static void test_stripped(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO(Store) s = place_store(&p);
    AUTO_VALUE(StrList) names = {0};
    AUTO(Repo) r = NULL;
    OK(note_names(s, KEYS_FOLDER, &names));
    for (size_t i = 0; i < names.count; i++)
        OK(store_delete(s, names.items[i]));
    AUTO(Doc) config = NULL;
    OK(note_get_legible(s, "config", &config));
    doc_set(config, "features", doc_object());
    put_doc(s, "config", config);
    RepoOptions o = {.create = true, .key_given = true};
    FAILS(ERR_CONFIG, repo_open(place_store(&p), &o, &r));
    o.create = false;
    OK(repo_open(place_store(&p), &o, &r));
    assert_null(repo_keys(r));
}

/* A slot that an attacker made for himself: with a secret and a key of his own, and an escrow by
 * keys of a repository of his own. */
static void test_forged_slot(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO_VALUE(Place) his = place_encrypted("his own");
    AUTO(Repo) r = open_as(&p, "correct horse");
    AUTO(Repo) other = open_as(&his, "his own");
    AUTO_VALUE(Key) key = {0};
    AUTO_VALUE(KeySlot) slot = {0};
    AUTO_VALUE(SlotBody) body = {0};
    char from[KEY_NAME_TEXT], to[KEY_NAME_TEXT];
    OK(give((void *)(uintptr_t)FILE_C, KEY_TO_MAKE, "", &key));
    key_slot_new(KEY_FILE, "looks good", NULL, &slot, &body);
    OK(key_slot_put(repo_store(r), repo_id(r), &slot, &key, &body));
    /* Without a set for it, it is behind; with one by his keys it is strange. Neither gets keys. */
    AUTO_VALUE(KeySlotList) l = {0};
    AUTO_VALUE(KeySlotList) none = {0};
    AUTO_VALUE(KeySlotInfo) gone = {0};
    FAILS(ERR_CONFLICT, keys_rotate(r, &none));
    AUTO(Doc) d = NULL;
    uint64_t his_set = keyring_current(repo_keys(other));
    OK(key_set_put(repo_store(r), repo_id(r), &slot, &body, repo_keys(other), his_set));
    OK(note_get_legible(repo_store(r), key_set_name(slot.id, his_set, from), &d));
    put_doc(repo_store(r), key_set_name(slot.id, keyring_current(repo_keys(r)), to), d);
    OK(keys_list(r, &l));
    assert_int_equal(l.count, 2);
    assert_int_equal(l.items[1].state, KEY_SLOT_STRANGE);
    Error *e = keys_rotate(r, &none);
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_DAMAGED);
    assert_non_null(strstr(error_hint_text(e), slot.id));
    error_free(e);
    assert_int_equal(none.count, 0);
    /* It is no full key that would let the last real one go. */
    FAILS(ERR_CONFLICT, keys_remove(r, "passphrase", &gone));
    OK(keys_remove(r, slot.id, &gone));
    assert_int_equal(rotate(&p, "correct horse"), 2);
    /* And with his keys nothing is opened either. */
    cannot_open(&p, FILE_C, ERR_KEY);
}

/* A passphrase that asks for more than ours do, and a slot that is larger than one may be: neither
 * stands in the way, and both can be taken away. */
static void test_hostile_slots(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO(Repo) r = open_as(&p, "correct horse");
    Store *s = repo_store(r);
    AUTO_VALUE(Key) key = {0};
    AUTO_VALUE(KeySlot) slot = {0};
    AUTO_VALUE(KeySlot) again = {0};
    AUTO_VALUE(SlotBody) body = {0};
    char name[KEY_NAME_TEXT];
    OK(give((void *)(uintptr_t) "correct horse", KEY_TO_MAKE, "", &key));
    key_slot_new(KEY_PASSPHRASE, "dear", NULL, &slot, &body);
    memset(slot.id, '0', KEY_SLOT_TEXT - 1);
    slot.ops = PASSPHRASE_OPS + 1;
    slot.memory = 8192;
    OK(key_slot_put(s, repo_id(r), &slot, &key, &body));
    /* As it says now what it is, so that the passphrase does open it. */
    OK(key_slot_get(s, slot.id, &again));
    OK(store_delete(s, key_slot_name(slot.id, name)));
    OK(key_slot_put(s, repo_id(r), &again, &key, &body));
    bool opened;
    AUTO_VALUE(SlotBody) hidden = {0};
    AUTO_VALUE(KeySlot) dear = {0};
    OK(key_slot_get(s, slot.id, &dear));
    OK(key_slot_open(&dear, repo_id(r), &key, &hidden, &opened));
    assert_true(opened);

    const char *large = "111111111111111111111111";
    AUTO(char) fill = mem_calloc(2, KEY_NOTE_MAX);
    memset(fill, 'a', 2 * (size_t)KEY_NOTE_MAX - 1);
    OK(store_put(s, key_slot_name(large, name), fill, strlen(fill)));

    AUTO(Repo) open = open_as(&p, "correct horse");
    AUTO_VALUE(KeySlotInfo) gone = {0};
    OK(keys_remove(open, large, &gone));
    key_slot_info_clear(&gone);
    OK(keys_remove(open, slot.id, &gone));
    assert_int_equal(rotate(&p, "correct horse"), 2);
}

/* A slot that was there, with other words on it: a write-only one that says it is full. */
static void test_changed_slot(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    add(&p, "correct horse", KEY_WRITE_ONLY, "web1", "shop", FILE_B);
    char id[KEY_SLOT_TEXT], name[KEY_NAME_TEXT];
    slot_called(&p, "correct horse", "web1", id);
    AUTO(Store) s = place_store(&p);
    exchange(s, key_slot_name(id, name), "\"kind\": \"write-only\"", "\"kind\": \"key-file\"");
    cannot_open(&p, FILE_B, ERR_KEY);
    AUTO(Repo) r = open_as(&p, "correct horse");
    AUTO_VALUE(KeySlotList) l = {0};
    AUTO_VALUE(KeySlotList) none = {0};
    OK(keys_list(r, &l));
    assert_int_equal(l.items[1].state, KEY_SLOT_STRANGE);
    FAILS(ERR_DAMAGED, keys_rotate(r, &none));
}

/* An epoch of somebody's own; and a slot's set that is another slot's or an earlier one. */
static void test_forged_epoch(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    AUTO_VALUE(Place) his = place_encrypted("correct horse");
    add(&p, "correct horse", KEY_WRITE_ONLY, "web1", "shop", FILE_B);
    assert_int_equal(rotate(&his, "correct horse"), 2);
    AUTO(Store) s = place_store(&p);
    AUTO(Repo) other = open_as(&his, "correct horse");
    AUTO(Doc) epoch = NULL;
    OK(note_get_legible(repo_store(other), "keys/epoch-2", &epoch));
    put_doc(s, "keys/epoch-2", epoch);
    cannot_open(&p, "correct horse", ERR_DAMAGED);
    cannot_open(&p, FILE_B, ERR_DAMAGED);
    OK(store_delete(s, "keys/epoch-2"));
    /* Who holds a write-only key has the notes key: that alone makes no epoch for a full one. */
    AUTO(Repo) r = open_as(&p, "correct horse");
    AUTO(Repo) writer = open_as(&p, FILE_B);
    AUTO(Doc) d = doc_object();
    uint8_t mac[KEY_BYTES];
    char hex[2 * KEY_BYTES + 1], set[32];
    snprintf(set, sizeof set, "%016llx", (unsigned long long)keyring_current(repo_keys(r)));
    doc_set_str(d, "repository", repo_id(r));
    doc_set_int(d, "epoch", 2);
    doc_set_str(d, "set", set);
    doc_set_str(d, "created", "2024-01-15T10:30:00.000Z");
    doc_set_str(d, "fullMac", "00");
    doc_set_str(d, "mac", "");
    AUTO(char) text = key_bound(d, "mac");
    OK(keyring_sign(repo_keys(writer), keyring_current(repo_keys(writer)), false, "pgstow epoch",
                    text, strlen(text), mac));
    text_hex(mac, sizeof mac, hex);
    doc_set_str(d, "mac", hex);
    put_doc(s, "keys/epoch-2", d);
    cannot_open(&p, "correct horse", ERR_DAMAGED);
    OK(store_delete(s, "keys/epoch-2"));
    /* A gap in the row. */
    assert_int_equal(rotate(&p, "correct horse"), 2);
    assert_int_equal(rotate(&p, "correct horse"), 3);
    OK(store_delete(s, "keys/epoch-2"));
    cannot_open(&p, "correct horse", ERR_DAMAGED);
}

static void test_forged_set(void **state)
{
    (void)state;
    AUTO_VALUE(Place) p = place_encrypted("correct horse");
    add(&p, "correct horse", KEY_FILE, "office", NULL, FILE_A);
    char first[KEY_SLOT_TEXT], office[KEY_SLOT_TEXT], from[KEY_NAME_TEXT], to[KEY_NAME_TEXT];
    slot_called(&p, "correct horse", "passphrase", first);
    slot_called(&p, "correct horse", "office", office);
    AUTO(Repo) r = open_as(&p, "correct horse");
    uint64_t set = keyring_current(repo_keys(r));
    AUTO(Doc) d = NULL;
    AUTO(Doc) mine = NULL;
    OK(note_get_legible(repo_store(r), key_set_name(first, set, from), &d));
    OK(note_get_legible(repo_store(r), key_set_name(office, set, to), &mine));
    put_doc(repo_store(r), key_set_name(office, set, to), d);
    cannot_open(&p, FILE_A, ERR_DAMAGED);
    put_doc(repo_store(r), to, mine);
    AUTO(Repo) good = open_as(&p, FILE_A);
    /* One bit. */
    AUTO_VALUE(Buf) b = {0};
    OK(store_get_all(repo_store(r), to, KEY_NOTE_MAX, &b));
    for (size_t i = 0; i < b.len; i += 7) {
        OK(store_delete(repo_store(r), to));
        b.data[i] ^= 1;
        OK(store_put(repo_store(r), to, b.data, b.len));
        b.data[i] ^= 1;
        cannot_open(&p, FILE_A, ERR_DAMAGED);
    }
    AUTO(Repo) still = open_as(&p, "correct horse");
}

int main(void)
{
    setenv("PGSTOW_CHEAP_PASSPHRASES", "1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),          cmocka_unit_test(test_key_file_opens),
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_slots),         cmocka_unit_test(test_remove),
        cmocka_unit_test(test_rotate),        cmocka_unit_test(test_add_races_rotate),
        cmocka_unit_test(test_rotate_races),  cmocka_unit_test(test_config_exchanged),
        cmocka_unit_test(test_stripped),      cmocka_unit_test(test_rotated_meanwhile),
        cmocka_unit_test(test_hostile_slots), cmocka_unit_test(test_forged_slot),
        cmocka_unit_test(test_changed_slot),  cmocka_unit_test(test_forged_epoch),
        cmocka_unit_test(test_forged_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
