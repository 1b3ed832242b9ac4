/* The command line, taken apart. */
#include "../unit.h"

#include "cli/args.h"

#define PARSE(out, ...)                                                                            \
    ({                                                                                             \
        char *argv_[] = {(char *)(uintptr_t) "pgstow", __VA_ARGS__, NULL};                         \
        args_parse((int)(sizeof argv_ / sizeof *argv_) - 1, argv_, (out));                         \
    })

/* The words fail, and message and hint have these in them (NULL: any). */
#define REFUSED(message, hint, ...)                                                                \
    do {                                                                                           \
        AUTO_VALUE(Args) refused_ = {0};                                                           \
        AUTO(Error) e_ = PARSE(&refused_, __VA_ARGS__);                                            \
        check_refusal(e_, message, hint);                                                          \
    } while (0)

static void check_refusal(const Error *e, const char *message, const char *hint)
{
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_USAGE);
    if (!strstr(error_message(e), message))
        print_error("message: %s\nwanted:  %s\n", error_message(e), message);
    assert_non_null(strstr(error_message(e), message));
    if (!hint)
        return;
    assert_non_null(error_hint_text(e));
    if (!strstr(error_hint_text(e), hint))
        print_error("hint:   %s\nwanted: %s\n", error_hint_text(e), hint);
    assert_non_null(strstr(error_hint_text(e), hint));
}

static const char *value_of(const Args *a, SettingId id)
{
    const char *value = NULL;
    for (size_t i = 0; i < a->flag_count; i++)
        if (a->flags[i].id == id)
            value = a->flags[i].value;
    return value;
}

static void test_forms(void **state)
{
    (void)state;
    AUTO_VALUE(Args) a = {0};
    OK(PARSE(&a, "--repo", "/r", "-d", "dbname=x", "backup", "--tag=a=b", "--tag", "c=d", "-j4",
             "-yq", "--no-json", "--exclude-table=--odd", "--max-rate", "-5"));
    assert_string_equal(a.command->name, "backup");
    assert_string_equal(value_of(&a, SETTING_REPO), "/r");
    assert_string_equal(value_of(&a, SETTING_DB), "dbname=x");
    assert_string_equal(value_of(&a, SETTING_TAG), "c=d");
    assert_string_equal(value_of(&a, SETTING_JOBS), "4");
    assert_string_equal(value_of(&a, SETTING_JSON), "false");
    assert_string_equal(value_of(&a, SETTING_EXCLUDE_TABLE), "--odd");
    assert_string_equal(value_of(&a, SETTING_MAX_RATE), "-5");
    assert_true(args_flag(&a, SETTING_YES) && args_flag(&a, SETTING_QUIET));
    assert_false(args_flag(&a, SETTING_JSON));
    assert_int_equal(a.word_count, 0);
}

static void test_words(void **state)
{
    (void)state;
    AUTO_VALUE(Args) a = {0};
    OK(PARSE(&a, "verify", "one", "--level", "quick", "two", "--", "--three", "-"));
    assert_int_equal(a.word_count, 4);
    assert_string_equal(a.words[2], "--three");
    AUTO_VALUE(Args) out = {0};
    OK(PARSE(&out, "export", "latest", "-o", "-"));
    assert_string_equal(value_of(&out, SETTING_OUTPUT), "-");
    AUTO_VALUE(Args) none = {0};
    OK(PARSE(&none, "--json"));
    assert_null(none.command);
    AUTO_VALUE(Args) alias = {0};
    OK(PARSE(&alias, "create"));
    assert_int_equal(alias.command->id, COMMAND_BACKUP);
}

/* What belongs to guard's command is not looked at. */
static void test_guard(void **state)
{
    (void)state;
    for (int dashes = 0; dashes < 2; dashes++) {
        AUTO_VALUE(Args) a = {0};
        if (dashes)
            OK(PARSE(&a, "guard", "--tag", "a=b", "--", "psql", "--json", "-f", "x", "--", "y"));
        else
            OK(PARSE(&a, "guard", "--tag", "a=b", "psql", "--json", "-f", "x", "--", "y"));
        assert_int_equal(a.rest.count, 6);
        assert_string_equal(a.rest.items[1], "--json");
        assert_string_equal(a.rest.items[4], "--");
        assert_int_equal(a.flag_count, 1);
    }
    REFUSED("guard needs more", "guard --help", "guard");
    REFUSED("guard needs more", NULL, "guard", "--");
    REFUSED("guard does not take --exclude-table (which belongs to: backup", NULL, "guard",
            "--exclude-table", "x", "--", "true");
}

/* Two settings share --timeout: the command says which is meant, also before it. */
static void test_shared_flags(void **state)
{
    (void)state;
    AUTO_VALUE(Args) backup = {0}, restore = {0}, before = {0};
    OK(PARSE(&backup, "backup", "--timeout", "1h"));
    OK(PARSE(&restore, "restore", "--timeout", "1h"));
    OK(PARSE(&before, "--timeout", "1h", "restore"));
    assert_string_equal(value_of(&backup, SETTING_BACKUP_TIMEOUT), "1h");
    assert_string_equal(value_of(&restore, SETTING_RESTORE_TIMEOUT), "1h");
    assert_string_equal(value_of(&before, SETTING_RESTORE_TIMEOUT), "1h");
    assert_null(value_of(&before, SETTING_BACKUP_TIMEOUT));
}

