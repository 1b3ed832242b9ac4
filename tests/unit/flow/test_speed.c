#include "../unit.h"

#include "flow/speed.h"

static void test_nothing_known(void **state)
{
    (void)state;
    Speed s = {0};
    assert_int_equal(speed_rate(&s), 0);
    assert_int_equal(speed_left(&s, 100), -1);
    speed_add(&s, 5000, 0);
    speed_add(&s, 5900, 900);
    assert_int_equal(speed_rate(&s), 0); /* not a second yet */
    speed_add(&s, 6000, 1000);
    assert_int_equal(speed_rate(&s), 1000);
    assert_int_equal(speed_left(&s, 3000), 2000);
    assert_int_equal(speed_left(&s, 1000), 0);
    assert_int_equal(speed_left(&s, 999), -1); /* more is done than there is */
}

/* What was slow long ago does not count, however often it is told. */
static void test_window_slides(void **state)
{
    (void)state;
    static const int64_t steps[] = {1, 100, 1000, 5000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        Speed s = {0};
        int64_t now = 0;
        uint64_t done = 0;
        for (; now < 100000; now += steps[i], done += (uint64_t)steps[i])
            speed_add(&s, now, done); /* 1000 a second */
        for (int64_t end = now + 40000; now < end; now += steps[i], done += 10 * (uint64_t)steps[i])
            speed_add(&s, now, done);
        uint64_t rate = speed_rate(&s);
        assert_true(rate > 9000 && rate <= 10000);
        assert_true(s.count <= SPEED_SAMPLES);
    }
}

/* It stands still: within the window nothing is left of the speed. */
static void test_stall(void **state)
{
    (void)state;
    Speed s = {0};
    for (int64_t now = 0; now <= 20000; now += 1000)
        speed_add(&s, now, (uint64_t)now);
    assert_true(speed_rate(&s) > 900);
    for (int64_t now = 21000; now <= 21000 + 2 * SPEED_WINDOW_MS; now += 1000)
        speed_add(&s, now, 20000);
    assert_int_equal(speed_rate(&s), 0);
    assert_int_equal(speed_left(&s, 30000), -1);
}

/* Another phase counts from the beginning. */
static void test_begins_anew(void **state)
{
    (void)state;
    Speed s = {0};
    speed_add(&s, 0, 0);
    speed_add(&s, 2000, 1000000);
    speed_add(&s, 4000, 10);
    assert_int_equal(speed_rate(&s), 0);
    speed_add(&s, 6000, 30);
    assert_int_equal(speed_rate(&s), 10);
    assert_int_equal(speed_left(&s, UINT64_MAX), -1); /* no date has room for that */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_window_slides),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
