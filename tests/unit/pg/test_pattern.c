#include "../unit.h"

#include "pg/pattern.h"

static bool matches(const char *pattern, const char *schema, const char *name)
{
    AUTO_VALUE(Pattern) p = {0};
    OK(pattern_parse(pattern, &p));
    return pattern_matches(&p, schema, name);
}

static void test_plain_names(void **state)
{
    (void)state;
    assert_true(matches("orders", "shop", "orders"));
    assert_true(matches("orders", "", "orders"));
    assert_true(matches("ORDERS", "shop", "orders"));
    assert_false(matches("orders", "shop", "Orders"));
    assert_false(matches("orders", "shop", "orders2"));
    assert_false(matches("orders", "shop", "order"));
    assert_true(matches("shop.orders", "shop", "orders"));
    assert_false(matches("shop.orders", "shop2", "orders"));
    assert_true(matches("Shop.oRders", "shop", "orders"));
    assert_true(matches("a$b", "x", "a$b"));
    assert_true(matches("a-b c", "x", "a-b c"));
}

static void test_wildcards(void **state)
{
    (void)state;
    assert_true(matches("*", "a", "anything"));
    assert_true(matches("audit_*", "a", "audit_"));
    assert_true(matches("audit_*", "a", "audit_2024"));
    assert_false(matches("audit_*", "a", "my_audit_2024"));
    assert_true(matches("*_log", "a", "app_log"));
    assert_true(matches("*a*b*", "a", "xxaxxaxbx"));
    assert_false(matches("*a*b", "a", "xxaxxbx"));
    assert_true(matches("a**b", "a", "ab"));
    assert_true(matches("t?", "a", "t1"));
    assert_false(matches("t?", "a", "t"));
    assert_false(matches("t?", "a", "t12"));
    assert_true(matches("*.t*", "any", "t"));
    assert_true(matches("s*.t", "shop", "t"));
    assert_false(matches("s*.t", "app", "t"));
    assert_true(matches("t[0-9a-cx]", "a", "t7"));
    assert_true(matches("t[0-9a-cX]", "a", "tx"));
    assert_false(matches("t[0-9a-c]", "a", "td"));
    assert_true(matches("t[^0-9]", "a", "tz"));
    assert_false(matches("t[^0-9]", "a", "t5"));
    assert_true(matches("t[]x]", "a", "t]"));
    /* one character, not one byte */
    assert_true(matches("caf?", "a", "caf\xc3\xa9"));
    assert_true(matches("[\xc3\xa0-\xc3\xbf]", "a", "\xc3\xa9"));
    /* bytes of another encoding */
    assert_true(matches("caf?", "a", "caf\xe9"));
    assert_true(matches("caf\xe9", "a", "caf\xe9"));
}

static void test_quotes(void **state)
{
    (void)state;
    assert_true(matches("\"Orders\"", "shop", "Orders"));
    assert_false(matches("\"Orders\"", "shop", "orders"));
    assert_true(matches("\"a*b\"", "x", "a*b"));
    assert_false(matches("\"a*b\"", "x", "axb"));
    assert_true(matches("\"a.b\"", "x", "a.b"));
    assert_true(matches("\"My.Schema\".\"T?\"", "My.Schema", "T?"));
    assert_true(matches("\"say \"\"hi\"\"\"", "x", "say \"hi\""));
    assert_true(matches("\"Foo\"*", "x", "FooBar"));
    assert_false(matches("\"Foo\"*", "x", "foobar"));
    assert_true(matches("\"(a|b)+\"", "x", "(a|b)+"));
    assert_true(matches("\"a=b\"", "x", "a=b"));
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     ".",    "a.",   ".b",    "a.b.c", "\"a",
                                      "a\"b", "t[ab", "(a)",  "a|b",   "a+",    "a{2}",
                                      "^a",   "a\\b", "\"\"", "a.\"\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Pattern p = {0};
        FAILS(ERR_USAGE, pattern_parse(bad[i], &p));
    }
    Pattern p = {0};
    FAILS(ERR_USAGE, pattern_parse_single("a.b", &p));
    OK(pattern_parse_single("\"a.b\"", &p));
    assert_true(pattern_matches_name(&p, "a.b"));
    pattern_clear(&p);
}

static void test_plain_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool plain;
    } cases[] = {{"a.b", true}, {"a.*", false}, {"a?", false}, {"\"a*\"", true}, {"[a]", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_VALUE(Pattern) p = {0};
        OK(pattern_parse(cases[i].text, &p));
        assert_int_equal(pattern_is_plain(&p), cases[i].plain);
    }
}

static void test_new_names(void **state)
{
    (void)state;
    assert_string_equal(pattern_equals("a.b=c.d"), "=c.d");
    assert_string_equal(pattern_equals("\"a=b\"=c"), "=c");
    assert_null(pattern_equals("\"a=b\""));
    static const struct {
        const char *text, *schema, *name;
    } cases[] = {
        {"c.d", "c", "d"},
        {"D", NULL, "d"},
        {"\"C.c\".\"D\"\"d\"", "C.c", "D\"d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(char) schema = NULL;
        AUTO(char) name = NULL;
        OK(pattern_name(cases[i].text, &schema, &name));
        assert_string_equal(name, cases[i].name);
        if (cases[i].schema)
            assert_string_equal(schema, cases[i].schema);
        else
            assert_null(schema);
    }
    char *schema = NULL, *name = NULL;
    static const char *const bad[] = {
        "",
        "a.",
        ".a",
        "a.b.c",
        "\"a",
        "\"\"",
        "a123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        FAILS(ERR_USAGE, pattern_name(bad[i], &schema, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_names),  cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_quotes),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_plain_or_not), cmocka_unit_test(test_new_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
