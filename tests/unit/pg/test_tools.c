#include "../unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "pg/tools.h"

typedef struct Place {
    char *root;
} Place;

static int make_root(void **state)
{
    char path[] = "/tmp/pgstow-tools-XXXXXX";
    Place *p = mem_new(Place);
    p->root = mem_strdup(mkdtemp(path));
    *state = p;
    return 0;
}

static int drop_root(void **state)
{
    Place *p = *state;
    AUTO_VALUE(StrList) argv = {0};
    AUTO_VALUE(Buf) out = {0};
    int status;
    strlist_add(&argv, "rm");
    strlist_add(&argv, "-rf");
    strlist_add(&argv, p->root);
    OK(proc_run(&argv, NULL, 4096, &out, &status, NULL));
    free(p->root);
    free(p);
    return 0;
}

static void put_file(const Place *p, const char *path, const char *text, mode_t mode)
{
    AUTO(char) full = mem_printf("%s%s", p->root, path);
    AUTO(char) dir = mem_strndup(full, (size_t)(strrchr(full, '/') - full));
    OK(file_make_dir(dir, 0755));
    OK(file_write_atomic(full, text, strlen(text), mode));
}

/* A program that prints what pg_dump of that version would. */
static void put_tool(const Place *p, const char *dir, const char *name, const char *version)
{
    AUTO(char) path = mem_printf("%s/%s", dir, name);
    AUTO(char)
    text = mem_printf("#!/bin/sh\n[ \"$1\" = --version ] && echo '%s (PostgreSQL) %s'\n", name,
                      version);
    put_file(p, path, text, 0755);
}

static Error *find(const Place *p, ToolName name, int server, int least, Tool **out)
{
    AUTO(char) path = mem_printf("%s/bin1:%s/bin2", p->root, p->root);
    return tools_find(&(ToolsOptions){.path = path, .root = p->root}, name, server, least, out);
}

static void finds(const Place *p, int server, int least, const char *place, const char *version)
{
    AUTO(Tool) t = NULL;
    OK(find(p, TOOL_PG_DUMP, server, least, &t));
    AUTO(char) path = mem_printf("%s%s/pg_dump", p->root, place);
    assert_string_equal(t->argv.items[0], path);
    assert_int_equal(t->argv.count, 1);
    assert_string_equal(t->text, version);
    assert_false(t->is_command);
}

static void test_lowest_that_fits(void **state)
{
    Place *p = *state;
    put_tool(p, "/bin1", "pg_dump", "13.2 (Debian 13.2-1)");
    put_tool(p, "/bin2", "pg_dump", "17.1");
    put_tool(p, "/usr/lib/postgresql/9.6/bin", "pg_dump", "9.6.24");
    put_tool(p, "/usr/lib/postgresql/15/bin", "pg_dump", "15.18 (Debian 15.18-0+deb12u1)");
    put_tool(p, "/usr/pgsql-16/bin", "pg_dump", "16rc1");
    put_tool(p, "/opt/homebrew/opt/postgresql@18/bin", "pg_dump", "18.0 (Homebrew)");
    put_tool(p, "/usr/local/bin", "pg_dump", "15.3");
    finds(p, 90624, 0, "/usr/lib/postgresql/9.6/bin", "9.6.24");
    finds(p, 90524, 0, "/usr/lib/postgresql/9.6/bin", "9.6.24");
    finds(p, 100001, 0, "/bin1", "13.2");
    finds(p, 130099, 0, "/bin1", "13.2");
    finds(p, 140000, 0, "/usr/lib/postgresql/15/bin", "15.18");
    finds(p, 150020, 0, "/usr/lib/postgresql/15/bin", "15.18");
    finds(p, 160000, 0, "/usr/pgsql-16/bin", "16rc1");
    finds(p, 130000, 17, "/bin2", "17.1");
    finds(p, 180000, 0, "/opt/homebrew/opt/postgresql@18/bin", "18.0");
    finds(p, 0, 0, "/opt/homebrew/opt/postgresql@18/bin", "18.0");
    AUTO(Tool) t = NULL;
    OK(find(p, TOOL_PG_DUMP, 90624, 0, &t));
    assert_int_equal(t->version, 90624);
    assert_int_equal(t->major, 9);
    AUTO(Tool) u = NULL;
    OK(find(p, TOOL_PG_DUMP, 150000, 0, &u));
    assert_int_equal(u->version, 150018);
    assert_int_equal(u->major, 15);
}

