/* Where a value comes from, and which source wins. */
#include "sources.h"

static void test_defaults(void **state)
{
    AUTO(Config) c = NULL;
    OK(sources_load(*state, &c));
    assert_string_equal(config_str(c, SETTING_REPO), "./backups");
    assert_null(config_str(c, SETTING_DB));
    assert_int_equal(config_int(c, SETTING_RETENTION_DAYS), 30);
    assert_int_equal(config_int(c, SETTING_COMPRESSION), -1);
    assert_false(config_bool(c, SETTING_ENCRYPTION));
    assert_true(config_bool(c, SETTING_NOTIFY_ON_FAILURE));
    assert_true(config_duration(c, SETTING_MAX_AGE) == 26 * 3600000LL);
    assert_true(config_duration(c, SETTING_BACKUP_TIMEOUT) == 0);
    assert_int_equal(config_list(c, SETTING_TAG)->count, 0);
    assert_int_equal(config_int(c, SETTING_LEVEL), 1);
    assert_string_equal(config_origin(c, SETTING_REPO), "default");
    assert_string_equal(config_origin(c, SETTING_DB), "default");
    assert_null(config_yaml_file(c));
    assert_null(config_dotenv_file(c));
}

/* From the weakest to the strongest source: each one that joins wins. */
static void test_precedence(void **state)
{
    Sources *s = *state;
    static const struct {
        ConfigSource source;
        const char *value, *origin;
    } steps[] = {{CONFIG_DEFAULT, "./backups", "default"},
                 {CONFIG_FILE, "/yaml", "pgstow.yaml:3"},
                 {CONFIG_DOTENV, "/dotenv", ".env:2"},
                 {CONFIG_ENVIRONMENT, "/environment", "BACKUP_DIR"},
                 {CONFIG_FLAG, "/flag", "--repo"}};
    for (size_t i = 0; i < 5; i++) {
        if (i == 1)
            sources_write(s, "pgstow.yaml", "# a comment\nbackup:\n  backupDir: /yaml\n");
        if (i == 2)
            sources_write(s, ".env", "\nBACKUP_DIR=/dotenv\n");
        if (i == 3)
            sources_env(s, "BACKUP_DIR=/environment");
        if (i == 4)
            sources_flag(s, SETTING_REPO, "/flag");
        AUTO(Config) c = NULL;
        OK(sources_load(s, &c));
        assert_string_equal(config_str(c, SETTING_REPO), steps[i].value);
        assert_string_equal(config_origin(c, SETTING_REPO), steps[i].origin);
        assert_int_equal(config_source(c, SETTING_REPO), steps[i].source);
    }
}

static void test_an_empty_variable_is_not_set(void **state)
{
    Sources *s = *state;
    sources_write(s, ".env", "BACKUP_DIR=\nBACKUP_COMPRESSION=\"\"\n");
    sources_env(s, "BACKUP_RETENTION_DAYS=");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    assert_string_equal(config_str(c, SETTING_REPO), "./backups");
    assert_int_equal(config_int(c, SETTING_RETENTION_DAYS), 30);
}

/* A variable whose name begins like one of ours is another one. */
static void test_names_are_whole(void **state)
{
    Sources *s = *state;
    sources_env(s, "BACKUP_DIR_OLD=/wrong");
    sources_env(s, "XBACKUP_DIR=/wrong");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    assert_string_equal(config_str(c, SETTING_REPO), "./backups");
}

static void test_flags(void **state)
{
    Sources *s = *state;
    sources_flag(s, SETTING_TAG, "why=migration");
    sources_flag(s, SETTING_TAG, "ticket=42=x");
    sources_flag(s, SETTING_JOBS, "3");
    sources_flag(s, SETTING_JOBS, "5"); /* the last one counts */
    sources_flag(s, SETTING_MAX_RATE, "20MB");
    sources_flag(s, SETTING_AT, "2024-01-15T10:30:00Z");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    assert_int_equal(config_list(c, SETTING_TAG)->count, 2);
    assert_string_equal(config_list(c, SETTING_TAG)->items[1], "ticket=42=x");
    assert_int_equal(config_int(c, SETTING_JOBS), 5);
    assert_true(config_size(c, SETTING_MAX_RATE) == 20000000);
    assert_true(config_instant(c, SETTING_AT) == 1705314600000LL);
}

