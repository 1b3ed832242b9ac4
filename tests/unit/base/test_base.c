#include "../unit.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/text.h"

static Error *inner(void)
{
    FAIL(ERR_DAMAGED, "page %d is torn", 7);
}

static Error *outer(void)
{
    TRY_CTX(inner(), "reading %s", "pack x");
    return NULL;
}

static void test_error(void **state)
{
    (void)state;
    AUTO(Error) e = error_hint(outer(), "run verify");
    e = error_hint(e, "the first hint stays");
    assert_string_equal(error_message(e), "reading pack x: page 7 is torn");
    assert_string_equal(error_hint_text(e), "run verify");
    assert_int_equal(error_kind(e), ERR_DAMAGED);
    assert_string_equal(error_kind_info(ERR_NOT_FOUND)->name, "NOT_FOUND");
    errno = ENOSPC;
    AUTO(Error) full = error_errno(ERR_REPO_FULL, ERR_REPO_PERMISSION, "cannot write f");
    assert_int_equal(error_kind(full), ERR_REPO_FULL);
    for (int k = 0; k < ERROR_KINDS; k++)
        for (int other = 0; other < k; other++)
            assert_int_not_equal(error_kind_info((ErrorKind)k)->exit_status,
                                 error_kind_info((ErrorKind)other)->exit_status);
}

static void test_buf(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    static const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < 7; i++)
        buf_varint(&b, values[i]);
    buf_u16(&b, 0x1234);
    buf_u64(&b, UINT64_MAX - 1);
    buf_block_str(&b, "name");
    Reader r = reader_over(b.data, b.len, "test");
    uint64_t v;
    for (size_t i = 0; i < 7; i++) {
        OK(reader_varint(&r, &v));
        assert_true(v == values[i]);
    }
    uint16_t small;
    OK(reader_u16(&r, &small));
    assert_int_equal(small, 0x1234);
    OK(reader_u64(&r, &v));
    assert_true(v == UINT64_MAX - 1);
    AUTO(char) name = NULL;
    OK(reader_block_str(&r, &name));
    assert_string_equal(name, "name");
    OK(reader_end(&r));
    FAILS(ERR_DAMAGED, reader_varint(&r, &v));
    for (size_t cut = 0; cut < b.len; cut++) {
        Reader shorter = reader_over(b.data, cut, "test");
        AUTO(Error) e = NULL;
        for (size_t i = 0; i < 7 && !e; i++)
            e = reader_varint(&shorter, &v);
        if (!e)
            e = reader_u16(&shorter, &small);
        if (!e)
            e = reader_u64(&shorter, &v);
        AUTO(char) s = NULL;
        if (!e)
            e = reader_block_str(&shorter, &s);
        assert_non_null(e);
        assert_int_equal(error_kind(e), ERR_DAMAGED);
    }
    FAILS(ERR_LIMIT, buf_reserve(&b, 100, 50));
    AUTO_VALUE(Buf) nothing = {0};
    OK(buf_reserve(&nothing, 0, 0));
    assert_non_null(nothing.data); /* an address from here on */
}

static void test_text(void **state)
{
    (void)state;
    char out[32];
    assert_string_equal(text_size(999, out), "999 B");
    assert_string_equal(text_size(1234567, out), "1.23 MB");
    assert_string_equal(text_size(316000000, out), "316 MB");
    assert_string_equal(text_duration(245000, out), "4 min 5 s");
    uint64_t size;
    OK(text_parse_size("64KiB", &size));
    assert_true(size == 65536);
    OK(text_parse_size("1.5G", &size));
    assert_true(size == 1610612736);
    FAILS(ERR_CONFIG, text_parse_size("-1", &size));
    FAILS(ERR_CONFIG, text_parse_size("12 apples", &size));
    int64_t n;
    FAILS(ERR_CONFIG, text_parse_int("", 0, 9, &n));
    FAILS(ERR_CONFIG, text_parse_int("10", 0, 9, &n));
    bool yes;
    OK(text_parse_bool("On", &yes));
    assert_true(yes);
    FAILS(ERR_CONFIG, text_parse_bool("maybe", &yes));
    static const char *const names[] = {"restore", "backup", "verify"};
    assert_string_equal(text_nearest("bakcup", names, 3), "backup");
    assert_null(text_nearest("zzzzzz", names, 3));
    AUTO(char) escaped = text_escape_name("../my db\n");
    assert_string_equal(escaped, "%2E.%2Fmy%20db%0A");
    AUTO(char) dashed = text_escape_name("-my-db");
    assert_string_equal(dashed, "%2Dmy-db");
    AUTO(char) ident = text_sql_ident("a\"b");
    assert_string_equal(ident, "\"a\"\"b\"");
    AUTO(char) literal = text_sql_literal("it's");
    assert_string_equal(literal, "'it''s'");
    AUTO(char) value = text_conninfo_value("a'b\\c");
    assert_string_equal(value, "'a\\'b\\\\c'");
}

