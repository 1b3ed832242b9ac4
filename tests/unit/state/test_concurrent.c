/* Several threads on one handle, several handles, several processes, and processes that are killed
 * in the middle of it. */
#include "kit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "state/state_condition.h"
#include "state/state_event.h"
#include "state/state_log.h"
#include "state/state_outbox.h"

#define THREADS 4
#define EACH 8 /* an fsync for each change */

static void *write_jobs(void *arg)
{
    State *s = arg;
    for (int i = 0; i < EACH; i++) {
        int64_t id = kit_ended(s, "backup", "shop", KIT_NOW + i, 3, JOB_SUCCEEDED);
        OK(state_log_add(s, id, &(StateLogNew){KIT_NOW, "info", "said"}, 1));
        AUTO_VALUE(StateJobs) l = {0};
        OK(state_job_list(s, &(StateJobFilter){.limit = 3}, &l));
        assert_true(l.count > 0);
    }
    return NULL;
}

static void in_threads(State *const handles[THREADS])
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_jobs, handles[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* Each change has left its event: nothing was lost, nothing is twice. */
static void check_all(State *s, int writers)
{
    uint64_t ended;
    OK(state_job_count(s, &(StateJobFilter){.statuses = 1u << JOB_SUCCEEDED}, &ended));
    assert_int_equal(ended, writers * EACH);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM event"), 4 * writers * EACH);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM job_log"), writers * EACH);
    OK(state_check(s));
}

static void test_threads_on_one_handle(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    in_threads((State *const[]){s, s, s, s});
    check_all(s, THREADS);
}

static void test_threads_with_handles(void **state)
{
    (void)state;
    State *s[THREADS];
    for (int i = 0; i < THREADS; i++)
        s[i] = kit_state();
    in_threads(s);
    check_all(s[0], THREADS);
    for (int i = 0; i < THREADS; i++)
        state_close(s[i]);
}

/* Closing one handle must not take the other one's locks away. */
static void *open_and_close(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++)
        state_close(kit_state());
    return NULL;
}

static void test_handles_come_and_go(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
    write_jobs(s);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    check_all(s, 1);
}

/* All make it at once: it is made once. */
static void test_processes(void **state)
{
    (void)state;
    pid_t children[THREADS];
    for (int i = 0; i < THREADS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            State *s = kit_state();
            write_jobs(s);
            state_close(s);
            _exit(0);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    AUTO(State) s = kit_state();
    check_all(s, THREADS);
}

/* -- all or nothing -------------------------------------------------------------------------------
 */

static Error *half(State *s, void *ctx)
{
    bool began;
    kit_job(s, "backup", "shop", KIT_NOW);
    OK(state_condition_set(s, "failing/shop", NULL, KIT_NOW, &began));
    if (ctx)
        FAIL(ERR_CANCELLED, "no further");
    return NULL;
}

/* The inner one is taken back, and the outer one goes on. */
static Error *with_inner(State *s, void *ctx)
{
    kit_job(s, "verify", "shop", KIT_NOW);
    FAILS(ERR_CANCELLED, state_together(s, half, ctx));
    OK(state_outbox_put(s, &(StateNoteNew){"c", "email", "failure", "{}", KIT_NOW}, NULL));
    return NULL;
}

static void test_together(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    uint64_t jobs;
    FAILS(ERR_CANCELLED, state_together(s, half, s));
    OK(state_job_count(s, NULL, &jobs));
    assert_int_equal(jobs, 0);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM condition"), 0);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM event"), 0);
    OK(state_together(s, with_inner, s));
    OK(state_job_count(s, NULL, &jobs));
    assert_int_equal(jobs, 1);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM condition"), 0);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM outbox"), 1);
    OK(state_together(s, half, NULL));
    OK(state_job_count(s, NULL, &jobs));
    assert_int_equal(jobs, 2);
}

