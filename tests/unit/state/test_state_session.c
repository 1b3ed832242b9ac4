/* Sync sessions: who may follow whom, who is in whose way, who is dead, and what stays true where
 * several open at once. */
#include "kit.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/proc_id.h"
#include "base/text.h"
#include "state/state_retain.h"
#include "state/state_session.h"

static StateSessionNew wanted(const char *id, const char *target)
{
    return (StateSessionNew){.id = id,
                             .role = SYNC_INITIATOR,
                             .direction = SYNC_PULL,
                             .peer = "berlin",
                             .database = "shop",
                             .target = target,
                             .pid = getpid(),
                             .now = KIT_NOW};
}

/* Opened; its handle. */
static StateSessionRef opened(State *s, const StateSessionNew *new)
{
    AUTO(StateSession) one = NULL;
    OK(state_session_open(s, new, &one));
    assert_string_equal(one->id, new->id);
    assert_int_equal(one->status, SYNC_PREPARING);
    return (StateSessionRef){new->id, new->role, one->attempt};
}

static StateSession *got(State *s, const char *id)
{
    StateSession *one = NULL;
    OK(state_session_get(s, id, SYNC_INITIATOR, &one));
    return one;
}

static SyncStatus status_of(State *s, const char *id)
{
    AUTO(StateSession) one = got(s, id);
    return one->status;
}

static void end_as(State *s, const StateSessionRef *ref, SyncStatus status)
{
    bool ended;
    OK(state_session_end(s, ref,
                         &(StateSessionEnd){.status = status,
                                            .error_kind = "NETWORK",
                                            .error_message = "broken off",
                                            .now = KIT_NOW + 5},
                         &ended));
    assert_true(ended);
}

/* As if nothing had been heard of it for so long. */
static void silence(int64_t ms)
{
    AUTO(char)
    sql = mem_printf("UPDATE full_sync_sessions SET beat_mono = beat_mono - %lld,"
                     " heartbeat = heartbeat - %lld",
                     (long long)ms, (long long)ms);
    assert_int_equal(kit_sql(sql), SQLITE_OK);
}

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
    AUTO_VALUE(StateSessionLog) log = {0};
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

/* -- lists, logs, figures, retention --------------------------------------------------------------
 */

static void test_lists(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    for (int i = 0; i < 5; i++) {
        AUTO(char) id = mem_printf("s%d", i);
        StateSessionNew w = wanted(id, NULL);
        w.role = i % 2 ? SYNC_REMOTE : SYNC_INITIATOR;
        StateSessionRef ref = opened(s, &w);
        if (i < 2)
            end_as(s, &ref, SYNC_COMPLETED);
    }
    AUTO_VALUE(StateSessions) page = {0};
    OK(state_session_list(s, &(StateSessionFilter){.limit = 2}, &page));
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_string_equal(page.items[0].id, "s4");
    AUTO_VALUE(StateSessions) rest = {0};
    OK(state_session_list(s, &(StateSessionFilter){.below = page.items[1].n}, &rest));
    assert_int_equal(rest.count, 3);
    assert_false(rest.more);
    AUTO_VALUE(StateSessions) live = {0};
    OK(state_session_list(
        s, &(StateSessionFilter){.statuses = SYNC_LIVE, .roles = 1u << SYNC_REMOTE}, &live));
    assert_int_equal(live.count, 1);
    assert_string_equal(live.items[0].id, "s3");
    AUTO_VALUE(StateSessionFigures) figures = {0};
    OK(state_session_figures(s, &figures));
    assert_int_equal(figures.count, 2);
    assert_int_equal(figures.items[0].counts[SYNC_PREPARING], 2);
    assert_int_equal(figures.items[0].counts[SYNC_COMPLETED], 1);
    assert_int_equal(figures.items[0].last_success, KIT_NOW + 5);
}

static void test_log_is_bounded(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    StateSessionNew w = wanted("one", NULL);
    (void)opened(s, &w);
    AUTO(char)
    sql = mem_printf("WITH RECURSIVE c (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
                     " INSERT INTO full_sync_log SELECT 1, i, 0, 'info', 'said' FROM c",
                     SYNC_LOG_LINES + 50);
    assert_int_equal(kit_sql(sql), SQLITE_OK);
    OK(state_session_log(s, "one", SYNC_INITIATOR, KIT_NOW, "warning", "the last"));
    assert_int_equal(kit_number(s, "SELECT count(*) FROM full_sync_log"), SYNC_LOG_LINES);
    AUTO_VALUE(StateSessionLog) log = {0};
    OK(state_session_log_read(s, "one", SYNC_INITIATOR, SYNC_LOG_LINES + 50, 0, &log));
    assert_int_equal(log.count, 1);
    assert_string_equal(log.items[0].line, "the last");
    assert_string_equal(log.items[0].level, "warning");
    FAILS(ERR_NOT_FOUND, state_session_log(s, "one", SYNC_REMOTE, KIT_NOW, "info", "who?"));
}

static void test_result_is_bounded(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    StateSessionNew w = wanted("one", NULL);
    StateSessionRef ref = opened(s, &w);
    AUTO(char) large = mem_zalloc(SYNC_RESULT_MAX + 2);
    memset(large, '1', SYNC_RESULT_MAX + 1);
    OK(state_session_end(
        s, &ref, &(StateSessionEnd){.status = SYNC_COMPLETED, .result = large, .now = KIT_NOW},
        NULL));
    AUTO(StateSession) one = got(s, "one");
    assert_string_equal(one->result, "{\"tooLarge\": 1048577}");
    StateSessionNew v = wanted("two", NULL);
    v.options = large;
    AUTO(StateSession) none = NULL;
    FAILS(ERR_LIMIT, state_session_open(s, &v, &none));
    v.options = NULL;
    v.id = "../two";
    FAILS(ERR_USAGE, state_session_open(s, &v, &none));
}

