/* The schedules that settings ask for. */
#include "kit.h"

#include "serve/plan_doc.h"

static char *plans_of(const char *yaml)
{
    AUTO_VALUE(Plans) plans = {0};
    AUTO_VALUE(Buf) text = {0};
    ServiceConfig *config = NULL;
    OK(service_config_load(kit_inputs(yaml), &config));
    OK(plans_make(config, &plans));
    for (size_t i = 0; i < plans.count; i++) {
        const Plan *p = &plans.items[i];
        buf_printf(&text, "%s%s(%s)", i ? " " : "", p->name, p->text);
        for (size_t k = 0; k < p->words.count; k++)
            buf_printf(&text, "%c%s", k ? ' ' : ':', p->words.items[k]);
    }
    return buf_steal_str(&text);
}

static void gives(const char *yaml, const char *expected)
{
    AUTO(char) plans = plans_of(yaml);
    assert_string_equal(plans, expected);
}

static void test_nothing_is_scheduled_unasked(void **state)
{
    (void)state;
    gives("database: {url: postgresql://h/shop}\n", "");
    gives("backup: {schedule: \"0 2 * * *\"}\n", "");
    gives("backup: {enabled: true}\n", "");
    gives("backup: {enabled: true, schedule: \"0 2 * * *\"}\n", "backup(0 2 * * *):backup");
    gives("verify: {schedule: \"@daily\"}\n", "verify(@daily):verify");
    gives("drill: {schedule: \"@weekly\"}\n", "drill(@weekly):verify --level drill");
}

static void test_entries(void **state)
{
    (void)state;
    gives("backup: {enabled: true, schedule: \"0 2 * * *\"}\n"
          "drill: {schedule: \"@weekly\"}\n"
          "databases:\n"
          "- {name: a, url: postgresql://h/a}\n"
          "- {name: b, url: postgresql://h/b, schedule: \"0 3 * * *\"}\n"
          "- {name: c, url: postgresql://h/c, enabled: false, drill: {schedule: \"@daily\"}}\n",
          "backup/a(0 2 * * *):backup drill/a(@weekly):verify --level drill "
          "backup/b(0 3 * * *):backup drill/b(@weekly):verify --level drill "
          "drill/c(@daily):verify --level drill");
}

/* A verify is of a whole repository: once for each, and for each time at which it is asked for. */
static void test_a_repository_is_verified_once(void **state)
{
    (void)state;
    gives("backup: {backupDir: /one}\n"
          "verify: {schedule: \"@daily\"}\n"
          "databases:\n"
          "- {name: a, url: postgresql://h/a}\n"
          "- {name: b, url: postgresql://h/b}\n"
          "- {name: c, url: postgresql://h/c, backupDir: /two}\n"
          "- {name: d, url: postgresql://h/d, verify: {schedule: \"@weekly\"}}\n",
          "verify/a(@daily):verify verify/c(@daily):verify verify/d(@weekly):verify");
}

static void test_by_name(void **state)
{
    AUTO_VALUE(Plans) plans = {0};
    ServiceConfig *config = NULL;
    const Plan *p;
    (void)state;
    OK(service_config_load(kit_inputs("backup: {enabled: true, schedule: \"@daily\"}\n"
                                      "databases: [{name: shop, url: postgresql://h/shop}]\n"),
                           &config));
    OK(plans_make(config, &plans));
    OK(plans_need(&plans, "backup/shop", &p));
    assert_ptr_equal(p, &plans.items[0]);
    assert_null(plans_find(&plans, "backup"));
    Error *e = plans_need(&plans, "backup/shp", &p);
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_USAGE);
    assert_non_null(strstr(error_hint_text(e), "backup/shop"));
    error_free(e);
}

/* What is told to be next is when it runs: later by its jitter, which is always the same. */
static void test_next(void **state)
{
    AUTO_VALUE(Plans) plans = {0};
    ServiceConfig *config = NULL;
    Instant noon;
    (void)state;
    OK(clock_parse("2026-03-10T12:00:00Z", &noon));
    OK(service_config_load(
        kit_inputs("backup: {enabled: true, schedule: \"0 2 * * *\", timeZone: UTC, jitter: 30m}\n"
                   "databases:\n"
                   "- {name: a, url: postgresql://h/a}\n"),
        &config));
    OK(plans_make(config, &plans));
    Instant next = plan_next(&plans.items[0], noon);
    int64_t jitter = schedule_jitter(&plans.items[0].rule);
    assert_in_range(jitter, 0, 1800000);
    assert_int_equal(next, noon + 14 * 3600000 + jitter);
    assert_int_equal(plan_next(&plans.items[0], next - 1), next);
    assert_true(plan_next(&plans.items[0], next) > next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_nothing_is_scheduled_unasked),
        KIT_TEST(test_entries),
        KIT_TEST(test_a_repository_is_verified_once),
        KIT_TEST(test_by_name),
        KIT_TEST(test_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
