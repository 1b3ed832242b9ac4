#include "../unit.h"

#include "pg/encoding.h"
#include "pg/json_value.h"

static Error *collect(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
    return NULL;
}

static void is(const char *base, const char *value, const char *expected)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(TextOut) out = {.take = collect, .ctx = &b};
    /* A copy of its own, so that the sanitizers see every byte read too far. */
    char *exact = mem_dup(value, strlen(value) + !*value);
    OK(json_value(&out, json_value_type(base), exact, strlen(value)));
    OK(text_out_flush(&out));
    free(exact);
    AUTO(char) got = buf_steal_str(&b);
    assert_string_equal(got, expected);
    assert_true(json_value_is_document(got, strlen(got)));
}

static void refused(const char *base, const char *value)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(TextOut) out = {.take = collect, .ctx = &b};
    FAILS(ERR_DAMAGED, json_value(&out, json_value_type(base), value, strlen(value)));
}

static void test_scalars(void **state)
{
    (void)state;
    is("bool", "t", "true");
    is("bool", "f", "false");
    is("int8", "-9223372036854775808", "-9223372036854775808");
    is("numeric", "1234567890123456789012345.00", "1234567890123456789012345.00");
    is("float8", "1e-05", "1e-05");
    is("float8", "-0", "-0");
    is("float4", "NaN", "\"NaN\"");
    is("numeric", "-Infinity", "\"-Infinity\"");
    is("text", "", "\"\"");
    is("text", "a\"b\\c\b\f\n\r\t\x01\x7f/", "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\x7f/\"");
    is("", "(1,2)", "\"(1,2)\"");
    is("bytea", "\\x00ff", "\"\\\\x00ff\"");
    is("text", "\xe6\x97\xa5\xf0\x9f\x98\x80", "\"\xe6\x97\xa5\xf0\x9f\x98\x80\"");
    refused("bool", "true");
    refused("bool", "");
    refused("text", "\xff");
    refused("text", "\xed\xa0\x80"); /* half of a pair */
    refused("text", "caf\xc3");
}

static void test_times(void **state)
{
    (void)state;
    is("timestamp", "2024-01-15 10:30:00", "\"2024-01-15T10:30:00\"");
    is("timestamp", "2024-01-15 10:30:00.123456", "\"2024-01-15T10:30:00.123456\"");
    is("timestamptz", "2024-01-15 10:30:00.5+00", "\"2024-01-15T10:30:00.5Z\"");
    is("timestamptz", "2024-01-15 10:30:00+02", "\"2024-01-15 10:30:00+02\"");
    is("timestamptz", "0044-03-15 12:00:00+00 BC", "\"0044-03-15 12:00:00+00 BC\"");
    is("timestamp", "10000-01-01 00:00:00", "\"10000-01-01 00:00:00\"");
    is("timestamp", "infinity", "\"infinity\"");
    is("timestamp", "", "\"\"");
    is("date", "2024-01-15", "\"2024-01-15\"");
}

static void test_documents(void **state)
{
    (void)state;
    is("jsonb", "{\"a\": [1, 2.50, null], \"b\": {}}", "{\"a\": [1, 2.50, null], \"b\": {}}");
    is("json", "{\n\"k\" : 1,\r\n\t\"k\":2}", "{ \"k\" : 1,  \t\"k\":2}");
    is("json", "\"\\u0000 \\ud800\"", "\"\\u0000 \\ud800\"");
    is("jsonb", "null", "null");
    is("json", " [ [ ] , { } ] ", " [ [ ] , { } ] ");
    static const char *const bad[] = {"",
                                      "{",
                                      "}",
                                      "[1,]",
                                      "[,1]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{1:2}",
                                      "1 2",
                                      "nul",
                                      "truee",
                                      "01",
                                      "1.",
                                      ".5",
                                      "-",
                                      "1e",
                                      "\"a",
                                      "\"\\x\"",
                                      "\"\n\"",
                                      "[1}",
                                      "{\"a\":1]",
                                      "\"\\u12g4\"",
                                      "1e+",
                                      "[1]]",
                                      "\"\xff\"",
                                      "\"\\",
                                      "[",
                                      "{\"a\":1 \"b\":2}",
                                      "+1",
                                      "[1 2]",
                                      "\"\\u12"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *exact = mem_dup(bad[i], strlen(bad[i]) + !*bad[i]);
        if (json_value_is_document(exact, strlen(bad[i])))
            print_error("taken for JSON: %s\n", bad[i]);
        assert_false(json_value_is_document(exact, strlen(bad[i])));
        free(exact);
    }
    refused("json", "[1,]");
    /* As deep as a server takes it. */
    AUTO_VALUE(Buf) deep = {0};
    for (int i = 0; i < 100000; i++)
        buf_u8(&deep, '[');
    assert_false(json_value_is_document((char *)deep.data, deep.len));
    for (int i = 0; i < 100000; i++)
        buf_u8(&deep, ']');
    assert_true(json_value_is_document((char *)deep.data, deep.len));
}

