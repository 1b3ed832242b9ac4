/* Sync sessions: lists and bounds, and what stays true where several open at once. */
#include "session_kit.h"

#include <signal.h>
#include <sys/wait.h>

#include "state/state_retain.h"

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
    AUTO_VALUE(StateLog) log = {0};
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
    static const char *const ids[] = {"old", "failed", "last", "dry", "lives"};
    for (int i = 0; i < 5; i++) {
        StateSessionNew w = wanted(ids[i], NULL);
        if (i == 3)
            w.options = "{\"dryRun\": true}";
        StateSessionRef ref = opened(s, &w);
        if (i < 4)
            end_as(s, &ref, i == 1 ? SYNC_FAILED : SYNC_COMPLETED);
    }
    assert_int_equal(kit_sql("UPDATE full_sync_sessions SET ended = ended + 1 WHERE id = 'last';"
                             "UPDATE full_sync_sessions SET ended = ended + 2 WHERE id = 'dry'"),
                     SQLITE_OK);
    /* A dry run is no sync: that the last one is long ago is not hidden by it. */
    AUTO_VALUE(StateSessionFigures) figures = {0};
    OK(state_session_figures(s, &figures));
    AUTO(StateSession) last = got(s, "last");
    assert_int_equal(figures.items[0].last_success, last->ended);
    StateRetained gone;
    OK(state_retain(s, &(StateRetention){.sessions = {.days = 1}}, KIT_NOW + 3 * DAY, &gone));
    assert_int_equal(gone.sessions, 3);
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
