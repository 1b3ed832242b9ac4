/* What becomes of a session when its job ends. */
#include "kit.h"

#include "serve/sync_watch.h"
#include "state/state_session.h"

static State *state;

/* A session of this role and direction that a job was begun for; the job. */
static int64_t begun(const char *id, SyncRole role, SyncDirection direction)
{
    AUTO(StateSession) one = NULL;
    int64_t job = 0;
    OK(state_job_create(state,
                        &(StateJobNew){.kind = "sync",
                                       .entry = "",
                                       .database = "shop",
                                       .trigger = "api",
                                       .actor = "anna",
                                       .now = clock_now()},
                        &job));
    OK(state_session_open(state,
                          &(StateSessionNew){.id = id,
                                             .role = role,
                                             .direction = direction,
                                             .peer = "berlin",
                                             .database = "shop",
                                             .job = job,
                                             .now = clock_now()},
                          &one));
    return job;
}

static void step(const char *id, SyncStatus status)
{
    OK(state_session_step(state, &(StateSessionRef){id, SYNC_REMOTE, 1}, status, NULL,
                          clock_now()));
}

static SyncStatus after(int64_t job, const char *id, SyncRole role, StateJobStatus status)
{
    AUTO(StateSession) one = NULL;
    sync_watch_job_ended(state, &(StateJob){.id = job,
                                            .status = status,
                                            .error_kind = "DB",
                                            .error_message = "that is how it is"});
    OK(state_session_get(state, id, role, &one));
    return one->status;
}

static void test_ends_with_its_job(void **unused)
{
    (void)unused;
    state = kit_state();
    int64_t a = begun("a", SYNC_REMOTE, SYNC_PULL), b = begun("b", SYNC_REMOTE, SYNC_PUSH),
            c = begun("c", SYNC_INITIATOR, SYNC_PULL), d = begun("d", SYNC_REMOTE, SYNC_PUSH);
    step("b", SYNC_TRANSFERRING); /* as the peer said while it sent */
    assert_int_equal(after(a, "b", SYNC_REMOTE, JOB_FAILED), SYNC_TRANSFERRING); /* another's */
    assert_int_equal(after(a, "a", SYNC_REMOTE, JOB_FAILED), SYNC_FAILED);
    assert_int_equal(after(b, "b", SYNC_REMOTE, JOB_INTERRUPTED), SYNC_FAILED);
    assert_int_equal(after(c, "c", SYNC_INITIATOR, JOB_SUCCEEDED), SYNC_FAILED);
    assert_int_equal(after(d, "d", SYNC_REMOTE, JOB_CANCELLED), SYNC_CANCELLED);
    state_close(state);
}

/* What a job does behind the backup that the peer fetches, cleaning up, is its own matter. */
static void test_what_it_has_left(void **unused)
{
    (void)unused;
    state = kit_state();
    int64_t job = begun("left", SYNC_REMOTE, SYNC_PULL);
    step("left", SYNC_BACKING_UP);
    step("left", SYNC_TRANSFERRING);
    assert_int_equal(after(job, "left", SYNC_REMOTE, JOB_FAILED), SYNC_TRANSFERRING);
    assert_int_equal(after(job, "left", SYNC_REMOTE, JOB_INTERRUPTED), SYNC_TRANSFERRING);
    state_close(state);
}

/* ... before anybody knew that it was the session's. */
static void test_looked_for(void **unused)
{
    (void)unused;
    SyncLook last = {0};
    state = kit_state();
    int64_t job = begun("late", SYNC_REMOTE, SYNC_PULL);
    AUTO(StateSession) waits = NULL;
    AUTO(StateSession) over = NULL;
    assert_false(sync_watch_tick(state, &last));
    OK(state_session_get(state, "late", SYNC_REMOTE, &waits));
    assert_int_equal(waits->status, SYNC_PREPARING);
    OK(state_job_finish(state, job,
                        &(StateJobEnd){.status = JOB_INTERRUPTED,
                                       .error_message = "it never began",
                                       .now = clock_now()},
                        NULL));
    last.at = 0;
    assert_false(sync_watch_tick(state, &last)); /* its job is told of */
    OK(state_session_get(state, "late", SYNC_REMOTE, &over));
    assert_int_equal(over->status, SYNC_FAILED);
    assert_string_equal(over->error_message, "it never began");
    state_close(state);
}

/* A dead one, also where somebody else was the first to see it. */
static void test_deaths(void **unused)
{
    (void)unused;
    SyncLook last = {0};
    AUTO(StateSession) one = NULL;
    AUTO(StateSession) dead = NULL;
    state = kit_state();
    assert_false(sync_watch_tick(state, &last));
    OK(state_session_open(state,
                          &(StateSessionNew){.id = "dies",
                                             .role = SYNC_REMOTE,
                                             .peer = "berlin",
                                             .database = "shop",
                                             .pid = 999999999,
                                             .now = clock_now()},
                          &one));
    OK(state_session_get(state, "dies", SYNC_REMOTE, &dead));
    assert_int_equal(dead->status, SYNC_FAILED);
    assert_false(sync_watch_tick(state, &last)); /* not so soon again */
    last.at = 0;
    assert_true(sync_watch_tick(state, &last));
    last.at = 0;
    assert_false(sync_watch_tick(state, &last));
    state_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_ends_with_its_job),
        KIT_TEST(test_what_it_has_left),
        KIT_TEST(test_looked_for),
        KIT_TEST(test_deaths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
