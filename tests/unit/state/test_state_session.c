/* Sync sessions: who may follow whom, who is in whose way, who is dead. */
#include "session_kit.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/proc_id.h"

/* -- names and ways -------------------------------------------------------------------------------
 */

static void test_names(void **state)
{
    (void)state;
    for (SyncStatus i = 0; i < SYNC_STATUSES; i++) {
        SyncStatus back;
        assert_true(state_session_status_of(state_session_status_name(i), &back));
        assert_int_equal(back, i);
        assert_int_equal((SYNC_LIVE >> i) & 1u, i < SYNC_COMPLETED);
    }
    SyncStatus unused;
    assert_false(state_session_status_of("completed", &unused));
    assert_false(state_session_status_of(NULL, &unused));
}

static void test_ids(void **state)
{
    (void)state;
    char a[SYNC_ID_TEXT], b[SYNC_ID_TEXT], longest[SYNC_ID_MAX + 2] = "";
    memset(longest, 'x', SYNC_ID_MAX);
    assert_true(state_session_id_valid("test123"));
    assert_true(state_session_id_valid("a.b-c_D9"));
    assert_true(state_session_id_valid(longest));
    longest[SYNC_ID_MAX] = 'x';
    assert_false(state_session_id_valid(longest));
    static const char *const bad[] = {"", "-x", ".x", "../x", "a b", "a/b", "a'b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(state_session_id_valid(bad[i]));
    assert_false(state_session_id_valid(NULL));
    state_session_id_make(KIT_NOW, a);
    state_session_id_make(KIT_NOW, b);
    assert_true(state_session_id_valid(a));
    assert_string_not_equal(a, b);
    assert_memory_equal(a, "20231114-221320-", 16);
}

static void test_transitions(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    for (SyncStatus from = 0; from < SYNC_STATUSES; from++)
        for (SyncStatus to = 0; to < SYNC_STATUSES; to++) {
            bool may = from < SYNC_COMPLETED &&
                       (to >= from || (from == SYNC_BACKING_UP && to == SYNC_PREPARING));
            assert_int_equal(state_session_may_follow(from, to), may);
        }
    StateSessionNew w = wanted("one", NULL);
    StateSessionRef ref = opened(s, &w);
    OK(state_session_step(s, &ref, SYNC_BACKING_UP, NULL, KIT_NOW));
    OK(state_session_step(s, &ref, SYNC_PREPARING, "another method", KIT_NOW));
    OK(state_session_step(s, &ref, SYNC_RESTORING, "merging", KIT_NOW));
    FAILS(ERR_INTERNAL, state_session_step(s, &ref, SYNC_TRANSFERRING, NULL, KIT_NOW));
    FAILS(ERR_INTERNAL, state_session_step(s, &ref, SYNC_COMPLETED, NULL, KIT_NOW));
    AUTO(StateSession) one = got(s, "one");
    assert_int_equal(one->status, SYNC_RESTORING);
    assert_string_equal(one->phase, "merging");
    end_as(s, &ref, SYNC_COMPLETED);
    FAILS(ERR_FENCED, state_session_step(s, &ref, SYNC_VERIFYING, NULL, KIT_NOW));
    FAILS(ERR_NOT_FOUND, state_session_step(s, &(StateSessionRef){"two", SYNC_INITIATOR, 0},
                                            SYNC_VERIFYING, NULL, KIT_NOW));
    FAILS(ERR_INTERNAL,
          state_session_end(s, &ref, &(StateSessionEnd){.status = SYNC_VERIFYING}, NULL));
}

/* A first end stays, but that of one that was taken for dead. */
static void test_end(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    bool ended;
    StateSessionNew w = wanted("one", NULL);
    StateSessionRef ref = opened(s, &w);
    StateSessionProgress p = {.bytes_done = 7, .bytes_total = 9, .wire_bytes = 5, .rows_done = 3};
    OK(state_session_progress(s, &ref, &p, KIT_NOW, NULL));
    end_as(s, &ref, SYNC_FAILED);
    OK(state_session_end(s, &ref, &(StateSessionEnd){.status = SYNC_COMPLETED, .now = KIT_NOW},
                         &ended));
    assert_false(ended);
    AUTO(StateSession) one = got(s, "one");
    assert_int_equal(one->status, SYNC_FAILED);
    assert_string_equal(one->error_message, "broken off");
    assert_int_equal(one->bytes_done, 7);
    assert_int_equal(one->wire_bytes, 5);
    assert_int_equal(one->ended, KIT_NOW + 5);
    FAILS(ERR_FENCED, state_session_progress(s, &ref, &p, KIT_NOW, NULL));

    StateSessionNew v = wanted("two", NULL);
    StateSessionRef second = opened(s, &v);
    silence(SYNC_DEAD_MS + 1000);
    assert_int_equal(status_of(s, "two"), SYNC_FAILED);
    end_as(s, &second, SYNC_COMPLETED);
    assert_int_equal(status_of(s, "two"), SYNC_COMPLETED);
}

/* -- the same id again ----------------------------------------------------------------------------
 */

static void test_resume(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(StateSession) again = NULL;
    StateSessionNew w = wanted("one", "1/2");
    StateSessionRef first = opened(s, &w);
    FAILS(ERR_BUSY, state_session_open(s, &w, &again)); /* it is under way */
    OK(state_session_learn(s, &first, &(StateSessionFacts){.backup = "shop-1"}, KIT_NOW));
    OK(state_session_hold(s, &first, 0, 17, KIT_NOW));
    end_as(s, &first, SYNC_FAILED);
    FAILS(ERR_EXISTS, state_session_open(s, &w, &again));
    w.resume = true;
    StateSessionNew other = w;
    other.peer = "paris";
    FAILS(ERR_EXISTS, state_session_open(s, &other, &again));
    other = w;
    other.direction = SYNC_PUSH;
    FAILS(ERR_EXISTS, state_session_open(s, &other, &again));
    OK(state_session_open(s, &w, &again));
    assert_int_equal(again->attempt, 2);
    assert_int_equal(again->job, 0);
    assert_string_equal(again->backup, "shop-1");
    assert_null(again->error_message);
    /* The first attempt has nothing to say any more. */
    bool ended = true;
    FAILS(ERR_FENCED, state_session_beat(s, &first, KIT_NOW, NULL));
    FAILS(ERR_FENCED, state_session_step(s, &first, SYNC_RESTORING, NULL, KIT_NOW));
    OK(state_session_end(s, &first, &(StateSessionEnd){.status = SYNC_COMPLETED, .now = KIT_NOW},
                         &ended));
    assert_false(ended);
    StateSessionRef second = {"one", SYNC_INITIATOR, 2};
    end_as(s, &second, SYNC_COMPLETED);
    state_session_free(STEAL(again));
    FAILS(ERR_EXISTS, state_session_open(s, &w, &again));
}

/* The service opens it, its job takes it over. */
static void test_taken_over(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(StateSession) one = NULL;
    StateSessionNew w = wanted("one", NULL);
    w.pid = 0;
    w.place = "entry shop";
    w.actor = "anna";
    StateSessionRef ref = opened(s, &w);
    StateSessionNew child = wanted("one", "1/2");
    child.job = 7;
    FAILS(ERR_BUSY, state_session_open(s, &child, &one)); /* whose job is it? */
    OK(state_session_hold(s, &ref, 0, 7, KIT_NOW));
    child.job = 8;
    FAILS(ERR_BUSY, state_session_open(s, &child, &one));
    child.job = 7;
    OK(state_session_open(s, &child, &one));
    assert_int_equal(one->attempt, 1);
    assert_int_equal(one->pid, getpid());
    assert_string_equal(one->target, "1/2");
    assert_string_equal(one->place, "entry shop");
    assert_string_equal(one->actor, "anna");
    state_session_free(STEAL(one));
    FAILS(ERR_BUSY, state_session_open(s, &child, &one)); /* once */
}

/* -- in whose way ---------------------------------------------------------------------------------
 */

static void test_busy(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(StateSession) other = NULL;
    StateSessionNew w = wanted("first", "1/2");
    w.place = "entry shop";
    StateSessionRef first = opened(s, &w);
    StateSessionNew second = wanted("second", "1/2");
    Error *e = state_session_open(s, &second, &other);
    assert_int_equal(error_kind(e), ERR_BUSY);
    assert_non_null(strstr(error_message(e), "session first (pull, peer berlin, PREPARING, for "));
    assert_non_null(strstr(error_hint_text(e), "pgstow sync cancel first"));
    error_free(e);
    second.target = NULL;
    second.place = "entry shop";
    FAILS(ERR_BUSY, state_session_open(s, &second, &other));
    /* Another database, or only reading: not in the way, until it is found to be the same. */
    second.place = "entry crm";
    StateSessionRef ref = opened(s, &second);
    FAILS(ERR_BUSY, state_session_learn(s, &ref, &(StateSessionFacts){.target = "1/2"}, KIT_NOW));
    OK(state_session_learn(s, &ref, &(StateSessionFacts){.target = "1/3"}, KIT_NOW));
    StateSessionNew reads = wanted("third", NULL);
    (void)opened(s, &reads);
    /* The other side of the first one, on the same host. */
    StateSessionNew remote = wanted("first", "1/2");
    remote.role = SYNC_REMOTE;
    (void)opened(s, &remote);
    OK(state_session_holder(s, "1/2", NULL, NULL, &other));
    assert_string_equal(other->id, "first");
    state_session_free(STEAL(other));
    OK(state_session_holder(s, "1/2", "entry shop", "first", &other));
    assert_null(other);
    end_as(s, &first, SYNC_CANCELLED);
    FAILS(ERR_CANCELLED, state_session_beat(s, &first, KIT_NOW, NULL));
    end_as(s, &(StateSessionRef){"first", SYNC_REMOTE, 0}, SYNC_FAILED);
    StateSessionNew next = wanted("fourth", "1/2");
    (void)opened(s, &next);
    /* And a resumed one comes back into the way of those that came since. */
    w.resume = true;
    w.target = w.place = NULL;
    FAILS(ERR_BUSY, state_session_open(s, &w, &other));
}

/* -- dead or alive --------------------------------------------------------------------------------
 */

static pid_t child_that_opens(const StateSessionNew *w)
{
    int ends[2];
    char done;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        State *s = kit_state();
        StateSessionNew mine = *w;
        mine.pid = getpid();
        (void)opened(s, &mine);
        if (write(ends[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &done, 1), 1);
    close(ends[0]);
    return child;
}

static void test_killed(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO_VALUE(StateSessions) dead = {0};
    StateSessionNew w = wanted("one", "1/2"), next = wanted("two", "1/2");
    pid_t child = child_that_opens(&w);
    assert_int_equal(status_of(s, "one"), SYNC_PREPARING);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)opened(s, &next); /* it is in nobody's way */
    OK(state_session_expire(s, false, KIT_NOW, &dead));
    assert_int_equal(dead.count, 0); /* the open has seen to it */
    AUTO(StateSession) one = got(s, "one");
    assert_int_equal(one->status, SYNC_FAILED);
    assert_string_equal(one->error_kind, "FENCED");
    assert_non_null(strstr(one->error_message, "is gone while it was PREPARING"));
    AUTO_VALUE(StateLog) log = {0};
    OK(state_session_log_read(s, "one", SYNC_INITIATOR, 0, 0, &log));
    assert_int_equal(log.count, 2);
    assert_non_null(strstr(log.items[1].line, "FAILED: its process (pid "));
}

static void test_silent(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO_VALUE(StateSessions) dead = {0};
    StateSessionNew w = wanted("one", "1/2");
    StateSessionRef ref = opened(s, &w);
    silence(SYNC_DEAD_MS - 10000);
    assert_int_equal(status_of(s, "one"), SYNC_PREPARING);
    OK(state_session_beat(s, &ref, KIT_NOW, NULL));
    silence(SYNC_DEAD_MS - 10000);
    assert_int_equal(status_of(s, "one"), SYNC_PREPARING);
    silence(11000);
    OK(state_session_expire(s, false, KIT_NOW, &dead));
    assert_int_equal(dead.count, 1);
    assert_string_equal(dead.items[0].id, "one");
    assert_non_null(strstr(dead.items[0].error_message, "nothing was heard of it for "));
    FAILS(ERR_FENCED, state_session_beat(s, &ref, KIT_NOW, NULL));
}

/* What was in its way is why it died, unless it went on. */
static void test_dies_of_it(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    StateSessionNew w = wanted("one", NULL), v = wanted("two", NULL);
    StateSessionFacts full = {
        .error_kind = "REPO_FULL", .error_message = "the disk is full", .error_hint = "make room"};
    StateSessionRef ref = opened(s, &w), goes_on = opened(s, &v);
    OK(state_session_step(s, &ref, SYNC_TRANSFERRING, NULL, KIT_NOW));
    OK(state_session_learn(s, &ref, &full, KIT_NOW));
    OK(state_session_learn(s, &ref, &(StateSessionFacts){.backup = "b"}, KIT_NOW));
    OK(state_session_step(s, &ref, SYNC_TRANSFERRING, "further", KIT_NOW));
    OK(state_session_learn(s, &goes_on, &full, KIT_NOW));
    OK(state_session_step(s, &goes_on, SYNC_RESTORING, NULL, KIT_NOW));
    AUTO(StateSession) lives = got(s, "one");
    assert_int_equal(lives->status, SYNC_TRANSFERRING);
    assert_string_equal(lives->error_message, "the disk is full");
    silence(SYNC_DEAD_MS + 1);
    AUTO(StateSession) one = got(s, "one");
    assert_true(one->expired);
    assert_string_equal(one->error_kind, "REPO_FULL");
    assert_string_equal(one->error_hint, "make room");
    assert_non_null(strstr(one->error_message, "the disk is full; then nothing was heard of it"));
    AUTO(StateSession) two = got(s, "two");
    assert_string_equal(two->error_kind, "FENCED");
    assert_null(strstr(two->error_message, "full"));
}

/* Whoever sets the clock, forward or back, kills nobody and keeps nobody alive. */
static void test_clock_jumps(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO_VALUE(StateSessions) dead = {0};
    StateSessionNew w = wanted("one", NULL), v = wanted("two", NULL);
    v.pid = 0;
    (void)opened(s, &w);
    (void)opened(s, &v);
    OK(state_session_expire(s, false, KIT_NOW + DAY, &dead));
    OK(state_session_expire(s, false, KIT_NOW - DAY, &dead));
    assert_int_equal(dead.count, 0);
    assert_int_equal(kit_sql("UPDATE full_sync_sessions SET beat_mono = beat_mono - 70000"),
                     SQLITE_OK);
    OK(state_session_expire(s, false, KIT_NOW - DAY, &dead));
    assert_int_equal(dead.count, 2);
}

/* The host was restarted: a process is gone for sure; requests may go on. */
static void test_other_boot(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    StateSessionNew w = wanted("one", NULL), v = wanted("two", NULL);
    v.pid = 0;
    w.now = v.now = clock_now();
    (void)opened(s, &w);
    (void)opened(s, &v);
    assert_int_equal(kit_sql("UPDATE full_sync_sessions SET boot = 'another pid:[1]',"
                             " beat_mono = beat_mono + 1000000"),
                     SQLITE_OK);
    AUTO(StateSession) one = got(s, "one");
    assert_int_equal(one->status, SYNC_FAILED);
    assert_non_null(strstr(one->error_message, "restarted"));
    assert_int_equal(status_of(s, "two"), SYNC_PREPARING);
    OK(state_session_beat(s, &(StateSessionRef){"two", SYNC_INITIATOR, 0}, clock_now(), NULL));
    silence(SYNC_DEAD_MS + 1);
    assert_int_equal(status_of(s, "two"), SYNC_FAILED);
}

/* A number that another process has by now is not the one that died. */
static void test_reused_pid(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    StateSessionNew w = wanted("one", NULL);
    (void)opened(s, &w);
    assert_int_equal(kit_sql("UPDATE full_sync_sessions SET pid_start = pid_start - 1"), SQLITE_OK);
    assert_int_equal(status_of(s, "one"), SYNC_FAILED);
}

/* The service beats for those whose job waits or runs, and for no others. */
static void test_beats_for_jobs(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO_VALUE(StateSessions) dead = {0};
    StateSessionNew a = wanted("waits", NULL), b = wanted("over", NULL), c = wanted("none", NULL);
    a.pid = b.pid = c.pid = 0;
    a.job = kit_job(s, "sync", "shop", KIT_NOW);
    b.job = kit_ended(s, "sync", "shop", KIT_NOW, 3, JOB_FAILED);
    (void)opened(s, &a);
    (void)opened(s, &b);
    (void)opened(s, &c);
    silence(SYNC_DEAD_MS + 1);
    OK(state_session_expire(s, true, KIT_NOW, &dead));
    assert_int_equal(dead.count, 2);
    assert_int_equal(status_of(s, "waits"), SYNC_PREPARING);
    assert_int_equal(status_of(s, "over"), SYNC_FAILED);
    assert_int_equal(status_of(s, "none"), SYNC_FAILED);
}

/* -- asked to stop --------------------------------------------------------------------------------
 */

static void test_cancel(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    bool at_once, asked;
    StateSessionNew w = wanted("one", NULL), v = wanted("two", NULL);
    v.pid = 0;
    StateSessionRef ref = opened(s, &w);
    (void)opened(s, &v);
    OK(state_session_beat(s, &ref, KIT_NOW, &asked));
    assert_false(asked);
    OK(state_session_cancel(s, "one", SYNC_INITIATOR, KIT_NOW, &at_once));
    assert_false(at_once);
    OK(state_session_beat(s, &ref, KIT_NOW, &asked));
    assert_true(asked);
    OK(state_session_progress(s, &ref, &(StateSessionProgress){0}, KIT_NOW, &asked));
    assert_true(asked);
    assert_int_equal(status_of(s, "one"), SYNC_PREPARING); /* until it has stopped */
    end_as(s, &ref, SYNC_CANCELLED);
    FAILS(ERR_EXISTS, state_session_cancel(s, "one", SYNC_INITIATOR, KIT_NOW, NULL));
    OK(state_session_cancel(s, "two", SYNC_INITIATOR, KIT_NOW, &at_once));
    assert_true(at_once);
    assert_int_equal(status_of(s, "two"), SYNC_CANCELLED);
    FAILS(ERR_NOT_FOUND, state_session_cancel(s, "three", SYNC_INITIATOR, KIT_NOW, NULL));
    /* A wish of an earlier attempt is none of the next one's. */
    w.resume = true;
    AUTO(StateSession) again = NULL;
    OK(state_session_open(s, &w, &again));
    assert_false(again->cancel_requested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_names),       KIT_TEST(test_ids),
        KIT_TEST(test_transitions), KIT_TEST(test_end),
        KIT_TEST(test_resume),      KIT_TEST(test_taken_over),
        KIT_TEST(test_busy),        KIT_TEST(test_killed),
        KIT_TEST(test_silent),      KIT_TEST(test_dies_of_it),
        KIT_TEST(test_clock_jumps), KIT_TEST(test_other_boot),
        KIT_TEST(test_reused_pid),  KIT_TEST(test_beats_for_jobs),
        KIT_TEST(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
