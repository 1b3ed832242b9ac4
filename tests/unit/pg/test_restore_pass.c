#include "../unit.h"

#include <libgen.h>

#include "base/file.h"
#include "pg/restore_pass.h"

static void golden(Toc **out)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) here = mem_strdup(__FILE__);
    AUTO(char) path = file_join(dirname(here), "data/pg15.toc");
    OK(file_read(path, 1 << 20, &b));
    OK(toc_parse(b.data, b.len, out));
}

/* Every entry without rows is in exactly one of the two parts. */
static void test_parts(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    golden(&t);
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        bool before = restore_part_wants(RESTORE_BEFORE, e);
        bool behind = restore_part_wants(RESTORE_BEHIND, e);
        assert_int_equal(before + behind, toc_has_block(e) ? 0 : 1);
        if (toc_is(e, "TABLE") || toc_is(e, "BLOB") || toc_is(e, "SCHEMA"))
            assert_true(before);
        if (toc_is(e, "ACL") || toc_is(e, "INDEX") || toc_is(e, "SEQUENCE SET"))
            assert_true(behind);
    }
    const TocEntry metadata = {.desc = "BLOB METADATA", .section = TOC_DATA};
    assert_true(restore_part_wants(RESTORE_BEFORE, &metadata));
    const TocEntry sequence = {.desc = "SEQUENCE SET", .section = TOC_DATA};
    assert_true(restore_part_wants(RESTORE_BEHIND, &sequence));
    const TocEntry privilege = {.desc = "DEFAULT ACL", .section = TOC_PRE_DATA};
    assert_true(restore_part_wants(RESTORE_BEHIND, &privilege));
}

/* The planner's statistics go in only where the server has the functions for it. */
static void test_statistics(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    golden(&t);
    const TocEntry *index = toc_first(t, "INDEX");
    assert_non_null(index);
    /* An entry of the golden archive becomes one of pg_dump --statistics. */
    assert_true(strlen(index->desc) == 5);
    TocEntry *e = &t->entries[index - t->entries];
    e->desc = "STATISTICS DATA";
    for (int wanted = 0; wanted <= 1; wanted++) {
        AUTO_VALUE(Buf) cut = {0};
        AUTO(Toc) got = NULL;
        OK(restore_part_cut(t, &(RestoreWanted){RESTORE_BEHIND, wanted ? 18 : 17, false, NULL}, &cut));
        OK(toc_parse(cut.data, cut.len, &got));
        assert_int_equal(toc_find(got, e->dump_id) != NULL, wanted);
    }
}

/* What is cut is an archive again, with the wanted entries unchanged and in order. */
static void test_cut(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    golden(&t);
    size_t sum = 0;
    for (int part = RESTORE_BEFORE; part <= RESTORE_BEHIND; part++) {
        AUTO_VALUE(Buf) cut = {0};
        AUTO(Toc) got = NULL;
        OK(restore_part_cut(t, &(RestoreWanted){(RestorePart)part, 18, false, NULL}, &cut));
        OK(toc_parse(cut.data, cut.len, &got));
        size_t at = 0;
        for (size_t i = 0; i < t->count; i++) {
            if (!restore_part_wants((RestorePart)part, &t->entries[i]))
                continue;
            assert_true(at < got->count);
            assert_int_equal(got->entries[at].dump_id, t->entries[i].dump_id);
            assert_string_equal(got->entries[at].tag, t->entries[i].tag);
            at++;
        }
        assert_int_equal(at, got->count);
        assert_true(at > 0);
        sum += at;
    }
    size_t blocks = 0;
    for (size_t i = 0; i < t->count; i++)
        blocks += toc_has_block(&t->entries[i]);
    assert_int_equal(sum + blocks, t->count);
}

static void hear_all(RestoreSaid *s, const char *text)
{
    AUTO(char) copy = mem_strdup(text);
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        restore_said_line(s, line);
}

