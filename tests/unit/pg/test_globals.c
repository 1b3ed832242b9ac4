#include "../unit.h"

#include "pg/globals.h"

static void says(const char *line, int version, const char *wanted)
{
    AUTO_VALUE(Globals) g = {0};
    AUTO(char) text = mem_printf("%s\n", line);
    OK(globals_decode(text, strlen(text), &g));
    assert_int_equal(g.count, 1);
    AUTO_VALUE(StrList) statements = {0};
    AUTO_VALUE(Buf) b = {0};
    globals_statements(g.items[0], version, &statements);
    for (size_t i = 0; i < statements.count; i++)
        buf_printf(&b, "%s;", statements.items[i]);
    AUTO(char) all = buf_steal_str(&b);
    assert_string_equal(all, wanted);
}

static void test_memberships(void **state)
{
    (void)state;
    const char *old = "{\"kind\":\"membership\",\"role\":\"a\",\"member\":\"B\",\"grantor\":\"c\","
                      "\"admin\":true,\"inherit\":null,\"set\":null}";
    const char *new = "{\"kind\":\"membership\",\"role\":\"a\",\"member\":\"B\",\"grantor\":\"c\","
                      "\"admin\":false,\"inherit\":false,\"set\":true}";
    says(old, 150000, "GRANT \"a\" TO \"B\" WITH ADMIN OPTION GRANTED BY \"c\";");
    says(old, 160000, "GRANT \"a\" TO \"B\" WITH ADMIN TRUE GRANTED BY \"c\";");
    says(new, 160000,
         "GRANT \"a\" TO \"B\" WITH ADMIN FALSE, INHERIT FALSE, SET TRUE GRANTED BY \"c\";");
    says(new, 150000, "GRANT \"a\" TO \"B\" GRANTED BY \"c\";");
}

/* What stands in the repository becomes names and literals, never SQL. */
static void test_quoting(void **state)
{
    (void)state;
    says("{\"kind\":\"role\",\"name\":\"a\\\"; DROP\",\"login\":true,\"comment\":\"it's\"}", 150000,
         "CREATE ROLE \"a\"\"; DROP\" WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN "
         "NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1;"
         "COMMENT ON ROLE \"a\"\"; DROP\" IS 'it''s';");
    says("{\"kind\":\"tablespace\",\"name\":\"s\",\"owner\":\"o\",\"location\":\"/a'b\","
         "\"options\":[\"random_page_cost=1') x\"],\"privileges\":[{\"grantee\":null,"
         "\"privilege\":\"CREATE ON x; DROP\"},{\"grantee\":\"u\",\"privilege\":\"CREATE\"}]}",
         150000,
         "CREATE TABLESPACE \"s\" OWNER \"o\" LOCATION '/a''b';"
         "ALTER TABLESPACE \"s\" SET (\"random_page_cost\" = '1'') x');"
         "REVOKE ALL ON TABLESPACE \"s\" FROM PUBLIC, \"o\";"
         "GRANT CREATE ON TABLESPACE \"s\" TO \"u\";");
    says("{\"kind\":\"setting\",\"role\":\"r\",\"database\":null,"
         "\"setting\":\"search_path=\\\"$user\\\", \\\"a'b\\\"\"}",
         150000, "ALTER ROLE \"r\" SET \"search_path\" TO '$user', 'a''b';");
    says("{\"kind\":\"parameter\",\"name\":\"my.x\",\"privileges\":[{\"grantee\":\"u\","
         "\"privilege\":\"SET\",\"grantable\":true}]}",
         150000, "GRANT SET ON PARAMETER \"my\".\"x\" TO \"u\" WITH GRANT OPTION;");
    says("{\"kind\":\"parameter\",\"name\":\"my.x\",\"privileges\":null}", 140000, "");
    says("{\"kind\":\"something later\"}", 150000, "");
}

static void test_damage(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"kind\":\"role\"}", "{\"kind\":\n", "x\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO_VALUE(Globals) g = {0};
        AUTO(Error) e = globals_decode(bad[i], strlen(bad[i]), &g);
        assert_non_null(e);
        assert_int_equal(error_kind(e), ERR_DAMAGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memberships),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
