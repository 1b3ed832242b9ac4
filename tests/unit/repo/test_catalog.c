#include "kit.h"

#include "facts.h"

#include "repo/trash.h"

#include "repo/repo_internal.h"

/* A backup of nothing, with these facts, as if it had been made for this repository. */
static void put_made_for(Repo *r, const char *repository, const char *database, Instant t,
                         const char *filter)
{
    AUTO(Manifest) m = manifest_new();
    AUTO_VALUE(Buf) b = {0};
    char name[NAME_TEXT];
    BackupInfo *i = &m->info;
    facts_of(database, t, i);
    free(i->filter);
    i->filter = mem_strdup(filter);
    OK(manifest_encode(m, repository, repo_keys(r), &b));
    OK(store_put(repo_store(r), name_manifest(i->id, name), b.data, b.len));
}

static void put(Repo *r, const char *database, Instant t, const char *filter)
{
    put_made_for(r, repo_id(r), database, t, filter);
}

#define DAY 86400000ll
#define START 1705314600000ll /* 2024-01-15 10:30 */

static Repo *filled(void)
{
    Repo *r = kit_repo();
    for (int i = 0; i < 3; i++)
        put(r, "shop", START + i * DAY, "");
    put(r, "wiki", START + 1 * DAY, "");
    put(r, "shop", START + 3 * DAY, "-t log");
    return r;
}

static void resolves(Repo *r, const char *name, const char *database, const char *expected)
{
    AUTO(char) id = NULL;
    OK(catalog_resolve(r, name, database, &id));
    assert_string_equal(id, expected);
}

static void hint_has(Error *e, ErrorKind kind, const char *words)
{
    assert_non_null(e);
    assert_int_equal(error_kind(e), kind);
    AUTO(char) all = mem_printf("%s | %s", error_message(e), error_hint_text(e));
    if (!strstr(all, words))
        print_error("\"%s\" is not in: %s\n", words, all);
    assert_non_null(strstr(all, words));
    error_free(e);
}

static void test_list(void **state)
{
    (void)state;
    AUTO(Repo) r = filled();
    AUTO_VALUE(BackupList) l = {0};
    OK(catalog_list(r, NULL, &l));
    assert_int_equal(l.count, 5);
    assert_string_equal(l.items[0].id, "shop-20240115T103000Z");
    assert_string_equal(l.items[3].id, "shop-20240118T103000Z");
    assert_string_equal(l.items[4].id, "wiki-20240116T103000Z");
    backup_list_clear(&l);
    OK(catalog_list(r, "wiki", &l));
    assert_int_equal(l.count, 1);
    backup_list_clear(&l);
    /* A tombstone is nothing, a broken manifest is named. */
    AUTO_VALUE(Buf) tombstone = {0};
    char name[NAME_TEXT];
    manifest_tombstone("shop-20240119T103000Z", session_id_new(), &tombstone);
    OK(store_put(repo_store(r), name_manifest("shop-20240119T103000Z", name), tombstone.data,
                 tombstone.len));
    OK(store_put(repo_store(r), name_manifest("shop-20240120T103000Z", name), "rubbish", 7));
    OK(catalog_list(r, NULL, &l));
    assert_int_equal(l.count, 5);
    assert_int_equal(l.damaged.count, 1);
    assert_true(text_starts(l.damaged.items[0], "shop-20240120T103000Z: "));
}

static void test_resolve(void **state)
{
    (void)state;
    AUTO(Repo) r = filled();
    AUTO(char) id = NULL;
    resolves(r, "shop-20240115T103000Z", NULL, "shop-20240115T103000Z");
    resolves(r, "shop-20240115T103000Z", "wiki", "shop-20240115T103000Z");
    resolves(r, "latest:shop", NULL, "shop-20240118T103000Z");
    resolves(r, "latest", "wiki", "wiki-20240116T103000Z");
    resolves(r, "20240115103000", NULL, "shop-20240115T103000Z");
    resolves(r, "20240116103000", "wiki", "wiki-20240116T103000Z");
    resolves(r, "shop-20240115", NULL, "shop-20240115T103000Z");
    resolves(r, "w", NULL, "wiki-20240116T103000Z");
    hint_has(catalog_resolve(r, "20240116103000", NULL, &id), ERR_USAGE, "wiki-20240116T103000Z");
    hint_has(catalog_resolve(r, "shop-2024", NULL, &id), ERR_USAGE, "4 backups");
    hint_has(catalog_resolve(r, "latest", NULL, &id), ERR_USAGE, "latest:");
    hint_has(catalog_resolve(r, "latest:none", NULL, &id), ERR_NOT_FOUND, "none");
    hint_has(catalog_resolve(r, "shop-20240115T103001Z", NULL, &id), ERR_NOT_FOUND,
             "shop-20240115T103000Z");
    hint_has(catalog_resolve(r, "../config", NULL, &id), ERR_NOT_FOUND, "pgstow list");
    hint_has(catalog_resolve(r, "", NULL, &id), ERR_NOT_FOUND, "pgstow list");
    AUTO(Repo) empty = kit_repo();
    hint_has(catalog_resolve(empty, "latest", NULL, &id), ERR_NOT_FOUND, "no backup");
    hint_has(catalog_resolve(empty, "x", NULL, &id), ERR_NOT_FOUND, "right one");
    assert_null(id);
}

