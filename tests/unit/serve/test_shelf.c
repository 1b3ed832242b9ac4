/* A repository that is looked into again and again: its key, and what is known of it at a glance.
 */
#include "kit.h"

#include "../repo/facts.h"
#include "op/key_input.h"
#include "repo/key_text.h"
#include "repo/repo_internal.h"
#include "serve/stock.h"

#define START 1705314600000ll /* 2024-01-15 10:30 */

static void put(Repo *r, const char *database, Instant t)
{
    AUTO(Manifest) m = manifest_new();
    AUTO_VALUE(Buf) b = {0};
    char name[NAME_TEXT];
    BackupInfo *i = &m->info;
    facts_of(database, t, i);
    OK(manifest_encode(m, repo_id(r), repo_keys(r), &b));
    OK(store_put(repo_store(r), name_manifest(i->id, name), b.data, b.len));
}

static Error *get_key(void *ctx, KeyUse use, const char *where, Key *out)
{
    const char *text = ctx;
    (void)use;
    (void)where;
    return key_from_text(secret_copy(text, strlen(text)), "the test", out);
}

/* In <root>/repo; passphrase NULL: plain. */
static Repo *open_repo(const char *passphrase)
{
    Store *s = NULL;
    Repo *r = NULL;
    AUTO(char) folder = kit_path("repo");
    KeySource keys = {get_key, (void *)(uintptr_t)passphrase};
    setenv("PGSTOW_CHEAP_PASSPHRASES", "1", 1);
    OK(store_open_dir(folder, true, &s));
    OK(repo_open(s, &(RepoOptions){.create = true, .encrypt = passphrase != NULL, .keys = &keys},
                 &r));
    return r;
}

/* Settings with this repository, and with a passphrase in the environment, or a key file. */
static ServiceConfig *settings(const char *passphrase, const char *key_file)
{
    AUTO(char)
    key = key_file ? mem_printf("encryption: {keyFile: %s}\n", key_file) : mem_strdup("");
    AUTO(char)
    yaml = mem_printf("backup: {backupDir: %s/repo}\n%sdatabase: {url: postgresql://h/shop}\n",
                      kit_root, key);
    AUTO(char) variable = mem_printf("PGSTOW_PASSPHRASE=%s", passphrase ? passphrase : "");
    char *environment[] = {variable, NULL};
    ConfigInputs inputs = *kit_inputs(yaml);
    ServiceConfig *c = NULL;
    inputs.environment = environment;
    OK(service_config_load(&inputs, &c));
    return c;
}

static size_t count(const ServiceConfig *c)
{
    AUTO_VALUE(Stock) s = {0};
    OK(stock_read(c, &s));
    return s.item_count;
}

static void test_there_is_none_yet(void **state)
{
    AUTO(ServiceConfig) c = settings(NULL, NULL);
    AUTO(CatalogView) v = NULL;
    AUTO_VALUE(Glance) g = {0};
    (void)state;
    OK(shelf_look(c->entries[0].shelf, &v));
    assert_null(v);
    assert_int_equal(count(c), 0);
    shelf_glance(c->entries[0].shelf, 0, &g);
    assert_true(g.readable);
    assert_null(g.view);
    assert_true(g.when > 0);
    AUTO(Repo) r = open_repo(NULL);
    put(r, "shop", START);
    assert_int_equal(count(c), 1);
}

static void test_the_passphrase_of_the_environment_opens_it(void **state)
{
    AUTO(Repo) r = open_repo("open sesame, please");
    AUTO(ServiceConfig) right = settings("open sesame, please", NULL);
    AUTO(ServiceConfig) wrong = settings("open barley, please", NULL);
    AUTO(ServiceConfig) none = settings(NULL, NULL);
    AUTO(CatalogView) v = NULL;
    (void)state;
    put(r, "shop", START);
    assert_int_equal(count(right), 1);
    assert_int_equal(count(right), 1);
    FAILS(ERR_KEY, shelf_look(wrong->entries[0].shelf, &v));
    FAILS(ERR_KEY, shelf_look(wrong->entries[0].shelf, &v));
    FAILS(ERR_KEY, shelf_look(none->entries[0].shelf, &v));
}

