/* The scheduler by a clock that the test shifts: what it starts, remembers, repeats and passes
 * over. */
#include "kit.h"

#include "base/doc.h"
#include "serve/scheduler.h"
#include "state/state_schedule.h"

#define YEAR_MS (366 * 86400000ll)
#define SETTINGS_YAML                                                                              \
    "server: {stateDir: %s/state}\n"                                                               \
    "backup: {enabled: true, schedule: \"0 0 1 1 *\", timeZone: UTC, retries: 1, "                 \
    "retryAfter: 1ms, notifyOnFailure: false}\n"                                                   \
    "database: {url: postgresql://h/shop}\n"

/* What of a service a schedule needs. */
typedef struct World {
    Service *service;
    Teller *teller;
    Scheduler *scheduler;
    atomic_size_t again; /* how often it said that it repeats a run */
} World;

static void on_ended(void *ctx, const StateJob *job)
{
    World *w = ctx;
    atomic_fetch_add(&w->again, scheduler_job_ended(w->scheduler, job));
}

static void shift(int64_t ms)
{
    AUTO(char) path = kit_path("clock");
    AUTO(char) text = mem_printf("%lld", (long long)ms);
    setenv("PGSTOW_CLOCK", path, 1);
    kit_write("clock", text);
}

static World *begin(void)
{
    World *w = mem_new(World);
    AUTO_VALUE(StateJobs) interrupted = {0};
    AUTO(char) yaml = mem_printf(SETTINGS_YAML, kit_root);
    shift(0);
    OK(service_open(kit_inputs(yaml), NULL, NULL, on_ended, w, &w->service, &interrupted));
    OK(teller_new(w->service, &w->teller));
    OK(scheduler_new(w->service, w->teller, &w->scheduler));
    scheduler_resume(w->scheduler);
    scheduler_tick(w->scheduler);
    return w;
}

static void end(World *w)
{
    service_end_jobs(w->service);
    scheduler_free(w->scheduler);
    teller_free(w->teller);
    service_close(w->service);
    free(w);
}

static StateSchedule *row(const World *w)
{
    StateSchedule *c = NULL;
    OK(state_schedule_get(w->service->state, "backup", &c));
    assert_non_null(c);
    return c;
}

static bool has_result(const World *w, const char *result)
{
    AUTO(StateSchedule) c = row(w);
    return c->last_result && !strcmp(c->last_result, result);
}

static uint64_t jobs(const World *w)
{
    uint64_t n;
    OK(state_job_count(w->service->state, NULL, &n));
    return n;
}

static uint64_t failures(const World *w)
{
    uint64_t n;
    OK(state_job_count(w->service->state, &(StateJobFilter){.statuses = 1u << JOB_FAILED}, &n));
    return n;
}

static void test_it_runs_when_it_is_due_and_once(void **state)
{
    World *w = begin();
    (void)state;
    assert_int_equal(jobs(w), 0);
    AUTO(StateSchedule) before = row(w);
    assert_int_equal(before->last_due, 0);
    assert_true(before->next_planned > clock_now());
    kit_open_gate(0);
    shift(before->next_planned - clock_now() + 1000);
    scheduler_tick(w->scheduler);
    scheduler_tick(w->scheduler);
    assert_int_equal(jobs(w), 1);
    AUTO(StateSchedule) after = row(w);
    assert_int_equal(after->last_due, before->next_planned);
    AUTO(StateJob) job = kit_job(w->service->state, after->last_job);
    assert_string_equal(job->trigger, "schedule");
    assert_string_equal(job->actor, "schedule");
    KIT_UNTIL(has_result(w, "succeeded"));
    end(w);
}

static void test_what_was_missed_is_made_up_for_once(void **state)
{
    World *w = begin();
    (void)state;
    kit_open_gate(0);
    shift(3 * YEAR_MS);
    scheduler_tick(w->scheduler);
    scheduler_tick(w->scheduler);
    assert_int_equal(jobs(w), 1);
    AUTO(StateSchedule) after = row(w);
    AUTO(StateJob) job = kit_job(w->service->state, after->last_job);
    assert_string_equal(job->trigger, "catch-up");
    end(w);
}

