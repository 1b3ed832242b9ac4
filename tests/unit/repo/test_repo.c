#include "kit.h"

#include <pthread.h>

#include "repo/repo_internal.h"

static Store *with_config(const char *line)
{
    Store *s = store_open_memory();
    AUTO(Doc) d = NULL;
    OK(doc_parse(line, strlen(line), "the test", &d));
    OK(note_put_legible(s, "config", d));
    return s;
}

static void test_create(void **state)
{
    (void)state;
    AUTO(Repo) r = NULL;
    AUTO(Doc) config = NULL;
    FAILS(ERR_REPO_NOT_FOUND, repo_open(store_open_memory(), &(RepoOptions){0}, &r));
    OK(repo_open(store_open_memory(), &(RepoOptions){.create = true}, &r));
    assert_int_equal(strlen(repo_id(r)), 32);
    OK(note_get_legible(repo_store(r), "config", &config));
    assert_int_equal(doc_int(config, "format", 0), 1);
    assert_string_equal(doc_str(config, "id", ""), repo_id(r));
    assert_int_equal(doc_int(doc_get(config, "chunk"), "mean", 0), 8192);
    OK(repo_check_config(r));
    OK(repo_may(r, REPO_WRITE));
    OK(repo_may(r, REPO_DELETE));
}

#define CONFIG(format, hash, read, write)                                                          \
    "{\"format\":" format ",\"id\":\"00112233445566778899aabbccddeeff\",\"hash\":\"" hash          \
    "\",\"features\":{\"read\":[" read "],\"write\":[" write "],\"delete\":[]}}"

static void test_features(void **state)
{
    (void)state;
    AUTO(Repo) r = NULL;
    FAILS(ERR_REPO_UNSUPPORTED, repo_open(with_config(CONFIG("2", "sha256", "", "")), &(RepoOptions){.create = true}, &r));
    FAILS(ERR_REPO_UNSUPPORTED, repo_open(with_config(CONFIG("1", "blake3", "", "")), &(RepoOptions){.create = true}, &r));
    FAILS(ERR_REPO_UNSUPPORTED,
          repo_open(with_config(CONFIG("1", "sha256", "\"columns\"", "")), &(RepoOptions){.create = true}, &r));
    FAILS(ERR_REPO_UNSUPPORTED, repo_open(with_config(CONFIG("1", "sha256", "7", "")), &(RepoOptions){.create = true}, &r));
    OK(repo_open(with_config(CONFIG("1", "sha256", "", "\"locks\"")), &(RepoOptions){.create = true}, &r));
    FAILS(ERR_REPO_UNSUPPORTED, repo_may(r, REPO_WRITE));
    OK(repo_may(r, REPO_DELETE));
}

static void test_damaged_config(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    AUTO(Repo) r = kit_repo();
    OK(store_get_all(repo_store(r), "config", 4096, &b));
    for (size_t i = 0; i < b.len; i++) {
        Store *s = store_open_memory();
        AUTO(Repo) broken = NULL;
        b.data[i] ^= (uint8_t)(1u << i % 8);
        OK(store_put(s, "config", b.data, b.len));
        b.data[i] ^= (uint8_t)(1u << i % 8);
        Error *e = repo_open(s, &(RepoOptions){.create = true}, &broken);
        assert_non_null(e);
        assert_int_equal(error_kind(e), ERR_DAMAGED);
        assert_non_null(error_hint_text(e));
        error_free(e);
    }
}

/* What a process that opened it long ago says when it is no longer the same repository. */
static void test_exchanged_config(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO(Repo) other = kit_repo();
    AUTO_VALUE(Buf) b = {0};
    OK(repo_check_config(r));
    OK(store_get_all(repo_store(other), "config", 4096, &b));
    OK(store_delete(repo_store(r), "config"));
    FAILS(ERR_DAMAGED, repo_check_config(r));
    OK(store_put(repo_store(r), "config", b.data, b.len));
    FAILS(ERR_DAMAGED, repo_check_config(r));
}

/* A repository that lost its config must not get a new identity. */
static void test_lost_config(void **state)
{
    (void)state;
    Store *s = store_open_memory();
    AUTO(Repo) r = NULL;
    OK(store_put(s, "backups/shop-20240115T103000Z.manifest", "x", 1));
    FAILS(ERR_DAMAGED, repo_open(s, &(RepoOptions){.create = true}, &r));
    s = store_open_memory();
    OK(store_put(s, "packs/00/000000000000000000000000-0", "x", 1));
    FAILS(ERR_DAMAGED, repo_open(s, &(RepoOptions){0}, &r));
}

static void *create(void *arg)
{
    Store *s = NULL;
    Repo *r = NULL;
    OK(store_open_dir(arg, true, &s));
    OK(repo_open(s, &(RepoOptions){.create = true}, &r));
    return r;
}

/* Creators at the same time end with the same repository. */
static void test_race(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        char dir[] = "/tmp/pgstow-test-XXXXXX";
        pthread_t threads[4];
        Repo *made[4];
        assert_non_null(mkdtemp(dir));
        AUTO(char) path = mem_printf("%s/repo", dir);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, create, path), 0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], (void **)&made[i]);
        for (int i = 0; i < 4; i++) {
            assert_string_equal(repo_id(made[i]), repo_id(made[0]));
            OK(repo_check_config(made[i]));
        }
        for (int i = 0; i < 4; i++)
            repo_free(made[i]);
        AUTO(char) command = mem_printf("rm -rf %s", dir);
        assert_int_equal(system(command), 0);
    }
}

static void test_notes(void **state)
{
    (void)state;
    AUTO(Doc) d = doc_object();
    AUTO(Doc) back = NULL;
    AUTO_VALUE(Buf) b = {0};
    doc_set_str(d, "text", "two\nlines");
    note_encode(d, &b);
    OK(note_decode(b.data, b.len, "note", &back));
    assert_string_equal(doc_str(back, "text", ""), "two\nlines");
    for (size_t i = 0; i < b.len; i++) {
        AUTO(Doc) out = NULL;
        FAILS(ERR_DAMAGED, note_decode(b.data, i, "note", &out));
        b.data[i] ^= (uint8_t)(1u << i % 8);
        FAILS(ERR_DAMAGED, note_decode(b.data, b.len, "note", &out));
        b.data[i] ^= (uint8_t)(1u << i % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),         cmocka_unit_test(test_features),
        cmocka_unit_test(test_damaged_config), cmocka_unit_test(test_exchanged_config),
        cmocka_unit_test(test_lost_config),
        cmocka_unit_test(test_race),           cmocka_unit_test(test_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
