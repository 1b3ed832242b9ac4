/* What somebody does to slots, sets, epochs and the config who can write, but has no key. */
#include "key_kit.h"

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

/* Slots that say what they are not: nothing is taken from them. */
static void test_slot_exchanged(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        ErrorKind kind;
    } changes[] = {
        {"\"kind\": \"passphrase\"", "\"kind\": \"thumb\"", ERR_REPO_UNSUPPORTED},
        {"\"slot\": \"", "\"slot\": \"0", ERR_DAMAGED},
        {"\"created\": \"", "\"created\": \"x", ERR_DAMAGED},
        {"\"ops\": ", "\"ops\": -", ERR_DAMAGED},
        {"\"memory\": ", "\"memory\": -", ERR_DAMAGED},
        {"\"salt\": \"", "\"salt\": \"x", ERR_DAMAGED},
        {"\"sealed\": \"", "\"sealed\": \"x", ERR_DAMAGED},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        AUTO_VALUE(Place) p = place_encrypted("correct horse");
        AUTO(Repo) r = open_as(&p, "correct horse");
        AUTO_VALUE(KeySlotList) l = {0};
        AUTO_VALUE(KeySlot) slot = {0};
        char name[KEY_NAME_TEXT];
        OK(keys_list(r, &l));
        OK(key_slot_get(repo_store(r), l.items[0].id, &slot));
        exchange(repo_store(r), key_slot_name(slot.id, name), changes[i].from, changes[i].to);
        AUTO_VALUE(KeySlot) again = {0};
        FAILS(changes[i].kind, key_slot_get(repo_store(r), l.items[0].id, &again));
        assert_int_equal(again.sealed.len, 0);
    }
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
        cmocka_unit_test(test_config_exchanged), cmocka_unit_test(test_stripped),
        cmocka_unit_test(test_slot_exchanged),   cmocka_unit_test(test_forged_slot),
        cmocka_unit_test(test_hostile_slots),    cmocka_unit_test(test_changed_slot),
        cmocka_unit_test(test_forged_epoch),     cmocka_unit_test(test_forged_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
