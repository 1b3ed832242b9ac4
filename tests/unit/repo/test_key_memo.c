/* What passphrases were stretched to is kept by all that it was made of. */
#include "../unit.h"

#include <sys/resource.h>

#include "repo/key_memo.h"

#define CHEAP_OPS 1
#define CHEAP_MEMORY 8192

static Secret *stretch(KeyMemo *m, const char *passphrase, uint8_t salt, uint64_t ops,
                       uint64_t memory)
{
    uint8_t whole[PASSPHRASE_SALT_BYTES];
    Secret *out = NULL;
    AUTO(Secret) words = secret_copy(passphrase, strlen(passphrase));
    memset(whole, salt, sizeof whole);
    OK(key_memo_stretch(m, words, whole, ops, memory, &out));
    return out;
}

static bool same(const Secret *a, const Secret *b)
{
    return secret_length(a) == secret_length(b) &&
           !memcmp(secret_look(a), secret_look(b), secret_length(a));
}

static void test_it_gives_what_stretching_gives(void **state)
{
    static const struct {
        const char *passphrase;
        uint8_t salt;
        uint64_t ops, memory;
    } cases[] = {{"one", 1, CHEAP_OPS, CHEAP_MEMORY},     {"two", 1, CHEAP_OPS, CHEAP_MEMORY},
                 {"one", 2, CHEAP_OPS, CHEAP_MEMORY},     {"one", 1, CHEAP_OPS + 1, CHEAP_MEMORY},
                 {"one", 1, CHEAP_OPS, 2 * CHEAP_MEMORY}, {"on", 1, CHEAP_OPS, CHEAP_MEMORY}};
    const size_t n = sizeof cases / sizeof *cases;
    AUTO(KeyMemo) m = key_memo_new();
    (void)state;
    for (size_t i = 0; i < 2 * n; i++) {
        size_t k = i % n;
        AUTO(Secret)
        kept = stretch(m, cases[k].passphrase, cases[k].salt, cases[k].ops, cases[k].memory);
        AUTO(Secret)
        fresh = stretch(NULL, cases[k].passphrase, cases[k].salt, cases[k].ops, cases[k].memory);
        assert_true(same(kept, fresh));
    }
}

/* More of them than it keeps. */
static void test_the_oldest_goes(void **state)
{
    AUTO(KeyMemo) m = key_memo_new();
    (void)state;
    for (int i = 0; i < 3 * KEY_MEMO_MAX; i++) {
        AUTO(Secret) kept = stretch(m, "one", (uint8_t)i, CHEAP_OPS, CHEAP_MEMORY);
        AUTO(Secret) fresh = stretch(NULL, "one", (uint8_t)i, CHEAP_OPS, CHEAP_MEMORY);
        assert_true(same(kept, fresh));
    }
}

/* Processor time, which a busy machine does not change. */
static int64_t spent_us(void)
{
    struct rusage r;
    assert_int_equal(getrusage(RUSAGE_SELF, &r), 0);
    return (int64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + r.ru_utime.tv_usec +
           r.ru_stime.tv_usec;
}

/* As dear as a real one: that the second time costs nothing is what it is for. */
static void test_the_second_time_is_free(void **state)
{
    AUTO(KeyMemo) m = key_memo_new();
    int64_t start = spent_us();
    (void)state;
    AUTO(Secret) first = stretch(m, "one", 1, PASSPHRASE_OPS, PASSPHRASE_MEMORY);
    int64_t dear = spent_us() - start;
    start = spent_us();
    for (int i = 0; i < 10; i++) {
        AUTO(Secret) again = stretch(m, "one", 1, PASSPHRASE_OPS, PASSPHRASE_MEMORY);
        assert_true(same(first, again));
    }
    assert_true(spent_us() - start < dear / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_gives_what_stretching_gives),
        cmocka_unit_test(test_the_oldest_goes),
        cmocka_unit_test(test_the_second_time_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
