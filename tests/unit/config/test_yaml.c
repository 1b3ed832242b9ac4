/* The YAML file: what it may hold, and what is said of what it may not. */
#include "sources.h"

#include "base/log.h"

static void test_all_keys(void **state)
{
    Sources *s = *state;
    sources_write(s, "pgstow.yaml",
                  "---\n"
                  "jobs: 3\n"
                  "database: {url: \"postgresql://me@db/shop\"}\n"
                  "backup:\n"
                  "  enabled: yes\n"
                  "  backupDir: '/srv/back ups'\n"
                  "  retentionDays: 14\n"
                  "  schedule: \"30 2 * * *\"\n"
                  "  compression: 3\n"
                  "  maxConcurrentBackups: 2\n"
                  "  backupTimeout: 4h\n"
                  "  notifyOnFailure: false\n"
                  "  notifyOnSuccess: true\n"
                  "  notificationEmail: dba@example.com\n"
                  "tools:\n"
                  "  pgDump: docker exec db pg_dump\n"
                  "  psql:\n");
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    assert_string_equal(config_yaml_file(c), "pgstow.yaml");
    assert_string_equal(config_str(c, SETTING_REPO), "/srv/back ups");
    assert_string_equal(config_str(c, SETTING_DB), "postgresql://me@db/shop");
    assert_int_equal(config_int(c, SETTING_JOBS), 3);
    assert_int_equal(config_int(c, SETTING_RETENTION_DAYS), 14);
    assert_int_equal(config_int(c, SETTING_COMPRESSION), 3);
    assert_int_equal(config_int(c, SETTING_MAX_CONCURRENT_BACKUPS), 2);
    assert_true(config_duration(c, SETTING_BACKUP_TIMEOUT) == 4 * 3600000LL);
    assert_false(config_bool(c, SETTING_NOTIFY_ON_FAILURE));
    assert_true(config_bool(c, SETTING_NOTIFY_ON_SUCCESS));
    assert_string_equal(config_str(c, SETTING_PG_DUMP), "docker exec db pg_dump");
    assert_null(config_str(c, SETTING_PSQL)); /* nothing behind the colon: not set */
    assert_string_equal(config_origin(c, SETTING_RETENTION_DAYS), "pgstow.yaml:7");
}

static void test_empty_files(void **state)
{
    static const char *const texts[] = {"",    "# only a comment\n", "---\n", "backup:\n", "~\n",
                                        "{}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO(Config) c = NULL;
        sources_write(*state, "pgstow.yaml", texts[i]);
        OK(sources_load(*state, &c));
        assert_string_equal(config_str(c, SETTING_REPO), "./backups");
    }
}

static void test_unknown_keys(void **state)
{
    sources_yaml_refused(*state, "# one\nbackup:\n  enabled: true\n  retentiondays: 3\n",
                         "pgstow.yaml:4: unknown key \"retentiondays\" under \"backup\"",
                         "did you mean \"retentionDays\"? allowed here: backupDir, ");
    sources_yaml_refused(*state, "bakcup:\n  enabled: true\n",
                         "pgstow.yaml:1: unknown key \"bakcup\"", "did you mean \"backup\"?");
    sources_yaml_refused(*state, "\nretentionDays: 3\n",
                         "pgstow.yaml:2: unknown key \"retentionDays\"",
                         "belongs under \"backup:\"");
    sources_yaml_refused(*state, "backup.backupDir: /x\n", "unknown key \"backup.backupDir\"",
                         "allowed here: backup, ");
    sources_yaml_refused(*state, "backup:\n  compression:\n    level: 3\n",
                         "takes one value, not a section", NULL);
    sources_yaml_refused(*state, "\"\": 3\n", "unknown key \"\"", NULL);
    sources_yaml_refused(*state, "\"a\\x1b[31m\": 3\n", "unknown key \"a\\x1b[31m\"", NULL);
}

