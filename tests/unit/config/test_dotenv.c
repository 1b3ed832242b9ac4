/* .env: the lines that are ours, among all that are the application's. */
#include "sources.h"

static void refused(Sources *s, const char *text, const char *message)
{
    sources_write(s, ".env", text);
    sources_refused(s, ERR_CONFIG, message, NULL);
}

static void test_forms(void **state)
{
    static const struct {
        const char *line, *value;
    } forms[] = {{"BACKUP_DIR=/a b", "/a b"},
                 {"BACKUP_DIR = /a", "/a"},
                 {"export BACKUP_DIR=/a", "/a"},
                 {"  export\tBACKUP_DIR=/a  ", "/a"},
                 {"BACKUP_DIR=/a # remark", "/a"},
                 {"BACKUP_DIR=/a#b", "/a#b"},
                 {"BACKUP_DIR='/a # b'", "/a # b"},
                 {"BACKUP_DIR=\"/a # b\" # remark", "/a # b"},
                 {"BACKUP_DIR=\"/a\\\"b\\\\c\\$d\"", "/a\"b\\c$d"},
                 {"BACKUP_DIR=\"/a\\x\"", "/a\\x"},
                 {"BACKUP_DIR='/a\\n${X}'", "/a\\n${X}"},
                 {"BACKUP_DIR=/a$b", "/a$b"},
                 {"BACKUP_DIR=/a\r", "/a"},
                 {"BACKUP_DIR=/a=b", "/a=b"},
                 {"\xef\xbb\xbf"
                  "BACKUP_DIR=/a",
                  "/a"},
                 {"BACKUP_DIR=/x\nBACKUP_DIR=/a", "/a"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        AUTO(Config) c = NULL;
        sources_write(*state, ".env", forms[i].line);
        OK(sources_load(*state, &c));
        assert_string_equal(config_str(c, SETTING_REPO), forms[i].value);
        assert_string_equal(config_dotenv_file(c), ".env");
    }
}

static void test_what_is_not_ours(void **state)
{
    Sources *s = *state;
    sources_write(s, ".env",
                  "this is no assignment\n"
                  "=nothing\n"
                  "SECRET_KEY=\"open quote\n"
                  "OTHER='over\n"
                  "BACKUP_DIR=/inside-a-quote\n"
                  "lines'\n"
                  "JWT=${SECRET_KEY}\n"
                  "PGDATA=/var/lib/postgresql\n"
                  "PGSTOW_UNKNOWN=1\n"
                  "#BACKUP_DIR=/commented\n"
                  "BACKUP_RETENTION_DAYS=9\n");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    assert_string_equal(config_str(c, SETTING_REPO), "./backups");
    assert_int_equal(config_int(c, SETTING_RETENTION_DAYS), 9);
    assert_string_equal(config_origin(c, SETTING_RETENTION_DAYS), ".env:11");
    assert_int_equal(config_libpq(c)->count, 0);
}

static void test_bad_lines_of_ours(void **state)
{
    refused(*state, "A=1\nBACKUP_COMPRESSION=fast\n",
            ".env:2: BACKUP_COMPRESSION: \"fast\" is not allowed");
    refused(*state, "\nBACKUP_DIR=\"/a\n", ".env:2: BACKUP_DIR: nothing closes the quote");
    refused(*state, "DATABASE_URL=postgres://u:${PW}@h/d\n",
            ".env:1: DATABASE_URL: ${...} is not replaced");
    refused(*state, "PGPASSWORD=\"${PW}\"\n", ".env:1: PGPASSWORD: ${...} is not replaced");
}

static void test_libpq(void **state)
{
    Sources *s = *state;
    sources_write(s, ".env", "PGHOST=db\nPGPORT=5433\nPGPASSWORD='p w'\nPGPORT=5434\nPGUSER=\n");
    sources_env(s, "PGHOST=elsewhere");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    const StrList *l = config_libpq(c);
    assert_int_equal(l->count, 2);
    assert_true(strlist_has(l, "PGPORT=5434"));
    assert_true(strlist_has(l, "PGPASSWORD=p w"));
    /* What the real environment has stays. */
    assert_int_equal(setenv("PGPORT", "1", 1), 0);
    assert_int_equal(unsetenv("PGPASSWORD"), 0);
    config_export_libpq(c);
    assert_string_equal(getenv("PGPORT"), "1");
    assert_string_equal(getenv("PGPASSWORD"), "p w");
}

/* Whoever is run in a folder closed to him did not put settings there. */
static void test_a_closed_folder(void **state)
{
    Sources *s = *state;
    sources_write(s, ".env", "BACKUP_COMPRESSION=fast\n");
    bool root = geteuid() == 0; /* root opens everything: be somebody else for the while */
    assert_int_equal(chmod(s->dir, root ? 0700 : 0), 0);
    assert_int_equal(root ? seteuid(65534) : 0, 0);
    AUTO(Config) c = NULL;
    Error *e = sources_load(s, &c);
    assert_int_equal(root ? seteuid(0) : 0, 0);
    assert_int_equal(chmod(s->dir, 0700), 0);
    OK(e);
    assert_int_equal(config_int(c, SETTING_COMPRESSION), -1);
}

static void test_no_text_at_all(void **state)
{
    Sources *s = *state;
    static const char bytes[] = "\0BACKUP_DIR=/x\n\xff\xfe";
    AUTO(Config) c = NULL;
    sources_write_bytes(s, ".env", bytes, sizeof bytes);
    OK(sources_load(s, &c));
    assert_string_equal(config_str(c, SETTING_REPO), "./backups");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(test_forms),
        SOURCES_TEST(test_what_is_not_ours),
        SOURCES_TEST(test_bad_lines_of_ours),
        SOURCES_TEST(test_libpq),
        SOURCES_TEST(test_a_closed_folder),
        SOURCES_TEST(test_no_text_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