static void write_key(const char *name, char fill)
{
    uint8_t bytes[KEY_BYTES];
    AUTO(char) path = kit_path(name);
    memset(bytes, fill, sizeof bytes);
    AUTO(Secret) s = secret_copy(bytes, sizeof bytes);
    AUTO(char) text = key_text_write(s);
    OK(file_write_atomic(path, text, strlen(text), 0600));
}

static void add_slot(Repo *r, const char *file)
{
    AUTO_VALUE(Key) key = {0};
    AUTO_VALUE(KeySlotInfo) info = {0};
    AUTO(char) path = kit_path(file);
    OK(key_file_read(path, &key));
    OK(keys_add(r, KEY_FILE, file, NULL, &key, &info));
}

static void remove_slot(Repo *r, const char *name)
{
    AUTO_VALUE(KeySlotInfo) info = {0};
    OK(keys_remove(r, name, &info));
}

/* What is kept in memory opens nothing that the repository no longer knows; and a key file that was
 * replaced counts without a reload. */
static void test_a_key_that_was_taken_away(void **state)
{
    AUTO(Repo) r = open_repo("open sesame, please");
    AUTO(char) path = kit_path("key");
    AUTO(CatalogView) v = NULL;
    (void)state;
    put(r, "shop", START);
    write_key("key", 'a');
    write_key("other", 'b');
    add_slot(r, "key");
    add_slot(r, "other");
    AUTO(ServiceConfig) by_file = settings(NULL, path);
    AUTO(ServiceConfig) by_passphrase = settings("open sesame, please", NULL);
    assert_int_equal(count(by_file), 1);
    assert_int_equal(count(by_passphrase), 1);
    remove_slot(r, "key");
    FAILS(ERR_KEY, shelf_look(by_file->entries[0].shelf, &v));
    write_key("key", 'b');
    assert_int_equal(count(by_file), 1);
    remove_slot(r, "passphrase");
    FAILS(ERR_KEY, shelf_look(by_passphrase->entries[0].shelf, &v));
    assert_null(v);
}

static void test_a_rotated_key(void **state)
{
    AUTO(Repo) r = open_repo("open sesame, please");
    AUTO(ServiceConfig) c = settings("open sesame, please", NULL);
    AUTO_VALUE(KeySlotList) slots = {0};
    (void)state;
    put(r, "shop", START);
    assert_int_equal(count(c), 1);
    OK(keys_rotate(r, &slots));
    repo_free(r);
    r = open_repo("open sesame, please");
    put(r, "shop", START + 86400000);
    assert_int_equal(count(c), 2);
}

static void test_at_a_glance(void **state)
{
    AUTO(Repo) r = open_repo(NULL);
    AUTO(ServiceConfig) c = settings(NULL, NULL);
    Shelf *s = c->entries[0].shelf;
    AUTO_VALUE(Glance) first = {0};
    AUTO_VALUE(Glance) second = {0};
    AUTO_VALUE(Glance) third = {0};
    AUTO_VALUE(Glance) broken = {0};
    (void)state;
    put(r, "shop", START);
    shelf_glance(s, 3600000, &first);
    assert_int_equal(first.view->list.count, 1);
    assert_true(first.has_free && first.free_bytes > 0);
    put(r, "shop", START + 1000);
    shelf_glance(s, 3600000, &second); /* what is known is young enough */
    assert_ptr_equal(second.view, first.view);
    clock_sleep_ms(2);
    shelf_glance(s, 0, &third);
    assert_int_equal(third.view->list.count, 2);
    AUTO(char) config = kit_path("repo/config");
    assert_int_equal(chmod(config, 0600), 0);
    kit_write("repo/config", "nonsense");
    clock_sleep_ms(2);
    shelf_glance(s, 0, &broken);
    assert_false(broken.readable);
    assert_ptr_equal(broken.view, third.view); /* still the newest that is known */
    assert_int_equal(broken.when, third.when);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_there_is_none_yet),
        KIT_TEST(test_the_passphrase_of_the_environment_opens_it),
        KIT_TEST(test_a_key_that_was_taken_away),
        KIT_TEST(test_a_rotated_key),
        KIT_TEST(test_at_a_glance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
