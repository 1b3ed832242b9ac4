/* Help and progress: what people read. */
#include "../unit.h"

#include "cli/help.h"
#include "cli/output.h"
#include "cli/progress.h"

/* No line of the help is wider than a terminal, and every option and status is in it. */
static void test_help(void **state)
{
    (void)state;
    for (int i = -1; i < (int)COMMANDS; i++) {
        AUTO_VALUE(Buf) b = {0};
        if (i < 0)
            help_overview(&b);
        else
            help_command(&b, command_info((CommandId)i));
        AUTO(char) text = buf_steal_str(&b);
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
            size_t n = strcspn(line, "\n");
            if (n > 80)
                print_error("%.*s\n", (int)n, line);
            assert_true(n <= 80);
            assert_true(n == 0 || line[n - 1] != ' ');
        }
        for (SettingId id = 0; id < SETTINGS; id++)
            if (*setting_info(id)->flag &&
                (i < 0 ? setting_in(command_everywhere, id)
                       : command_takes(command_info((CommandId)i), id))) {
                AUTO(char) flag = help_flag(setting_info(id));
                assert_non_null(strstr(text, flag));
            }
        for (size_t c = 0; i < 0 && c < COMMANDS; c++)
            assert_non_null(strstr(text, command_info((CommandId)c)->summary));
    }
}

static void test_progress(void **state)
{
    (void)state;
    JobProgress p = {.phase = "copying",
                     .object = "public.orders",
                     .bytes_done = 500000000,
                     .bytes_total = 1500000000,
                     .bytes_reused = 250000000};
    AUTO(char) line = progress_line(&p, 10000, 120);
    assert_string_equal(line, "copying public.orders  500 MB of 1.50 GB  50.0 MB/s  20.0 s left  "
                              "50 % there already");
    AUTO(char) narrow = progress_line(&p, 10000, 40);
    assert_true(strlen(narrow) <= 40);
    JobProgress items = {.phase = "indexes", .items_done = 3, .items_total = 12};
    AUTO(char) count = progress_line(&items, 100, 80);
    assert_string_equal(count, "indexes  3 of 12");
    JobProgress odd = {.object = "a\nb\033"};
    AUTO(char) escaped = progress_line(&odd, 0, 80);
    assert_string_equal(escaped, "working a\\x0ab\\x1b");
    JobProgress empty = {0};
    for (size_t columns = 20; columns < 130; columns++) {
        AUTO(char) any = progress_line(&p, 10000, columns);
        assert_true(strlen(any) <= columns);
        AUTO(char) none = progress_line(&empty, 10000, columns);
        assert_string_equal(none, "working");
    }
}

static void test_counts(void **state)
{
    (void)state;
    char out[32];
    assert_string_equal(output_count(0, out), "0");
    assert_string_equal(output_count(999, out), "999");
    assert_string_equal(output_count(8500, out), "8,500");
    assert_string_equal(output_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
