#include "../unit.h"

#include "op/hook.h"

static void add(void *ctx, const char *line)
{
    strlist_add(ctx, line);
}

static Error *run(const char *command, int64_t timeout_ms, StrList *lines)
{
    return hook_run(&(Hook){.name = "hooks.before",
                            .command = command,
                            .timeout_ms = timeout_ms,
                            .line = add,
                            .ctx = lines});
}

static void test_its_lines(void **state)
{
    (void)state;
    AUTO_VALUE(StrList) lines = {0};
    OK(run("echo one; echo; echo two >&2; printf 'no end\\a'", 0, &lines));
    assert_int_equal(lines.count, 3);
    assert_string_equal(lines.items[0], "one");
    assert_string_equal(lines.items[1], "two");
    assert_string_equal(lines.items[2], "no end\\x07");
}

static void test_many_lines(void **state)
{
    (void)state;
    AUTO_VALUE(StrList) lines = {0};
    AUTO(Error)
    e = run("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; false", 0, &lines);
    assert_non_null(e);
    assert_int_equal(lines.count, 501);
    const char *hint = error_hint_text(e);
    assert_non_null(strstr(hint, "line 1999"));
    assert_null(strstr(hint, "line 5;"));
    assert_true(strlen(hint) < 700);
}

static void test_ends(void **state)
{
    (void)state;
    AUTO_VALUE(StrList) lines = {0};
    static const struct {
        const char *command, *says;
    } cases[] = {
        {"exit 7", "hooks.before failed with status 7"},
        {"kill -9 $$", "hooks.before was ended by signal 9"},
        {"/no/such/program", "hooks.before failed with status 127"},
        {"syntax (", "hooks.before failed with status 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(Error) e = run(cases[i].command, 0, &lines);
        assert_non_null(e);
        assert_int_equal(error_kind(e), ERR_HOOK);
        assert_string_equal(error_message(e), cases[i].says);
    }
    FAILS(ERR_HOOK, run("sleep 1000", 50, &lines));
}

static void test_environment_and_cancel(void **state)
{
    (void)state;
    AUTO_VALUE(StrList) lines = {0};
    AUTO_VALUE(StrList) env = {0};
    AUTO(Cancel) cancel = NULL;
    setenv("HOOK_TEST_SECRET", "x", 1);
    strlist_add(&env, "HOOK_TEST_SECRET");
    strlist_add(&env, "A=b c");
    OK(cancel_new(NULL, &cancel));
    Hook h = {.name = "it",
              .command = "echo \"$A$HOOK_TEST_SECRET\"",
              .env = &env,
              .cancel = cancel,
              .line = add,
              .ctx = &lines};
    OK(hook_run(&h));
    assert_string_equal(lines.items[0], "b c");
    cancel_request(cancel);
    h.command = "sleep 1000";
    FAILS(ERR_CANCELLED, hook_run(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_lines),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_environment_and_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
