#include "../unit.h"

#include <libgen.h>

#include "base/file.h"
#include "pg/part_rename.h"
#include "pg/restore_script.h"

static Toc *shop(void)
{
    Toc *t;
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) here = mem_strdup(__FILE__);
    AUTO(char) path = file_join(dirname(here), "data/shop15.toc");
    OK(file_read(path, 1 << 20, &b));
    OK(toc_parse(b.data, b.len, &t));
    return t;
}

static void add_header(Buf *b, const TocEntry *e)
{
    buf_printf(b, "--\n-- TOC entry %d (class %u OID %u)\n-- Name: x; Type: %s\n--\n\n", e->dump_id,
               e->table_oid, e->oid, e->desc);
}

static const char preamble[] = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n"
                               "SET statement_timeout = 0;\nSET row_security = off;\n\n";
static const char end[] = "-- Completed on 2024-01-15\n\n--\n-- PostgreSQL database dump complete\n"
                          "--\n\n\\unrestrict abc\n\n";

/* Each entry gets its statements; settings that stand before a header belong to what follows. */
static void test_split(void **state)
{
    (void)state;
    AUTO(Toc) t = shop();
    const TocEntry *schema = toc_first(t, "SCHEMA"), *table = toc_first(t, "TABLE"),
                   *view = toc_first(t, "VIEW");
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(RestoreScript) s = {0};
    buf_add_str(&b, preamble);
    add_header(&b, schema);
    buf_add_str(&b, "CREATE SCHEMA app;\n\n\nALTER SCHEMA app OWNER TO x;\n\n"
                    "SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n");
    add_header(&b, table);
    buf_add_str(&b, "CREATE TABLE shop.base (\n    a integer\n);\n\n\n");
    add_header(&b, view);
    buf_add_str(&b, "CREATE VIEW shop.v AS SELECT 1;\n\n\n");
    buf_add_str(&b, end);
    AUTO(char) text = buf_steal_str(&b);
    restore_script_split(t, text, &s);
    assert_int_equal(s.count, 3);
    assert_ptr_equal(s.steps[0].entry, schema);
    assert_ptr_equal(s.steps[1].entry, table);
    assert_ptr_equal(s.steps[2].entry, view);
    assert_null(strstr(s.steps[0].settings, "statement_timeout"));
    assert_null(strstr(s.steps[0].sql, "default_tablespace"));
    assert_non_null(strstr(s.steps[0].sql, "ALTER SCHEMA app OWNER TO x;"));
    assert_non_null(strstr(s.steps[1].settings, "SET default_tablespace = '';"));
    assert_non_null(strstr(s.steps[1].settings, "SET default_table_access_method = heap;"));
    assert_null(strstr(s.steps[1].settings, "ALTER SCHEMA"));
    assert_non_null(strstr(s.steps[1].sql, "CREATE TABLE"));
    assert_string_equal(s.steps[2].settings, "");
    assert_non_null(strstr(s.steps[2].sql, "CREATE VIEW"));
    for (size_t i = 0; i < s.count; i++) {
        assert_null(strstr(s.steps[i].sql, "\\unrestrict"));
        assert_null(strstr(s.steps[i].sql, "\\restrict"));
    }
}

/* What only looks like a header, or like the end, is a part of its statement. */
static void test_looks_like_it(void **state)
{
    (void)state;
    AUTO(Toc) t = shop();
    const TocEntry *function = toc_first(t, "FUNCTION");
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(RestoreScript) s = {0};
    buf_add_str(&b, preamble);
    add_header(&b, function);
    buf_printf(&b,
               "CREATE FUNCTION f() AS $$\n"
               "--\n-- TOC entry 99999999 (class 1 OID 1)\n" /* there is none */
               "--\n-- TOC entry %d (class 1 OID 1)\n"       /* other numbers */
               "x --\n-- TOC entry %d (class %u OID %u)\n"   /* not at the beginning */
               "--\n-- PostgreSQL database dump complete\n--\n"
               "SET default_tablespace = 'a'\n$$;\n\n",
               function->dump_id, function->dump_id, function->table_oid, function->oid);
    buf_add_str(&b, end);
    AUTO(char) text = buf_steal_str(&b);
    restore_script_split(t, text, &s);
    assert_int_equal(s.count, 1);
    assert_non_null(strstr(s.steps[0].sql, "SET default_tablespace = 'a'\n$$;"));
    assert_null(strstr(s.steps[0].sql, "unrestrict"));
}

static void test_nothing(void **state)
{
    (void)state;
    AUTO(Toc) t = shop();
    AUTO_VALUE(RestoreScript) s = {0};
    AUTO(char) text = mem_printf("%s%s", preamble, end);
    restore_script_split(t, text, &s);
    restore_script_split(t, "", &s);
    assert_int_equal(s.count, 0);
}

static void called(const char *name, const char *table, const char *new_table, unsigned number,
                   const char *expected)
{
    AUTO(char) got = part_rename_like(name, table, new_table, number);
    assert_string_equal(got, expected);
    assert_true(strlen(got) <= 63);
}

static void test_names_of_what_belongs_to_a_table(void **state)
{
    (void)state;
    called("orders_pkey", "orders", "old", 0, "old_pkey");
    called("orders_pkey", "orders", "old", 2, "old_pkey_2");
    called("by_note", "orders", "old", 0, "by_note");
    called("by_note", "orders", "old", 1, "by_note_1");
    called("orders2_pkey", "orders", "old", 0, "orders2_pkey");
    called("orders", "orders", "old", 0, "orders");
    /* 63 bytes, whole characters */
    char longest[64];
    memset(longest, 'x', 63);
    longest[63] = 0;
    AUTO(char) cut = part_rename_like("t_pkey", "t", longest, 12);
    assert_int_equal(strlen(cut), 63);
    assert_non_null(strstr(cut, "x_pkey_12"));
    AUTO(char)
    wide = mem_printf("\xc3\xa9%s", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
    AUTO(char) whole = part_rename_like("t_pkey", "t", wide, 0);
    assert_true(strlen(whole) <= 63);
    assert_string_equal(whole + strlen(whole) - 7, "\xc3\xa9_pkey");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_looks_like_it),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_names_of_what_belongs_to_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
