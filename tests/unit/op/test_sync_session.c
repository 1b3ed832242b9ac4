/* A session as its process holds it: the heartbeat, what it tells, and what it hears. */
#include "../state/kit.h"

#include "op/sync_session.h"
#include "op/sync_stop.h"

#define SOON_MS 20000 /* more than any of these takes */

static StateSessionNew wanted(const char *id)
{
    return (StateSessionNew){.id = id,
                             .role = SYNC_INITIATOR,
                             .direction = SYNC_PULL,
                             .peer = "berlin",
                             .database = "shop",
                             .target = "1/2"};
}

static SyncSession *opened(const char *id, Job *job)
{
    SyncSession *s = NULL;
    OK(sync_session_open(
        &(SyncSessionOptions){.folder = kit_folder, .state = wanted(id), .job = job}, &s));
    return s;
}

static Job *new_job(void)
{
    Job *job = NULL;
    OK(job_new(NULL, NULL, NULL, &job));
    return job;
}

static StateSession *row(const char *id)
{
    AUTO(State) s = kit_state();
    StateSession *one = NULL;
    OK(state_session_get(s, id, SYNC_INITIATOR, &one));
    return one;
}

static bool cancelled_soon(Job *job)
{
    for (int64_t end = clock_mono_ms() + SOON_MS; clock_mono_ms() < end; clock_sleep_ms(10))
        if (cancel_requested(job_cancel(job)))
            return true;
    return false;
}

static void test_completed(void **state)
{
    (void)state;
    AUTO(Job) job = new_job();
    SyncSession *s = opened("one", job);
    assert_int_equal(sync_session_attempt(s), 1);
    assert_null(sync_session_backup(s));
    OK(sync_session_step(s, SYNC_TRANSFERRING, NULL));
    job_phase(job, "copying", 1000, 0);
    job_add_bytes(job, 700);
    sync_session_wire(s, 333);
    sync_session_rows(s, 4, 5);
    sync_session_log(s, "info", "%d packs were there", 31);
    assert_null(sync_session_close(s, NULL, &(SyncSessionEnd){"shop-1", "{\"rows\": 4}"}));
    AUTO(StateSession) one = row("one");
    assert_int_equal(one->status, SYNC_COMPLETED);
    assert_string_equal(one->backup, "shop-1");
    assert_string_equal(one->result, "{\"rows\": 4}");
    assert_int_equal(one->bytes_done, 700);
    assert_int_equal(one->bytes_total, 1000);
    assert_int_equal(one->wire_bytes, 333);
    assert_int_equal(one->rows_done, 4);
    assert_int_equal(one->pid, 0);
    AUTO(State) st = kit_state();
    AUTO_VALUE(StateLog) log = {0};
    OK(state_session_log_read(st, "one", SYNC_INITIATOR, 0, 0, &log));
    assert_int_equal(log.count, 4);
    assert_string_equal(log.items[2].line, "31 packs were there");
    assert_string_equal(log.items[3].line, "COMPLETED");
}

static void test_failed(void **state)
{
    (void)state;
    AUTO(Job) job = new_job();
    AUTO(Job) second = new_job();
    SyncSession *s = opened("one", job), *other = NULL;
    FAILS(ERR_BUSY,
          sync_session_open(
              &(SyncSessionOptions){.folder = kit_folder, .state = wanted("two"), .job = second},
              &other));
    Error *e = error_hint(ERROR_NEW(ERR_NETWORK, "broken off"), "go on");
    FAILS(ERR_NETWORK, sync_session_close(s, e, NULL));
    AUTO(StateSession) one = row("one");
    assert_int_equal(one->status, SYNC_FAILED);
    assert_string_equal(one->error_kind, "NETWORK");
    assert_string_equal(one->error_message, "broken off");
    assert_string_equal(one->error_hint, "go on");
    s = opened("two", second); /* it is in nobody's way */
    FAILS(ERR_CANCELLED, sync_session_close(s, ERROR_NEW(ERR_CANCELLED, "stopped"), NULL));
    AUTO(StateSession) two = row("two");
    assert_int_equal(two->status, SYNC_CANCELLED);
}

/* From outside: whoever works hears so, and it ends as CANCELLED. */
static void test_cancelled(void **state)
{
    (void)state;
    AUTO(Job) job = new_job();
    AUTO(State) outside = kit_state();
    AUTO_VALUE(StateSessions) l = {0};
    SyncSession *s = opened("one", job);
    assert_false(cancel_requested(job_cancel(job)));
    OK(op_sync_cancel(outside, "one", NULL, NULL, clock_now(), &l));
    assert_int_equal(l.count, 1);
    assert_true(l.items[0].cancel_requested);
    assert_true(cancelled_soon(job));
    assert_true(sync_session_cancelled(s));
    Error *e = cancel_check(job_cancel(job));
    FAILS(ERR_CANCELLED, sync_session_close(s, e, NULL));
    AUTO(StateSession) one = row("one");
    assert_int_equal(one->status, SYNC_CANCELLED);
}

