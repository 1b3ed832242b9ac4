#include "../unit.h"

#include "pg/dbadmin.h"
#include "pg/dbadmin_setting.h"
#include "pg/preflight.h"
#include "pg/sql_words.h"

static char *joined(const StrList *l)
{
    Buf b = {0};
    for (size_t i = 0; i < l->count; i++)
        buf_printf(&b, "%s%s", i ? "|" : "", l->items[i]);
    return buf_steal_str(&b);
}

static void test_words(void **state)
{
    (void)state;
    const char *at = "a \"b \"\"c\" -- no\n 'd''e' E'f\\'g' $x$ h ' $x$ $1 i$2(;";
    static const struct {
        SqlKind kind;
        const char *text;
    } expected[] = {
        {SQL_WORD, "a"},
        {SQL_QUOTED, "\"b \"\"c\""},
        {SQL_STRING, "'d''e'"},
        {SQL_STRING, "E'f\\'g'"},
        {SQL_STRING, "$x$ h ' $x$"},
        {SQL_MARK, "$"},
        {SQL_MARK, "1"},
        {SQL_WORD, "i$2"},
        {SQL_MARK, "("},
        {SQL_MARK, ";"},
        {SQL_END, ""},
        {SQL_END, ""},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        SqlWord w = sql_word_next(&at);
        AUTO(char) text = mem_strndup(w.start, w.n);
        assert_string_equal(text, expected[i].text);
        assert_int_equal(w.kind, expected[i].kind);
    }
    at = "/* it's /* nested */ -- \n */copy/**/\v/**/t / * -- /*\n/";
    static const char *const uncommented[] = {"copy", "t", "/", "*", "/", ""};
    for (size_t i = 0; i < sizeof uncommented / sizeof *uncommented; i++) {
        SqlWord w = sql_word_next(&at);
        AUTO(char) text = mem_strndup(w.start, w.n);
        assert_string_equal(text, uncommented[i]);
    }
    at = "/* a /* b */ copy";
    assert_int_equal(sql_word_next(&at).kind, SQL_END);
    /* What is never closed ends with the text. */
    static const char *const open[] = {"'abc", "\"abc", "$x$ abc", "E'abc\\"};
    for (size_t i = 0; i < 4; i++) {
        at = open[i];
        SqlWord w = sql_word_next(&at);
        assert_int_equal(w.n, strlen(open[i]));
        assert_int_equal(sql_word_next(&at).kind, SQL_END);
    }
}

static void expect_roles(const char *sql, const char *expected)
{
    AUTO_VALUE(StrList) roles = {0};
    sql_roles(sql, &roles);
    AUTO(char) got = joined(&roles);
    assert_string_equal(got, expected);
}

static void test_roles(void **state)
{
    (void)state;
    expect_roles("GRANT SELECT ON TABLE app.t TO reader;\n", "reader");
    expect_roles("GRANT SELECT(id,b),UPDATE(i) ON TABLE app.\"to\" TO a, \"B \"\"x\" WITH GRANT "
                 "OPTION;\nREVOKE ALL ON TABLE t FROM PUBLIC;\nREVOKE ALL ON TABLE t FROM c;\n",
                 "a|B \"x|c");
    expect_roles("SET SESSION AUTHORIZATION owner;\nGRANT UPDATE ON TABLE t TO x;\n"
                 "RESET SESSION AUTHORIZATION;\n",
                 "owner|x");
    expect_roles("ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA app GRANT SELECT ON TABLES  TO "
                 "reader;\n",
                 "maker|reader");
    expect_roles("ALTER DEFAULT PRIVILEGES FOR ROLE maker REVOKE ALL ON FUNCTIONS  FROM PUBLIC;\n",
                 "maker");
    expect_roles("CREATE POLICY own ON s.t FOR SELECT TO a, \"b c\" USING ((x = 'to z'));\n",
                 "a|b c");
    expect_roles("CREATE POLICY p ON s.t USING ((EXISTS ( SELECT 1 FROM other)));\n", "");
    expect_roles(
        "CREATE USER MAPPING FOR me SERVER \"far away\" OPTIONS (\n    password E'p\\'w to "
        "x',\n    \"user\" 'u'\n);\n",
        "me");
    expect_roles("CREATE USER MAPPING FOR public SERVER s;\n", "");
    expect_roles("ALTER DATABASE d SET search_path TO 'public';\n"
                 "ALTER ROLE r IN DATABASE d SET statement_timeout TO '3min';\n",
                 "r");
    expect_roles("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ GRANT x TO y; $$;\n", "");
    expect_roles("GRANT a", "");
    expect_roles(";;;", "");
}

