/* The contract of store.h, held against each kind of store. */
#include "store_setup.h"

#include <pthread.h>
#include <stdatomic.h>

static Store *open_kind(void **state, const char *name)
{
    if (*state)
        return store_open_memory();
    AUTO(char) path = setup_path(name);
    Store *s = NULL;
    OK(store_open_dir(path, true, &s));
    return s;
}

static void put(Store *s, const char *name)
{
    OK(store_put(s, name, name, strlen(name)));
}

static void test_put_get(void **state)
{
    AUTO(Store) s = open_kind(state, "put_get");
    AUTO_VALUE(Buf) out = {0};
    uint64_t size = 0;
    bool exists = true;
    OK(store_exists(s, "a/b", &exists));
    assert_false(exists);
    FAILS(ERR_NOT_FOUND, store_size(s, "a/b", &size));
    FAILS(ERR_NOT_FOUND, store_get(s, "a/b", 0, &size, 1));
    FAILS(ERR_NOT_FOUND, store_get_all(s, "a/b", 100, &out));
    FAILS(ERR_NOT_FOUND, store_delete(s, "a/b"));
    OK(store_put(s, "a/b", "contents", 8));
    FAILS(ERR_EXISTS, store_put(s, "a/b", "others", 6));
    OK(store_exists(s, "a/b", &exists));
    assert_true(exists);
    OK(store_size(s, "a/b", &size));
    assert_int_equal(size, 8);
    buf_add_str(&out, "before ");
    OK(store_get_all(s, "a/b", 8, &out));
    assert_int_equal(out.len, 15);
    assert_memory_equal(out.data, "before contents", 15);
    FAILS(ERR_LIMIT, store_get_all(s, "a/b", 7, &out));
    /* A folder is no object. */
    OK(store_exists(s, "a", &exists));
    assert_false(exists);
    FAILS(ERR_NOT_FOUND, store_delete(s, "a"));
    FAILS(ERR_NOT_FOUND, store_size(s, "a/b/c", &size));
    OK(store_delete(s, "a/b"));
    FAILS(ERR_NOT_FOUND, store_delete(s, "a/b"));
    OK(store_put(s, "a/b", NULL, 0));
    OK(store_size(s, "a/b", &size));
    assert_int_equal(size, 0);
}

static void test_ranges(void **state)
{
    AUTO(Store) s = open_kind(state, "ranges");
    char out[16] = "";
    OK(store_put(s, "object", "0123456789", 10));
    OK(store_get(s, "object", 3, out, 4));
    assert_memory_equal(out, "3456", 4);
    OK(store_get(s, "object", 0, out, 10));
    OK(store_get(s, "object", 10, out, 0));
    assert_int_equal(store_fetched(s), 14);
    FAILS(ERR_DAMAGED, store_get(s, "object", 0, out, 11));
    FAILS(ERR_DAMAGED, store_get(s, "object", 9, out, 2));
    FAILS(ERR_DAMAGED, store_get(s, "object", 11, out, 0));
    FAILS(ERR_DAMAGED, store_get(s, "object", UINT64_MAX, out, 2));
}

static void test_piecewise(void **state)
{
    AUTO(Store) s = open_kind(state, "piecewise");
    {
        AUTO(StorePut) dropped = NULL;
        OK(store_put_begin(s, "packs/ab/x", &dropped));
        OK(store_put_write(dropped, "half", 4));
        assert_objects(s, "", "");
    }
    assert_objects(s, "", "");
    AUTO(StorePut) p = NULL;
    OK(store_put_begin(s, "packs/ab/x", &p));
    for (int i = 0; i < 1000; i++)
        OK(store_put_write(p, "0123456789", 10));
    assert_objects(s, "", "");
    OK(store_put_finish(p));
    assert_objects(s, "", "packs/ab/x ");
    FAILS(ERR_INTERNAL, store_put_finish(p));
    FAILS(ERR_INTERNAL, store_put_write(p, "more", 4));
    OK(store_barrier(s));
    OK(store_barrier(s));
    uint64_t size;
    OK(store_size(s, "packs/ab/x", &size));
    assert_int_equal(size, 10000);
    AUTO(StorePut) late = NULL;
    OK(store_put_begin(s, "packs/ab/x", &late));
    OK(store_put_write(late, "other", 5));
    FAILS(ERR_EXISTS, store_put_finish(late));
    OK(store_size(s, "packs/ab/x", &size));
    assert_int_equal(size, 10000);
}

static void test_names(void **state)
{
    AUTO(Store) s = open_kind(state, "names");
    char longest[514];
    memset(longest, 'x', sizeof longest);
    /* No part of a name may be longer than a file's name. */
    longest[170] = longest[340] = '/';
    longest[513] = 0;
    const char *bad[] = {"",      "/",         "/a",
                         "a/",    "a//b",      "..",
                         "../a",  "a/..",      ".",
                         "a/./b", ".hid",      "a b",
                         "a\\b",  "a\nb",      "a:b",
                         "tmp",   "tmp/a",     "\xc3\xa9",
                         longest, "a/.hidden", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool exists = true;
        char byte;
        AUTO(StorePut) p = NULL;
        FAILS(ERR_INTERNAL, store_put(s, bad[i], "x", 1));
        FAILS(ERR_INTERNAL, store_put_begin(s, bad[i], &p));
        OK(store_exists(s, bad[i], &exists));
        assert_false(exists);
        FAILS(ERR_NOT_FOUND, store_get(s, bad[i], 0, &byte, 1));
        FAILS(ERR_NOT_FOUND, store_delete(s, bad[i]));
    }
    longest[512] = 0;
    const char *good[] = {"a", "tmpx", "x/tmp", "A-z_0.9%41", "a..b", longest};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        put(s, good[i]);
    FAILS(ERR_INTERNAL, store_list(s, "x", setup_add_name, NULL));
    FAILS(ERR_INTERNAL, store_list(s, "/", setup_add_name, NULL));
    FAILS(ERR_INTERNAL, store_list(s, "../", setup_add_name, NULL));
    FAILS(ERR_INTERNAL, store_list(s, "tmp/", setup_add_name, NULL));
}