static void test_bad_values(void **state)
{
    sources_yaml_refused(*state, "backup:\n  compression: fast\n",
                         "pgstow.yaml:2: backup.compression: \"fast\" is not allowed",
                         "allowed: false (store), true (adaptive), or 1 to 9");
    sources_yaml_refused(*state, "backup:\n  enabled: true\n  retentionDays: -3\n",
                         "pgstow.yaml:3: backup.retentionDays: \"-3\"", "from 1 to 36500");
    sources_yaml_refused(*state, "backup:\n  backupDir: \"\"\n",
                         "backup.backupDir: the value is empty", NULL);
    sources_yaml_refused(*state, "backup:\n  backupDir: [a, b]\n", "takes one value, not a list",
                         NULL);
    sources_yaml_refused(*state, "backup: 3\n", "\"backup\" is a section, not a value", NULL);
    sources_yaml_refused(*state, "backup: [1]\n", "\"backup\" is a section, not a value", NULL);
    sources_yaml_refused(*state, "tools:\n  pgDump: \"a\\0b\"\n", "NUL", NULL);
}

static void test_shape(void **state)
{
    sources_yaml_refused(*state, "backup:\n  enabled: true\n  backupDir: /a\n  enabled: false\n",
                         "pgstow.yaml:4: \"backup.enabled\" is there twice", NULL);
    sources_yaml_refused(*state, "backup:\n  enabled: true\njobs: 1\nbackup:\n  backupDir: x\n",
                         "pgstow.yaml:4: \"backup\" is there twice", NULL);
    sources_yaml_refused(*state, "backup:\n\tenabled: true\n", "pgstow.yaml:2: ", "config sample");
    sources_yaml_refused(*state, "backup: {enabled: true\njobs: 2\n", "pgstow.yaml:", NULL);
    sources_yaml_refused(*state, "- a\n- b\n", "pgstow.yaml:1: settings are expected", NULL);
    sources_yaml_refused(*state, "just words\n", "pgstow.yaml:1: settings are expected", NULL);
    sources_yaml_refused(*state, "jobs: 1\n---\njobs: 2\n", "only one document", NULL);
    sources_yaml_refused(*state, "jobs: &a 1\nbackup:\n  retentionDays: *a\n", "aliases", NULL);
    sources_yaml_refused(*state, "? [a]\n: b\n", "a key is expected", NULL);
    sources_yaml_refused(*state, "jobs: \xff\n", "pgstow.yaml:", NULL);
}

static void test_limits(void **state)
{
    Sources *s = *state;
    AUTO_VALUE(Buf) big = {0};
    while (big.len <= 1u << 20)
        buf_add_str(&big, "# a comment that goes on and on\n");
    sources_write_bytes(s, "pgstow.yaml", big.data, big.len);
    sources_refused(s, ERR_CONFIG, "larger than 1 MiB", NULL);
    big.len = 0;
    for (int i = 0; i < 100000; i++)
        buf_u8(&big, '[');
    sources_write_bytes(s, "pgstow.yaml", big.data, big.len);
    sources_refused(s, ERR_CONFIG, "pgstow.yaml:1", NULL);
    big.len = 0;
    buf_add_str(&big, "backup: {backupDir: ");
    for (int i = 0; i < 100000; i++)
        buf_add_str(&big, "{a: ");
    sources_write_bytes(s, "pgstow.yaml", big.data, big.len);
    sources_refused(s, ERR_CONFIG, "pgstow.yaml:1", NULL);
}

static void test_which_file(void **state)
{
    Sources *s = *state;
    AUTO(char) system = file_join(s->dir, "system");
    AUTO(char) other = file_join(s->dir, "other.yaml");
    OK(file_make_dir(system, 0755));
    sources_write(s, "system/pgstow.yaml", "jobs: 1\nbackup: {retentionDays: 7}\n");
    AUTO(Config) first = NULL;
    OK(sources_load(s, &first));
    assert_int_equal(config_int(first, SETTING_JOBS), 1);
    /* One file is read, not both. */
    sources_write(s, "pgstow.yaml", "jobs: 2\n");
    AUTO(Config) second = NULL;
    OK(sources_load(s, &second));
    assert_int_equal(config_int(second, SETTING_JOBS), 2);
    assert_int_equal(config_int(second, SETTING_RETENTION_DAYS), 30);
    sources_flag(s, SETTING_CONFIG, other);
    sources_refused(s, ERR_CONFIG, "other.yaml", NULL);
    sources_write(s, "other.yaml", "jobs: 4\n");
    AUTO(Config) third = NULL;
    OK(sources_load(s, &third));
    assert_int_equal(config_int(third, SETTING_JOBS), 4);
    assert_string_equal(config_yaml_file(third), other);
}

