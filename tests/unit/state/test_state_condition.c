/* Conditions, schedules and events: what is kept by name, and what is numbered. */
#include "kit.h"

#include "state/state_condition.h"
#include "state/state_event.h"
#include "state/state_schedule.h"

static bool set(State *s, const char *name, const char *detail, Instant now)
{
    bool began;
    OK(state_condition_set(s, name, detail, now, &began));
    return began;
}

static void test_conditions(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(StateCondition) none = NULL;
    OK(state_condition_end(s, "stale/shop", &none));
    assert_null(none);
    assert_true(set(s, "stale/shop", "26 h", KIT_NOW));
    assert_false(set(s, "stale/shop", "27 h", KIT_NOW + 10));
    assert_true(set(s, "disk-low", NULL, KIT_NOW + 20));
    OK(state_condition_notified(s, "stale/shop", KIT_NOW + 30));
    AUTO_VALUE(StateConditions) l = {0};
    OK(state_condition_list(s, &l));
    assert_int_equal(l.count, 2);
    assert_string_equal(l.items[0].name, "disk-low");
    assert_null(l.items[0].detail);
    assert_int_equal(l.items[0].notified, 0);
    AUTO(StateCondition) was = NULL;
    OK(state_condition_end(s, "stale/shop", &was));
    assert_int_equal(was->since, KIT_NOW);
    assert_int_equal(was->last_seen, KIT_NOW + 10);
    assert_int_equal(was->notified, KIT_NOW + 30);
    assert_string_equal(was->detail, "27 h");
    AUTO(StateCondition) gone = NULL;
    OK(state_condition_get(s, "stale/shop", &gone));
    assert_null(gone);
    OK(state_condition_end(s, "stale/shop", &gone));
    assert_null(gone);
    assert_true(set(s, "stale/shop", NULL, KIT_NOW + 50)); /* and begins anew */
    AUTO(StateCondition) again = NULL;
    OK(state_condition_get(s, "stale/shop", &again));
    assert_int_equal(again->since, KIT_NOW + 50);
    assert_int_equal(again->notified, 0);
}

static void test_schedules(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(StateSchedule) none = NULL;
    OK(state_schedule_get(s, "backup/shop", &none));
    assert_null(none);
    int64_t job = kit_job(s, "backup", "shop", KIT_NOW);
    StateSchedule c = {"backup/shop", KIT_NOW, KIT_NOW + 5, job, "failed", KIT_NOW + DAY};
    OK(state_schedule_put(s, &c));
    c.last_result = "succeeded";
    c.last_due += DAY;
    OK(state_schedule_put(s, &c));
    OK(state_schedule_put(s, &(StateSchedule){.name = "a verify"}));
    FAILS(ERR_NOT_FOUND, state_schedule_put(s, &(StateSchedule){.name = "x", .last_job = 4711}));
    AUTO(StateSchedule) found = NULL;
    OK(state_schedule_get(s, "backup/shop", &found));
    assert_int_equal(found->last_due, KIT_NOW + DAY);
    assert_int_equal(found->last_started, KIT_NOW + 5);
    assert_int_equal(found->last_job, job);
    assert_string_equal(found->last_result, "succeeded");
    assert_int_equal(found->next_planned, KIT_NOW + DAY);
    AUTO_VALUE(StateSchedules) l = {0};
    OK(state_schedule_list(s, &l));
    assert_int_equal(l.count, 2);
    assert_string_equal(l.items[0].name, "a verify");
    assert_int_equal(l.items[0].last_due, 0);
    assert_null(l.items[0].last_result);
    OK(state_schedule_forget(s, "a verify"));
    OK(state_schedule_forget(s, "a verify"));
    AUTO_VALUE(StateSchedules) left = {0};
    OK(state_schedule_list(s, &left));
    assert_int_equal(left.count, 1);
}

static void add(State *s, const char *kind)
{
    OK(state_event_add(s, &(StateEventNew){.kind = kind, .body = "{}", .now = KIT_NOW}, NULL));
}

static void test_events(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t newest;
    OK(state_event_newest(s, &newest));
    assert_int_equal(newest, 0);
    AUTO_VALUE(StateEvents) none = {0};
    OK(state_event_since(s, 0, 0, &none));
    assert_int_equal(none.count, 0);
    assert_false(none.lost);
    for (int i = 0; i < 5; i++)
        add(s, "disk");
    OK(state_event_newest(s, &newest));
    assert_int_equal(newest, 5);
    AUTO_VALUE(StateEvents) l = {0};
    OK(state_event_since(s, 2, 2, &l));
    assert_int_equal(l.count, 2);
    assert_int_equal(l.items[0].id, 3);
    assert_int_equal(l.items[0].at, KIT_NOW);
    assert_int_equal(l.items[0].job, 0);
    assert_string_equal(l.items[0].kind, "disk");
    assert_string_equal(l.items[0].body, "{}");
    assert_true(l.more);
    assert_false(l.lost);
    AUTO_VALUE(StateEvents) future = {0}; /* another state was put in its place */
    OK(state_event_since(s, 6, 0, &future));
    assert_int_equal(future.count, 0);
    assert_true(future.lost);
}

/* Only the newest stay; who asks for others is told so, also when none is left. */
static void test_events_bounded(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    add(s, "first");
    OK(state_exec(s, "UPDATE sqlite_sequence SET seq = 20000 WHERE name = 'event'"));
    add(s, "later");
    assert_int_equal(kit_number(s, "SELECT count(*) FROM event"), 1);
    AUTO_VALUE(StateEvents) l = {0};
    OK(state_event_since(s, 1, 0, &l));
    assert_true(l.lost);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.items[0].id, 20001);
    OK(state_exec(s, "DELETE FROM event"));
    AUTO_VALUE(StateEvents) empty = {0};
    OK(state_event_since(s, 1, 0, &empty));
    assert_true(empty.lost);
    AUTO_VALUE(StateEvents) up_to_date = {0};
    OK(state_event_since(s, 20001, 0, &up_to_date));
    assert_false(up_to_date.lost);
    add(s, "next");
    AUTO_VALUE(StateEvents) next = {0};
    OK(state_event_since(s, 20001, 0, &next));
    assert_false(next.lost);
    assert_int_equal(next.items[0].id, 20002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_conditions),
        KIT_TEST(test_schedules),
        KIT_TEST(test_events),
        KIT_TEST(test_events_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
