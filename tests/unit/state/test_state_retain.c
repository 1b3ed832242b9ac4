#include "kit.h"

#include "state/state_audit.h"
#include "state/state_event.h"
#include "state/state_log.h"
#include "state/state_outbox.h"
#include "state/state_retain.h"
#include "state/state_schedule.h"
#include "state/state_token.h"

/* The ids that are left, joined. */
static void left(State *s, const char *table, const char *expected)
{
    AUTO(char)
    sql = mem_printf("SELECT group_concat(id, ' ') FROM (SELECT id FROM %s ORDER BY id)", table);
    AUTO_VALUE(Query) q = {0};
    bool more;
    OK(query_open(s, sql, &q));
    OK(query_row(&q, &more));
    AUTO(char) found = query_get_text(&q);
    assert_string_equal(found ? found : "", expected);
}

static void test_jobs_by_age(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    kit_ended(s, "backup", "shop", KIT_NOW, 1, JOB_SUCCEEDED);        /* 1: not the last */
    kit_ended(s, "backup", "shop", KIT_NOW + 1, 1, JOB_SUCCEEDED);    /* 2: the last success */
    kit_ended(s, "backup", "shop", KIT_NOW + 2, 1, JOB_FAILED);       /* 3 */
    kit_ended(s, "backup", "blog", KIT_NOW, 1, JOB_SUCCEEDED);        /* 4: another database */
    kit_ended(s, "verify", "shop", KIT_NOW, 1, JOB_SUCCEEDED);        /* 5: another kind */
    kit_job(s, "backup", "shop", KIT_NOW);                            /* 6: queued */
    kit_ended(s, "backup", "shop", KIT_NOW + 5 * DAY, 1, JOB_FAILED); /* 7: young */
    int64_t retry;
    OK(state_job_create(s, &(StateJobNew){.kind = "backup", .retry_of = 3, .now = KIT_NOW},
                        &retry));
    OK(state_schedule_put(s, &(StateSchedule){.name = "x", .last_job = 3}));
    OK(state_log_add(s, 3, &(StateLogNew){KIT_NOW, "info", "goes with it"}, 1));
    StateRetained gone;
    StateRetention keep = {.jobs.days = 3};
    OK(state_retain(s, &keep, KIT_NOW + 2 * DAY, &gone));
    assert_int_equal(gone.jobs, 0);
    OK(state_retain(s, &keep, KIT_NOW + 6 * DAY, &gone));
    assert_int_equal(gone.jobs, 2);
    left(s, "job", "2 4 5 6 7 8");
    assert_int_equal(kit_number(s, "SELECT count(*) FROM job_log"), 0);
    AUTO(StateJob) j = NULL;
    AUTO(StateSchedule) c = NULL;
    OK(state_job_get(s, retry, &j));
    assert_int_equal(j->retry_of, 0);
    OK(state_schedule_get(s, "x", &c));
    assert_int_equal(c->last_job, 0);
    /* A newer success takes its place. */
    kit_ended(s, "backup", "shop", KIT_NOW + 8 * DAY, 1, JOB_SUCCEEDED);
    OK(state_retain(s, &keep, KIT_NOW + 9 * DAY, NULL));
    left(s, "job", "4 5 6 8 9");
    OK(state_check(s));
}

/* More than one batch; in one transaction, for an fsync each would take long. */
static Error *many_jobs(State *s, void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 1200; i++)
        kit_ended(s, "backup", "shop", KIT_NOW, 1, JOB_FAILED);
    return NULL;
}

static Error *many_entries(State *s, void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 1200; i++)
        OK(state_audit_add(s, &(StateAuditNew){.now = KIT_NOW}, NULL));
    return NULL;
}

static void test_jobs_by_number(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    kit_ended(s, "backup", "shop", KIT_NOW, 1, JOB_SUCCEEDED);
    OK(state_together(s, many_jobs, NULL));
    StateRetained gone;
    OK(state_retain(s, &(StateRetention){.jobs.rows = 3}, KIT_NOW + DAY, &gone));
    assert_int_equal(gone.jobs, 1197);
    left(s, "job", "1 1199 1200 1201");
    OK(state_retain(s, &(StateRetention){.jobs.rows = 3}, KIT_NOW + DAY, &gone));
    assert_int_equal(gone.jobs, 0);
    OK(state_retain(s, &(StateRetention){0}, KIT_NOW + DAY, &gone)); /* no limit */
    OK(state_retain(s, &(StateRetention){.jobs.rows = UINT64_MAX}, KIT_NOW + DAY, &gone));
    assert_int_equal(gone.jobs, 0);
}