static void test_an_error_names_its_entry(void **state)
{
    (void)state;
    AUTO_VALUE(RestoreSaid) s = {0};
    hear_all(&s, "pg_restore: creating INDEX \"public.fine\"\n"
                 "pg_restore: while PROCESSING TOC:\n"
                 "pg_restore: from TOC entry 3344; 2606 26467 CONSTRAINT t one postgres\n"
                 "pg_restore: error: could not execute query: ERROR:  could not create unique "
                 "index \"one\"\n"
                 "DETAIL:  Key (a)=(1) is duplicated.\n"
                 "Command was: CREATE USER MAPPING FOR x OPTIONS (password 'secret');\n"
                 "pg_restore: error: a worker process died unexpectedly\n"
                 "pg_restore: from TOC entry 1; 1 1 TABLE later postgres\n");
    AUTO(Error) e = restore_said_error(&s, 1);
    assert_int_equal(error_kind(e), ERR_TOOL_FAILED);
    assert_non_null(strstr(error_message(e), "CONSTRAINT t one"));
    assert_non_null(strstr(error_message(e), "could not create unique index \"one\""));
    assert_non_null(strstr(error_message(e), "is duplicated"));
    assert_null(strstr(error_message(e), "secret"));
    assert_null(strstr(error_message(e), "worker process"));
    assert_null(strstr(error_message(e), "later"));
}

static void test_other_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        ErrorKind kind;
    } cases[] = {
        {"", "status 3", ERR_TOOL_FAILED},
        {"docker: no such container: db\n", "no such container", ERR_TOOL_FAILED},
        {"pg_restore: error: could not execute query: ERROR:  could not extend file \"base/1/2\": "
         "No space left on device\nHINT:  Check free disk space.\n",
         "No space left", ERR_DB_FULL},
        {"pg_restore: error: connection to server at \"x\", port 1 failed: Connection refused\n",
         "refused", ERR_CONNECT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_VALUE(RestoreSaid) s = {0};
        hear_all(&s, cases[i].text);
        AUTO(Error) e = restore_said_error(&s, 3);
        assert_int_equal(error_kind(e), cases[i].kind);
        assert_non_null(strstr(error_message(e), cases[i].part));
    }
    AUTO_VALUE(RestoreSaid) s = {0};
    hear_all(&s,
             "pg_restore: warning: first\npg_restore: creating TABLE\npg_restore: warning: two\n");
    assert_int_equal(s.warnings.count, 2);
    assert_string_equal(s.warnings.items[1], "two");
}

/* As pg_restore 17 speaks to a server of version 15. */
#define REFUSED                                                                                    \
    "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "    \
    "\"transaction_timeout\"\nCommand was: SET transaction_timeout = 0;\n"
#define IGNORED(n) "pg_restore: warning: errors ignored on restore: " n "\n"

static void test_an_old_server_may_refuse_one_setting(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int sessions;
        bool fine;
        const char *part; /* of the error, where it is none */
    } cases[] = {
        {REFUSED IGNORED("1"), 1, true, NULL},
        {REFUSED REFUSED REFUSED IGNORED("2"), 2, true, NULL},
        /* As two processes wrote it at the same time. */
        {REFUSED
         "pg_restore: error: pg_restore: launching item 3\n"
         "pg_restore: error: pg_restore:could not execute query: ERROR:  unrecognized "
         "configuration parameter \"transaction_timeout\"\n error: could not execute query: "
         "ERROR:  unrecognized configuration parameter \"transaction_timeout\"\n" IGNORED("2"),
         2, true, NULL},
        /* An error that was missed in the words of several processes is in their count. */
        {REFUSED REFUSED IGNORED("2"), 1, false, "transaction_timeout"},
        {REFUSED "pg_restore: error: could not execute query: ERROR:  no such type\n" IGNORED("2"),
         2, false, "no such type"},
        {"pg_restore: error: could not execute query: ERROR:  no such type\n" REFUSED, 1, false,
         "no such type"},
        {REFUSED "pg_restore: error: could not read from input file\n", 1, false, "could not read"},
        {IGNORED("1"), 1, false, "status 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_VALUE(RestoreSaid) s = {.old_server = true};
        hear_all(&s, cases[i].text);
        assert_int_equal(s.warnings.count, 0);
        assert_int_equal(restore_said_only_refused(&s, cases[i].sessions), cases[i].fine);
        AUTO(Error) e = restore_said_error(&s, 1);
        if (cases[i].part)
            assert_non_null(strstr(error_message(e), cases[i].part));
    }
    /* On a server that knows the setting this is an error as any other. */
    AUTO_VALUE(RestoreSaid) s = {0};
    hear_all(&s, REFUSED IGNORED("1"));
    assert_non_null(s.error);
    assert_false(restore_said_only_refused(&s, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_an_error_names_its_entry),
        cmocka_unit_test(test_other_ends),
        cmocka_unit_test(test_an_old_server_may_refuse_one_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
