/* Zones: the C library's own answers for the same zones, over two centuries. */
#include "../unit.h"

#include <time.h>

#include "base/zone.h"

static const char *const zones[] = {
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia",  "America/St_Johns", "Africa/Casablanca",   "UTC",
    "Europe/Dublin"};
#define ZONES (sizeof zones / sizeof *zones)

static int32_t asked(Instant t)
{
    time_t s = (time_t)(t / 1000);
    struct tm tm;
    localtime_r(&s, &tm);
    return (int32_t)tm.tm_gmtoff;
}

static void in_zone(const char *name)
{
    if (name)
        setenv("TZ", name, 1);
    else
        unsetenv("TZ");
    tzset();
}

/* Every 7 h 13 min until 2100: near each change, at all times of a day. */
static void compare(const char *name, const Zone *z, Instant from)
{
    in_zone(name);
    for (Instant t = from; t < 4102444800000; t += 25980000) {
        if (zone_offset(z, t) != asked(t))
            print_error("%s at %lld\n", name, (long long)t);
        assert_int_equal(zone_offset(z, t), asked(t));
    }
    in_zone(NULL);
}

static void test_as_the_c_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < ZONES; i++) {
        AUTO(Zone) z = NULL;
        OK(zone_open(zones[i], &z));
        compare(zones[i], z, -1104537600000);
    }
}

static void test_rules_of_tz(void **state)
{
    (void)state;
    static const char *const rules[] = {"CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0",
                                        "<+0330>-3:30", "AEST-10AEDT,M10.1.0,M4.1.0/3",
                                        "XXX3YYY,J60/2,300/2:30:15"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        AUTO(Zone) z = NULL;
        OK(zone_open(rules[i], &z));
        compare(rules[i], z, 0);
    }
}

static void test_the_machines_own(void **state)
{
    (void)state;
    in_zone("America/New_York");
    AUTO(Zone) z = NULL;
    OK(zone_open(NULL, &z));
    in_zone(NULL);
    assert_int_equal(zone_offset(z, 1705314600000), -5 * 3600);
    AUTO(Zone) file = NULL;
    OK(zone_open("", &file));
}

static void test_no_such_zone(void **state)
{
    (void)state;
    static const char *const bad[] = {"Europe/Atlantis",
                                      "../../etc/passwd",
                                      "/etc/passwd",
                                      "Europe",
                                      "C",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-99",
                                      "CET-1CEST,M3.5.0,M10.5.0/3 ",
                                      "tzdata.zi"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        AUTO(Zone) z = NULL;
        FAILS(ERR_CONFIG, zone_open(bad[i], &z));
    }
}

static Instant at(const char *text)
{
    Instant t;
    OK(clock_parse(text, &t));
    return t;
}

static void test_days_before(void **state)
{
    (void)state;
    AUTO(Zone) z = NULL;
    OK(zone_open("Europe/Berlin", &z));
    /* 3 in the morning stays 3 in the morning across both changes. */
    assert_true(zone_days_before(z, at("2026-04-10T03:00:00+02:00"), 30) ==
                at("2026-03-11T03:00:00+01:00"));
    assert_true(zone_days_before(z, at("2026-11-10T03:00:00+01:00"), 30) ==
                at("2026-10-11T03:00:00+02:00"));
    /* A time that is not there, and one that is there twice. */
    assert_true(zone_days_before(z, at("2026-03-30T02:30:00+02:00"), 1) ==
                at("2026-03-29T01:30:00+01:00"));
    assert_true(zone_days_before(z, at("2026-10-26T02:30:00+01:00"), 1) ==
                at("2026-10-25T02:30:00+02:00"));
    assert_true(zone_days_before(z, at("2024-03-01T12:00:00+01:00"), 1) ==
                at("2024-02-29T12:00:00+01:00"));
}

/* Both ways from any instant, what the C library's clocks do hour by hour. */
static void test_changes(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Berlin",
                                        "Australia/Lord_Howe",
                                        "Pacific/Apia",
                                        "Africa/Casablanca",
                                        "America/St_Johns",
                                        "UTC",
                                        "XXX3YYY,J60/2,300/2:30:15"};
    static const char *const spans[][2] = {
        {"1976-01-01", "1985-01-01"}, {"2005-01-01", "2040-01-01"}, {"2085-01-01", "2092-01-01"}};
    size_t found = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof spans / sizeof *spans; k++) {
            AUTO(Zone) z = NULL;
            Instant first = at(spans[k][0]), end = at(spans[k][1]), change = first, last, seen;
            OK(zone_open(names[i], &z));
            bool any = zone_next_change(z, first, &change);
            in_zone(names[i]);
            int32_t before = asked(first), after;
            for (Instant t = first; t < end; t += 3600000, before = after) {
                after = asked(t + 3600000);
                bool turns = before != after;
                assert_true(turns == (any && change > t && change <= t + 3600000));
                if (!turns)
                    continue;
                assert_true(asked(change) != asked(change - 1000));
                assert_true(zone_last_change(z, change, &seen) && seen == change);
                assert_true(zone_last_change(z, change + 86400000, &seen) && seen == change);
                last = change;
                any = zone_next_change(z, change, &change);
                assert_true(!any || (zone_last_change(z, change - 1, &seen) && seen == last));
                found++;
            }
            in_zone(NULL);
        }
    assert_true(found > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_c_library), cmocka_unit_test(test_rules_of_tz),
        cmocka_unit_test(test_the_machines_own), cmocka_unit_test(test_no_such_zone),
        cmocka_unit_test(test_days_before),      cmocka_unit_test(test_changes)};
    return cmocka_run_group_tests_name("base/zone", tests, NULL, NULL);
}