static void test_refusals(void **state)
{
    (void)state;
    REFUSED("there is no command \"bakcup\"", "did you mean backup?", "bakcup");
    REFUSED("there is no command \"\"", NULL, "");
    REFUSED("unknown flag --rpeo", "did you mean --repo? `pgstow list --help`", "list", "--rpeo",
            "x");
    REFUSED("unknown flag --rpeo", "did you mean --repo? `pgstow --help`", "--rpeo=x", "list");
    REFUSED("list does not take --to-db (which belongs to: restore)", NULL, "list", "--to-db", "x");
    REFUSED("list does not take --to-db", NULL, "--to-db", "x", "list");
    REFUSED("unknown flag -Z", "pgstow list --help", "list", "-Z");
    REFUSED("unknown flag -o", NULL, "list", "-o", "x");
    REFUSED("--repo needs a value", "--repo DIR", "list", "--repo");
    REFUSED("--repo needs a value", NULL, "list", "--repo", "--json");
    REFUSED("-j needs a value", "-j N", "list", "-yj");
    REFUSED("--json is yes or no", NULL, "list", "--json=perhaps");
    REFUSED("--no-json is yes or no", NULL, "list", "--no-json=true");
    REFUSED("unknown flag --no-repo", NULL, "list", "--no-repo");
    REFUSED("show needs more: pgstow show ID", NULL, "show");
    REFUSED("list does not know what to do with \"two\"", "pgstow list [OPTION...] [DATABASE]",
            "list", "one", "two");
    REFUSED("unknown flag --\\x1b[2J", NULL, "list", "--\033[2J");
    /* --no-owner is a flag by its own name, and --no-no-owner its opposite. */
    AUTO_VALUE(Args) a = {0};
    OK(PARSE(&a, "restore", "--no-owner", "--no-no-privileges"));
    assert_true(args_flag(&a, SETTING_NO_OWNER));
    assert_false(args_flag(&a, SETTING_NO_PRIVILEGES));
    FAILS(ERR_USAGE, PARSE(&a, "restore", "--owner"));
}

static void test_no_secret_is_repeated(void **state)
{
    (void)state;
    AUTO_VALUE(Args) a = {0};
    AUTO(Error) e = PARSE(&a, "backup", "postgresql://me:s3cret@db/shop");
    assert_non_null(e);
    assert_null(strstr(error_message(e), "s3cret"));
    assert_string_equal(error_hint_text(e), "a database is named by --db");
}

static void test_help_needs_nothing_else(void **state)
{
    (void)state;
    AUTO_VALUE(Args) a = {0}, b = {0}, c = {0}, d = {0};
    OK(PARSE(&a, "show", "--help"));
    assert_true(a.help && a.command->id == COMMAND_SHOW);
    OK(PARSE(&b, "--help", "show"));
    assert_true(b.help && b.command->id == COMMAND_SHOW);
    OK(PARSE(&c, "-h"));
    assert_true(c.help && !c.command);
    OK(PARSE(&d, "--version"));
    assert_true(d.version);
}

static void test_secrets_are_hidden(void **state)
{
    (void)state;
    char pgstow[] = "pgstow", backup[] = "backup", db[] = "--db=postgresql://me:s3cret@db/shop",
         words[] = "password=s3cret host=h", shorter[] = "-dpostgres://u:s@h/d",
         repo[] = "--repo=/a=b", sum[] = "x=y";
    char *argv[] = {pgstow, backup, db, words, shorter, repo, sum, NULL};
    args_hide_secrets(7, argv);
    assert_string_equal(db, "--db=postgresql://me:***@db/shop");
    assert_string_equal(words, "password=*** host=h");
    assert_int_equal(strncmp(shorter, "-dpostgres://u:***@h", 20), 0);
    assert_string_equal(repo, "--repo=/a=b");
    assert_string_equal(sum, "x=y");
}

/* No two settings that one command takes have the same flag or letter. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        const CommandInfo *c = command_info((CommandId)i);
        assert_ptr_equal(command_find(c->name), c);
        for (const SettingId *id = command_everywhere; *id != SETTINGS; id++)
            assert_false(setting_in(c->settings, *id));
        assert_true(*c->summary && *c->help && *c->examples);
        assert_true(strlen(c->summary) < 60 && c->summary[strlen(c->summary) - 1] != '.');
        for (SettingId a = 0; a < SETTINGS; a++)
            for (SettingId b = 0; b < a; b++) {
                const SettingInfo *x = setting_info(a), *y = setting_info(b);
                if (!command_takes(c, a) || !command_takes(c, b))
                    continue;
                assert_string_not_equal(x->flag, y->flag);
                assert_true(!x->short_flag || x->short_flag != y->short_flag);
                assert_true(x->short_flag != 'h');
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_shared_flags),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_secret_is_repeated),
        cmocka_unit_test(test_help_needs_nothing_else),
        cmocka_unit_test(test_secrets_are_hidden),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
