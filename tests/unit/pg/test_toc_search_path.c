#include "../unit.h"

#include <libgen.h>

#include "base/file.h"
#include "pg/toc_search_path.h"

static void golden(Toc **out)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) here = mem_strdup(__FILE__);
    AUTO(char) path = file_join(dirname(here), "data/pg15.toc");
    OK(file_read(path, 1 << 20, &b));
    OK(toc_parse(b.data, b.len, out));
}

static StrList names(const char *first, const char *second)
{
    StrList l = {0};
    strlist_add(&l, first);
    if (second)
        strlist_add(&l, second);
    return l;
}

static void test_only_the_path_changes(void **state)
{
    (void)state;
    AUTO(Toc) was = NULL;
    AUTO(Toc) t = NULL;
    AUTO_VALUE(StrList) schemas = names("public", "odd, \"one\"'s");
    golden(&was);
    golden(&t);
    OK(toc_set_search_path(&t, &schemas));
    assert_int_equal(t->count, was->count);
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *x = &was->entries[i], *y = &t->entries[i];
        assert_int_equal(x->dump_id, y->dump_id);
        assert_int_equal(x->dep_count, y->dep_count);
        assert_string_equal(x->tag, y->tag);
        assert_string_equal(x->owner, y->owner);
        if (!toc_is(x, "SEARCHPATH"))
            assert_string_equal(x->defn, y->defn);
    }
    assert_string_equal(toc_first(t, "SEARCHPATH")->defn,
                        "SELECT pg_catalog.set_config('search_path', "
                        "'\"public\", \"odd, \"\"one\"\"''s\"', false);\n");
    assert_int_equal(t->raw.len - was->raw.len, strlen("\"public\", \"odd, \"\"one\"\"''s\""));
}

static void test_twice(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    AUTO_VALUE(StrList) one = names("a", NULL);
    AUTO_VALUE(StrList) other = names("b", NULL);
    golden(&t);
    OK(toc_set_search_path(&t, &one));
    OK(toc_set_search_path(&t, &other));
    assert_string_equal(toc_first(t, "SEARCHPATH")->defn,
                        "SELECT pg_catalog.set_config('search_path', '\"b\"', false);\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_path_changes),
        cmocka_unit_test(test_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
