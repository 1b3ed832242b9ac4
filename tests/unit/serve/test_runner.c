/* The runner's queue: which jobs run, which wait, and what becomes of them. */
#include "kit.h"

typedef struct Told {
    pthread_mutex_t lock;
    int64_t started[64], ended[64];
    size_t started_count, ended_count;
} Told;

static void on_started(void *ctx, int64_t job)
{
    Told *t = ctx;
    pthread_mutex_lock(&t->lock);
    t->started[t->started_count++] = job;
    pthread_mutex_unlock(&t->lock);
}

static void on_ended(void *ctx, const StateJob *job)
{
    Told *t = ctx;
    pthread_mutex_lock(&t->lock);
    t->ended[t->ended_count++] = job->id;
    pthread_mutex_unlock(&t->lock);
}

static size_t told_ends(Told *t)
{
    pthread_mutex_lock(&t->lock);
    size_t n = t->ended_count;
    pthread_mutex_unlock(&t->lock);
    return n;
}

static size_t told_starts(Told *t)
{
    pthread_mutex_lock(&t->lock);
    size_t n = t->started_count;
    pthread_mutex_unlock(&t->lock);
    return n;
}

static Runner *make(State *s, unsigned backups, Told *told)
{
    Runner *r = NULL;
    *told = (Told){.lock = PTHREAD_MUTEX_INITIALIZER};
    OK(runner_new(
        &(RunnerOptions){
            .state = s, .backups = backups, .started = on_started, .ended = on_ended, .ctx = told},
        &r));
    return r;
}

static Error *submit(Runner *r, JobRequest q, int64_t *id)
{
    AUTO_VALUE(StrList) words = {0};
    strlist_add(&words, q.kind);
    q.words = &words;
    q.trigger = "api";
    q.actor = "somebody";
    return runner_submit(r, &q, id);
}

static int64_t ask(Runner *r, const char *kind, const char *database)
{
    int64_t id = 0;
    OK(submit(r, (JobRequest){.kind = kind, .database = database}, &id));
    return id;
}

static void test_backups_wait_for_their_turn(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 1, &told);
    int64_t ids[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        AUTO(char) name = mem_printf("db%d", i);
        ids[i] = ask(r, "backup", name);
    }
    KIT_UNTIL(kit_status(s, ids[0]) == JOB_RUNNING && told_starts(&told) == 1);
    runner_tick(r);
    assert_int_equal(runner_running(r), 1);
    assert_int_equal(runner_waiting(r), 2);
    assert_int_equal(kit_status(s, ids[1]), JOB_QUEUED);
    runner_set_backups(r, 2);
    KIT_UNTIL(kit_status(s, ids[1]) == JOB_RUNNING && told_starts(&told) == 2);
    assert_int_equal(runner_waiting(r), 1);
    kit_open_gate(0);
    KIT_UNTIL(told_ends(&told) == 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kit_status(s, ids[i]), JOB_SUCCEEDED);
        assert_int_equal(told.started[i], ids[i]); /* the first come is the first to run */
    }
}

static void test_two_never_write_to_one_database(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 4, &told);
    (void)state;
    int64_t backup = ask(r, "backup", "shop"), restore = ask(r, "restore", "shop");
    int64_t unnamed = ask(r, "restore", ""); /* may be any, this one too */
    int64_t verify = ask(r, "verify", "shop"), other = ask(r, "backup", "wiki");
    KIT_UNTIL(kit_status(s, verify) == JOB_RUNNING && kit_status(s, backup) == JOB_RUNNING);
    runner_tick(r);
    assert_int_equal(kit_status(s, restore), JOB_QUEUED);
    assert_int_equal(kit_status(s, unnamed), JOB_QUEUED);
    /* It would pass the one of an unknown database, which came first. */
    assert_int_equal(kit_status(s, other), JOB_QUEUED);
    OK(runner_cancel(r, unnamed));
    runner_tick(r);
    KIT_UNTIL(kit_status(s, other) == JOB_RUNNING);
    assert_int_equal(kit_status(s, restore), JOB_QUEUED);
    OK(runner_cancel(r, backup));
    KIT_UNTIL(kit_status(s, restore) == JOB_RUNNING);
    assert_int_equal(kit_status(s, backup), JOB_CANCELLED);
    assert_int_equal(kit_status(s, unnamed), JOB_CANCELLED);
    kit_open_gate(0);
    KIT_UNTIL(told_ends(&told) == 5);
}

