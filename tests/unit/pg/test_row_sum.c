#include "../unit.h"

#include "pg/row_sum.h"

static void sum_of(const char *text, size_t slice, RowSum *s)
{
    size_t n = strlen(text);
    row_sum_begin(s);
    for (size_t at = 0; at < n; at += slice)
        OK(row_sum_feed(s, text + at, n - at < slice ? n - at : slice));
    OK(row_sum_end(s));
}

static bool same(const char *a, const char *b)
{
    AUTO_VALUE(RowSum) x = {0};
    AUTO_VALUE(RowSum) y = {0};
    sum_of(a, 3, &x);
    sum_of(b, 1000, &y);
    return row_sum_equal(&x, &y);
}

static void test_order_and_slices_do_not_matter(void **state)
{
    (void)state;
    assert_true(same("one\n2\t3\n\n", "\none\n2\t3\n"));
    assert_true(same("", ""));
}

static void test_everything_else_does(void **state)
{
    (void)state;
    assert_false(same("a\nb\n", "a\nb\nb\n"));
    assert_false(same("a\na\n", "b\nb\n")); /* nothing cancels itself out, as it would with XOR */
    assert_false(same("a\tb\n", "a\nb\n"));
    assert_false(same("ab\nc\n", "a\nbc\n"));
    assert_false(same("\n", ""));
    assert_false(same("\\N\n", "\n"));
}

static void test_a_row_without_end(void **state)
{
    (void)state;
    AUTO_VALUE(RowSum) s = {0};
    row_sum_begin(&s);
    OK(row_sum_feed(&s, "a\nb", 3));
    FAILS(ERR_DAMAGED, row_sum_end(&s));
}

/* The first 16 bytes of SHA-256("") and of SHA-256("abc"), as numbers with the lowest byte first.
 */
static void test_known_sums(void **state)
{
    (void)state;
    AUTO_VALUE(RowSum) s = {0};
    char text[ROW_SUM_TEXT];
    assert_string_equal(row_sum_text(&s, text), "00000000000000000000000000000000");
    sum_of("\n", 9, &s);
    assert_string_equal(row_sum_text(&s, text), "24b96f99c8f4fb9a141cfc9842c4b0e3");
    row_sum_add(&s, "abc", 3);
    assert_int_equal(s.rows, 2);
    uint64_t high = s.high; /* with a carry out of the lower half, and without */
    s.low = UINT64_MAX;
    row_sum_add(&s, "abc", 3);
    uint64_t carried = s.high;
    s.high = high;
    s.low = 0;
    row_sum_add(&s, "abc", 3);
    assert_true(carried == s.high + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_slices_do_not_matter),
        cmocka_unit_test(test_everything_else_does),
        cmocka_unit_test(test_a_row_without_end),
        cmocka_unit_test(test_known_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
