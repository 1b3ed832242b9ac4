/* Which runs are due, as a table: an expression, what is known of it, the time, and what comes of
 * it. */
#include "../unit.h"

#include "op/schedule.h"

typedef struct Case {
    const char *name, *cron, *zone;
    int64_t jitter_ms;
    const char *last_due, *next_planned, *now; /* NULL: nothing known */
    const char *slot;                          /* NULL: nothing is due */
    bool catch_up;
    int64_t skipped;
    const char *next;
} Case;

static const Case cases[] = {
    {"set up just now: nothing is missed", "0 0 * * *", "UTC", 0, NULL, NULL,
     "2026-03-10T12:00:00Z", NULL, false, 0, "2026-03-11T00:00:00Z"},
    {"set up on its very slot: not yet", "0 12 * * *", "UTC", 0, NULL, NULL, "2026-03-10T12:00:00Z",
     NULL, false, 0, "2026-03-11T12:00:00Z"},
    {"just before its time", "0 0 * * *", "UTC", 0, NULL, "2026-03-11T00:00:00Z",
     "2026-03-10T23:59:59Z", NULL, false, 0, "2026-03-11T00:00:00Z"},
    {"its first time", "0 0 * * *", "UTC", 0, NULL, "2026-03-11T00:00:00Z", "2026-03-11T00:00:00Z",
     "2026-03-11T00:00:00Z", false, 0, "2026-03-12T00:00:00Z"},
    {"a second late is on time", "0 0 * * *", "UTC", 0, "2026-03-10T00:00:00Z",
     "2026-03-11T00:00:00Z", "2026-03-11T00:00:01Z", "2026-03-11T00:00:00Z", false, 0,
     "2026-03-12T00:00:00Z"},
    {"done already", "0 0 * * *", "UTC", 0, "2026-03-11T00:00:00Z", "2026-03-12T00:00:00Z",
     "2026-03-11T00:00:02Z", NULL, false, 0, "2026-03-12T00:00:00Z"},
    {"a minute late was missed", "0 0 * * *", "UTC", 0, "2026-03-10T00:00:00Z",
     "2026-03-11T00:00:00Z", "2026-03-11T00:01:00Z", "2026-03-11T00:00:00Z", true, 0,
     "2026-03-12T00:00:00Z"},
    {"its first time, missed", "0 0 * * *", "UTC", 0, NULL, "2026-03-11T00:00:00Z",
     "2026-03-11T07:00:00Z", "2026-03-11T00:00:00Z", true, 0, "2026-03-12T00:00:00Z"},
    {"a week missed is one run", "0 0 * * *", "UTC", 0, "2026-03-01T00:00:00Z",
     "2026-03-02T00:00:00Z", "2026-03-08T10:00:00Z", "2026-03-08T00:00:00Z", true, 6,
     "2026-03-09T00:00:00Z"},
    {"back in time for the last of them", "0 0 * * *", "UTC", 0, "2026-03-01T00:00:00Z",
     "2026-03-02T00:00:00Z", "2026-03-04T00:00:10Z", "2026-03-04T00:00:00Z", false, 2,
     "2026-03-05T00:00:00Z"},
    {"years of minutes are counted up to a limit", "* * * * *", "UTC", 0, "2020-01-01T00:00:00Z",
     "2020-01-01T00:01:00Z", "2026-01-01T00:00:30Z", "2026-01-01T00:00:00Z", false, 100000,
     "2026-01-01T00:01:00Z"},
    {"the expression was changed: none of the old one's times", "0 12 * * *", "UTC", 0,
     "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z", "2026-03-10T15:00:00Z", NULL, false, 0,
     "2026-03-11T12:00:00Z"},
    {"changed while no service ran", "0 12 * * *", "UTC", 0, "2026-03-10T00:00:00Z",
     "2026-03-11T00:00:00Z", "2026-03-20T15:00:00Z", NULL, false, 0, "2026-03-21T12:00:00Z"},
    {"the clock was set back: from now on", "0 0 * * *", "UTC", 0, "2040-01-01T00:00:00Z",
     "2040-01-02T00:00:00Z", "2026-03-10T15:00:00Z", NULL, false, 0, "2026-03-11T00:00:00Z"},
    {"the hour that is skipped in spring", "30 2 * * *", "Europe/Berlin", 0, "2026-03-28T01:30:00Z",
     "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", false, 0,
     "2026-03-30T00:30:00Z"},
    {"the hour that comes twice in autumn, once", "30 2 * * *", "Europe/Berlin", 0,
     "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-25T01:30:00Z", NULL, false, 0,
     "2026-10-26T01:30:00Z"},
};