static void test_arrays(void **state)
{
    (void)state;
    is("_int4", "{}", "[]");
    is("_int4", "{1,NULL,-3}", "[1,null,-3]");
    is("_numeric", "{{1.10,NaN},{2,3}}", "[[1.10,\"NaN\"],[2,3]]");
    is("_text", "{a,\"b c\",\"\",NULL,\"NULL\",\"q\\\"\\\\,{}\"}",
       "[\"a\",\"b c\",\"\",null,\"NULL\",\"q\\\"\\\\,{}\"]");
    is("_bool", "{t,f}", "[true,false]");
    is("_timestamptz", "{\"2024-01-15 10:30:00+00\"}", "[\"2024-01-15T10:30:00Z\"]");
    is("_bytea", "{\"\\\\x00ff\"}", "[\"\\\\x00ff\"]");
    is("_int4", "[0:1]={1,2}", "\"[0:1]={1,2}\"");
    is("_box", "{(1,1),(0,0);(2,2),(0,0)}", "\"{(1,1),(0,0);(2,2),(0,0)}\"");
    is("_jsonb", "{\"null\",NULL}", "\"{\\\"null\\\",NULL}\"");
    /* Nothing that a server writes: the text as it is. */
    static const char *const odd[] = {"{",    "}",    "{1", "{1,}", "{,}",
                                      "{1}}", "{1}x", "",   "1",    "{a\"b\"}"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        AUTO_VALUE(Buf) quoted = {0};
        AUTO_VALUE(TextOut) out = {.take = collect, .ctx = &quoted};
        OK(json_text_string(&out, odd[i], strlen(odd[i])));
        OK(text_out_flush(&out));
        AUTO(char) expected = buf_steal_str(&quoted);
        is("_text", odd[i], expected);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(json_value_type_name(json_value_type("int4")), "number");
    assert_string_equal(json_value_type_name(json_value_type("_int4")), "array of number");
    assert_string_equal(json_value_type_name(json_value_type("jsonb")), "json");
    assert_string_equal(json_value_type_name(json_value_type("_jsonb")), "text");
    assert_string_equal(json_value_type_name(json_value_type("enum")), "text");
    assert_string_equal(json_value_type_name(json_value_type("_varchar")), "array of text");
}

static void test_encodings(void **state)
{
    (void)state;
    static const struct {
        const char *name, *from, *to;
    } pairs[] = {{"LATIN1", "Gr\xfc\xdf", "Gr\xc3\xbc\xc3\x9f"},
                 {"LATIN9", "\xa4", "\xe2\x82\xac"},
                 {"WIN1251", "\xcf", "\xd0\x9f"},
                 {"SQL_ASCII", "\x80\xff", "\xc2\x80\xc3\xbf"},
                 {"EUC_JP", "\xc6\xfc", "\xe6\x97\xa5"}};
    AUTO_VALUE(Buf) out = {0};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        AUTO(Encoding) e = NULL;
        OK(encoding_open(pairs[i].name, &e));
        for (int again = 0; again < 2; again++) {
            OK(encoding_to_utf8(e, pairs[i].from, strlen(pairs[i].from), &out));
            assert_int_equal(out.len, strlen(pairs[i].to));
            assert_memory_equal(out.data, pairs[i].to, out.len);
        }
        OK(encoding_to_utf8(e, "", 0, &out));
        assert_int_equal(out.len, 0);
    }
    /* Every byte of three becomes three: the buffer grows on the way. */
    AUTO(Encoding) wide = NULL;
    OK(encoding_open("LATIN9", &wide));
    char bytes[5000];
    memset(bytes, 0xa4, sizeof bytes);
    OK(encoding_to_utf8(wide, bytes, sizeof bytes, &out));
    assert_int_equal(out.len, 3 * sizeof bytes);
    AUTO(Encoding) none = NULL;
    FAILS(ERR_PREFLIGHT, encoding_open("MULE_INTERNAL", &none));
    AUTO(Encoding) japanese = NULL;
    OK(encoding_open("EUC_JP", &japanese));
    FAILS(ERR_DAMAGED, encoding_to_utf8(japanese, "a\xc6", 2, &out));
    OK(encoding_to_utf8(japanese, "a", 1, &out)); /* nothing of the failure stays */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),   cmocka_unit_test(test_times),
        cmocka_unit_test(test_documents), cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_names),     cmocka_unit_test(test_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
