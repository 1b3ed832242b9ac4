#include "../unit.h"

#include "op/sync_schema.h"

#define COLUMN(name, type, more)                                                                   \
    "{\"name\":\"" name "\",\"type\":\"" type "\",\"base\":\"" type "\"" more "}"
#define KEY(column)                                                                                \
    "\"keys\":[{\"name\":\"k\",\"primary\":true,\"notNull\":true,\"columns\":[\"" column "\"]}]"
#define TABLE(oid, name, columns, more)                                                            \
    "{\"schema\":\"s\",\"name\":\"" name "\",\"oid\":" #oid                                        \
    ",\"kind\":\"r\",\"columns\":[" columns "]," more "}"
#define PLAIN(oid, name) TABLE(oid, name, COLUMN("id", "int4", ""), KEY("id"))

static Doc *database(const char *tables, const char *encoding)
{
    Doc *d = NULL;
    AUTO(char)
    text =
        mem_printf("{\"schemaVersion\":1,\"encoding\":\"%s\",\"tables\":[%s]}", encoding, tables);
    OK(doc_parse(text, strlen(text), "a description", &d));
    return d;
}

static SyncDifferences compared(const char *source, const char *target, SyncCompareOptions o)
{
    SyncDifferences l = {0};
    AUTO(Doc) a = database(source, "UTF8");
    AUTO(Doc) b = database(target, "UTF8");
    OK(sync_schema_compare(a, b, &o, &l));
    return l;
}

/* The differences as words: "kind table.column" of each, with ! where it is harmful. */
static void are(const char *source, const char *target, SyncCompareOptions o, const char *expected)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(SyncDifferences) l = compared(source, target, o);
    for (size_t i = 0; i < l.count; i++) {
        const SyncDifference *x = &l.items[i];
        buf_printf(&b, "%s%s%s %s%s%s", i ? "; " : "", sync_difference_word(x->kind),
                   x->harmless ? "" : "!", x->table ? x->table : "", x->column ? "." : "",
                   x->column ? x->column : "");
    }
    AUTO(char) text = buf_steal_str(&b);
    assert_string_equal(text, expected);
    AUTO(Error) e = sync_differences_error(&l);
    assert_int_equal(e != NULL, l.harmful > 0);
    if (e)
        assert_int_equal(error_kind(e), ERR_PREFLIGHT);
}

static void test_tables(void **state)
{
    (void)state;
    SyncCompareOptions o = {0};
    AUTO_VALUE(StrList) left_out = {0};
    are(PLAIN(1, "a"), PLAIN(7, "a"), o, "");
    are(PLAIN(1, "a") "," PLAIN(2, "b"), PLAIN(7, "a") "," PLAIN(8, "c"), o,
        "noTable! s.b; extraTable s.c");
    strlist_add(&left_out, "s.b*");
    o.exclude_tables = &left_out;
    are(PLAIN(1, "a") "," PLAIN(2, "b"), PLAIN(7, "a"), o, "");
    /* pgstow's own */
    are("{\"schema\":\"pgstow\",\"name\":\"sync_base\",\"oid\":1,\"kind\":\"r\"}", "", o, "");
}

static void test_no_tables(void **state)
{
    (void)state;
    AUTO_VALUE(SyncDifferences)
    none = compared(PLAIN(1, "a"), PLAIN(2, "b"), (SyncCompareOptions){0});
    AUTO_VALUE(SyncDifferences)
    some = compared(PLAIN(1, "a") "," PLAIN(2, "b"), PLAIN(2, "b"), (SyncCompareOptions){0});
    AUTO_VALUE(SyncDifferences) nothing = compared("", "", (SyncCompareOptions){0});
    assert_true(none.no_tables);
    assert_false(some.no_tables);
    assert_false(nothing.no_tables);
}