static Instant at(const char *text)
{
    Instant t = 0;
    if (text)
        OK(clock_parse(text, &t));
    return t;
}

static void check_case(void **state)
{
    const Case *c = *state;
    AUTO(Cron) cron = NULL;
    AUTO(Zone) zone = NULL;
    ScheduleLook look;
    OK(cron_parse(c->cron, &cron));
    OK(zone_open(c->zone, &zone));
    ScheduleRule rule = {c->name, cron, zone, c->jitter_ms};
    schedule_look(&rule, &(SchedulePast){at(c->last_due), at(c->next_planned)}, at(c->now), &look);
    assert_int_equal(look.due, c->slot != NULL);
    assert_int_equal(look.slot, at(c->slot));
    assert_int_equal(look.catch_up, c->catch_up);
    assert_int_equal(look.skipped, c->skipped);
    assert_int_equal(look.then.next_planned, at(c->next));
    assert_true(!look.due || look.then.last_due == look.slot);
    /* Once that is remembered nothing is due before the next slot, and then that one is. */
    SchedulePast then = look.then;
    schedule_look(&rule, &then, at(c->now) + 1, &look);
    assert_false(look.due);
    assert_memory_equal(&look.then, &then, sizeof then);
    schedule_look(&rule, &then, then.next_planned, &look);
    assert_true(look.due && !look.catch_up && !look.skipped);
    assert_int_equal(look.slot, then.next_planned);
}

/* By its name alone, within its bounds, and not the same for all. */
static void test_jitter(void **state)
{
    (void)state;
    AUTO(Cron) cron = NULL;
    AUTO(Zone) zone = NULL;
    OK(cron_parse("0 0 * * *", &cron));
    OK(zone_open("UTC", &zone));
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 200; i++) {
        AUTO(char) name = mem_printf("backup/shop%d", i);
        ScheduleRule rule = {name, cron, zone, 600000};
        int64_t jitter = schedule_jitter(&rule);
        assert_int_equal(jitter, schedule_jitter(&rule));
        assert_in_range(jitter, 0, 600000);
        least = jitter < least ? jitter : least;
        most = jitter > most ? jitter : most;
    }
    assert_true(least < 60000 && most > 540000);
    assert_int_equal(schedule_jitter(&(ScheduleRule){"backup", cron, zone, 0}), 0);
}

/* A run begins its jitter after the slot, and is no catch-up for that. */
static void test_jitter_is_no_delay(void **state)
{
    (void)state;
    AUTO(Cron) cron = NULL;
    AUTO(Zone) zone = NULL;
    ScheduleLook look;
    OK(cron_parse("0 0 * * *", &cron));
    OK(zone_open("UTC", &zone));
    ScheduleRule rule = {"backup/shop", cron, zone, 3600000};
    int64_t jitter = schedule_jitter(&rule);
    assert_true(jitter > SCHEDULE_LATE_MS);
    Instant slot = at("2026-03-11T00:00:00Z");
    SchedulePast past = {at("2026-03-10T00:00:00Z"), slot};
    schedule_look(&rule, &past, slot + jitter - 1, &look);
    assert_false(look.due);
    assert_int_equal(look.then.next_planned, slot);
    schedule_look(&rule, &past, slot + jitter, &look);
    assert_true(look.due && !look.catch_up);
    assert_int_equal(look.slot, slot);
    schedule_look(&rule, &past, slot + jitter + SCHEDULE_LATE_MS, &look);
    assert_true(look.due && look.catch_up);
}

int main(void)
{
    enum { COUNT = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[COUNT + 2];
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = check_case, .initial_state = (void *)&cases[i]};
    tests[COUNT] = (struct CMUnitTest)cmocka_unit_test(test_jitter);
    tests[COUNT + 1] = (struct CMUnitTest)cmocka_unit_test(test_jitter_is_no_delay);
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