/* Sound manifests that lie where they do not belong: another repository's, another backup's. */
static void test_strange(void **state)
{
    (void)state;
    AUTO(Repo) r = filled();
    AUTO(Repo) other = kit_repo();
    AUTO_VALUE(BackupList) l = {0};
    AUTO_VALUE(Buf) b = {0};
    AUTO(Manifest) m = NULL;
    char name[NAME_TEXT];
    static const char *const strange[] = {"wiki-20240117T103000Z", "wiki-20240118T103000Z"};
    put_made_for(r, repo_id(other), "wiki", START + 2 * DAY, "");
    OK(store_get_all(repo_store(r), name_manifest("wiki-20240116T103000Z", name), 65536, &b));
    OK(store_put(repo_store(r), name_manifest(strange[1], name), b.data, b.len));
    OK(catalog_list(r, "wiki", &l));
    assert_int_equal(l.count, 1);
    assert_string_equal(l.items[0].id, "wiki-20240116T103000Z");
    assert_int_equal(l.damaged.count, 2);
    for (size_t i = 0; i < 2; i++) {
        uint64_t size;
        assert_true(text_starts(l.damaged.items[i], strange[i]));
        OK(store_size(repo_store(r), name_manifest(strange[i], name), &size));
        FAILS(ERR_DAMAGED, catalog_load(r, strange[i], &m));
        FAILS(ERR_DAMAGED, catalog_read_packs(r, strange[i], size, &m));
    }
}

/* An id that is also the beginning of others, and broken ones by their whole id. */
static void test_exact(void **state)
{
    (void)state;
    AUTO(Repo) r = filled();
    char name[NAME_TEXT];
    OK(store_put(repo_store(r), name_manifest("shop-2024", name), "rubbish", 7));
    resolves(r, "shop-2024", NULL, "shop-2024");
    AUTO(Manifest) m = NULL;
    FAILS(ERR_DAMAGED, catalog_load(r, "shop-2024", &m));
    OK(trash_put(r, "shop-2024"));
}

static void test_delete(void **state)
{
    (void)state;
    AUTO(Repo) r = filled();
    AUTO_VALUE(BackupList) l = {0};
    AUTO(Manifest) m = NULL;
    AUTO(char) id = NULL;
    bool deleted;
    OK(trash_put(r, "shop-20240116T103000Z"));
    OK(catalog_is_deleted(r, "shop-20240116T103000Z", &deleted));
    assert_true(deleted);
    hint_has(trash_put(r, "shop-20240116T103000Z"), ERR_NOT_FOUND, "was deleted");
    hint_has(catalog_load(r, "shop-20240116T103000Z", &m), ERR_NOT_FOUND, "was deleted");
    hint_has(catalog_resolve(r, "shop-20240116T103000Z", NULL, &id), ERR_NOT_FOUND, "was deleted");
    FAILS(ERR_NOT_FOUND, trash_put(r, "shop-20990101T000000Z"));
    FAILS(ERR_NOT_FOUND, trash_put(r, "../config"));
    FAILS(ERR_NOT_FOUND, catalog_load(r, "shop-20990101T000000Z", &m));
    OK(catalog_list(r, "shop", &l));
    assert_int_equal(l.count, 3);
    resolves(r, "20240116103000", NULL, "wiki-20240116T103000Z");
}