static void test_columns(void **state)
{
    (void)state;
    SyncCompareOptions o = {0}, ignore = {.ignore_extra_columns = true};
#define TWO(type, more) COLUMN("id", "int4", "") "," COLUMN("v", type, more)
#define OF(columns) TABLE(1, "a", columns, KEY("id"))
    are(OF(TWO("int4", "")), OF(TWO("int8", "")), o, "");
    are(OF(TWO("int8", "")), OF(TWO("int4", "")), o, "type! s.a.v");
    are(OF(TWO("int4", "")), OF(TWO("int4", ",\"generated\":true")), o, "generated! s.a.v");
    are(OF(TWO("int4", "")), PLAIN(1, "a"), o, "noColumn! s.a.v");
    are(OF(TWO("int4", "")), PLAIN(1, "a"), ignore, "noColumn s.a.v");
    /* Without a column of its key rows become the same. */
    are(TABLE(1, "a", TWO("int4", ""), KEY("v")), PLAIN(1, "a"), ignore, "noColumn! s.a.v");
    are(PLAIN(1, "a"), OF(TWO("int4", "")), o, "extraColumn s.a.v");
    are(PLAIN(1, "a"), OF(TWO("int4", ",\"notNull\":true")), ignore, "extraColumn! s.a.v");
    are(PLAIN(1, "a"),
        TABLE(1, "a", TWO("int4", ",\"notNull\":true"), KEY("id") ",\"defaults\":[\"v\"]"), o,
        "extraColumn s.a.v");
}

static void test_keys_and_kinds(void **state)
{
    (void)state;
    SyncCompareOptions o = {0}, keyless = {.keyless_too = true};
    const char *bare = TABLE(1, "a", COLUMN("id", "int4", ""), "\"keys\":[]");
    are(bare, bare, o, "noKey! s.a");
    are(bare, bare, keyless, "noKey s.a");
    are(PLAIN(1, "a"), TABLE(1, "a", COLUMN("id", "int4", ""), KEY("id") ",\"rules\":true"), o,
        "notMergeable! s.a");
    /* Partitions there, one table here. */
    static const char parts[] =
        TABLE(1, "a_1", COLUMN("id", "int4", ""), KEY("id") ",\"root\":9") "," TABLE(
            2, "a_2", COLUMN("id", "int4", ""), KEY("id") ",\"root\":9") ",{\"schema\":\"s\","
                                                                         "\"name\":\"a\",\"oid\":9,"
                                                                         "\"kind\":\"p\"}";
    are(parts, PLAIN(1, "a"), o, "");
    /* One of them left out: a mirror would delete what it is about. */
    AUTO_VALUE(StrList) left_out = {0};
    strlist_add(&left_out, "s.a_2");
    o.exclude_tables = &left_out;
    are(parts, PLAIN(1, "a"), o, "");
    o.mirror = true;
    are(parts, PLAIN(1, "a"), o, "partial! s.a_2");
    strlist_add(&left_out, "s.a_1");
    are(parts, PLAIN(1, "a"), o, "");
}

static void test_what_is_no_description(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}", "[]", "{\"schemaVersion\":2,\"tables\":[]}",
                                      "{\"schemaVersion\":1,\"tables\":{}}"};
    AUTO(Doc) good = database("", "UTF8");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO(Doc) d = NULL;
        AUTO_VALUE(SyncDifferences) l = {0};
        SyncCompareOptions o = {0};
        OK(doc_parse(bad[i], strlen(bad[i]), "a description", &d));
        FAILS(ERR_DAMAGED, sync_schema_compare(d, good, &o, &l));
        FAILS(ERR_DAMAGED, sync_schema_compare(good, d, &o, &l));
    }
    /* Entries that are no tables are harmless. */
    AUTO(Doc) odd = database("1, \"x\", {\"defaults\":[7]}, []", "UTF8");
    AUTO_VALUE(SyncDifferences) l = {0};
    SyncCompareOptions o = {0};
    OK(sync_schema_compare(odd, good, &o, &l));
    OK(sync_schema_compare(good, odd, &o, &l));
}

static void test_encodings(void **state)
{
    (void)state;
    AUTO(Doc) utf8 = database("", "UTF8");
    AUTO(Doc) latin = database("", "LATIN1");
    AUTO_VALUE(SyncDifferences) l = {0};
    SyncCompareOptions o = {0};
    OK(sync_schema_compare(latin, utf8, &o, &l));
    assert_int_equal(l.count, 0);
    OK(sync_schema_compare(utf8, latin, &o, &l));
    assert_int_equal(l.count, 1);
    AUTO(Doc) d = sync_differences_doc(&l);
    assert_string_equal(doc_str(doc_at(d, 0), "kind", ""), "encoding");
    assert_true(doc_bool(doc_at(d, 0), "harmless", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_keys_and_kinds),
        cmocka_unit_test(test_what_is_no_description),
        cmocka_unit_test(test_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
