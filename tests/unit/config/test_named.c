/* Lists of conditions with names: `sync.exclude:`. */
#include "sources.h"

static void test_all_forms(void **state)
{
    AUTO(Config) c = NULL;
    sources_write(*state, "pgstow.yaml",
                  "sync:\n"
                  "  exclude:\n"
                  "    - {name: demo, table: shop.customer, where: \"demo and note = 'a: b'\"}\n"
                  "    - name: logs\n"
                  "      table: shop.log\n"
                  "    - 'plain: shop.t: id > 5'\n"
                  "databases:\n"
                  "- {name: one, sync: {exclude: [{name: x, table: t, where: y}]}}\n");
    OK(sources_load(*state, &c));
    const StrList *l = config_list(c, SETTING_SYNC_EXCLUDE);
    assert_int_equal(l->count, 3);
    assert_string_equal(l->items[0], "demo: shop.customer: demo and note = 'a: b'");
    assert_string_equal(l->items[1], "logs: shop.log: true");
    assert_string_equal(l->items[2], "plain: shop.t: id > 5");
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "[{name: demo}]",
        "[{table: shop.t, where: a}]",
        "[{name: 'a b', table: t}]",
        "[{name: 'a:b', table: t}]",
        "[{name: a, table: t, when: b}]",
        "[{name: a, name: b, table: t}]",
        "[{name: a, table: [t]}]",
        "['no colon']",
        "['one: colon']",
        "[[a]]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO(Config) c = NULL;
        AUTO(char) text = mem_printf("sync: {exclude: %s}\n", texts[i]);
        sources_write(*state, "pgstow.yaml", text);
        FAILS(ERR_CONFIG, sources_load(*state, &c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(test_all_forms),
        SOURCES_TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