static void test_at(void **state)
{
    (void)state;
    AUTO(Repo) r = filled();
    AUTO(char) id = NULL;
    OK(catalog_at(r, "shop", START + DAY, &id));
    assert_string_equal(id, "shop-20240116T103000Z");
    free(STEAL(id));
    /* A filtered one is not a good one, nor is one found bad. */
    OK(catalog_at(r, "shop", START + 9 * DAY, &id));
    assert_string_equal(id, "shop-20240117T103000Z");
    free(STEAL(id));
    OK(proof_put(r, "shop-20240117T103000Z", "data", false, "frame 3"));
    OK(catalog_at(r, "shop", START + 9 * DAY, &id));
    assert_string_equal(id, "shop-20240116T103000Z");
    free(STEAL(id));
    FAILS(ERR_NOT_FOUND, catalog_at(r, "shop", START - 1, &id));
    FAILS(ERR_NOT_FOUND, catalog_at(r, "none", START, &id));
}

static const BackupInfo *find(const BackupList *l, const char *id)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i].id, id))
            return &l->items[i];
    return NULL;
}

static void test_proofs(void **state)
{
    (void)state;
    AUTO(Repo) r = filled();
    AUTO_VALUE(BackupList) l = {0};
    char name[NAME_TEXT];
    static const struct {
        const char *id, *level;
        Instant when;
        bool good;
    } proofs[] = {{"shop-20240115T103000Z", "rebuild", START, false},
                  {"shop-20240115T103000Z", "quick", START + DAY, true},
                  {"shop-20240116T103000Z", "data", START + DAY, true},
                  {"shop-20240116T103000Z", "quick", START + DAY, false},
                  {"wiki-20240116T103000Z", "drill", START, true},
                  {"wiki-20240116T103000Z", "quick", START - DAY, false}};
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++)
        OK(store_put(
            repo_store(r),
            name_proof(proofs[i].id, proofs[i].when, proofs[i].level, proofs[i].good, name), "",
            0));
    OK(catalog_list(r, NULL, &l));
    const BackupInfo *i = find(&l, "shop-20240115T103000Z");
    /* A quick look cannot take back what rebuild found. */
    assert_true(!i->proven && i->last_proof == START);
    assert_string_equal(i->last_proof_level, "rebuild");
    i = find(&l, "shop-20240116T103000Z");
    assert_false(i->proven);
    assert_string_equal(i->last_proof_level, "quick");
    i = find(&l, "wiki-20240116T103000Z");
    assert_true(i->proven && i->last_proof == START);
    i = find(&l, "shop-20240117T103000Z");
    assert_false(i->proven);
    assert_null(i->last_proof_level);
}

static void test_damage_marks(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    PackId a = {session_id_new(), 6}, b = {session_id_new(), 4};
    Damage *list = NULL;
    size_t n;
    OK(damage_list(r, &list, &n));
    assert_int_equal(n, 0);
    free(list);
    OK(damage_put(r, a, 9, "bits"));
    OK(damage_put(r, a, 9, "again"));
    OK(damage_put(r, a, 2, "bits"));
    OK(damage_put(r, b, UINT32_MAX, "gone"));
    OK(damage_list(r, &list, &n));
    assert_int_equal(n, 3);
    for (size_t i = 0; i + 1 < n; i++) {
        int order = pack_id_compare(list[i].pack, list[i + 1].pack);
        assert_true(order < 0 || (order == 0 && list[i].frame < list[i + 1].frame));
    }
    free(list);
}

/* So many are read by several threads: none is missing, twice or out of order, and damage is
 * named. */
static void test_many(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(BackupList) l = {0};
    char name[NAME_TEXT];
    const int count = 700;
    for (int i = 0; i < count; i++)
        put(r, "shop", START + i * DAY, "");
    OK(store_put(repo_store(r), name_manifest("shop-19990101T000000Z", name), "rubbish", 7));
    OK(store_put(repo_store(r), name_manifest("shop-20990101T000000Z", name), "rubbish", 7));
    OK(catalog_list(r, NULL, &l));
    assert_int_equal(l.count, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(l.items[i].timestamp, START + i * DAY);
    assert_int_equal(l.damaged.count, 2);
    assert_true(text_starts(l.damaged.items[0], "shop-19990101T000000Z: "));
    assert_true(text_starts(l.damaged.items[1], "shop-20990101T000000Z: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),    cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_strange), cmocka_unit_test(test_exact),
        cmocka_unit_test(test_delete),  cmocka_unit_test(test_at),
        cmocka_unit_test(test_proofs),  cmocka_unit_test(test_damage_marks),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
