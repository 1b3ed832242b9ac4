#include "../unit.h"

#include "base/buf.h"
#include "pg/load_objects.h"
#include "pg/load_statement.h"

static void expect_target(const char *stmt, const char *schema, const char *table, const char *text,
                          const char *columns)
{
    AUTO_VALUE(LoadTarget) t = {0};
    OK(load_target_parse(stmt, &t));
    assert_string_equal(t.schema, schema);
    assert_string_equal(t.table, table);
    assert_string_equal(t.text, text);
    assert_string_equal(t.columns, columns);
}

static void test_targets(void **state)
{
    (void)state;
    expect_target("COPY app.texts (id, what) FROM stdin;\n", "app", "texts", "app.texts",
                  "(id, what)");
    expect_target("COPY app.zero  FROM stdin;\n", "app", "zero", "app.zero", "");
    expect_target("COPY \"a.b \"\"q\"\"\".\"t (x) FROM\" (\"c)\", \"d,\"\"e\") FROM stdin;\n",
                  "a.b \"q\"", "t (x) FROM", "\"a.b \"\"q\"\"\".\"t (x) FROM\"",
                  "(\"c)\", \"d,\"\"e\")");
    expect_target("COPY \"n\nl\".\"t\tt\" (\"c\nd\") FROM stdin;\n", "n\nl", "t\tt",
                  "\"n\nl\".\"t\tt\"", "(\"c\nd\")");
    expect_target("COPY s.\"\xc5\xbe\" (a) FROM stdin;", "s", "\xc5\xbe", "s.\"\xc5\xbe\"", "(a)");
}

static void test_refused_statements(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "COPY",
        "COPY t (a) FROM stdin;\n",
        "COPY s.t (a FROM stdin;\n",
        "COPY \"s.t (a) FROM stdin;\n",
        "COPY s.t (a) FROM stdin; DROP TABLE x;\n",
        "COPY s.t (a) FROM '/etc/passwd';\n",
        "COPY s.t (a) FROM PROGRAM 'x';\n",
        "COPY s.t (a) TO stdout;\n",
        "INSERT INTO s.t VALUES (1);\n",
        "COPY s. (a) FROM stdin;\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_VALUE(LoadTarget) t = {0};
        FAILS(ERR_ARCHIVE, load_target_parse(bad[i], &t));
    }
}

static void test_via_root(void **state)
{
    (void)state;
    AUTO_VALUE(LoadTarget) t = {0};
    OK(load_target_parse("COPY app.by_enum (m) FROM stdin;\n", &t));
    assert_true(load_via_root(&(TocEntry){.schema = "app", .tag = "by_enum_0"}, &t));
    assert_true(load_via_root(&(TocEntry){.schema = "other", .tag = "by_enum"}, &t));
    assert_false(load_via_root(&(TocEntry){.schema = "app", .tag = "by_enum"}, &t));
    assert_true(load_via_root(&(TocEntry){.schema = "app",
                                          .tag = "by_enum",
                                          .defn = "-- load via partition root app.by_enum"},
                              &t));
}

/* Records as text: "7:abc;" */
static Error *note_begin(void *ctx, uint32_t oid)
{
    buf_printf(ctx, "%u:", oid);
    return NULL;
}
static Error *note_bytes(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
    return NULL;
}
static Error *note_end(void *ctx)
{
    buf_add_str(ctx, ";");
    return NULL;
}

static void make_stream(Buf *b)
{
    buf_u32(b, 7);
    buf_u32(b, 3);
    buf_add(b, "abc", 3);
    buf_u32(b, 1);
    buf_add(b, "d", 1);
    buf_u32(b, 0);
    buf_u32(b, 3000000000u);
    buf_u32(b, 0);
    buf_u32(b, 0); /* an OID that is no OID: told on, for the server to refuse */
    buf_u32(b, 2);
    buf_add(b, "xy", 2);
    buf_u32(b, 0);
}

static void test_object_records(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) stream = {0};
    make_stream(&stream);
    for (size_t portion = 1; portion <= stream.len; portion++) {
        AUTO_VALUE(Buf) seen = {0};
        ObjectRecords r = {.begin = note_begin, .bytes = note_bytes, .end = note_end, .ctx = &seen};
        for (size_t at = 0; at < stream.len; at += portion) {
            size_t n = stream.len - at < portion ? stream.len - at : portion;
            OK(object_records_feed(&r, stream.data + at, n));
        }
        OK(object_records_end(&r));
        AUTO(char) text = buf_steal_str(&seen);
        assert_string_equal(text, "7:abcd;3000000000:;0:xy;");
    }
}

static void test_object_records_cut_short(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) stream = {0};
    make_stream(&stream);
    size_t good = 0;
    for (size_t n = 0; n <= stream.len; n++) {
        AUTO_VALUE(Buf) seen = {0};
        ObjectRecords r = {.begin = note_begin, .bytes = note_bytes, .end = note_end, .ctx = &seen};
        OK(object_records_feed(&r, stream.data, n));
        Error *e = object_records_end(&r);
        good += e == NULL;
        if (e)
            assert_int_equal(error_kind(e), ERR_DAMAGED);
        error_free(e);
    }
    assert_int_equal(good, 4); /* before, between and behind the three */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_refused_statements),
        cmocka_unit_test(test_via_root),
        cmocka_unit_test(test_object_records),
        cmocka_unit_test(test_object_records_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