static void expect_in(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        print_error("\"%s\" is not in: %s\n", part, text ? text : "(nothing)");
    assert_true(text && strstr(text, part));
}

static void test_missing_and_old(void **state)
{
    Place *p = *state;
    put_file(p, "/etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n", 0644);
    AUTO(Tool) t = NULL;
    AUTO(Error) missing = find(p, TOOL_PG_RESTORE, 150003, 0, &t);
    assert_int_equal(error_kind(missing), ERR_TOOL_MISSING);
    expect_in(error_message(missing), "pg_restore was not found");
    expect_in(error_message(missing), "server's version 15.3");
    expect_in(error_message(missing), "/bin1");
    expect_in(error_message(missing), "/usr/lib/postgresql/*/bin");
    expect_in(error_hint_text(missing), "apt-get install -y postgresql-client-15");

    put_tool(p, "/bin2", "pg_restore", "14.9");
    put_file(p, "/bin1/pg_restore", "#!/bin/sh\necho broken: libpq is missing >&2\nexit 127\n",
             0755);
    AUTO(Error) old = find(p, TOOL_PG_RESTORE, 150003, 0, &t);
    assert_int_equal(error_kind(old), ERR_TOOL_VERSION);
    expect_in(error_message(old), "15 or newer");
    expect_in(error_message(old), "/bin2/pg_restore (14.9)");
    expect_in(error_message(old), "libpq is missing");
    AUTO(Error) older = find(p, TOOL_PG_RESTORE, 140003, 17, &t);
    expect_in(error_message(older), "17 or newer");
    expect_in(error_hint_text(older), "apt.postgresql.org.sh");

    put_tool(p, "/bin1", "pg_dump", "15.1");
    AUTO(char) path = mem_printf("%s/bin1", p->root);
    ToolsOptions forced = {.path = path, .root = p->root, .force_pg_dump_missing = true};
    AUTO(Error) e = tools_find(&forced, TOOL_PG_DUMP, 150003, 0, &t);
    assert_int_equal(error_kind(e), ERR_TOOL_MISSING);
    expect_in(error_message(e), "FORCE_PG_DUMP_MISSING");
    expect_in(error_message(e), "15.3");
    expect_in(error_hint_text(e), "postgresql-client-15");
    put_tool(p, "/bin1", "psql", "15.1");
    OK(tools_find(&forced, TOOL_PSQL, 150003, 0, &t)); /* of the others nothing is forced */
}

static void test_settings(void **state)
{
    Place *p = *state;
    put_tool(p, "/odd place", "pg_dump", "16.2");
    put_tool(p, "/bin1", "pg_dump", "15.1");
    put_file(p, "/in", "#!/bin/sh\n[ \"$1 $2\" = 'exec db' ] && shift 2 && exec \"$@\"\n", 0755);
    AUTO(char) path = mem_printf("%s/bin1", p->root);
    AUTO(char) program = mem_printf("%s/odd place/pg_dump", p->root);
    AUTO(char) folder = mem_printf("%s/odd place", p->root);
    AUTO(char) command = mem_printf("%s/in exec db '%s'", p->root, program);
    const char *settings[] = {program, folder, command};
    for (size_t i = 0; i < 3; i++) {
        AUTO(Tool) t = NULL;
        ToolsOptions o = {.setting[TOOL_PG_DUMP] = settings[i], .path = path, .root = p->root};
        OK(tools_find(&o, TOOL_PG_DUMP, 150000, 0, &t));
        assert_string_equal(t->text, "16.2");
        assert_int_equal(t->is_command, i == 2);
        assert_int_equal(t->argv.count, i == 2 ? 4 : 1);
        AUTO(Tool) none = NULL;
        FAILS(ERR_TOOL_VERSION, tools_find(&o, TOOL_PG_DUMP, 170000, 0, &none));
    }
    AUTO(Tool) t = NULL;
    ToolsOptions o = {.setting[TOOL_PG_DUMP] = "/nowhere/pg_dump", .path = path, .root = p->root};
    AUTO(Error) e = tools_find(&o, TOOL_PG_DUMP, 150000, 0, &t);
    assert_int_equal(error_kind(e), ERR_TOOL_MISSING);
    expect_in(error_message(e), "/nowhere/pg_dump");
    o.setting[TOOL_PG_DUMP] = "docker 'exec";
    FAILS(ERR_CONFIG, tools_find(&o, TOOL_PG_DUMP, 150000, 0, &t));
    o.setting[TOOL_PG_DUMP] = ""; /* as if there were none */
    OK(tools_find(&o, TOOL_PG_DUMP, 150000, 0, &t));
    AUTO(char) words = tools_places(&o, TOOL_PG_DUMP);
    expect_in(words, "PATH (");
}