static Error *stop_at_two(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    (void)size;
    if (++*(int *)ctx == 2)
        FAIL(ERR_CANCELLED, "enough");
    return NULL;
}

static Error *delete_it(void *ctx, const char *name, uint64_t size)
{
    assert_int_equal(size, strlen(name));
    return store_delete(ctx, name);
}

static void test_list(void **state)
{
    AUTO(Store) s = open_kind(state, "list");
    assert_objects(s, "", "");
    assert_objects(s, "packs/", "");
    const char *names[] = {"b",     "a/x",   "a-b",   "a.b/y", "a0",
                           "a/b/c", "a/b-c", "a/b.c", "a%41",  "ab/x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put(s, names[i]);
    assert_objects(s, "", "a%41 a-b a.b/y a/b-c a/b.c a/b/c a/x a0 ab/x b ");
    assert_objects(s, "a/", "a/b-c a/b.c a/b/c a/x ");
    assert_objects(s, "a/b/", "a/b/c ");
    assert_objects(s, "b/", "");
    int seen = 0;
    FAILS(ERR_CANCELLED, store_list(s, "", stop_at_two, &seen));
    assert_int_equal(seen, 2);
    OK(store_list(s, "", delete_it, s));
    assert_objects(s, "", "");
}

typedef struct Race {
    Store *s;
    atomic_int *go, *won, *lost;
    int round;
    char who;
} Race;

static void *race(void *arg)
{
    Race *r = arg;
    char bytes[1000];
    memset(bytes, r->who, sizeof bytes);
    AUTO(char) name = mem_printf("folder%d/object", r->round);
    while (!atomic_load(r->go))
        ;
    Error *e = store_put(r->s, name, bytes, sizeof bytes);
    if (!e)
        atomic_fetch_add(r->won, 1);
    else if (error_kind(e) == ERR_EXISTS)
        atomic_fetch_add(r->lost, 1);
    error_free(e);
    return NULL;
}

/* Eight threads, two handles on the same store: exactly one wins, and it is its bytes that stay. */
static void test_race(void **state)
{
    AUTO(Store) s = open_kind(state, "race");
    AUTO(Store) other = *state ? NULL : open_kind(state, "race");
    for (int round = 0; round < 10; round++) {
        atomic_int go = 0, won = 0, lost = 0;
        pthread_t threads[8];
        Race races[8];
        for (size_t i = 0; i < 8; i++) {
            races[i] = (Race){i % 2 && other ? other : s, &go, &won, &lost, round, (char)('a' + i)};
            assert_int_equal(pthread_create(&threads[i], NULL, race, &races[i]), 0);
        }
        atomic_store(&go, 1);
        for (size_t i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&won), 1);
        assert_int_equal(atomic_load(&lost), 7);
        AUTO(char) name = mem_printf("folder%d/object", round);
        char bytes[1000];
        OK(store_get(s, name, 0, bytes, sizeof bytes));
        for (size_t i = 1; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], bytes[0]);
    }
}

static void *use_all(void *arg)
{
    Race *r = arg;
    for (int i = 0; i < 30; i++) {
        AUTO(char) name = mem_printf("t/%c/%d", r->who, i);
        AUTO(StorePut) p = NULL;
        AUTO_VALUE(Buf) names = {0};
        bool exists = false;
        OK(store_put_begin(r->s, name, &p));
        OK(store_put_write(p, name, strlen(name)));
        OK(store_put_finish(p));
        OK(store_barrier(r->s));
        OK(store_exists(r->s, name, &exists));
        assert_true(exists);
        OK(store_list(r->s, "t/", setup_add_name, &names));
        if (i % 2)
            OK(store_delete(r->s, name));
    }
    return NULL;
}

static void test_threads(void **state)
{
    AUTO(Store) s = open_kind(state, "threads");
    pthread_t threads[4];
    Race races[4];
    for (size_t i = 0; i < 4; i++) {
        races[i] = (Race){.s = s, .who = (char)('a' + i)};
        assert_int_equal(pthread_create(&threads[i], NULL, use_all, &races[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    AUTO_VALUE(Buf) names = {0};
    OK(store_list(s, "", setup_add_name, &names));
    size_t spaces = 0;
    for (size_t i = 0; i < names.len; i++)
        spaces += names.data[i] == ' ';
    assert_int_equal(spaces, 4 * 15);
}

static void test_free_space(void **state)
{
    AUTO(Store) s = open_kind(state, "space");
    uint64_t bytes = 0;
    OK(store_free_space(s, &bytes));
    assert_true(*state ? bytes == UINT64_MAX : bytes > 0 && bytes < UINT64_MAX);
    assert_non_null(store_where(s));
}

static int in_memory(void **state)
{
    *state = "memory";
    return 0;
}

int main(void)
{
#define BOTH(test)                                                                                 \
    {"dir: " #test, test, NULL, NULL, NULL},                                                       \
    {                                                                                              \
        "memory: " #test, test, in_memory, NULL, NULL                                              \
    }
    const struct CMUnitTest tests[] = {
        BOTH(test_put_get), BOTH(test_ranges), BOTH(test_piecewise), BOTH(test_names),
        BOTH(test_list),    BOTH(test_race),   BOTH(test_threads),   BOTH(test_free_space),
    };
    return cmocka_run_group_tests(tests, setup_make, setup_drop);
}