/* A bad flag is a matter of the command line; all else is one of the settings. */
static void test_bad_values(void **state)
{
    static const struct {
        SettingId id;
        const char *value;
    } flags[] = {
        {SETTING_JOBS, "many"},     {SETTING_JOBS, "65"},    {SETTING_JOBS, "-1"},
        {SETTING_TAG, "no equals"}, {SETTING_TAG, "=value"}, {SETTING_AT, "yesterday-ish"},
        {SETTING_MAX_RATE, "fast"}, {SETTING_LEVEL, "dat"},  {SETTING_LEVEL, "data|quick"},
        {SETTING_LEVEL, ""},        {SETTING_REPO, ""},      {SETTING_BACKUP_TIMEOUT, "2 hours"}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        Sources *s = *state;
        s->flag_count = 0;
        sources_flag(s, flags[i].id, flags[i].value);
        AUTO(char) name = mem_printf("--%s: ", setting_info(flags[i].id)->flag);
        sources_refused(s, ERR_USAGE, name, "allowed: ");
    }
}

static void test_bad_variable(void **state)
{
    Sources *s = *state;
    sources_env(s, "BACKUP_COMPRESSION=fast");
    sources_refused(s, ERR_CONFIG, "BACKUP_COMPRESSION: \"fast\" is not allowed", "1 to 9");
}

static void test_compression(void **state)
{
    static const struct {
        const char *text;
        int number;
    } good[] = {{"false", 0}, {"true", -1}, {"1", 1}, {"9", 9}, {"No", 0}, {"ON", -1}};
    static const char *const bad[] = {"0", "10", "-1", "fast", "1.5", "yes please", " 1", "truE "};
    (void)state;
    int64_t number;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(setting_parse(SETTING_COMPRESSION, good[i].text, &number));
        assert_int_equal(number, good[i].number);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        FAILS(ERR_CONFIG, setting_parse(SETTING_COMPRESSION, bad[i], &number));
}

static void test_schedule_and_email(void **state)
{
    static const char *const good[] = {"30 2 * * *",         "*/15 * * * *",   "0 0 1,15 * MON-FRI",
                                       "5-55/10 8-18 * 3 7", " 0  4 * jan 0 ", "@daily",
                                       "0 3 * * FRI#2"};
    static const char *const bad[] = {"daily",        "* * * *",     "* * * * * *", "60 * * * *",
                                      "* 24 * * *",   "* * 0 * *",   "* * * 13 *",  "* * * * 8",
                                      "*/60 * * * *", "*/0 * * * *", "1, * * * *",  "- * * * *",
                                      "1- * * * *",   "* * * xyz *", "1a * * * *"};
    (void)state;
    int64_t number;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        OK(setting_parse(SETTING_SCHEDULE, good[i], &number));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        FAILS(ERR_CONFIG, setting_parse(SETTING_SCHEDULE, bad[i], &number));
    OK(setting_parse(SETTING_NOTIFICATION_EMAIL, "dba@example.com", &number));
    FAILS(ERR_CONFIG, setting_parse(SETTING_NOTIFICATION_EMAIL, "dba", &number));
    FAILS(ERR_CONFIG, setting_parse(SETTING_NOTIFICATION_EMAIL, "a@b, c@d", &number));
    FAILS(ERR_CONFIG, setting_parse(SETTING_NOTIFICATION_EMAIL, "a@b\nBcc: c@d", &number));
}

/* A secret comes from the environment or .env, is never shown, and can be taken once. */
static void test_secret(void **state)
{
    Sources *s = *state;
    sources_env(s, "PGSTOW_PASSPHRASE=correct horse");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    AUTO(char) shown = config_shown(c, SETTING_PASSPHRASE);
    assert_string_equal(shown, "***");
    AUTO(char) taken = config_take_secret(c, SETTING_PASSPHRASE);
    assert_string_equal(taken, "correct horse");
    assert_null(config_take_secret(c, SETTING_PASSPHRASE));
    assert_null(config_shown(c, SETTING_PASSPHRASE));
    setenv("PGSTOW_PASSPHRASE", "correct horse", 1);
    const char *there = getenv("PGSTOW_PASSPHRASE");
    config_forget_secrets();
    assert_null(getenv("PGSTOW_PASSPHRASE"));
    assert_int_equal(*there, 0);
}