static void test_others(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    uint8_t hash[STATE_TOKEN_HASH] = {0};
    for (int i = 0; i < 6; i++) {
        Instant at = KIT_NOW + i * DAY;
        AUTO(char) name = mem_printf("%d", i);
        hash[0] = (uint8_t)i;
        OK(state_audit_add(s, &(StateAuditNew){.now = at}, NULL));
        OK(state_event_add(s, &(StateEventNew){.kind = "x", .now = at}, NULL));
        OK(state_outbox_put(s, &(StateNoteNew){name, "email", "e", "{}", at}, NULL));
        if (i < 3)
            OK(state_outbox_sent(s, i + 1, at));
        /* 1, 2 expired; 3, 4 revoked; 5, 6 good */
        OK(state_token_add(s, &(StateTokenNew){name, hash, ROLE_VIEWER, i < 2 ? at : 0, at}, NULL));
        if (i == 2 || i == 3)
            OK(state_token_revoke(s, name, at));
    }
    StateKeep keep = {.days = 4};
    StateRetained gone;
    OK(state_retain(s, &(StateRetention){{0}, keep, keep, keep, keep}, KIT_NOW + 6 * DAY, &gone));
    assert_int_equal(gone.audit, 2);
    assert_int_equal(gone.outbox, 2);
    assert_int_equal(gone.tokens, 2);
    assert_int_equal(gone.events, 2);
    left(s, "audit", "3 4 5 6");
    left(s, "event", "3 4 5 6");
    left(s, "outbox", "3 4 5 6");
    left(s, "token", "3 4 5 6");
    keep = (StateKeep){.rows = 1};
    OK(state_retain(s, &(StateRetention){{0}, keep, keep, keep, keep}, KIT_NOW + 6 * DAY, &gone));
    left(s, "audit", "6");
    left(s, "event", "6");
    left(s, "outbox", "4 5 6"); /* the open ones */
    left(s, "token", "5 6");    /* the good ones */
}

/* An entry from the future, by a clock that was wrong, holds up the younger ones behind it only. */
static void test_audit_in_order(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    static const int days[] = {0, 1, 100, 2, 3};
    for (size_t i = 0; i < 5; i++)
        OK(state_audit_add(s, &(StateAuditNew){.now = KIT_NOW + days[i] * DAY}, NULL));
    OK(state_retain(s, &(StateRetention){.audit.days = 1}, KIT_NOW + 10 * DAY, NULL));
    left(s, "audit", "3 4 5");
    OK(state_together(s, many_entries, NULL));
    StateRetained gone;
    OK(state_retain(s, &(StateRetention){.audit.days = 1}, KIT_NOW + 200 * DAY, &gone));
    assert_int_equal(gone.audit, 1203);
    OK(state_retain(s, &(StateRetention){.audit.days = 1}, KIT_NOW + 200 * DAY, &gone));
    assert_int_equal(gone.audit, 0);
}

/* What is freed goes back to the file system, and what was in it is not left on the disk. */
static void test_shrinks(void **state)
{
    (void)state;
    static const char mark[] = "a line that nobody is to find again";
    AUTO(char) line = mem_zalloc(4001);
    AUTO(char) db = kit_path("state.db");
    AUTO_VALUE(Buf) bytes = {0};
    for (size_t i = 0; i + sizeof mark < 4000; i += sizeof mark - 1)
        memcpy(line + i, mark, sizeof mark - 1);
    State *s = kit_state();
    StateLogNew lines[200];
    for (int i = 0; i < 200; i++)
        lines[i] = (StateLogNew){KIT_NOW, "info", line};
    for (int i = 0; i < 10; i++)
        OK(state_log_add(s, kit_ended(s, "backup", "shop", KIT_NOW, 1, JOB_FAILED), lines, 200));
    int64_t before = kit_number(s, "PRAGMA page_count");
    OK(state_retain(s, &(StateRetention){.jobs.days = 1}, KIT_NOW + 9 * DAY, NULL));
    assert_true(kit_number(s, "PRAGMA page_count") < before / 4);
    state_close(s);
    OK(file_read(db, 64 << 20, &bytes));
    assert_null(memmem(bytes.data, bytes.len, mark, sizeof mark - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_jobs_by_age),    KIT_TEST(test_jobs_by_number), KIT_TEST(test_others),
        KIT_TEST(test_audit_in_order), KIT_TEST(test_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