static void expect_clause(const char *setting, const char *expected)
{
    AUTO(char) got = db_setting_clause(setting);
    assert_string_equal(got, expected);
}

static void test_settings(void **state)
{
    (void)state;
    expect_clause("work_mem=7MB", "\"work_mem\" TO '7MB'");
    expect_clause("search_path=public, \"odd \"\"x\", \"\"",
                  "\"search_path\" TO 'public', 'odd \"x', ''");
    expect_clause("search_path=\"$user\", public", "\"search_path\" TO '$user', 'public'");
    expect_clause("my.setting=it's a=b", "\"my\".\"setting\" TO 'it''s a=b'");
    expect_clause("empty=", "\"empty\" TO ''");
}

static void test_names_beside(void **state)
{
    (void)state;
    char name[64], again[64];
    dbadmin_beside("shop", name);
    dbadmin_beside("shop", again);
    assert_int_equal(strncmp(name, "shop_pgstow_", 12), 0);
    assert_int_equal(strlen(name), 20);
    assert_string_not_equal(name, again);
    /* 62 bytes of two-byte characters: cut between two of them. */
    char wide[63] = "";
    for (int i = 0; i < 31; i++)
        strcat(wide, "\xc5\xbe");
    dbadmin_beside(wide, name);
    assert_true(strlen(name) <= 63);
    const char *tail = strstr(name, "_pgstow_");
    assert_non_null(tail);
    assert_int_equal((tail - name) % 2, 0);
}

static TocEntry entries[] = {
    {.desc = "DATABASE",
     .tag = "pr op",
     .owner = "fid_owner",
     .schema = "",
     .tablespace = "",
     .defn = "CREATE DATABASE \"pr \"\"op\" WITH TEMPLATE = template0 ENCODING = 'UTF8' "
             "LOCALE_PROVIDER = "
             "libc LOCALE = 'C.UTF-8' TABLESPACE = \"fid space\";\n"},
    {.desc = "DATABASE PROPERTIES",
     .tag = "pr op",
     .owner = "fid_owner",
     .schema = "",
     .tablespace = "",
     .defn = "ALTER DATABASE \"pr \"\"op\" CONNECTION LIMIT = 17;\nALTER DATABASE \"pr \"\"op\" "
             "IS_TEMPLATE = "
             "true;\nALTER DATABASE \"pr \"\"op\" SET work_mem TO '7%s';\nALTER ROLE r IN DATABASE "
             "\"pr \"\"op\" SET x TO 'a;b';\n"},
    {.desc = "COMMENT",
     .tag = "DATABASE \"pr op\"",
     .owner = "fid_owner",
     .schema = "",
     .tablespace = "",
     .defn = "COMMENT ON DATABASE \"pr \"\"op\" IS 'it''s; \\ 100%';\n"},
    {.desc = "ACL",
     .tag = "DATABASE \"pr op\"",
     .owner = "fid_owner",
     .schema = "",
     .tablespace = "",
     .defn = "REVOKE CONNECT,TEMPORARY ON DATABASE \"pr \"\"op\" FROM PUBLIC;\nGRANT CONNECT ON "
             "DATABASE "
             "\"pr \"\"op\" TO reader WITH GRANT OPTION;\n"},
    {.desc = "EXTENSION", .tag = "hstore", .owner = "", .schema = "", .tablespace = "", .defn = ""},
    {.desc = "TABLE",
     .tag = "t",
     .owner = "own \"er",
     .schema = "public",
     .tablespace = "space",
     .defn = "CREATE TABLE public.t ();\n"},
    {.desc = "ACL",
     .tag = "TABLE t",
     .owner = "own \"er",
     .schema = "public",
     .tablespace = "",
     .defn = "GRANT SELECT ON TABLE public.t TO auditor;\n"},
    {.desc = "EVENT TRIGGER",
     .tag = "e",
     .owner = "own \"er",
     .schema = "",
     .tablespace = "",
     .defn = ""},
};
static const Toc toc = {.entries = entries, .count = sizeof entries / sizeof *entries};

