#include "../unit.h"

#include "pg/filter_spec.h"
#include "pg/source.h"

static void parsed(const char *given, size_t least, size_t most, const char *names,
                   const char *text)
{
    AUTO_VALUE(FilterSpec) s = {0};
    OK(filter_spec_parse("--where", given, least, most, &s));
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < s.name.count; i++)
        buf_printf(&b, "%s%s", i ? "|" : "", s.name.items[i]);
    AUTO(char) joined = buf_steal_str(&b);
    assert_string_equal(joined, names);
    assert_string_equal(s.text, text);
}

static void refused(const char *given, const char *word)
{
    AUTO_VALUE(FilterSpec) s = {0};
    AUTO(Error) e = filter_spec_parse("--where", given, 1, 2, &s);
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_USAGE);
    if (!strstr(error_message(e), word))
        fail_msg("%s: %s", given, error_message(e));
}

static void test_parse(void **state)
{
    (void)state;
    parsed("a.b: x = 1", 1, 2, "a|b", "x = 1");
    parsed(" \"A.\"\"b\" . c:x", 1, 2, "A.\"b|c", "x");
    parsed("a.b.c: 'x: y'::text", 2, 3, "a|b|c", "'x: y'::text");
    parsed("a: x IN (SELECT ')') AND $$;$$ <> ';'", 1, 2, "a",
           "x IN (SELECT ')') AND $$;$$ <> ';'");
    parsed("t: x -- ) ;\n = 1", 1, 2, "t", "x -- ) ;\n = 1");
    refused("a.b", "form");
    refused("a.b.c: x", "form");
    refused("a::b", "form");
    refused(": x", "form");
    refused("", "form");
    refused("a.b:  -- nothing", "empty");
    refused("a.b: x; y", "semicolon");
    refused("a.b: x) OR (y", "closing");
    refused("a.b: (x", "opening");
    /* As the server reads it: a comment ends with either line break, and an escaped string that
     * goes on behind one is still an escaped string. */
    refused("a.b: true --\r) OR (true", "closing");
    refused("a.b: E'a'\n'\\'' ) OR (E'\\''", "closing");
    refused("a.b: E'a' -- more\n '\\'' ) OR (E'\\''", "closing");
    parsed("a.b: x = E'a\\'' 'b\\'", 1, 2, "a|b", "x = E'a\\'' 'b\\'");
}

static void fixed(const char *expression, const char *wanted)
{
    AUTO(char) text = filter_fix_time(expression, "T'");
    assert_string_equal(text, wanted);
}

static void test_time(void **state)
{
    (void)state;
    fixed("a > now() - b", "a > ('T'''::pg_catalog.timestamptz) - b");
    fixed("Current_Date", "('T'''::pg_catalog.timestamptz::pg_catalog.date)");
    fixed("x < LOCALTIMESTAMP AND y",
          "x < ('T'''::pg_catalog.timestamptz::pg_catalog.timestamp) AND y");
    /* What only looks like it stays. */
    fixed("now + t.now() || 'now()' || \"now\"() -- now()",
          "now + t.now() || 'now()' || \"now\"() -- now()");
    fixed("current_timestamp(3), now(1), current_date_of", "current_timestamp(3), now(1), "
                                                           "current_date_of");
    fixed("", "");
}

static void test_functions(void **state)
{
    (void)state;
    AUTO_VALUE(StrList) names = {0};
    filter_functions("Random () < 1 AND a.\"F\"(x) AND 'g(' || y IN (1)", &names);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.items[0], "random");
    assert_string_equal(names.items[1], "a.F");
    assert_string_equal(names.items[2], "in");
}

static void test_sources(void **state)
{
    (void)state;
    Source s = {.qualified = "a.b", .columns = "x, y", .condition = "", .relkind = 'r'};
    assert_false(source_is_filtered(&s));
    s.where = (char *)"(\nx > 1 -- z\n)";
    s.with = (char *)"";
    assert_true(source_is_filtered(&s));
    AUTO(char) range = source_copy_sql(&s, 8, 16);
    assert_string_equal(range, "COPY (SELECT x, y FROM ONLY a.b WHERE ctid >= '(8,0)' AND ctid < "
                               "'(16,0)' AND (\nx > 1 -- z\n)) TO STDOUT");
    /* An extension's own condition, with an OR in it, and a mask. */
    s.condition = (char *)"WHERE x OR y";
    s.as = (char *)"root";
    s.values = (char *)"x, CAST((\nNULL\n) AS text)";
    AUTO(char) whole = source_copy_sql(&s, 0, 0);
    assert_string_equal(whole,
                        "COPY (SELECT x, CAST((\nNULL\n) AS text) FROM ONLY a.b AS root WHERE "
                        "( x OR y\n) AND (\nx > 1 -- z\n)) TO STDOUT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
