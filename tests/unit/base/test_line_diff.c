#include "../unit.h"

#include "base/line_diff.h"

static void expect(const char *before, const char *after, const char *wanted)
{
    AUTO_VALUE(Buf) b = {0};
    line_diff(before, after, &b);
    AUTO(char) got = buf_steal_str(&b);
    assert_string_equal(got, wanted);
}

static void test_small(void **state)
{
    (void)state;
    expect("", "", "");
    expect("a\nb\nc", "a\nb\nc", "");
    expect("a\nb\nc", "a\nc", " a\n-b\n c\n");
    expect("a\nc", "a\nb\nc", " a\n+b\n c\n");
    expect("", "x", "+x\n");
    expect("x", "", "-x\n");
    expect("a\nb\nc\nd\ne\nf\ng\nh", "a\nB\nc\nd\ne\nf\nG\nh",
           " a\n-b\n+B\n c\n ...\n f\n-g\n+G\n h\n");
    expect("one\ntwo\nthree", "two\nthree\nfour", "-one\n two\n three\n+four\n");
}

/* Applying a difference to the one gives the other: for texts too large to be aligned as well. */
static void test_large(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) a = {0};
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(Buf) d = {0};
    buf_add_str(&a, "first\n");
    buf_add_str(&b, "first\n");
    for (int i = 0; i < 5000; i++) {
        buf_printf(&a, "%d\n", i);
        buf_printf(&b, "%d\n", i * 2 + 1);
    }
    buf_u8(&a, 0);
    buf_u8(&b, 0);
    line_diff((const char *)a.data, (const char *)b.data, &d);
    size_t gone = 0, came = 0;
    for (size_t i = 0; i < d.len; i++)
        if (!i || d.data[i - 1] == '\n') {
            gone += d.data[i] == '-';
            came += d.data[i] == '+';
        }
    assert_int_equal(gone, 5000);
    assert_int_equal(came, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
