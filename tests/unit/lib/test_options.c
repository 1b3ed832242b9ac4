/* What callers give, whichever version of the header they were compiled with. */
#include "../unit.h"

#include "lib/lib_internal.h"

typedef struct Newer {
    pgstow_verify_options known;
    void *unknown[4];
} Newer;

static void test_sizes(void **state)
{
    (void)state;
    pgstow_backup_options given = PGSTOW_BACKUP_OPTIONS_INIT, o = PGSTOW_BACKUP_OPTIONS_INIT;
    o.timeout_ms = 7;
    options_take(&o, sizeof o, NULL);
    assert_int_equal(o.timeout_ms, 7);
    given.timeout_ms = 5;
    given.encrypt = 1;
    given.size = offsetof(pgstow_backup_options, encrypt); /* compiled before it was there */
    options_take(&o, sizeof o, &given);
    assert_int_equal(o.timeout_ms, 5);
    assert_int_equal(o.encrypt, 0);
    given.size = sizeof given;
    options_take(&o, sizeof o, &given);
    assert_int_equal(o.encrypt, 1);
    Newer newer = {.known = PGSTOW_VERIFY_OPTIONS_INIT};
    struct {
        pgstow_verify_options o;
        char guard[sizeof newer.unknown];
    } room = {.o = PGSTOW_VERIFY_OPTIONS_INIT};
    newer.known.size = sizeof newer;
    newer.known.level = PGSTOW_QUICK;
    memset(newer.unknown, 0xff, sizeof newer.unknown);
    options_take(&room.o, sizeof room.o, &newer);
    assert_int_equal(room.o.level, PGSTOW_QUICK);
    for (size_t i = 0; i < sizeof room.guard; i++)
        assert_int_equal(room.guard[i], 0);
}

typedef struct Asked {
    size_t answers; /* how many bytes */
    int times, is_new;
} Asked;

static size_t answer(void *ctx, const char *repo, int is_new, char *into, size_t room)
{
    Asked *a = ctx;
    assert_string_equal(repo, "here");
    memset(into, 'x', a->answers < room ? a->answers : room);
    a->times++;
    a->is_new = is_new;
    return a->answers;
}

static Error *get(const HandleKey *k, KeyUse use, Key *out)
{
    OpContext c = {0};
    handle_key_use(k, &c);
    return c.keys->get(c.keys->ctx, use, "here", out);
}

static void test_bytes_are_copied(void **state)
{
    (void)state;
    char words[] = "correct horse";
    pgstow_key given = PGSTOW_KEY_INIT;
    given.passphrase = words;
    given.passphrase_length = strlen(words);
    AUTO(HandleKey) k = handle_key_new(&given);
    memset(words, 0, sizeof words);
    AUTO_VALUE(Key) key = {0};
    OK(get(k, KEY_TO_OPEN, &key));
    assert_false(key.file);
    assert_int_equal(secret_length(key.secret), 13);
    assert_memory_equal(secret_look(key.secret), "correct horse", 13);
    OpContext c = {0};
    handle_key_use(k, &c);
    assert_true(c.key_given);
    given.passphrase_length = 0;
    AUTO(HandleKey) empty = handle_key_new(&given);
    AUTO_VALUE(Key) none = {0};
    FAILS(ERR_KEY, get(empty, KEY_TO_OPEN, &none));
}

static void test_ask(void **state)
{
    (void)state;
    Asked asked = {.answers = 20};
    pgstow_key given = PGSTOW_KEY_INIT;
    given.ask = answer;
    given.ctx = &asked;
    AUTO(HandleKey) k = handle_key_new(&given);
    AUTO_VALUE(Key) first = {0};
    AUTO_VALUE(Key) second = {0};
    OpContext c = {0};
    handle_key_use(k, &c);
    assert_false(c.key_given); /* nobody knows yet whether there is one */
    assert_int_equal(asked.times, 0);
    OK(get(k, KEY_TO_MAKE, &first));
    OK(get(k, KEY_TO_OPEN, &second));
    assert_int_equal(asked.times, 1);
    assert_int_equal(asked.is_new, 1);
    assert_int_equal(secret_length(second.secret), 20);
    for (asked.answers = 0; asked.answers < 10000; asked.answers += 4097) {
        AUTO(HandleKey) other = handle_key_new(&given);
        AUTO_VALUE(Key) key = {0};
        FAILS(ERR_KEY, get(other, KEY_TO_OPEN, &key));
    }
}

