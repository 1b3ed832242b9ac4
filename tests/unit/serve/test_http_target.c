/* A request's target, as a table: what it means, or that it means nothing. */
#include "../unit.h"

#include "serve/http_target.h"

/* Its parts, joined: segments by "|", behind " ? " the query as name=value by "|". */
static char *parsed(const char *target)
{
    AUTO_VALUE(StrList) segments = {0};
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(StrList) values = {0};
    AUTO_VALUE(Buf) text = {0};
    if (!http_target_parse(target, &segments, &names, &values))
        return NULL;
    assert_int_equal(names.count, values.count);
    for (size_t i = 0; i < segments.count; i++)
        buf_printf(&text, "%s%s", i ? "|" : "", segments.items[i]);
    for (size_t i = 0; i < names.count; i++)
        buf_printf(&text, "%s%s=%s", i ? "|" : " ? ", names.items[i], values.items[i]);
    return buf_steal_str(&text);
}

static const struct {
    const char *target, *meaning; /* NULL: none */
} cases[] = {
    {"/", ""},
    {"/a", "a"},
    {"/a/b", "a|b"},
    {"/a%2Fb/c", "a/b|c"},
    {"/a%20b+c", "a b+c"},
    {"/%E2%82%AC", "\xe2\x82\xac"},
    {"/\xe2\x82\xac", "\xe2\x82\xac"},
    {"/...", "..."},
    {"/.a", ".a"},
    {"/a%25", "a%"},
    {"/a;b=c@d:e$f", "a;b=c@d:e$f"},
    {"/a#b", "a#b"},
    {"/a?", "a"},
    {"/a?b", "a ? b="},
    {"/a?b=c", "a ? b=c"},
    {"/a?b=c=d", "a ? b=c=d"},
    {"/a?b=c&d", "a ? b=c|d="},
    {"/a?&&b=1&", "a ? b=1"},
    {"/a?=c", "a ? =c"},
    {"/a?b=%26%3D+x", "a ? b=&= x"},
    {"/a?b=c?d/../e", "a ? b=c?d/../e"},
    {"/a?b=1&b=2", "a ? b=1|b=2"},
    {"", NULL},
    {"a", NULL},
    {"*", NULL},
    {"?a=b", NULL},
    {"http://host/a", NULL},
    {"//", NULL},
    {"/a/", NULL},
    {"/a//b", NULL},
    {"/.", NULL},
    {"/..", NULL},
    {"/a/../b", NULL},
    {"/%2e", NULL},
    {"/%2E%2e/b", NULL},
    {"/.%2e", NULL},
    {"/%", NULL},
    {"/%4", NULL},
    {"/%zz", NULL},
    {"/% 41", NULL},
    {"/%+1", NULL},
    {"/%00", NULL},
    {"/a%0d%0aX:y", NULL},
    {"/a%7f", NULL},
    {"/a\x01", NULL},
    {"/a%c2%85", NULL}, /* a control character beyond ASCII */
    {"/a%c2%a0", "a\xc2\xa0"},
    {"/%ff", NULL},
    {"/%c0%ae%c0%ae", NULL},
    {"/%c1%bf", NULL},
    {"/%e0%80%af", NULL},
    {"/%e0%9f%bf", NULL},
    {"/%e0%a0%80", "\xe0\xa0\x80"},
    {"/%ed%9f%bf", "\xed\x9f\xbf"},
    {"/%ed%a0%80", NULL},
    {"/%f0%8f%bf%bf", NULL},
    {"/%f0%90%80%80", "\xf0\x90\x80\x80"},
    {"/%f4%8f%bf%bf", "\xf4\x8f\xbf\xbf"},
    {"/%f4%90%80%80", NULL},
    {"/%f5%80%80%80", NULL},
    {"/%80", NULL},
    {"/%e2%82", NULL},
    {"/%e2%82/a", NULL},
    {"/a?b=%", NULL},
    {"/a?b=%00", NULL},
    {"/a?%ff=b", NULL},
    {"/a?b=%c2", NULL},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(char) meaning = parsed(cases[i].target);
        bool same = meaning && cases[i].meaning ? !strcmp(meaning, cases[i].meaning)
                                                : !meaning == !cases[i].meaning;
        if (!same)
            print_error("%s means \"%s\"\n", cases[i].target, meaning ? meaning : "(nothing)");
        assert_true(same);
    }
}

/* Every character, written as %XX, comes back as itself, and only what may not be in a name does
 * not. */
static void test_every_byte(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        AUTO(char) target = mem_printf("/x%%%02x", c);
        AUTO(char) meaning = parsed(target);
        if (c >= 0x20 && c < 0x7f) {
            assert_non_null(meaning);
            assert_int_equal(meaning[1], c);
            assert_int_equal(strlen(meaning), 2);
        } else {
            assert_null(meaning);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