static void test_a_folder_is_no_file(void **state)
{
    Sources *s = *state;
    AUTO(char) path = file_join(s->dir, "pgstow.yaml");
    OK(file_make_dir(path, 0755));
    sources_refused(s, ERR_CONFIG, "is not a file", NULL);
}

/* A program named in a file that somebody else left here is not run. */
static void test_programs_from_foreign_files(void **state)
{
    Sources *s = *state;
    AUTO(char) path = file_join(s->dir, "pgstow.yaml");
    if (geteuid() != 0)
        skip();
    sources_write(s, "pgstow.yaml", "tools:\n  psql: /tmp/evil\n");
    assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
    sources_refused(s, ERR_CONFIG, "pgstow.yaml:2: tools.psql names a program", "--config");
    sources_flag(s, SETTING_CONFIG, path);
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    assert_string_equal(config_str(c, SETTING_PSQL), "/tmp/evil");
}

static void keep_log(void *ctx, LogLevel level, const char *message)
{
    if (level == LOG_WARNING)
        buf_add_str(ctx, message);
}

static void test_warns_of_readable_passwords(void **state)
{
    Sources *s = *state;
    AUTO(char) path = file_join(s->dir, "pgstow.yaml");
    AUTO_VALUE(Buf) log = {0};
    log_set_sink(keep_log, &log, LOG_DEBUG);
    for (int i = 0; i < 3; i++) {
        AUTO(Config) c = NULL;
        sources_write(s, "pgstow.yaml",
                      i == 1 ? "database: {url: 'postgresql://me@db/shop'}\n"
                             : "database: {url: 'postgresql://me:s3cret@db/shop'}\n");
        assert_int_equal(chmod(path, i == 0 ? 0600 : 0644), 0);
        log.len = 0;
        OK(sources_load(s, &c));
        buf_u8(&log, 0);
        assert_int_equal(strstr((char *)log.data, "pgstow.yaml:1") != NULL, i == 2);
        assert_null(strstr((char *)log.data, "s3cret"));
    }
    log_set_sink(NULL, NULL, LOG_DEBUG);
}

/* The sample is read without complaint, also with every key taken into use. */
static void test_sample(void **state)
{
    Sources *s = *state;
    AUTO(char) sample = setting_sample();
    sources_write(s, "pgstow.yaml", sample);
    AUTO(Config) commented = NULL;
    OK(sources_load(s, &commented));
    AUTO_VALUE(Buf) live = {0};
    for (const char *line = sample; *line;) {
        size_t n = strcspn(line, "\n");
        const char *text = line + strspn(line, " ");
        for (SettingId id = 0; id < SETTINGS && text_starts(text, "# "); id++) {
            const char *dot = strrchr(setting_info(id)->key, '.');
            AUTO(char) start = mem_printf("# %s: ", dot ? dot + 1 : setting_info(id)->key);
            if (*setting_info(id)->key && text_starts(text, start)) {
                buf_add(&live, line, (size_t)(text - line));
                text += 2;
                line += 2 + (text - 2 - line);
                n = strcspn(line, "\n");
            }
        }
        buf_add(&live, line, n + (line[n] == '\n'));
        line += n + (line[n] == '\n');
    }
    sources_write_bytes(s, "pgstow.yaml", live.data, live.len);
    AUTO(Config) c = NULL;
    OK(sources_load(s, &c));
    for (SettingId id = 0; id < SETTINGS; id++)
        if (*setting_info(id)->key)
            assert_int_equal(config_source(c, id), CONFIG_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(test_all_keys),
        SOURCES_TEST(test_empty_files),
        SOURCES_TEST(test_unknown_keys),
        SOURCES_TEST(test_bad_values),
        SOURCES_TEST(test_shape),
        SOURCES_TEST(test_limits),
        SOURCES_TEST(test_which_file),
        SOURCES_TEST(test_a_folder_is_no_file),
        SOURCES_TEST(test_programs_from_foreign_files),
        SOURCES_TEST(test_warns_of_readable_passwords),
        SOURCES_TEST(test_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
