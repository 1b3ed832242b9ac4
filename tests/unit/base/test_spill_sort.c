#include "../unit.h"

#include "base/spill_sort.h"

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    return x ^ (x >> 29);
}

static void make(uint64_t i, char *key, char *value, SpillRecord *r)
{
    sprintf(key, "%llu", (unsigned long long)(mix(i) % 5000));
    size_t n = mix(i + 1) % 900;
    memset(value, 'a' + (int)(i % 26), n);
    *r = (SpillRecord){.key = (uint8_t *)key,
                       .key_n = (uint32_t)strlen(key),
                       .value = (uint8_t *)value,
                       .value_n = (uint32_t)n,
                       .tag = (uint8_t)(i % 2)};
}

static int compare(const SpillRecord *a, const SpillRecord *b)
{
    uint32_t n = a->key_n < b->key_n ? a->key_n : b->key_n;
    int order = memcmp(a->key, b->key, n);
    return order ? order : a->key_n != b->key_n ? (int)a->key_n - (int)b->key_n : a->tag - b->tag;
}

/* All that went in comes out, in order; with a small budget through the file. */
static void run(size_t budget, uint64_t count, bool spills)
{
    AUTO(SpillSort) s = spill_sort_new(budget);
    char key[32], value[1024], last_key[32];
    SpillRecord r, last = {.key = (uint8_t *)last_key};
    uint64_t sum = 0, got = 0, bytes = 0;
    for (uint64_t i = 0; i < count; i++) {
        make(i, key, value, &r);
        OK(spill_sort_add(s, &r));
        sum += r.key_n + r.value_n + (r.value_n ? r.value[0] : 0u) + r.tag;
    }
    for (;; got++) {
        bool end;
        OK(spill_sort_next(s, &r, &end));
        if (end)
            break;
        if (got)
            assert_true(compare(&last, &r) <= 0);
        bytes += r.key_n + r.value_n + (r.value_n ? r.value[0] : 0u) + r.tag;
        memcpy(last_key, r.key, r.key_n);
        last.key_n = r.key_n;
        last.tag = r.tag;
    }
    assert_int_equal(got, count);
    assert_int_equal(bytes, sum);
    assert_int_equal(spill_sort_spilled(s) > 0, spills);
}

static void test_memory(void **state)
{
    (void)state;
    run(64u << 20, 20000, false);
    run(64u << 20, 0, false);
}

static void test_spilled(void **state)
{
    (void)state;
    run(1u << 20, 20000, true);
    run(10000, 20000, true); /* runs whose buffers are larger than they */
    run(1, 50, true);        /* a run for each record */
}

/* Records larger than budget and buffers. */
static void test_large(void **state)
{
    (void)state;
    AUTO(SpillSort) s = spill_sort_new(100000);
    size_t n = 1000000;
    char *value = mem_zalloc(n);
    for (int i = 9; i >= 0; i--) {
        char key[2] = {(char)('0' + i), 0};
        memset(value, '0' + i, n);
        OK(spill_sort_add(s, &(SpillRecord){.key = (uint8_t *)key,
                                            .key_n = 1,
                                            .value = (uint8_t *)value,
                                            .value_n = (uint32_t)n}));
    }
    for (int i = 0; i < 10; i++) {
        SpillRecord r;
        bool end;
        OK(spill_sort_next(s, &r, &end));
        assert_false(end);
        assert_int_equal(r.key[0], '0' + i);
        assert_int_equal(r.value_n, n);
        assert_int_equal(r.value[n - 1], '0' + i);
    }
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_spilled),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