static void expect(const char *kind, pgstow_error *e)
{
    assert_non_null(e);
    assert_string_equal(pgstow_error_kind(e), kind);
    pgstow_error_free(e);
}

/* What is refused before anything is looked at. */
static void test_refusals(void **state)
{
    (void)state;
    pgstow_options options = PGSTOW_OPTIONS_INIT;
    options.repo = "/nonexistent/repository";
    pgstow *p;
    assert_null(pgstow_open(&options, &p));
    char *json = (char *)"untouched";
    expect("USAGE", pgstow_copy(p, NULL, &json));
    assert_null(json);
    const char *const nothing[] = {NULL};
    pgstow_copy_options copy = PGSTOW_COPY_OPTIONS_INIT;
    copy.to = "/nonexistent/other";
    copy.backups = nothing;
    expect("USAGE", pgstow_copy(p, &copy, NULL));
    expect("USAGE", pgstow_verify(p, NULL, (pgstow_level)4));
    expect("USAGE", pgstow_verify(p, NULL, (pgstow_level)-1));
    pgstow_verify_options verify = PGSTOW_VERIFY_OPTIONS_INIT;
    verify.timeout_ms = 1;
    expect("USAGE", pgstow_verify_with(p, NULL, &verify, NULL));
    verify.level = PGSTOW_DRILL;
    verify.older_than_ms = 1;
    expect("USAGE", pgstow_verify_with(p, NULL, &verify, NULL));
    pgstow_key_add_options add = PGSTOW_KEY_ADD_OPTIONS_INIT;
    expect("USAGE", pgstow_key_add(p, NULL, &json));
    add.new_key_file = "/nonexistent/key";
    expect("REPO_NOT_FOUND", pgstow_key_add(p, &add, NULL));
    add.databases = nothing;
    expect("USAGE", pgstow_key_add(p, &add, NULL));
    add.databases = NULL;
    add.passphrase = "";
    expect("USAGE", pgstow_key_add(p, &add, NULL));
    expect("REPO_NOT_FOUND", pgstow_key_list(p, &json));
    expect("REPO_NOT_FOUND", pgstow_key_remove(p, "x", NULL));
    expect("REPO_NOT_FOUND", pgstow_key_rotate(p, NULL));
    expect("REPO_NOT_FOUND", pgstow_key_export(p, NULL, NULL, NULL, NULL));
    pgstow_policy policy = PGSTOW_POLICY_INIT;
    pgstow_cleanup_options cleanup = PGSTOW_CLEANUP_OPTIONS_INIT;
    policy.time_zone = "Nowhere/Land";
    cleanup.policy = &policy;
    expect("CONFIG", pgstow_cleanup(p, &cleanup, NULL));
    policy.time_zone = NULL;
    policy.group_by_tag = "a=b";
    expect("CONFIG", pgstow_cleanup(p, &cleanup, NULL));
    policy.group_by_tag = NULL;
    cleanup.prune_only = 1;
    expect("REPO_NOT_FOUND", pgstow_cleanup(p, &cleanup, NULL));
    policy.last = 1;
    expect("USAGE", pgstow_cleanup(p, &cleanup, NULL));
    expect("REPO_NOT_FOUND", pgstow_verify(p, NULL, PGSTOW_QUICK));
    expect("REPO_NOT_FOUND", pgstow_cleanup(p, NULL, NULL));
    expect("REPO_NOT_FOUND", pgstow_undelete(p, "x"));
    expect("REPO_NOT_FOUND", pgstow_pin(p, "x"));
    expect("REPO_NOT_FOUND", pgstow_unpin(p, "x", NULL));
    assert_null(pgstow_delete(p, "x", 1));
    pgstow_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_bytes_are_copied),
                                       cmocka_unit_test(test_ask), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