/* A command that hangs does not outlast a cancellation. */
static void test_cancel(void **state)
{
    Place *p = *state;
    put_file(p, "/bin1/pg_dump", "#!/bin/sh\nexec sleep 60\n", 0755);
    AUTO(char) path = mem_printf("%s/bin1", p->root);
    AUTO(Cancel) c = NULL;
    AUTO(Tool) t = NULL;
    OK(cancel_new(NULL, &c));
    cancel_deadline(c, 200);
    ToolsOptions o = {.path = path, .root = p->root, .cancel = c};
    int64_t start = clock_mono_ms();
    FAILS(ERR_TIMEOUT, tools_find(&o, TOOL_PG_DUMP, 150000, 0, &t));
    assert_true(clock_mono_ms() - start < 20000);
}

static void test_wrapper_skipped(void **state)
{
    Place *p = *state;
    put_tool(p, "/share", "pg_wrapper", "99.1");
    AUTO(char) target = mem_printf("%s/share/pg_wrapper", p->root);
    AUTO(char) dir = mem_printf("%s/bin1", p->root);
    AUTO(char) link_path = mem_printf("%s/bin1/pg_dump", p->root);
    OK(file_make_dir(dir, 0755));
    assert_int_equal(symlink(target, link_path), 0);
    put_tool(p, "/usr/lib/postgresql/15/bin", "pg_dump", "15.18");
    finds(p, 150000, 0, "/usr/lib/postgresql/15/bin", "15.18");
}

static void hint_is(Place *p, const char *release, int major, const char *part)
{
    put_file(p, "/etc/os-release", release, 0644);
    AUTO(char) hint = tools_install_hint(p->root, major);
    expect_in(hint, part);
}

static void test_hints(void **state)
{
    Place *p = *state;
    const char *bookworm = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"
                           "VERSION_CODENAME=bookworm\nVERSION_ID=\"12\"\n";
    hint_is(p, bookworm, 15, ": apt-get update && apt-get install -y postgresql-client-15");
    hint_is(p, bookworm, 9, "postgresql-client-15");
    hint_is(p, bookworm, 16, "apt.postgresql.org.sh -y && apt-get install -y postgresql-client-16");
    hint_is(p, bookworm, 0, "apt-get install -y postgresql-client\n");
    hint_is(p, "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n", 16,
            "update && apt-get install -y postgresql-client-16");
    hint_is(p,
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=virginia\n"
            "UBUNTU_CODENAME=jammy\n",
            13, "update && apt-get install -y postgresql-client-14");
    hint_is(p, "ID=debian\nVERSION_CODENAME=forky\n", 17, "apt.postgresql.org.sh");
    hint_is(p, "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n", 16,
            "reporpms/EL-9-");
    hint_is(p, "ID=fedora\nVERSION_ID=41\n", 17, "reporpms/F-41-");
    hint_is(p, "ID=alpine\nVERSION_ID=3.20.1\n", 16, "apk add postgresql16-client");
    hint_is(p, "ID=arch\n", 16, "pacman -S postgresql-libs");
    hint_is(p, "ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\n", 16, "zypper install postgresql16");
    hint_is(p, "ID=plan9\n", 16, "https://www.postgresql.org/download/");
    hint_is(p, "", 16, "PostgreSQL 16: https://www.postgresql.org/download/");
    hint_is(p, bookworm, 15, "docker exec db pg_dump");
    put_file(p, "/.dockerenv", "", 0644);
    hint_is(p, bookworm, 15, "into its image");
    put_file(p, "/proc/version", "Linux version 5.15 (Microsoft@Microsoft.com)\n", 0644);
    hint_is(p, bookworm, 15, "Windows' subsystem for Linux");
    put_file(p, "/System/Library/CoreServices/SystemVersion.plist", "", 0644);
    hint_is(p, "", 16, "brew install postgresql@16");
}

#define IN_ROOT(f) cmocka_unit_test_setup_teardown(f, make_root, drop_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOT(test_lowest_that_fits), IN_ROOT(test_missing_and_old), IN_ROOT(test_settings),
        IN_ROOT(test_cancel),           IN_ROOT(test_wrapper_skipped), IN_ROOT(test_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
