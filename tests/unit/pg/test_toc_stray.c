#include "../unit.h"

#include <libgen.h>

#include "base/file.h"
#include "pg/toc_stray.h"

static void golden(const char *name, Toc **out)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) here = mem_strdup(__FILE__);
    AUTO(char) folder = mem_strdup(dirname(here));
    AUTO(char) path = file_join(folder, name);
    OK(file_read(path, 1 << 20, &b));
    OK(toc_parse(b.data, b.len, out));
}

static const TocEntry *table(const Toc *t, const char *tag)
{
    for (size_t i = 0; i < t->count; i++)
        if (toc_is(&t->entries[i], "TABLE") && !strcmp(t->entries[i].tag, tag))
            return &t->entries[i];
    fail_msg("no table %s", tag);
    return NULL;
}

/* By pg_dump 18.6 of server 15.20: two columns each of two tables, one with an option of its own.
 */
static void test_an_older_pg_dumps_archive(void **state)
{
    (void)state;
    AUTO(Toc) was = NULL;
    AUTO(Toc) t = NULL;
    golden("data/pg18_of_15.toc", &was);
    golden("data/pg18_of_15.toc", &t);
    assert_non_null(strstr(table(t, "tuned")->defn, ", n_distinct=-0.5);"));
    assert_int_equal(toc_drop_stray(t), 4);
    assert_int_equal(toc_drop_stray(t), 0);
    /* What looks like it in a name and in a text stays. */
    assert_non_null(strstr(table(t, "plain")->defn, "\"odd; SET (pg_attver=7)\""));
    assert_non_null(strstr(table(t, "plain")->defn, "'it''s SET (pg_attver=8);'"));
    assert_non_null(strstr(table(t, "plain")->defn, "ALTER COLUMN a RESET(n_distinct)  "));
    assert_null(strstr(table(t, "tuned")->defn, "pg_attver"));
    assert_non_null(strstr(table(t, "tuned")->defn, "n_distinct=-0.5);"));
    assert_non_null(strstr(table(t, "tuned")->defn, "SET STATISTICS 200"));
    /* The bytes say the same as the entries, and nothing else has changed. */
    AUTO(Toc) again = NULL;
    OK(toc_parse(t->raw.data, t->raw.len, &again));
    assert_int_equal(again->count, was->count);
    for (size_t i = 0; i < was->count; i++) {
        assert_string_equal(again->entries[i].defn, t->entries[i].defn);
        if (strcmp(was->entries[i].defn, t->entries[i].defn))
            assert_string_equal(was->entries[i].desc, "TABLE");
        assert_int_equal(again->entries[i].offset_at, was->entries[i].offset_at);
    }
}

static void test_others_stay_as_they_are(void **state)
{
    (void)state;
    AUTO(Toc) was = NULL;
    AUTO(Toc) t = NULL;
    golden("data/pg15.toc", &was);
    golden("data/pg15.toc", &t);
    assert_int_equal(toc_drop_stray(t), 0);
    assert_memory_equal(t->raw.data, was->raw.data, was->raw.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_older_pg_dumps_archive),
        cmocka_unit_test(test_others_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
