#include "sources.h"

static void load_with(Sources *s, const char *entry, Config **out)
{
    s->flag_count = 0;
    sources_flag(s, SETTING_ENTRY, entry);
    OK(sources_load(s, out));
}

/* The entry beats the environment and the file's other sections, flags beat it; and nothing of an
 * entry counts where it is not named. */
static void test_who_beats_whom(void **state)
{
    Sources *s = *state;
    sources_write(s, "pgstow.yaml",
                  "backup:\n  retentionDays: 7\n  excludeTable: [base]\n  keepLast: 2\n"
                  "databases:\n"
                  "  - name: shop\n    url: postgresql://h/shop\n    retentionDays: 90\n"
                  "    schedule: '0 3 * * *'\n    excludeTable: [audit_*, log]\n"
                  "    drill: {validate: strict}\n    jobs: 3\n"
                  "  - {name: other.2, url: postgresql://h/other}\n");
    sources_env(s, "DATABASE_URL=postgresql://h/environment");
    sources_env(s, "BACKUP_RETENTION_DAYS=11");
    AUTO(Config) none = NULL;
    OK(sources_load(s, &none));
    assert_string_equal(config_str(none, SETTING_DB), "postgresql://h/environment");
    assert_int_equal(config_int(none, SETTING_RETENTION_DAYS), 11);
    assert_null(config_str(none, SETTING_SCHEDULE));
    assert_int_equal(config_list(none, SETTING_EXCLUDE_TABLE)->count, 1);
    assert_int_equal(config_entries(none)->count, 2);
    assert_string_equal(config_entries(none)->items[1], "other.2");
    AUTO(Config) shop = NULL;
    load_with(s, "shop", &shop);
    assert_string_equal(config_str(shop, SETTING_DB), "postgresql://h/shop");
    assert_int_equal(config_int(shop, SETTING_RETENTION_DAYS), 90);
    assert_int_equal(config_int(shop, SETTING_KEEP_LAST), 2);
    assert_int_equal(config_int(shop, SETTING_JOBS), 3);
    assert_int_equal(config_int(shop, SETTING_DRILL_VALIDATE), 2);
    assert_string_equal(config_str(shop, SETTING_SCHEDULE), "0 3 * * *");
    const StrList *tables = config_list(shop, SETTING_EXCLUDE_TABLE);
    assert_int_equal(tables->count, 2); /* in place of the file's, not besides */
    assert_string_equal(tables->items[0], "audit_*");
    assert_int_equal(config_source(shop, SETTING_DB), CONFIG_ENTRY);
    assert_string_equal(config_origin(shop, SETTING_DB), "pgstow.yaml:7");
    AUTO(Config) other = NULL;
    load_with(s, "other.2", &other);
    assert_string_equal(config_str(other, SETTING_DB), "postgresql://h/other");
    assert_int_equal(config_int(other, SETTING_RETENTION_DAYS), 11);
    AUTO(Config) flag = NULL;
    s->flag_count = 0;
    sources_flag(s, SETTING_DB, "postgresql://h/flag");
    sources_flag(s, SETTING_ENTRY, "shop");
    OK(sources_load(s, &flag));
    assert_string_equal(config_str(flag, SETTING_DB), "postgresql://h/flag");
    assert_int_equal(config_int(flag, SETTING_RETENTION_DAYS), 90);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        {"databases: shop\n", "pgstow.yaml:1: databases is a list", "- name"},
        {"databases: {shop: 1}\n", "databases is a list", NULL},
        {"databases: [shop]\n", "an entry of databases has keys", NULL},
        {"databases:\n  - url: postgresql://h/x\n",
         "pgstow.yaml:2: this entry of databases has no name", "--entry"},
        {"databases:\n  - name: a b\n", "pgstow.yaml:2: that is no name", "63 letters"},
        {"databases:\n  - name: -a\n", "that is no name", NULL},
        {"databases:\n  - name: ../a\n", "that is no name", NULL},
        {"databases:\n  - name: [a]\n", "that is no name", NULL},
        {"databases:\n  - name: a\n    name: b\n", "\"name\" is there twice", NULL},
        {"databases:\n  - name: a\n  - name: a\n", "pgstow.yaml:3: a second entry \"a\"", NULL},
        {"databases:\n  - name: a\n    retentiondays: 3\n", "unknown key \"retentiondays\"",
         "retentionDays"},
        {"databases:\n  - name: a\n    backup:\n      retentionDays: 3\n", "unknown key \"backup\"",
         "allowed here: name, "},
        {"databases:\n  - name: a\n    databases: []\n", "unknown key \"databases\"", NULL},
        {"databases:\n  - name: a\n    retentionDays: many\n", "pgstow.yaml:3: retentionDays",
         NULL},
        {"databases:\n  - name: a\n    url: 1\n    url: 2\n", "\"url\" is there twice", NULL},
        {"databases: []\ndatabases: []\n", "\"databases\" is there twice", NULL},
        {"database: {url: x}\nunknown: 1\n", "unknown key", "databases"},
    };
    Sources *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        sources_yaml_refused(s, cases[i].text, cases[i].message, cases[i].hint);
}

static void test_names(void **state)
{
    Sources *s = *state;
    char longest[65];
    memset(longest, 'x', 64);
    longest[64] = 0;
    assert_false(config_is_entry_name(longest));
    longest[63] = 0;
    assert_true(config_is_entry_name(longest));
    assert_false(config_is_entry_name(""));
    assert_false(config_is_entry_name(".a"));
    sources_flag(s, SETTING_ENTRY, "shop");
    sources_refused(s, ERR_USAGE, "no entry \"shop\"", "no file of settings");
    sources_write(s, "pgstow.yaml", "databases:\n");
    sources_refused(s, ERR_USAGE, "no entry \"shop\"", "pgstow.yaml has no");
    sources_write(s, "pgstow.yaml", "databases: [{name: shop1}, {name: far-away}]\n");
    sources_refused(s, ERR_USAGE, "no entry \"shop\"", "did you mean shop1");
    s->flag_count = 0;
    sources_flag(s, SETTING_ENTRY, "zzzzzzz");
    sources_refused(s, ERR_USAGE, "no entry", "pgstow.yaml has: shop1, far-away");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(test_who_beats_whom),
        SOURCES_TEST(test_refusals),
        SOURCES_TEST(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
