#include "../unit.h"

#include "op/sync_batch.h"

#define HEAD "{\"sessionId\":\"s\",\"seq\":1,"
#define TABLE "\"table\":{\"schema\":\"public\",\"name\":\"t\",\"columns\":[\"a\",\"b\"]},"

static void read_ok(const char *json, SyncBatch *out)
{
    OK(sync_batch_read(json, strlen(json), out));
}

/* The rows of a batch that begins with `open`; NULL where they are refused. */
static char *rows_of(const char *json, uint32_t *open, uint64_t *count)
{
    AUTO_VALUE(SyncBatch) b = {0};
    Buf text = {0};
    read_ok(json, &b);
    Error *e = sync_batch_rows(&b, open, &text, count);
    if (!e)
        return buf_steal_str(&text);
    assert_int_equal(error_kind(e), ERR_USAGE);
    error_free(e);
    buf_free(&text);
    return NULL;
}

static void rows_are(const char *rows, const char *expected)
{
    AUTO(char) json = mem_printf(HEAD TABLE "\"rows\":%s}", rows);
    uint32_t open = SYNC_BATCH_CLOSED;
    uint64_t count, lines = 0;
    AUTO(char) text = rows_of(json, &open, &count);
    if (!expected) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_string_equal(text, expected);
    for (const char *p = expected; *p; p++)
        lines += *p == '\n';
    assert_int_equal(count, lines);
    assert_int_equal(open, SYNC_BATCH_CLOSED);
}

static void test_values(void **state)
{
    (void)state;
    rows_are("[]", "");
    rows_are("[[\"1\",null]]", "1\t\\N\n");
    rows_are(" [ [ \"\" , \"x\" ] , [null,null] ] ", "\tx\n\\N\t\\N\n");
    /* Everything that COPY escapes, and what only looks as if it were escaped. */
    rows_are("[[\"\\t\\n\\r\\b\\f\\u000b\\\\\",\"\\\\N\"]]", "\\t\\n\\r\\b\\f\\v\\\\\t\\\\N\n");
    rows_are("[[\"\\\\.\",\"\\u0001\\u007f\\/\\\"\"]]", "\\\\.\t\x01\x7f/\"\n");
    rows_are("[[\"\\u00e9\\u20ac\",\"\\ud83d\\ude00 \xf0\x9f\x98\x80\"]]",
             "\xc3\xa9\xe2\x82\xac\t\xf0\x9f\x98\x80 \xf0\x9f\x98\x80\n");
}