/* Given up by others: it stops, and says why; nothing that it says later changes that. */
static void test_cleared(void **state)
{
    (void)state;
    AUTO(Job) job = new_job();
    AUTO(State) outside = kit_state();
    AUTO_VALUE(StateSessions) l = {0};
    SyncSession *s = opened("one", job);
    OK(op_sync_clear(outside, "one", clock_now(), &l));
    assert_int_equal(l.items[0].status, SYNC_FAILED);
    assert_true(cancelled_soon(job));
    assert_false(sync_session_cancelled(s));
    FAILS(ERR_FENCED, sync_session_step(s, SYNC_RESTORING, NULL));
    Error *e = sync_session_close(s, cancel_check(job_cancel(job)), NULL);
    assert_int_equal(error_kind(e), ERR_FENCED);
    assert_non_null(strstr(error_message(e), "cleared by hand"));
    error_free(e);
    AUTO(StateSession) one = row("one");
    assert_int_equal(one->status, SYNC_FAILED);
    assert_string_equal(one->error_message, "it was cleared by hand");
}

/* It was taken for dead and was not: what it did is what counts. */
static void test_taken_for_dead(void **state)
{
    (void)state;
    AUTO(Job) job = new_job();
    SyncSession *s = opened("one", job);
    assert_int_equal(kit_sql("UPDATE full_sync_sessions SET beat_mono = beat_mono - 70000"),
                     SQLITE_OK);
    AUTO(StateSession) dead = row("one");
    assert_int_equal(dead->status, SYNC_FAILED);
    assert_true(cancelled_soon(job));
    assert_null(sync_session_close(s, NULL, NULL)); /* it had committed already */
    AUTO(StateSession) one = row("one");
    assert_int_equal(one->status, SYNC_COMPLETED);
    assert_null(one->error_message);
}

/* What another host does is shown instead of the own job's progress, until the next step. */
static void test_reported(void **state)
{
    (void)state;
    AUTO(Job) job = new_job();
    SyncSession *s = opened("one", job);
    job_phase(job, "waiting", 0, 0);
    OK(sync_session_step(s, SYNC_BACKING_UP, NULL));
    sync_session_report(
        s, &(StateSessionProgress){.phase = "rows there", .bytes_done = 5, .bytes_total = 9});
    for (int64_t end = clock_mono_ms() + SOON_MS; clock_mono_ms() < end; clock_sleep_ms(20)) {
        AUTO(StateSession) one = row("one");
        if (!one->bytes_done)
            continue;
        assert_string_equal(one->phase, "rows there");
        assert_int_equal(one->bytes_total, 9);
        OK(sync_session_step(s, SYNC_TRANSFERRING, "packs"));
        AUTO(StateSession) next = row("one");
        assert_int_equal(next->bytes_done, 0);
        assert_string_equal(next->phase, "packs");
        assert_null(sync_session_close(s, NULL, NULL));
        return;
    }
    fail_msg("%s", "it was never written");
}

/* A state that cannot be written for a while is no end. */
static void test_locked_for_a_while(void **state)
{
    (void)state;
    AUTO(Job) job = new_job();
    AUTO(State) other = kit_state();
    SyncSession *s = opened("one", job);
    OK(state_exec(other, "BEGIN IMMEDIATE"));
    job_add_bytes(job, 1);
    clock_sleep_ms(SYNC_BEAT_MS);
    assert_false(cancel_requested(job_cancel(job)));
    OK(state_exec(other, "COMMIT"));
    assert_null(sync_session_close(s, NULL, NULL));
    AUTO(StateSession) one = row("one");
    assert_int_equal(one->status, SYNC_COMPLETED);
    assert_int_equal(one->bytes_done, 1);
}

static void test_places(void **state)
{
    (void)state;
    AUTO(char) a = sync_place_here("shop", "db1");
    AUTO(char) b = sync_place_here("", "db1");
    AUTO(char) c = sync_place_there("berlin", NULL);
    assert_string_equal(a, "entry shop");
    assert_string_equal(b, "database db1");
    assert_string_equal(c, "peer berlin ");
    assert_null(sync_place_here(NULL, NULL));
    FAILS(ERR_NETWORK, sync_session_close(NULL, ERROR_NEW(ERR_NETWORK, "x"), NULL));
}

int main(void)
{
    unsetenv("PGSTOW_JOB");
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_completed),          KIT_TEST(test_failed),
        KIT_TEST(test_cancelled),          KIT_TEST(test_cleared),
        KIT_TEST(test_reported),           KIT_TEST(test_taken_for_dead),
        KIT_TEST(test_locked_for_a_while), KIT_TEST(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
