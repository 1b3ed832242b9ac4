#include "../state/kit.h"

#include "base/log.h"
#include "op/history.h"

static int warnings;

static void count(void *ctx, LogLevel level, const char *message)
{
    (void)ctx;
    (void)message;
    warnings += level == LOG_WARNING;
}

static History *begin(void)
{
    return history_begin(&(HistoryRun){kit_folder, "backup", "main", "shop", "[]"});
}

static StateJob *newest(void)
{
    AUTO(State) s = kit_state();
    AUTO_VALUE(StateJobs) l = {0};
    OK(state_job_list(s, NULL, &l));
    StateJob *j = NULL;
    OK(state_job_get(s, l.items[0].id, &j));
    return j;
}

static void test_recorded(void **state)
{
    (void)state;
    state_close(kit_state());
    History *h = begin();
    assert_non_null(h);
    AUTO(StateJob) running = newest();
    assert_int_equal(running->status, JOB_RUNNING);
    assert_int_equal(running->pid, getpid());
    assert_string_equal(running->entry, "main");
    assert_string_equal(running->database, "shop");
    assert_string_equal(running->trigger, "cli");
    assert_true(*running->actor != 0);
    history_end(h, &(HistoryEnd){.backup = "shop-1", .result = "{}"});
    AUTO(StateJob) done = newest();
    assert_int_equal(done->status, JOB_SUCCEEDED);
    assert_int_equal(done->exit_status, 0);
    assert_string_equal(done->backup, "shop-1");

    AUTO(Error) e = error_hint(ERROR_NEW(ERR_CONNECT, "no answer"), "start it");
    history_end(begin(), &(HistoryEnd){.error = e});
    AUTO(StateJob) failed = newest();
    assert_int_equal(failed->status, JOB_FAILED);
    assert_string_equal(failed->error_kind, "CONNECT");
    assert_string_equal(failed->error_message, "no answer");
    assert_string_equal(failed->error_hint, "start it");
    assert_int_equal(failed->exit_status, 7);
    AUTO(Error) stopped = ERROR_NEW(ERR_CANCELLED, "stopped");
    history_end(begin(), &(HistoryEnd){.error = stopped});
    AUTO(StateJob) cancelled = newest();
    assert_int_equal(cancelled->status, JOB_CANCELLED);
    assert_int_equal(warnings, 0);
}

/* Nothing is made, and nothing fails; what is amiss is told. */
static void test_not_recorded(void **state)
{
    (void)state;
    warnings = 0;
    assert_null(begin());
    assert_false(file_exists(kit_folder));
    history_end(NULL, &(HistoryEnd){0});
    assert_int_equal(warnings, 0);
    state_close(kit_state());
    assert_int_equal(chmod(kit_folder, 0777), 0);
    assert_null(begin());
    assert_int_equal(warnings, 1);
    assert_int_equal(chmod(kit_folder, 0700), 0);
    setenv("PGSTOW_JOB", "7", 1);
    assert_null(begin()); /* the service records it */
    unsetenv("PGSTOW_JOB");
    assert_int_equal(warnings, 1);
    History *h = begin();
    assert_non_null(h);
    assert_int_equal(kit_sql("PRAGMA foreign_keys = 0; DELETE FROM job"), SQLITE_OK);
    history_end(h, &(HistoryEnd){0}); /* somebody has taken it away meanwhile */
}

int main(void)
{
    log_set_sink(count, NULL, LOG_WARNING);
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_recorded),
        KIT_TEST(test_not_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