static void test_clock(void **state)
{
    (void)state;
    Instant t;
    char out[CLOCK_TEXT];
    static const char *const same[] = {
        "2024-01-15T10:30:00.000Z", "20240115T103000Z",          "20240115103000",
        "2024-01-15 10:30",         "2024-01-15 12:30:00+02:00", "2024-01-15T10:30:00"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        OK(clock_parse(same[i], &t));
        assert_string_equal(clock_iso(t, out), "2024-01-15T10:30:00.000Z");
    }
    assert_string_equal(clock_compact(t, out), "20240115T103000Z");
    assert_string_equal(clock_key(t, out), "20240115103000");
    OK(clock_parse("2024-02-29", &t));
    FAILS(ERR_USAGE, clock_parse("2023-02-29", &t));
    static const char *const none[] = {"yesterday",           "99-12-30",
                                       "2024-01-15T -1:00",   "2024- 1-15",
                                       "0024-01-15",          "2024-01-15 10:30:00+ 2",
                                       "2024-01-15 10:30:60", ""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        FAILS(ERR_USAGE, clock_parse(none[i], &t));
    int64_t ms;
    OK(clock_parse_duration("26h", &ms));
    assert_true(ms == 26 * 3600000LL);
    FAILS(ERR_CONFIG, clock_parse_duration("26 hours", &ms));
}

static void test_doc(void **state)
{
    (void)state;
    AUTO(Doc) d = doc_object();
    doc_set_str(d, "id", "shop-20240115T103000Z");
    doc_set_int(d, "size", 1LL << 53);
    doc_set_str(d, "raw", "\xff");
    doc_set_bool(d, "ok", true);
    AUTO(char) text = doc_print(d, false);
    assert_string_equal(text, "{\"id\": \"shop-20240115T103000Z\", \"size\": 9007199254740992, "
                              "\"raw\": \"\\\\xff\", \"ok\": true}");
    AUTO(Doc) again = NULL;
    OK(doc_parse(text, strlen(text), "test", &again));
    assert_true(doc_int(again, "size", 0) == 1LL << 53);
    assert_true(doc_bool(again, "ok", false));
    assert_string_equal(doc_str(again, "missing", "none"), "none");
    AUTO(Doc) bad = NULL;
    FAILS(ERR_DAMAGED, doc_parse("{\"a\":", 5, "test", &bad));
}

static void test_proc(void **state)
{
    (void)state;
    AUTO_VALUE(StrList) argv = {0}, env = {0};
    AUTO_VALUE(Buf) out = {0};
    AUTO(char) err = NULL;
    int status = -1;
    OK(proc_split("sh -c 'echo \"$WHAT\"; echo bad >&2; exit 3'", &argv));
    strlist_add(&env, "WHAT=a b");
    OK(proc_run(&argv, &env, 100, &out, &status, &err));
    assert_int_equal(status, 3);
    assert_string_equal(err, "bad\n");
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.data, "a b\n", 4);
    AUTO_VALUE(StrList) missing = {0};
    strlist_add(&missing, "no-such-program");
    FAILS(ERR_TOOL_MISSING, proc_run(&missing, NULL, 100, &out, &status, NULL));
    FAILS(ERR_CONFIG, proc_split("echo 'open", &missing));
    AUTO_VALUE(StrList) sleeper = {0};
    strlist_add(&sleeper, "sleep");
    strlist_add(&sleeper, "100");
    AUTO(Proc) p = NULL;
    bool done = true;
    OK(proc_start(&(ProcOptions){.argv = &sleeper}, &p));
    OK(proc_wait_for(p, 20, &done, &status));
    assert_false(done);
    proc_signal(p, 15);
    OK(proc_wait(p, &status));
    assert_int_equal(status, 128 + 15);
}

