#include "../unit.h"

#include <stdlib.h>

#include "pg/source.h"
#include "pg/target.h"

static void columns_are(const char *copy, const char *expected)
{
    AUTO(char) columns = source_columns(copy);
    assert_string_equal(columns, expected);
}

static void test_columns(void **state)
{
    (void)state;
    columns_are("COPY public.t (a, b) FROM stdin;\n", "a, b");
    columns_are("COPY public.\"odd (name)\" (\"a)\", \"b\"\"(\", c) FROM stdin;\n",
                "\"a)\", \"b\"\"(\", c");
    columns_are("COPY public.t  FROM stdin;\n", "");
    columns_are("COPY public.t () FROM stdin;\n", "");
    columns_are(NULL, "");
}

static void sql_is(const Source *s, uint64_t from, uint64_t to, const char *expected)
{
    AUTO(char) sql = source_copy_sql(s, from, to);
    assert_string_equal(sql, expected);
}

static void test_copy_sql(void **state)
{
    (void)state;
    Source s = {.qualified = "public.t", .columns = "a, b", .condition = "", .relkind = 'r'};
    sql_is(&s, 0, 0, "COPY public.t (a, b) TO STDOUT");
    sql_is(
        &s, 0, 8,
        "COPY (SELECT a, b FROM ONLY public.t WHERE ctid >= '(0,0)' AND ctid < '(8,0)') TO STDOUT");
    /* The last piece is open, so that rows that came meanwhile are not lost. */
    sql_is(&s, 8, 0, "COPY (SELECT a, b FROM ONLY public.t WHERE ctid >= '(8,0)') TO STDOUT");
    s.condition = "WHERE NOT builtin";
    sql_is(&s, 0, 0, "COPY (SELECT a, b FROM public.t WHERE NOT builtin) TO STDOUT");
    s.condition = "";
    s.relkind = 'f'; /* plain COPY refuses it */
    sql_is(&s, 0, 0, "COPY (SELECT a, b FROM public.t ) TO STDOUT");
    s = (Source){.qualified = "public.none", .columns = "", .condition = "", .relkind = 'r'};
    sql_is(&s, 0, 0, "COPY public.none TO STDOUT");
}

static void target_is(const char *url, const char *expected)
{
    AUTO(char) name = target_database(url);
    if (expected)
        assert_string_equal(name, expected);
    else
        assert_null(name);
}

static void test_target(void **state)
{
    (void)state;
    unsetenv("PGDATABASE");
    target_is("postgresql://u:p@h:5432/shop?sslmode=require", "shop");
    target_is("postgresql://h/my%20shop", "my shop");
    target_is("host=h dbname='a b'", "a b");
    target_is("shop", "shop");
    target_is("host=h", NULL);
    target_is(NULL, NULL);
    setenv("PGDATABASE", "other", 1);
    target_is(NULL, "other");
    target_is("host=h", "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns),
                                       cmocka_unit_test(test_copy_sql),
                                       cmocka_unit_test(test_target)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