static void test_wrong_rows(void **state)
{
    (void)state;
    const char *const wrong[] = {"[[\"1\"]]",
                                 "[[\"1\",\"2\",\"3\"]]",
                                 "[[]]",
                                 "[[\"1\",2]]",
                                 "[[\"1\",true]]",
                                 "[[\"1\",[]]]",
                                 "[[\"1\",{}]]",
                                 "[[\"1\",nul]]",
                                 "[[\"1\",\"2\"],]",
                                 "[[\"1\",\"2\",]]",
                                 "[[\"1\" \"2\"]]",
                                 "[\"1\",\"2\"]",
                                 "{}",
                                 "\"rows\"",
                                 "null",
                                 "[[\"\\u0000\",\"2\"]]",
                                 "[[\"\\ud800\",\"2\"]]",
                                 "[[\"\\udc00\\ud800\",\"2\"]]",
                                 "[[\"\\ud800x\",\"2\"]]",
                                 "[[\"\\u12\",\"2\"]]",
                                 "[[\"\\x\",\"2\"]]",
                                 "[[\"a\tb\",\"2\"]]",
                                 "[[\"a\nb\",\"2\"]]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        rows_are(wrong[i], NULL);
}

static void test_a_value_goes_on(void **state)
{
    (void)state;
    uint32_t open = SYNC_BATCH_CLOSED;
    uint64_t count;
    AUTO(char)
    first =
        rows_of(HEAD TABLE "\"rows\":[[\"1\",\"2\"],[\"3\\\\\"]],\"more\":true}", &open, &count);
    assert_string_equal(first, "1\t2\n3\\\\");
    assert_int_equal(open, 0);
    assert_int_equal(count, 1);
    AUTO(char) second = rows_of(HEAD TABLE "\"rows\":[[\"N\"]],\"more\":true}", &open, &count);
    assert_string_equal(second, "N");
    assert_int_equal(open, 0);
    assert_int_equal(count, 0);
    AUTO(char) third = rows_of(HEAD TABLE "\"rows\":[[\"\",\"4\"]],\"more\":true}", &open, &count);
    assert_string_equal(third, "\t4");
    assert_int_equal(open, 1);
    AUTO(char) last = rows_of(HEAD TABLE "\"rows\":[[\"!\"],[null,\"6\"]]}", &open, &count);
    assert_string_equal(last, "!\n\\N\t6\n");
    assert_int_equal(open, SYNC_BATCH_CLOSED);
    assert_int_equal(count, 2);
}

static void test_what_cannot_go_on(void **state)
{
    (void)state;
    const char *const wrong[] = {
        HEAD TABLE "\"rows\":[[\"1\",\"2\",\"3\"]]}",
        HEAD TABLE "\"rows\":[[]]}",
        HEAD TABLE "\"rows\":[[null,\"2\"]]}",
        HEAD TABLE "\"rows\":[]}",
        HEAD TABLE "\"rows\":[[\"1\",null]],\"more\":true}",
        HEAD TABLE "\"rows\":[],\"more\":true}",
        HEAD "\"last\":true}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint32_t open = 0;
        uint64_t count;
        assert_null(rows_of(wrong[i], &open, &count));
    }
    /* A row that is not open is whole. */
    uint32_t open = SYNC_BATCH_CLOSED;
    uint64_t count;
    assert_null(rows_of(HEAD TABLE "\"rows\":[[\"1\"],[\"2\",\"3\"]]}", &open, &count));
    assert_null(rows_of(HEAD TABLE "\"rows\":[[null]],\"more\":true}", &open, &count));
}

static void test_a_table_without_columns(void **state)
{
    (void)state;
    uint32_t open = SYNC_BATCH_CLOSED;
    uint64_t count;
    AUTO(char)
    text =
        rows_of(HEAD "\"table\":{\"schema\":\"s\",\"name\":\"n\",\"columns\":[]},\"rows\":[[],[]]}",
                &open, &count);
    assert_string_equal(text, "\n\n");
    assert_int_equal(count, 2);
}

static void test_members(void **state)
{
    (void)state;
    AUTO_VALUE(SyncBatch) b = {0};
    /* In any order; the rows are no part of the head. */
    read_ok("{\"rows\":[[\"1\",null]]," TABLE
            "\"seq\":7,\"attempt\":3,\"sessionId\":\"x\",\"more\":true}",
            &b);
    assert_string_equal(b.session, "x");
    assert_int_equal(b.seq, 7);
    assert_int_equal(b.attempt, 3);
    assert_int_equal(b.columns, 2);
    assert_true(b.more && !b.last);
    assert_false(doc_has(b.head, "rows"));
    sync_batch_clear(&b);
    read_ok(HEAD "\"last\":true,\"tables\":[{\"schema\":\"s\",\"name\":\"n\",\"rows\":0,\"sha256\":"
                 "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}],"
                 "\"sequences\":[{\"schema\":\"s\",\"name\":\"q\",\"value\":-5,\"called\":true}]}",
            &b);
    assert_true(b.last);
    assert_int_equal(b.attempt, 1);
}

static void test_hostile(void **state)
{
    (void)state;
    AUTO(char) deep = mem_zalloc(100000);
    memset(deep, '[', 99999);
    AUTO(char) in_rows = mem_printf(HEAD TABLE "\"rows\":%s", deep);
    AUTO(char) long_name = mem_zalloc(1000);
    memset(long_name, 'n', 999);
    AUTO(char)
    named = mem_printf(
        HEAD "\"table\":{\"schema\":\"s\",\"name\":\"%s\",\"columns\":[]},\"rows\":[]}", long_name);
    const char *const wrong[] = {
        "",
        " ",
        "{",
        "}",
        "[]",
        "null",
        "\"\"",
        "{}",
        "{\"sessionId\":\"s\"}",
        "{\"seq\":1}",
        "{\"sessionId\":\"s\",\"seq\":0}",
        "{\"sessionId\":\"s\",\"seq\":-1}",
        "{\"sessionId\":\"s\",\"seq\":\"1\"}",
        "{\"sessionId\":\"s\",\"seq\":1.5}",
        "{\"sessionId\":\"s\",\"seq\":1,\"attempt\":0}",
        "{\"sessionId\":\"s\",\"seq\":99999999999999999999}",
        "{\"sessionId\":1,\"seq\":1}",
        HEAD "\"seq\":2}",
        HEAD "\"x\":1}",
        HEAD "\"rows\":[]}",
        HEAD "\"table\":{\"schema\":\"s\",\"name\":\"n\",\"columns\":[]}}",
        HEAD TABLE "\"rows\":[],\"rows\":[]}",
        HEAD TABLE "\"\\u0072ows\":[]}",
        HEAD "\"table\":{\"schema\":\"s\",\"name\":\"n\"},\"rows\":[]}",
        HEAD "\"table\":{\"schema\":\"\",\"name\":\"n\",\"columns\":[]},\"rows\":[]}",
        HEAD "\"table\":{\"schema\":\"s\",\"name\":\"n\",\"columns\":[\"\"]},\"rows\":[]}",
        HEAD "\"table\":{\"schema\":\"s\",\"name\":\"n\",\"columns\":[1]},\"rows\":[]}",
        HEAD "\"table\":{\"schema\":\"s\",\"name\":\"n\\u0000\",\"columns\":[]},\"rows\":[]}",
        HEAD "\"table\":{\"schema\":\"s\",\"name\":\"n\",\"columns\":[],\"x\":1},\"rows\":[]}",
        HEAD "\"tables\":[1]}",
        HEAD "\"tables\":[{\"schema\":\"s\",\"name\":\"n\",\"rows\":1}]}",
        HEAD "\"tables\":[{\"schema\":\"s\",\"name\":\"n\",\"rows\":1,\"sha256\":\"zz\"}]}",
        HEAD "\"tables\":[{\"schema\":\"s\",\"name\":\"n\",\"rows\":-1,\"sha256\":"
             "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}]}",
        HEAD "\"sequences\":[{\"schema\":\"s\",\"name\":\"q\",\"value\":\"5\",\"called\":true}]}",
        HEAD "\"relations\":[1]}",
        HEAD "\"source\":{\"x\":1}}",
        "{\"sessionId\":\"s\",\"seq\":2,\"source\":{}}",
        HEAD "\"more\":true}",
        HEAD "\"last\":1}",
        HEAD "\"last\":true} x",
        HEAD "\"last\":true}}",
        HEAD "\"last\":true,}",
        "\xef\xbb\xbf{}",
        HEAD "\"last\":\xff}",
        deep,
        in_rows,
        named,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        AUTO_VALUE(SyncBatch) b = {0};
        Error *e = sync_batch_read(wrong[i], strlen(wrong[i]), &b);
        if (!e)
            fail_msg("it was taken: %.200s", wrong[i]);
        assert_int_equal(error_kind(e), ERR_USAGE);
        error_free(e);
    }
    AUTO(char) large = mem_zalloc(SYNC_BATCH_MAX + 2);
    AUTO_VALUE(SyncBatch) b = {0};
    memset(large, ' ', SYNC_BATCH_MAX + 1);
    FAILS(ERR_LIMIT, sync_batch_read(large, SYNC_BATCH_MAX + 1, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong_rows),
        cmocka_unit_test(test_a_value_goes_on),
        cmocka_unit_test(test_what_cannot_go_on),
        cmocka_unit_test(test_a_table_without_columns),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