static void test_other_jobs_have_a_limit_of_their_own(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 1, &told);
    (void)state;
    for (int i = 0; i < RUNNER_OTHERS + 2; i++)
        ask(r, "verify", "");
    int64_t backup = ask(r, "backup", "shop");
    KIT_UNTIL(kit_status(s, backup) == JOB_RUNNING);
    KIT_UNTIL(runner_running(r) == RUNNER_OTHERS + 1);
    runner_tick(r);
    assert_int_equal(runner_waiting(r), 2);
    kit_open_gate(0);
    KIT_UNTIL(told_ends(&told) == RUNNER_OTHERS + 3);
}

/* Two services whose jobs all wait for one another's would wait for ever. */
static void test_what_a_peer_waits_for_goes_on(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 1, &told);
    int64_t served;
    (void)state;
    for (int i = 0; i < RUNNER_OTHERS + 1; i++)
        ask(r, "sync", "shop");
    KIT_UNTIL(runner_running(r) == RUNNER_OTHERS);
    JobRequest q = {.kind = "sync", .entry = "e", .database = "shop", .served = true};
    for (int i = 0; i < RUNNER_SERVED; i++)
        OK(submit(r, q, &served));
    KIT_UNTIL(kit_status(s, served) == JOB_RUNNING);
    OK(submit(r, q, &served));
    runner_tick(r);
    assert_int_equal(runner_running(r), RUNNER_OTHERS + RUNNER_SERVED);
    assert_int_equal(runner_waiting(r), 2);
    kit_open_gate(0);
    KIT_UNTIL(told_ends(&told) == RUNNER_OTHERS + RUNNER_SERVED + 2);
}

static void test_alone(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 1, &told);
    int64_t id;
    (void)state;
    JobRequest q = {.kind = "backup", .entry = "e", .database = "shop", .alone = true};
    OK(submit(r, q, &id));
    FAILS(ERR_BUSY, submit(r, q, NULL));
    q.entry = "f";
    OK(submit(r, q, NULL));
    FAILS(ERR_BUSY, submit(r, q, NULL)); /* one that waits is not done either */
    q.kind = "verify";
    OK(submit(r, q, NULL));
    kit_open_gate(0);
    KIT_UNTIL(told_ends(&told) == 3);
    q = (JobRequest){.kind = "backup", .entry = "e", .database = "shop", .alone = true};
    OK(submit(r, q, NULL));
    KIT_UNTIL(told_ends(&told) == 4);
}

static void test_later(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 1, &told);
    int64_t late, soon;
    (void)state;
    kit_open_gate(0);
    OK(submit(r, (JobRequest){.kind = "backup", .database = "a", .delay_ms = 3600000}, &late));
    OK(submit(r, (JobRequest){.kind = "backup", .database = "a", .delay_ms = 50}, &soon));
    /* One that is not due yet stands in nobody's way. */
    int64_t now = ask(r, "backup", "a");
    KIT_UNTIL(kit_status(s, now) == JOB_SUCCEEDED);
    KIT_UNTIL((runner_tick(r), kit_status(s, soon) == JOB_SUCCEEDED));
    assert_int_equal(kit_status(s, late), JOB_QUEUED);
    OK(runner_cancel(r, late));
    assert_int_equal(kit_status(s, late), JOB_CANCELLED);
    FAILS(ERR_EXISTS, runner_cancel(r, late));
    FAILS(ERR_NOT_FOUND, runner_cancel(r, 999999));
}

typedef struct Filling {
    Runner *r;
    int count;
} Filling;

static Error *fill(State *s, void *ctx)
{
    const Filling *f = ctx;
    (void)s;
    for (int i = 0; i < f->count; i++)
        TRY(submit(f->r, (JobRequest){.kind = "verify", .delay_ms = 3600000}, NULL));
    return NULL;
}

