/* The last answers, by their tags. */
#include "../unit.h"

#include "serve/answers.h"

static void holds(Answers *a, const char *tag, const char *text)
{
    AUTO(char) found = answers_find(a, tag);
    if (!text) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, text);
}

static void test_those_used_last_are_kept(void **state)
{
    AUTO(Answers) a = answers_new();
    (void)state;
    holds(a, "\"a\"", NULL);
    answers_keep(a, "\"a\"", "1");
    answers_keep(a, "\"b\"", "2");
    answers_keep(a, "\"c\"", "3");
    answers_keep(a, "\"d\"", "4");
    holds(a, "\"a\"", "1");
    answers_keep(a, "\"e\"", "5"); /* in the place of b, which was used longest ago */
    holds(a, "\"b\"", NULL);
    holds(a, "\"a\"", "1");
    holds(a, "\"c\"", "3");
    holds(a, "\"d\"", "4");
    holds(a, "\"e\"", "5");
}

static void test_what_is_too_long_is_not(void **state)
{
    AUTO(Answers) a = answers_new();
    AUTO(char) text = mem_zalloc(ANSWERS_BYTES + 2);
    AUTO(char) tag = mem_zalloc(ANSWERS_TAG + 1);
    (void)state;
    memset(text, 'x', ANSWERS_BYTES + 1);
    memset(tag, 'x', ANSWERS_TAG);
    answers_keep(a, "\"a\"", text);
    holds(a, "\"a\"", NULL);
    answers_keep(a, tag, "1");
    holds(a, tag, NULL);
    text[ANSWERS_BYTES] = 0;
    tag[ANSWERS_TAG - 1] = 0;
    answers_keep(a, tag, text);
    holds(a, tag, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_those_used_last_are_kept),
        cmocka_unit_test(test_what_is_too_long_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