static void test_real_path(void **state)
{
    (void)state;
    char dir[] = "/tmp/pgstow-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    AUTO(char) here = realpath(dir, NULL);
    AUTO(char) link = file_join(dir, "link");
    assert_int_equal(symlink(dir, link), 0);
    const char *const made[][2] = {{"", ""}, {"/link", ""}, {"/a", "/a"}, {"/link//a/b/", "/a/b"}};
    for (size_t i = 0; i < 4; i++) {
        AUTO(char) path = mem_printf("%s%s", dir, made[i][0]);
        AUTO(char) expected = mem_printf("%s%s", here, made[i][1]);
        AUTO(char) real = file_real_path(path);
        assert_string_equal(real, expected);
    }
    AUTO(char) up = mem_printf("%s/a/../b", dir);
    assert_null(file_real_path(up));
    assert_null(file_real_path(""));
    assert_int_equal(chdir(dir), 0);
    AUTO(char) b = file_join(here, "b");
    AUTO(char) relative = file_real_path("./b");
    assert_string_equal(relative, b);
    unlink(link);
    assert_int_equal(rmdir(dir), 0);
}

static int rmdir_fails(const char *path)
{
    return rmdir(path) < 0 ? errno : 0;
}

static void test_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/pgstow-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    AUTO(char) deep = file_join(dir, "a/b/c");
    OK(file_make_dir(deep, 0700));
    AUTO(char) path = file_join(deep, "f");
    OK(file_write_atomic(path, "one", 3, 0600));
    OK(file_write_atomic(path, "three", 5, 0600));
    AUTO_VALUE(Buf) b = {0};
    OK(file_read(path, 5, &b));
    assert_string_equal((char *)b.data, "three");
    AUTO_VALUE(Buf) again = {0};
    FAILS(ERR_LIMIT, file_read(path, 4, &again));
    AUTO(char) missing = file_join(deep, "nothing");
    FAILS(ERR_NOT_FOUND, file_read(missing, 4, &again));
    assert_true(file_exists(path));
    assert_false(file_exists(missing));
    FAILS(ERR_IO, file_make_dir(path, 0700));
    OK(file_try_atomic(path));
    OK(file_try_atomic(missing));
    assert_false(file_exists(missing));
    FAILS(ERR_IO, file_try_atomic(deep));
    FAILS(ERR_IO, file_try_atomic("/dev/null"));
    AUTO(char) nowhere = file_join(missing, "f");
    FAILS(ERR_IO, file_try_atomic(nowhere));
    assert_int_equal(rmdir_fails(deep), ENOTEMPTY);
    unlink(path);
    assert_int_equal(rmdir_fails(deep), 0); /* nothing else was left in it */
    AUTO(char) clean = mem_printf("rm -r %s", dir);
    assert_int_equal(system(clean), 0);
}

static void test_printable(void **state)
{
    static const char *const pairs[][2] = {{"a\033[31m\tb\177", "a\\x1b[31m\\x09b\\x7f"},
                                           {"\xc2\x9b"
                                            "31m",
                                            "\\x9b31m"},
                                           {"gr\xc3\xb6\xc3\x9f"
                                            "e \xc2\xa0 \xe2\x82\xac",
                                            NULL},
                                           {"\xc2", NULL},
                                           {"", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        AUTO(char) shown = text_printable(pairs[i][0]);
        assert_string_equal(shown, pairs[i][1] ? pairs[i][1] : pairs[i][0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),     cmocka_unit_test(test_buf),
        cmocka_unit_test(test_text),      cmocka_unit_test(test_clock),
        cmocka_unit_test(test_doc),       cmocka_unit_test(test_proc),
        cmocka_unit_test(test_file),      cmocka_unit_test(test_real_path),
        cmocka_unit_test(test_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