static void test_one_that_is_not_done_is_passed_over(void **state)
{
    World *w = begin();
    (void)state;
    shift(YEAR_MS);
    scheduler_tick(w->scheduler);
    assert_int_equal(jobs(w), 1);
    shift(2 * YEAR_MS);
    scheduler_tick(w->scheduler);
    assert_int_equal(jobs(w), 1);
    assert_true(has_result(w, "overlap"));
    end(w);
}

/* A failure that may pass is repeated, as often as backup.retries says. */
static void test_retries(void **state)
{
    World *w = begin();
    (void)state;
    kit_open_gate(7); /* CONNECT */
    shift(YEAR_MS);
    scheduler_tick(w->scheduler);
    KIT_UNTIL((runner_tick(w->service->runner), jobs(w) == 2));
    KIT_UNTIL((runner_tick(w->service->runner), failures(w) == 2));
    KIT_UNTIL(has_result(w, "failed"));
    AUTO(StateSchedule) c = row(w);
    AUTO(StateJob) second = kit_job(w->service->state, c->last_job);
    assert_string_equal(second->trigger, "retry");
    assert_int_equal(second->attempt, 2);
    assert_true(second->retry_of > 0);
    assert_int_equal(jobs(w), 2);
    assert_int_equal(w->again, 1);
    end(w);
}

static void test_what_will_not_pass_is_not_repeated(void **state)
{
    World *w = begin();
    (void)state;
    kit_open_gate(8); /* AUTH */
    shift(YEAR_MS);
    scheduler_tick(w->scheduler);
    KIT_UNTIL(has_result(w, "failed"));
    assert_int_equal(jobs(w), 1);
    assert_int_equal(w->again, 0);
    end(w);
}

/* The service ends while a run of a schedule is under way: the next one repeats it. */
static void test_an_interrupted_run_is_repeated(void **state)
{
    World *w = begin();
    (void)state;
    shift(YEAR_MS);
    scheduler_tick(w->scheduler);
    AUTO(StateSchedule) c = row(w);
    KIT_UNTIL(kit_status(w->service->state, c->last_job) == JOB_RUNNING);
    end(w);
    kit_open_gate(0);
    w = begin();
    assert_int_equal(kit_status(w->service->state, c->last_job), JOB_INTERRUPTED);
    AUTO(StateSchedule) after = row(w);
    AUTO(StateJob) again = kit_job(w->service->state, after->last_job);
    assert_string_equal(again->trigger, "retry");
    assert_int_equal(again->retry_of, c->last_job);
    KIT_UNTIL((runner_tick(w->service->runner), has_result(w, "succeeded")));
    end(w);
}

static void test_what_is_no_longer_scheduled_is_forgotten(void **state)
{
    World *w = begin();
    AUTO(StateSchedule) gone = NULL;
    AUTO(char)
    yaml = mem_printf("server: {stateDir: %s/state}\n"
                      "database: {url: postgresql://h/shop}\n",
                      kit_root);
    (void)state;
    kit_inputs(yaml);
    OK(service_reload(w->service));
    OK(scheduler_reload(w->scheduler));
    shift(2 * YEAR_MS);
    scheduler_tick(w->scheduler);
    OK(state_schedule_get(w->service->state, "backup", &gone));
    assert_null(gone);
    assert_int_equal(jobs(w), 0);
    end(w);
}

int main(int argc, char **argv)
{
    kit_child(argc, argv);
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_it_runs_when_it_is_due_and_once),
        KIT_TEST(test_what_was_missed_is_made_up_for_once),
        KIT_TEST(test_one_that_is_not_done_is_passed_over),
        KIT_TEST(test_retries),
        KIT_TEST(test_what_will_not_pass_is_not_repeated),
        KIT_TEST(test_an_interrupted_run_is_repeated),
        KIT_TEST(test_what_is_no_longer_scheduled_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
