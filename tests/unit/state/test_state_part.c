#include "kit.h"

#include "state/state_event.h"

static int64_t whole(State *s)
{
    int64_t id;
    OK(state_job_create(s,
                        &(StateJobNew){"backup", "all", "", "catch-up", "me",
                                       "{\"words\":[\"backup\"]}", 3, 0, KIT_NOW},
                        &id));
    return id;
}

static void test_rows_of_their_own(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t first = whole(s), other = whole(s), id, newest, now;
    OK(state_event_newest(s, &newest));
    StateJobPart good = {.database = "a \"name\"",
                         .started = KIT_NOW + 1,
                         .bytes_done = 100,
                         .bytes_new = 10,
                         .items_done = 3,
                         .end = {.status = JOB_SUCCEEDED,
                                 .backup = "a-1",
                                 .result = "{\"rows\": 7}",
                                 .now = KIT_NOW + 5}};
    OK(state_job_add_part(s, first, &good, &id));
    AUTO(StateJob) j = NULL;
    OK(state_job_get(s, id, &j));
    assert_string_equal(j->kind, "backup");
    assert_string_equal(j->entry, "all");
    assert_string_equal(j->database, "a \"name\"");
    assert_string_equal(j->trigger, "catch-up");
    assert_string_equal(j->actor, "me");
    assert_string_equal(j->backup, "a-1");
    assert_int_equal(j->status, JOB_SUCCEEDED);
    assert_int_equal(j->attempt, 3);
    assert_int_equal(j->exit_status, 0);
    assert_int_equal(j->ended - j->started, 4);
    assert_int_equal(j->pid, 0);
    OK(state_event_newest(s, &now));
    assert_int_equal(now, newest + 1);

    StateJobPart bad = {.database = "b",
                        .started = KIT_NOW + 5,
                        .end = {.status = JOB_FAILED,
                                .error_kind = "DB",
                                .error_message = "so it is",
                                .exit_status = 14,
                                .now = KIT_NOW + 6}};
    OK(state_job_add_part(s, first, &bad, NULL));
    OK(state_job_add_part(s, other, &bad, NULL));
    AUTO_VALUE(StateJobs) parts = {0};
    OK(state_job_list(s, &(StateJobFilter){.part_of = first}, &parts));
    assert_int_equal(parts.count, 2);
    assert_string_equal(parts.items[0].database, "b");
    assert_string_equal(parts.items[0].error_message, "so it is");
    AUTO_VALUE(StateJobs) failed = {0};
    OK(state_job_list(s, &(StateJobFilter){.part_of = other, .statuses = 1u << JOB_FAILED},
                      &failed));
    assert_int_equal(failed.count, 1);

    AUTO(StateJob) last = NULL;
    OK(state_job_last_success(s, "backup", "all", "a \"name\"", &last));
    assert_int_equal(last->id, id);
    AUTO_VALUE(StateSamples) samples = {0};
    OK(state_job_samples(s, "backup", "all", "a \"name\"", 5, &samples));
    assert_int_equal(samples.count, 1);
    assert_int_equal(samples.items[0].rows, 7);
    assert_int_equal(samples.items[0].bytes_done, 100);
}

static void test_refused(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    StateJobPart p = {.database = "a", .end = {.status = JOB_SUCCEEDED, .now = KIT_NOW}};
    FAILS(ERR_NOT_FOUND, state_job_add_part(s, 7, &p, NULL));
    p.end.status = JOB_RUNNING;
    FAILS(ERR_INTERNAL, state_job_add_part(s, whole(s), &p, NULL));
    assert_int_equal(kit_number(s, "SELECT count(*) FROM job"), 1);
    /* arguments that are no JSON harm no list */
    assert_int_equal(kit_sql("UPDATE job SET arguments = 'no JSON'"), SQLITE_OK);
    AUTO_VALUE(StateJobs) none = {0};
    OK(state_job_list(s, &(StateJobFilter){.part_of = 1}, &none));
    assert_int_equal(none.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {KIT_TEST(test_rows_of_their_own), KIT_TEST(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
