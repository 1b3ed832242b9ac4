/* Migrations; and that a state of every version that was ever released opens.
 *
 * tests/golden/state-N/state.db stands for the states that people have. It is made once, when
 * version N of the schema is new, by this program with STATE_GOLDEN_MAKE=FOLDER, and never again:
 * later versions must find in it what fill() put there. */
#include "kit.h"

#include "state/state_audit.h"
#include "state/state_condition.h"
#include "state/state_log.h"
#include "state/state_outbox.h"
#include "state/state_schedule.h"
#include "state/state_token.h"

static const uint8_t hash[STATE_TOKEN_HASH] = "0123456789abcdef0123456789abcde";

static void fill(State *s)
{
    bool done;
    int64_t job = kit_ended(s, "backup", "shop", KIT_NOW, 1234, JOB_SUCCEEDED);
    kit_ended(s, "backup", "Grüße", KIT_NOW + 5000, 10, JOB_FAILED);
    kit_job(s, "verify", "shop", KIT_NOW + 6000);
    OK(state_log_add(s, job, &(StateLogNew){KIT_NOW, "info", "a line"}, 1));
    OK(state_token_add(s, &(StateTokenNew){"ci", hash, ROLE_OPERATOR, 0, KIT_NOW}, NULL));
    OK(state_audit_add(
        s, &(StateAuditNew){.actor = "ci", .action = "backup.create", .now = KIT_NOW}, NULL));
    OK(state_schedule_put(s, &(StateSchedule){.name = "backup/shop",
                                              .last_due = KIT_NOW,
                                              .last_job = job,
                                              .last_result = "succeeded",
                                              .next_planned = KIT_NOW + DAY}));
    OK(state_outbox_put(s, &(StateNoteNew){"failing/shop", "email", "failure", "{}", KIT_NOW},
                        &done));
    OK(state_condition_set(s, "failing/shop", "why", KIT_NOW, &done));
}

static void check(State *s)
{
    AUTO_VALUE(StateJobs) jobs = {0};
    AUTO_VALUE(StateLog) log = {0};
    AUTO(StateToken) token = NULL;
    AUTO_VALUE(StateAudit) audit = {0};
    AUTO(StateSchedule) schedule = NULL;
    AUTO_VALUE(StateOutbox) outbox = {0};
    AUTO(StateCondition) condition = NULL;
    OK(state_check(s));
    assert_int_equal(kit_number(s, "PRAGMA user_version"), STATE_VERSION);
    OK(state_job_list(s, NULL, &jobs));
    assert_int_equal(jobs.count, 3);
    assert_int_equal(jobs.items[0].status, JOB_QUEUED);
    assert_string_equal(jobs.items[1].database, "Grüße");
    assert_int_equal(jobs.items[2].status, JOB_SUCCEEDED);
    assert_int_equal(jobs.items[2].ended, KIT_NOW + 1234);
    OK(state_log_read(s, jobs.items[2].id, 0, 0, &log));
    assert_string_equal(log.items[0].line, "a line");
    OK(state_token_check(s, hash, KIT_NOW, &token));
    assert_string_equal(token->name, "ci");
    assert_int_equal(token->role, ROLE_OPERATOR);
    OK(state_audit_list(s, NULL, &audit));
    assert_string_equal(audit.items[0].action, "backup.create");
    OK(state_schedule_get(s, "backup/shop", &schedule));
    assert_int_equal(schedule->last_job, jobs.items[2].id);
    assert_int_equal(schedule->next_planned, KIT_NOW + DAY);
    OK(state_outbox_list(s, 1u << OUTBOX_OPEN, 0, 0, &outbox));
    assert_string_equal(outbox.items[0].event, "failure");
    OK(state_condition_get(s, "failing/shop", &condition));
    assert_string_equal(condition->detail, "why");
    /* Further kinds of events may have come since. */
    assert_int_equal(kit_number(s, "SELECT count(*) FROM event WHERE kind <> 'job.log'"), 7);
}

static Error *try_open(void)
{
    AUTO(State) s = NULL;
    return state_open(kit_folder, NULL, &s);
}

/* One that fails leaves what was there; the next opening tries again. It comes first: the fault
 * that main asked for is met once. */
static void test_migration_fails(void **state)
{
    (void)state;
    FAILS(ERR_IO, try_open());
    assert_int_equal(kit_sql("SELECT * FROM job"), SQLITE_ERROR);
    OK(try_open());
    assert_int_equal(kit_sql("SELECT * FROM job"), SQLITE_OK);
}

static void test_present_version(void **state)
{
    (void)state;
    State *s = kit_state();
    fill(s);
    check(s);
    state_close(s);
    s = kit_state();
    check(s);
    state_close(s);
}

static void test_golden(void **state)
{
    (void)state;
    const char *golden = getenv("GOLDEN");
    if (!golden)
        fail_msg("%s", "GOLDEN must name the folder tests/golden");
    for (int version = 1; version <= STATE_VERSION; version++) {
        AUTO(char) from = mem_printf("%s/state-%d/state.db", golden, version);
        AUTO(char) to = kit_path("state.db");
        AUTO_VALUE(Buf) bytes = {0};
        OK(file_make_dir(kit_folder, 0700));
        OK(file_read(from, 16 << 20, &bytes));
        OK(file_write_atomic(to, bytes.data, bytes.len, 0600));
        AUTO(State) s = kit_state();
        check(s);
        state_close(STEAL(s));
        OK(file_remove_tree(kit_folder));
    }
}

static int make_golden(const char *folder)
{
    AUTO(State) s = NULL;
    OK(state_open(folder, NULL, &s));
    fill(s);
    return 0;
}

int main(void)
{
    const char *folder = getenv("STATE_GOLDEN_MAKE");
    if (folder)
        return make_golden(folder);
    setenv("PGSTOW_FAULT", "state.migrate:error", 1);
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_migration_fails),
        KIT_TEST(test_present_version),
        KIT_TEST(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