static void test_the_queue_has_an_end(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 1, &told);
    Filling asked = {r, RUNNER_QUEUE_ASKED}, rest = {r, RUNNER_QUEUE_MAX - RUNNER_QUEUE_ASKED};
    (void)state;
    OK(state_together(s, fill, &asked)); /* as one transaction: it is quicker */
    FAILS(ERR_RATE, submit(r, (JobRequest){.kind = "verify", .asked = true}, NULL));
    OK(state_together(s, fill, &rest)); /* for schedules there is room */
    assert_int_equal(runner_waiting(r), RUNNER_QUEUE_MAX);
    FAILS(ERR_RATE, submit(r, (JobRequest){.kind = "verify"}, NULL));
    FAILS(ERR_RATE, submit(r, (JobRequest){.kind = "backup"}, NULL));
}

static void test_how_they_end(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 4, &told);
    int64_t slow;
    (void)state;
    OK(submit(r, (JobRequest){.kind = "backup", .database = "a", .timeout_ms = 100}, &slow));
    KIT_UNTIL(kit_status(s, slow) == JOB_FAILED);
    AUTO(StateJob) late = kit_job(s, slow);
    assert_string_equal(late->error_kind, "TIMEOUT");
    int64_t failing = ask(r, "backup", "b");
    KIT_UNTIL(kit_status(s, failing) == JOB_RUNNING);
    kit_open_gate(7);
    KIT_UNTIL(kit_status(s, failing) == JOB_FAILED);
    AUTO(StateJob) failed = kit_job(s, failing);
    assert_string_equal(failed->error_kind, "CONNECT");
    assert_int_equal(failed->exit_status, 7);
    kit_close_gate();
    int64_t stopped = ask(r, "backup", "c"), waiting = ask(r, "restore", "c");
    KIT_UNTIL(kit_status(s, stopped) == JOB_RUNNING);
    runner_drain(r);
    FAILS(ERR_BUSY, submit(r, (JobRequest){.kind = "verify"}, NULL));
    runner_stop(r);
    KIT_UNTIL(kit_status(s, stopped) == JOB_INTERRUPTED);
    assert_int_equal(kit_status(s, waiting), JOB_QUEUED); /* for the next service */
}

static int64_t leave(State *s, const char *kind, const char *trigger, int64_t pid)
{
    int64_t id;
    bool started;
    OK(state_job_create(s,
                        &(StateJobNew){.kind = kind,
                                       .entry = "",
                                       .database = "shop",
                                       .trigger = trigger,
                                       .actor = "root",
                                       .arguments = "{\"words\": [\"verify\"]}",
                                       .now = clock_now()},
                        &id));
    if (pid)
        OK(state_job_start(s, id, pid, clock_now(), &started));
    return id;
}

static void test_what_an_earlier_service_has_left(void **state)
{
    Told told;
    AUTO(State) s = kit_state();
    AUTO(Runner) r = make(s, 1, &told);
    AUTO_VALUE(StateJobs) interrupted = {0};
    (void)state;
    int64_t dead = leave(s, "backup", "schedule", 999999999);
    int64_t verify = leave(s, "verify", "schedule", 0), restore = leave(s, "restore", "api", 0);
    int64_t cli = leave(s, "backup", "cli", getpid()), gone = leave(s, "backup", "cli", 999999998);
    OK(runner_resume(r, &interrupted));
    assert_int_equal(kit_status(s, dead), JOB_INTERRUPTED);
    assert_int_equal(kit_status(s, restore), JOB_INTERRUPTED); /* it would change a database */
    assert_int_equal(kit_status(s, cli), JOB_RUNNING);
    assert_int_equal(kit_status(s, gone), JOB_INTERRUPTED);
    assert_int_equal(runner_waiting(r), 1);
    assert_int_equal(interrupted.count, 3); /* whoever waits for them hears of it */
    assert_int_equal(interrupted.items[2].id, restore);
    assert_int_equal(interrupted.items[2].status, JOB_INTERRUPTED);
    kit_open_gate(0);
    runner_tick(r);
    KIT_UNTIL(kit_status(s, verify) == JOB_SUCCEEDED);
}

int main(int argc, char **argv)
{
    kit_child(argc, argv);
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_backups_wait_for_their_turn),
        KIT_TEST(test_two_never_write_to_one_database),
        KIT_TEST(test_other_jobs_have_a_limit_of_their_own),
        KIT_TEST(test_what_a_peer_waits_for_goes_on),
        KIT_TEST(test_alone),
        KIT_TEST(test_later),
        KIT_TEST(test_the_queue_has_an_end),
        KIT_TEST(test_how_they_end),
        KIT_TEST(test_what_an_earlier_service_has_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
