/* Slots, sets and epochs in a real folder. */
#include "key_kit.h"

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

int main(void)
{
    setenv("PGSTOW_CHEAP_PASSPHRASES", "1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_key_file_opens),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_add_races_rotate),
        cmocka_unit_test(test_rotated_meanwhile),
        cmocka_unit_test(test_rotate_races),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
