#include "../unit.h"

#include "serve/exposition.h"

static void labelled(const char *value, const char *expected)
{
    AUTO_VALUE(Buf) labels = {0};
    exposition_label(&labels, "a", value);
    AUTO(char) text = buf_steal_str(&labels);
    assert_string_equal(text, expected);
}

static void test_labels(void **state)
{
    (void)state;
    labelled("", "a=\"\"");
    labelled("plain", "a=\"plain\"");
    labelled("q\"b\\n\n.", "a=\"q\\\"b\\\\n\\n.\"");
    labelled("{x=\"y\"} 1", "a=\"{x=\\\"y\\\"} 1\"");
    labelled("\xe2\x82\xac", "a=\"\xe2\x82\xac\"");
    labelled("\xff\xe4", "a=\"\\\\xff\\\\xe4\""); /* a name in a SQL_ASCII database */
}

static void test_family(void **state)
{
    AUTO_VALUE(Buf) labels = {0};
    AUTO_VALUE(Buf) out = {0};
    (void)state;
    exposition_label(&labels, "a", "1");
    exposition_label(&labels, "b", "2");
    exposition_family(&out, "x_bytes", "gauge", "How much.");
    exposition_int(&out, "x_bytes", &labels, INT64_MAX);
    exposition_int(&out, "x_bytes", NULL, -1);
    exposition_number(&out, "x_bytes", NULL, 0.5);
    exposition_number(&out, "x_bytes", NULL, 8999999999999999.0);
    exposition_seconds(&out, "x_bytes", NULL, 1700000000123);
    AUTO(char) text = buf_steal_str(&out);
    assert_string_equal(text, "# HELP x_bytes How much.\n# TYPE x_bytes gauge\n"
                              "x_bytes{a=\"1\",b=\"2\"} 9223372036854775807\n"
                              "x_bytes -1\nx_bytes 0.5\nx_bytes 8999999999999999\n"
                              "x_bytes 1700000000.123\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