static void test_retention(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    static const char *const ids[] = {"old", "failed", "last", "lives"};
    for (int i = 0; i < 4; i++) {
        StateSessionNew w = wanted(ids[i], NULL);
        StateSessionRef ref = opened(s, &w);
        if (i < 3)
            end_as(s, &ref, i == 1 ? SYNC_FAILED : SYNC_COMPLETED);
    }
    assert_int_equal(kit_sql("UPDATE full_sync_sessions SET ended = ended + 1 WHERE id = 'last'"),
                     SQLITE_OK);
    StateRetained gone;
    OK(state_retain(s, &(StateRetention){.sessions = {.days = 1}}, KIT_NOW + 3 * DAY, &gone));
    assert_int_equal(gone.sessions, 2);
    assert_int_equal(status_of(s, "last"), SYNC_COMPLETED);
    assert_int_equal(status_of(s, "lives"), SYNC_PREPARING);
    assert_int_equal(kit_number(s, "SELECT count(DISTINCT session) FROM full_sync_log"), 2);
}

/* -- several at once ------------------------------------------------------------------------------
 */

#define RACERS 6

/* Of those that open at the same moment into one database one gets it, the others hear its name. */
static void test_race(void **state)
{
    (void)state;
    state_close(kit_state());
    int gate[2], told[2];
    assert_int_equal(pipe(gate), 0);
    assert_int_equal(pipe(told), 0);
    pid_t children[RACERS];
    for (int i = 0; i < RACERS; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        char go, name[16], how;
        State *s = kit_state();
        snprintf(name, sizeof name, "racer%d", i);
        StateSessionNew w = wanted(name, "1/2");
        w.pid = getpid();
        close(gate[1]);
        (void)!read(gate[0], &go, 1); /* ends with the pipe, for all at once */
        StateSession *one = NULL;
        Error *e = state_session_open(s, &w, &one);
        how = !e ? 'y' : error_kind(e) == ERR_BUSY && strstr(error_message(e), "racer") ? 'n' : '?';
        if (write(told[1], &how, 1) != 1)
            _exit(1);
        pause(); /* the winner lives until all have tried */
        _exit(0);
    }
    close(gate[0]);
    close(gate[1]);
    int won = 0, refused = 0;
    for (int i = 0; i < RACERS; i++) {
        char how = 0;
        assert_int_equal(read(told[0], &how, 1), 1);
        won += how == 'y';
        refused += how == 'n';
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(kill(children[i], SIGKILL), 0);
        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
    }
    close(told[0]);
    close(told[1]);
    assert_int_equal(won, 1);
    assert_int_equal(refused, RACERS - 1);
    AUTO(State) s = kit_state();
    assert_int_equal(kit_number(s, "SELECT count(*) FROM full_sync_sessions"), 1);
}

/* Looking is possible while another process writes, as long as nobody is dead. */
static void test_locked(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(State) patient = NULL;
    OK(state_open(kit_folder, &(StateOptions){.wait_ms = 1}, &patient));
    StateSessionNew w = wanted("one", NULL);
    StateSessionRef ref = opened(s, &w);
    OK(state_exec(s, "BEGIN IMMEDIATE"));
    assert_int_equal(status_of(patient, "one"), SYNC_PREPARING);
    FAILS(ERR_TIMEOUT, state_session_beat(patient, &ref, KIT_NOW, NULL));
    OK(state_exec(s, "COMMIT"));
    OK(state_session_beat(patient, &ref, KIT_NOW, NULL));
}

/* A full disk: nothing is half. */
static void test_full(void **state)
{
    (void)state;
    AUTO(State) s = NULL;
    OK(state_open(kit_folder, &(StateOptions){.max_pages = 80}, &s));
    AUTO(char) options = mem_zalloc(60001);
    memset(options, '1', 60000);
    Error *e = NULL;
    int made = 0;
    while (!e && made < 100) {
        AUTO(StateSession) one = NULL;
        AUTO(char) id = mem_printf("s%d", made);
        StateSessionNew w = wanted(id, NULL);
        w.options = options;
        e = state_session_open(s, &w, &one);
        made += !e;
    }
    assert_int_equal(error_kind(e), ERR_IO);
    assert_non_null(strstr(error_message(e), "full"));
    error_free(e);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM full_sync_sessions"), made);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM full_sync_log"), made);
    OK(state_check(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_names),
        KIT_TEST(test_ids),
        KIT_TEST(test_transitions),
        KIT_TEST(test_end),
        KIT_TEST(test_resume),
        KIT_TEST(test_taken_over),
        KIT_TEST(test_busy),
        KIT_TEST(test_killed),
        KIT_TEST(test_silent),
        KIT_TEST(test_clock_jumps),
        KIT_TEST(test_other_boot),
        KIT_TEST(test_reused_pid),
        KIT_TEST(test_beats_for_jobs),
        KIT_TEST(test_cancel),
        KIT_TEST(test_lists),
        KIT_TEST(test_log_is_bounded),
        KIT_TEST(test_result_is_bounded),
        KIT_TEST(test_retention),
        KIT_TEST(test_race),
        KIT_TEST(test_locked),
        KIT_TEST(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