/* Where a failure has ended the transaction as a whole, nothing of it goes on by itself. */
static Error *broken_off(State *s, void *ctx)
{
    int64_t *id = ctx;
    OK(state_exec(s, "ROLLBACK")); /* as SQLite does where the disk is full */
    return state_job_create(s, &(StateJobNew){.kind = "backup", .now = KIT_NOW}, id);
}

static Error *broken_off_unnoticed(State *s, void *ctx)
{
    (void)ctx;
    return state_exec(s, "ROLLBACK");
}

static void test_broken_off(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t id;
    FAILS(ERR_IO, state_together(s, broken_off, &id));
    FAILS(ERR_IO, state_together(s, broken_off_unnoticed, NULL));
    assert_int_equal(kit_number(s, "SELECT count(*) FROM job"), 0);
    kit_job(s, "backup", "shop", KIT_NOW); /* and the handle is as good as before */
}

/* -- others who keep it locked --------------------------------------------------------------------
 */

static void test_locked(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    State *patient = NULL;
    OK(state_open(kit_folder, &(StateOptions){.wait_ms = 1}, &patient));
    int64_t id = kit_job(s, "backup", "shop", KIT_NOW);
    OK(state_exec(s, "BEGIN IMMEDIATE"));
    bool done;
    FAILS(ERR_TIMEOUT, state_job_start(patient, id, getpid(), KIT_NOW, &done));
    AUTO(StateJob) j = NULL;
    OK(state_job_get(patient, id, &j)); /* reading goes on */
    OK(state_exec(s, "COMMIT"));
    OK(state_job_start(patient, id, getpid(), KIT_NOW, &done));
    assert_true(done);
    state_close(patient);
}

/* -- killed in the middle -------------------------------------------------------------------------
 */

/* What it says is done goes through the pipe; then it is killed, wherever it is. */
static int64_t written_until_killed(int round)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        State *s = kit_state();
        for (;;) {
            int64_t id = kit_ended(s, "backup", "shop", KIT_NOW, 3, JOB_SUCCEEDED);
            if (write(ends[1], &id, sizeof id) != sizeof id)
                _exit(1);
        }
    }
    int64_t id = 0, last = 0;
    close(ends[1]);
    for (int i = 0; i < 3 + round; i++) {
        assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
        assert_true(last > id);
        id = last;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(ends[0], &last, sizeof last) == sizeof last)
        id = last;
    close(ends[0]);
    return id;
}

static void test_killed(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        int64_t last = written_until_killed(round);
        AUTO(State) s = kit_state();
        OK(state_check(s));
        /* What it said was done is there, and no job without its events. */
        AUTO(StateJob) j = NULL;
        OK(state_job_get(s, last, &j));
        assert_int_equal(j->status, JOB_SUCCEEDED);
        assert_int_equal(
            kit_number(s, "SELECT count(*) FROM job WHERE 1 + (started > 0) + (ended > 0) <>"
                          " (SELECT count(*) FROM event WHERE event.job = job.id)"),
            0);
        AUTO_VALUE(StateJobs) gone = {0};
        OK(state_job_interrupt(s, NULL, NULL, KIT_NOW, &gone));
        assert_true(gone.count <= 1);
    }
}

/* With its write-ahead log still there, and another handle that goes on. */
static void test_killed_beside_others(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    for (int round = 0; round < 3; round++) {
        int64_t last = written_until_killed(round);
        AUTO(StateJob) j = NULL;
        OK(state_job_get(s, last, &j));
        kit_job(s, "verify", "shop", KIT_NOW);
    }
    OK(state_check(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_threads_on_one_handle),
        KIT_TEST(test_threads_with_handles),
        KIT_TEST(test_handles_come_and_go),
        KIT_TEST(test_processes),
        KIT_TEST(test_together),
        KIT_TEST(test_broken_off),
        KIT_TEST(test_locked),
        KIT_TEST(test_killed),
        KIT_TEST(test_killed_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
