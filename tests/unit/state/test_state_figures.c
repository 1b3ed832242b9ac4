/* The figures for monitoring, held against the long way round. */
#include "kit.h"

#include "state/state_figures.h"
#include "state/state_outbox.h"

static void end_job(State *s, const char *kind, const char *entry, StateJobStatus status,
                    Instant at)
{
    int64_t id;
    OK(state_job_create(s,
                        &(StateJobNew){.kind = kind,
                                       .entry = entry,
                                       .database = "shop",
                                       .trigger = "cli",
                                       .actor = "root",
                                       .arguments = "{}",
                                       .now = at - 10},
                        &id));
    OK(state_job_finish(s, id, &(StateJobEnd){.status = status, .exit_status = 1, .now = at},
                        NULL));
}

static void test_last_ends(void **state)
{
    AUTO(State) s = kit_state();
    StateLastEnds l;
    (void)state;
    OK(state_last_ends(s, "backup", "e", "shop", &l));
    for (StateJobStatus k = 0; k < JOB_STATUSES; k++)
        assert_int_equal(l.ended[k], 0);
    end_job(s, "backup", "e", JOB_SUCCEEDED, KIT_NOW);
    end_job(s, "backup", "e", JOB_SUCCEEDED, KIT_NOW - DAY);
    end_job(s, "backup", "e", JOB_FAILED, KIT_NOW + 5);
    end_job(s, "verify", "e", JOB_INTERRUPTED, KIT_NOW + 6);
    end_job(s, "backup", "other", JOB_CANCELLED, KIT_NOW + 7);
    OK(state_last_ends(s, "backup", "e", "shop", &l));
    assert_int_equal(l.ended[JOB_SUCCEEDED], KIT_NOW);
    assert_int_equal(l.ended[JOB_FAILED], KIT_NOW + 5);
    assert_int_equal(l.ended[JOB_INTERRUPTED], 0);
    assert_int_equal(l.ended[JOB_CANCELLED], 0);
    OK(state_last_ends(s, "backup", "e", "another", &l));
    assert_int_equal(l.ended[JOB_SUCCEEDED], 0);
}

/* However long the history is: each is found by an index. */
static void test_they_scan_nothing(void **state)
{
    static const char *const queries[] = {
        "SELECT max(ended) FROM job WHERE kind = 'a' AND entry = 'b' AND database = 'c'"
        " AND status = 'failed'",
        "SELECT count(*), count(error), min(created) FROM outbox WHERE status = 'open'"};
    AUTO(State) s = kit_state();
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        AUTO_VALUE(Query) q = {0};
        AUTO(char) explain = mem_printf("EXPLAIN QUERY PLAN %s", queries[i]);
        bool more;
        OK(query_open(s, explain, &q));
        OK(query_row(&q, &more));
        assert_true(more);
        for (int k = 0; k < 3; k++)
            query_get_int(&q);
        AUTO(char) how = query_get_text(&q);
        assert_non_null(strstr(how, " INDEX "));
    }
}

static void test_outbox(void **state)
{
    AUTO(State) s = kit_state();
    AUTO_VALUE(StateOutbox) due = {0};
    StateOutboxFigures f;
    (void)state;
    OK(state_outbox_figures(s, &f));
    assert_int_equal(f.open + f.failing, 0);
    assert_int_equal(f.oldest, 0);
    for (int i = 0; i < 4; i++) {
        AUTO(char) cause = mem_printf("cause/%d", i);
        OK(state_outbox_put(s, &(StateNoteNew){cause, "email", "failure", "{}", KIT_NOW + i},
                            NULL));
    }
    OK(state_outbox_take(s, KIT_NOW + 10, 1000, 3, &due));
    assert_int_equal(due.count, 3);
    OK(state_outbox_sent(s, due.items[0].id, KIT_NOW + 11));
    OK(state_outbox_failed(s, due.items[1].id, "no answer", KIT_NOW + 100));
    OK(state_outbox_give_up(s, due.items[2].id, "no answer", KIT_NOW + 11));
    OK(state_outbox_figures(s, &f));
    assert_int_equal(f.open, 2);
    assert_int_equal(f.failing, 1);
    assert_int_equal(f.oldest, KIT_NOW + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_last_ends),
        KIT_TEST(test_they_scan_nothing),
        KIT_TEST(test_outbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
