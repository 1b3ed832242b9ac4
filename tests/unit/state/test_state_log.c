#include "kit.h"

#include "state/state_log.h"

static void add(State *s, int64_t job, const char *line)
{
    OK(state_log_add(s, job, &(StateLogNew){KIT_NOW, "info", line}, 1));
}

static void test_lines(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t job = kit_job(s, "backup", "shop", KIT_NOW), other = kit_job(s, "backup", "b", KIT_NOW);
    StateLogNew two[] = {{KIT_NOW, "info", "first"}, {KIT_NOW + 1, "warning", "second"}};
    OK(state_log_add(s, job, two, 2));
    OK(state_log_add(s, job, NULL, 0));
    add(s, other, "another's");
    add(s, job, "third");
    FAILS(ERR_NOT_FOUND, state_log_add(s, 4711, two, 2));
    AUTO_VALUE(StateLog) l = {0};
    OK(state_log_read(s, job, 0, 0, &l));
    assert_int_equal(l.count, 3);
    assert_int_equal(l.dropped, 0);
    assert_false(l.more);
    assert_int_equal(l.items[1].n, 2);
    assert_int_equal(l.items[1].at, KIT_NOW + 1);
    assert_string_equal(l.items[1].level, "warning");
    assert_string_equal(l.items[1].line, "second");
    AUTO_VALUE(StateLog) page = {0};
    OK(state_log_read(s, job, 1, 1, &page));
    assert_int_equal(page.count, 1);
    assert_int_equal(page.items[0].n, 2);
    assert_true(page.more);
    AUTO_VALUE(StateLog) none = {0};
    OK(state_log_read(s, job, 3, 0, &none));
    assert_int_equal(none.count, 0);
    assert_int_equal(none.dropped, 0);
    AUTO_VALUE(StateLog) unknown = {0};
    OK(state_log_read(s, 4711, 0, 0, &unknown));
    assert_int_equal(unknown.count, 0);
    assert_int_equal(unknown.dropped, 0);
}

/* Beyond so many lines the oldest go, and it is known how many. */
static void test_too_many(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t job = kit_job(s, "backup", "shop", KIT_NOW);
    size_t count = STATE_LOG_LINES + 7;
    StateLogNew *lines = mem_calloc(count, sizeof *lines);
    for (size_t i = 0; i < count; i++)
        lines[i] = (StateLogNew){KIT_NOW, "info", i == 7 ? "oldest kept" : "x"};
    OK(state_log_add(s, job, lines, count));
    free(lines);
    AUTO_VALUE(StateLog) l = {0};
    OK(state_log_read(s, job, 0, 1, &l));
    assert_int_equal(l.dropped, 7);
    assert_string_equal(l.items[0].line, "oldest kept");
    assert_int_equal(kit_number(s, "SELECT count(*) FROM job_log"), STATE_LOG_LINES);
    add(s, job, "the newest");
    AUTO_VALUE(StateLog) later = {0};
    OK(state_log_read(s, job, 7, 1, &later));
    assert_int_equal(later.dropped, 1);
    assert_int_equal(later.items[0].n, 9);
    AUTO_VALUE(StateLog) end = {0};
    OK(state_log_read(s, job, STATE_LOG_LINES + 7, 0, &end));
    assert_int_equal(end.count, 1);
    assert_string_equal(end.items[0].line, "the newest");
}

/* The same of bytes; what is counted is what is there. */
static void test_too_large(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t job = kit_job(s, "backup", "shop", KIT_NOW);
    AUTO(char) line = mem_zalloc(2 * STATE_LOG_LINE_MAX + 1);
    for (int i = 0; i < 2 * STATE_LOG_LINE_MAX; i += 2)
        memcpy(line + i, "\xc3\xbc", 2);
    size_t fit = STATE_LOG_BYTES / STATE_LOG_LINE_MAX;
    for (size_t i = 0; i < fit + 5; i++)
        add(s, job, line);
    AUTO_VALUE(StateLog) l = {0};
    OK(state_log_read(s, job, 0, 0, &l));
    assert_int_equal(l.count, fit);
    assert_int_equal(l.dropped, 5);
    assert_int_equal(strlen(l.items[0].line), STATE_LOG_LINE_MAX);
    assert_int_equal(kit_number(s, "SELECT log_bytes FROM job"),
                     kit_number(s, "SELECT sum(length(CAST(line AS BLOB))) FROM job_log"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_lines),
        KIT_TEST(test_too_many),
        KIT_TEST(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