static void test_archive_traits(void **state)
{
    (void)state;
    AUTO_VALUE(DbTraits) t = {.connection_limit = -1};
    dbadmin_archive_traits(&toc, false, false, false, &t);
    assert_string_equal(t.owner, "fid_owner");
    assert_string_equal(t.tablespace, "fid space");
    assert_int_equal(t.connection_limit, 17);
    assert_true(t.is_template);
    assert_string_equal(t.comment, "it's; \\ 100%");
    AUTO(char) all = joined(&t.statements);
    assert_string_equal(all, "ALTER DATABASE %s SET work_mem TO '7%%s'|"
                             "ALTER ROLE r IN DATABASE %s SET x TO 'a;b'|"
                             "REVOKE CONNECT,TEMPORARY ON DATABASE %s FROM PUBLIC|"
                             "GRANT CONNECT ON DATABASE %s TO reader WITH GRANT OPTION");
    AUTO_VALUE(DbTraits) less = {.connection_limit = -1};
    dbadmin_archive_traits(&toc, true, true, true, &less);
    assert_null(less.owner);
    assert_null(less.tablespace);
    assert_int_equal(less.statements.count, 2);
}

static void test_create_options(void **state)
{
    (void)state;
    AUTO(char) own = dbadmin_create_options(&toc, "UTF8", "C", "C", 150000);
    assert_string_equal(
        own, "WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = "
             "'C.UTF-8'");
    AUTO(char) old = dbadmin_create_options(&toc, "UTF8", "it's", "C", 140000);
    assert_string_equal(
        old, "WITH TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'it''s' LC_CTYPE = 'C'");
}

static void test_needs(void **state)
{
    (void)state;
    AUTO_VALUE(Needs) n = {0};
    preflight_needs(&toc, &(NeedsOptions){.new_database = true}, &n);
    AUTO(char) owners = joined(&n.owners);
    AUTO(char) roles = joined(&n.roles);
    AUTO(char) extensions = joined(&n.extensions);
    AUTO(char) superuser = joined(&n.superuser);
    AUTO(char) tablespaces = joined(&n.tablespaces);
    assert_string_equal(owners, "fid_owner|own \"er");
    assert_string_equal(roles, "r|reader|auditor");
    assert_string_equal(extensions, "hstore");
    assert_string_equal(superuser, "EVENT TRIGGER e");
    assert_string_equal(tablespaces, "fid space|space");
    AUTO_VALUE(Needs) less = {0};
    preflight_needs(
        &toc, &(NeedsOptions){.no_owner = true, .no_privileges = true, .no_tablespaces = true},
        &less);
    assert_int_equal(less.owners.count + less.roles.count + less.tablespaces.count, 0);
    assert_int_equal(less.extensions.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),          cmocka_unit_test(test_roles),
        cmocka_unit_test(test_settings),       cmocka_unit_test(test_names_beside),
        cmocka_unit_test(test_archive_traits), cmocka_unit_test(test_create_options),
        cmocka_unit_test(test_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