/* Every row's default is a value that the row itself allows, and flags are unique per command. */
static void test_rows(void **state)
{
    (void)state;
    for (SettingId id = 0; id < SETTINGS; id++) {
        const SettingInfo *s = setting_info(id);
        int64_t number;
        if (*s->standard)
            OK(setting_parse(id, s->standard, &number));
        assert_true(*s->key || *s->env || *s->flag);
        assert_true((s->type == SETTING_IS_BOOL) == !*s->argument);
        assert_true(*s->help && s->help[strlen(s->help) - 1] == '.');
        for (SettingId other = 0; other < id; other++) {
            assert_true(!*s->key || strcmp(s->key, setting_info(other)->key) != 0);
            assert_true(!*s->env || strcmp(s->env, setting_info(other)->env) != 0);
        }
    }
}

static void test_shown_without_secrets(void **state)
{
    Sources *s = *state;
    sources_env(s, "DATABASE_URL=postgresql://me:s3cret@db/shop");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    assert_string_equal(config_str(c, SETTING_DB), "postgresql://me:s3cret@db/shop");
    AUTO(char) shown = config_shown(c, SETTING_DB);
    assert_string_equal(shown, "postgresql://me:***@db/shop");
}

static void test_redact(void **state)
{
    static const char *const pairs[][2] = {
        {"postgresql://me:pw@host:5432/db", "postgresql://me:***@host:5432/db"},
        {"postgresql://me@host:5432/db", "postgresql://me@host:5432/db"},
        {"postgres:///db?host=/run&port=1", "postgres:///db?host=/run&port=1"},
        {"postgres://host/db?user=me&password=pw&sslmode=require",
         "postgres://host/db?user=me&password=***&sslmode=require"},
        {"postgres://me:p@ss@host/db", "postgres://me:***@host/db"},
        {"postgres://me:p/s?s@host/db", "postgres://me:***@host/db"},
        {"postgres://me:p:w@h1:1,h2:2/db", "postgres://me:***@h1:1,h2:2/db"},
        {"postgres://h/db?sslpassword=x", "postgres://h/db?sslpassword=***"},
        {"postgres://h/db?password=p@w&user=me", "postgres://h/db?password=***&user=me"},
        {"postgres://h/db?p%61ssword=pw%", "postgres://h/db?p%61ssword=***"},
        {"host=h\v\fpassword=pw", "host=h\v\fpassword=***"},
        {"postgres://h/db?password=p:w@x", "postgres://h/db?***"},
        {"host=h password=pw dbname=d", "host=h password=*** dbname=d"},
        {"host=h password = 'p w\\' x' dbname=d", "host=h password = *** dbname=d"},
        {"PASSWORD=pw", "PASSWORD=***"},
        {"host=h password='open", "host=h password=***"},
        {"host=h passfile=/f", "host=h passfile=/f"},
        {"password=a://b c", "password=*** c"},
        {"shop", "shop"},
        {"", ""},
        {"password=", "password="},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        AUTO(char) shown = setting_redact_url(pairs[i][0]);
        assert_string_equal(shown, pairs[i][1]);
        assert_int_equal(setting_url_has_secret(pairs[i][0]),
                         strcmp(pairs[i][0], pairs[i][1]) != 0);
    }
}

/* libpq would take it for the name of a database, and say that there is no server. */
static void test_url_of_another_kind(void **state)
{
    static const char *const good[] = {"postgresql://h/d", "postgres://h/d",
                                       "host=h password=a://b", "shop", "://"};
    (void)state;
    int64_t number;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        OK(setting_parse(SETTING_DB, good[i], &number));
    AUTO(Error) e = setting_parse(SETTING_DB, "mysql://me:s3cret@h/d", &number);
    assert_non_null(e);
    assert_string_equal(error_message(e), "\"mysql://me:***@h/d\" is not allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_of_another_kind),
        SOURCES_TEST(test_defaults),
        SOURCES_TEST(test_precedence),
        SOURCES_TEST(test_an_empty_variable_is_not_set),
        SOURCES_TEST(test_names_are_whole),
        SOURCES_TEST(test_flags),
        SOURCES_TEST(test_bad_values),
        SOURCES_TEST(test_bad_variable),
        SOURCES_TEST(test_secret),
        SOURCES_TEST(test_shown_without_secrets),
        cmocka_unit_test(test_compression),
        cmocka_unit_test(test_schedule_and_email),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_redact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
