#include "kit.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/proc_id.h"
#include "state/state_event.h"
#include "state/state_log.h"

static StateJob *get(State *s, int64_t id)
{
    StateJob *j = NULL;
    OK(state_job_get(s, id, &j));
    return j;
}

static void test_a_life(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t id, retry;
    bool done;
    OK(state_job_create(
        s,
        &(StateJobNew){"backup", "main", "shop", "schedule", "service", "[\"-x\"]", 0, 0, KIT_NOW},
        &id));
    AUTO(StateJob) queued = get(s, id);
    assert_int_equal(queued->status, JOB_QUEUED);
    assert_string_equal(queued->kind, "backup");
    assert_string_equal(queued->entry, "main");
    assert_string_equal(queued->database, "shop");
    assert_string_equal(queued->trigger, "schedule");
    assert_string_equal(queued->actor, "service");
    assert_string_equal(queued->arguments, "[\"-x\"]");
    assert_int_equal(queued->created, KIT_NOW);
    assert_int_equal(queued->started, 0);
    assert_int_equal(queued->attempt, 1);
    assert_int_equal(queued->exit_status, -1);
    assert_null(queued->backup);

    OK(state_job_progress(s, id, &(StateProgress){.phase = "early"})); /* not yet: no effect */
    OK(state_job_start(s, id, getpid(), KIT_NOW + 10, &done));
    assert_true(done);
    OK(state_job_start(s, id, getpid(), KIT_NOW + 11, &done));
    assert_false(done);
    FAILS(ERR_NOT_FOUND, state_job_start(s, id + 1, getpid(), KIT_NOW, &done));
    AUTO(StateJob) running = get(s, id);
    assert_int_equal(running->status, JOB_RUNNING);
    assert_int_equal(running->started, KIT_NOW + 10);
    assert_int_equal(running->pid, getpid());
    assert_int_equal(running->pid_start, proc_id_start(getpid()));
    assert_null(running->progress.phase);

    StateProgress p = {"copying", "public.sales", 1, 2, 3, 4, 5, UINT64_C(1) << 62};
    OK(state_job_progress(s, id, &p));
    AUTO(StateJob) later = get(s, id);
    assert_string_equal(later->progress.phase, "copying");
    assert_string_equal(later->progress.object, "public.sales");
    assert_int_equal(later->progress.bytes_done, 1);
    assert_int_equal(later->progress.bytes_total, 2);
    assert_int_equal(later->progress.bytes_new, 3);
    assert_int_equal(later->progress.bytes_reused, 4);
    assert_int_equal(later->progress.items_done, 5);
    assert_true(later->progress.items_total == UINT64_C(1) << 62);

    p.bytes_done = 99;
    StateJobEnd end = {JOB_FAILED, "shop-x", "{\"a\": 1}", "CONNECT",    "no answer",
                       "start it", 7,        &p,           KIT_NOW + 500};
    OK(state_job_finish(s, id, &end, &done));
    assert_true(done);
    end.status = JOB_SUCCEEDED;
    OK(state_job_finish(s, id, &end, &done)); /* the first end stays */
    assert_false(done);
    FAILS(ERR_NOT_FOUND, state_job_finish(s, id + 1, &end, &done));
    end.status = JOB_RUNNING;
    FAILS(ERR_INTERNAL, state_job_finish(s, id, &end, &done));
    AUTO(StateJob) ended = get(s, id);
    assert_int_equal(ended->status, JOB_FAILED);
    assert_int_equal(ended->ended, KIT_NOW + 500);
    assert_int_equal(ended->progress.bytes_done, 99);
    assert_string_equal(ended->backup, "shop-x");
    assert_string_equal(ended->result, "{\"a\": 1}");
    assert_string_equal(ended->error_kind, "CONNECT");
    assert_string_equal(ended->error_message, "no answer");
    assert_string_equal(ended->error_hint, "start it");
    assert_int_equal(ended->exit_status, 7);

    OK(state_job_create(s, &(StateJobNew){.kind = "backup", .attempt = 2, .retry_of = id, .now = 1},
                        &retry));
    AUTO(StateJob) again = get(s, retry);
    assert_int_equal(again->attempt, 2);
    assert_int_equal(again->retry_of, id);
    assert_string_equal(again->database, "");
    FAILS(ERR_NOT_FOUND,
          state_job_create(s, &(StateJobNew){.kind = "backup", .retry_of = 4711, .now = 1}, &id));
    AUTO(StateJob) none = NULL;
    FAILS(ERR_NOT_FOUND, state_job_get(s, 4711, &none));
}

static void test_events(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t id = kit_ended(s, "backup", "shop", KIT_NOW, 10, JOB_CANCELLED);
    AUTO_VALUE(StateEvents) l = {0};
    OK(state_event_since(s, 0, 0, &l));
    assert_int_equal(l.count, 3);
    assert_string_equal(l.items[0].kind, "job.queued");
    assert_string_equal(l.items[1].kind, "job.running");
    assert_string_equal(l.items[2].kind, "job.cancelled");
    assert_int_equal(l.items[2].job, id);
    assert_int_equal(l.items[2].at, KIT_NOW + 10);
}

/* Who follows is told how far a job is, not how far it was: one such event of a job stays. */
static void test_progress_events(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    bool started;
    int64_t id = kit_job(s, "backup", "shop", KIT_NOW),
            other = kit_job(s, "backup", "crm", KIT_NOW);
    StateProgress p = {.phase = (char *)(uintptr_t) "rows", .bytes_done = 1};
    OK(state_job_progress(s, id, &p)); /* it does not run yet */
    assert_int_equal(kit_number(s, "SELECT count(*) FROM event WHERE kind = 'job.progress'"), 0);
    OK(state_job_start(s, id, getpid(), KIT_NOW, &started));
    OK(state_job_start(s, other, getpid(), KIT_NOW, &started));
    OK(state_job_progress(s, other, &p));
    for (int i = 0; i < 3; i++)
        OK(state_job_progress(s, id, &p));
    OK(state_log_add(s, id, (StateLogNew[]){{KIT_NOW, "info", "a"}, {KIT_NOW, "info", "b"}}, 2));
    OK(state_log_add(s, id, &(StateLogNew){KIT_NOW, "info", "c"}, 1));
    AUTO_VALUE(StateEvents) l = {0};
    OK(state_event_since(s, 4, 0, &l));
    assert_int_equal(l.count, 4);
    assert_int_equal(l.items[0].job, other);
    assert_string_equal(l.items[1].kind, STATE_EVENT_PROGRESS);
    assert_int_equal(l.items[1].job, id);
    assert_string_equal(l.items[2].kind, STATE_EVENT_LOG);
    assert_string_equal(l.items[2].body, "{\"after\": 0, \"until\": 2}");
    assert_string_equal(l.items[3].body, "{\"after\": 2, \"until\": 3}");
    assert_false(l.lost);
}

/* Texts from anywhere: none of it is SQL, and none is too long. */
static void test_texts(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    static const char hostile[] = "'); DROP TABLE job; --\"\n\x01 \xff\xfe Grüße";
    int64_t id = kit_job(s, "backup", hostile, KIT_NOW);
    AUTO(StateJob) j = get(s, id);
    assert_string_equal(j->database, hostile);
    AUTO_VALUE(StateJobs) l = {0};
    OK(state_job_list(s, &(StateJobFilter){.database = hostile}, &l));
    assert_int_equal(l.count, 1);

    AUTO(char) large = mem_zalloc(STATE_RESULT_MAX + 2);
    memset(large, 'x', STATE_RESULT_MAX + 1);
    memcpy(large + STATE_TEXT_MAX - 1, "\xc3\xbc", 2); /* a character across the bound */
    StateJobEnd end = {.status = JOB_FAILED,
                       .result = large,
                       .error_message = large,
                       .exit_status = -1,
                       .now = KIT_NOW};
    OK(state_job_finish(s, id, &end, NULL));
    AUTO(StateJob) cut = get(s, id);
    assert_int_equal(strlen(cut->error_message), STATE_TEXT_MAX - 1);
    assert_string_equal(cut->result, "{\"tooLarge\": 1048577}");
    assert_int_equal(cut->exit_status, -1);
}

static void test_list(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    for (int i = 0; i < 30; i++)
        kit_ended(s, i % 2 ? "verify" : "backup", i % 3 ? "shop" : "blog", KIT_NOW + i, 5,
                  i % 5 ? JOB_SUCCEEDED : JOB_FAILED);
    kit_job(s, "backup", "shop", KIT_NOW + 100);

    /* In pages, the newest first, each once, though others come meanwhile. */
    int64_t below = 0, last = INT64_MAX;
    size_t seen = 0;
    for (bool more = true; more;) {
        AUTO_VALUE(StateJobs) l = {0};
        OK(state_job_list(s, &(StateJobFilter){.below = below, .limit = 7}, &l));
        for (size_t i = 0; i < l.count; i++) {
            assert_true(l.items[i].id < last);
            last = l.items[i].id;
        }
        if (!seen)
            kit_job(s, "backup", "late", KIT_NOW + 200);
        seen += l.count;
        more = l.more;
        assert_true(!more || l.count == 7);
        below = last;
    }
    assert_int_equal(seen, 31);

    static const struct {
        StateJobFilter filter;
        size_t count;
    } cases[] = {
        {{.kind = "verify"}, 15},
        {{.database = "blog"}, 10},
        {{.kind = "verify", .database = "blog"}, 5},
        {{.entry = ""}, 32},
        {{.entry = "main"}, 0},
        {{.trigger = "cli"}, 32},
        {{.backup = "none"}, 0},
        {{.statuses = 1u << JOB_FAILED}, 6},
        {{.statuses = 1u << JOB_FAILED | 1u << JOB_QUEUED}, 8},
        {{.statuses = 1u << JOB_RUNNING}, 0},
        {{.since = KIT_NOW + 10, .until = KIT_NOW + 20}, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_VALUE(StateJobs) l = {0};
        uint64_t count;
        OK(state_job_list(s, &cases[i].filter, &l));
        OK(state_job_count(s, &cases[i].filter, &count));
        assert_int_equal(l.count, cases[i].count);
        assert_int_equal(count, cases[i].count);
    }
}

static void test_successes(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(StateJob) none = NULL;
    OK(state_job_last_success(s, "backup", "", "shop", &none));
    assert_null(none);
    int64_t slow = kit_ended(s, "backup", "shop", KIT_NOW, 90000, JOB_SUCCEEDED);
    int64_t quick = kit_ended(s, "backup", "shop", KIT_NOW + 1000, 5, JOB_SUCCEEDED);
    kit_ended(s, "backup", "shop", KIT_NOW + 200000, 5, JOB_FAILED);
    int64_t blog = kit_ended(s, "backup", "blog", KIT_NOW, 7, JOB_SUCCEEDED);
    int64_t verify = kit_ended(s, "verify", "shop", KIT_NOW, 8, JOB_SUCCEEDED);
    /* Which ended last counts, not which began last. */
    AUTO(StateJob) last = NULL;
    OK(state_job_last_success(s, "backup", "", "shop", &last));
    assert_int_equal(last->id, slow);
    AUTO_VALUE(StateJobs) backups = {0};
    AUTO_VALUE(StateJobs) all = {0};
    OK(state_job_last_successes(s, "backup", &backups));
    assert_int_equal(backups.count, 2);
    assert_int_equal(backups.items[0].id, blog);
    assert_int_equal(backups.items[1].id, slow);
    OK(state_job_last_successes(s, NULL, &all));
    assert_int_equal(all.count, 3);
    assert_int_equal(all.items[2].id, verify);

    AUTO_VALUE(StateSamples) samples = {0};
    OK(state_job_samples(s, "backup", "", "shop", 10, &samples));
    assert_int_equal(samples.count, 2);
    assert_int_equal(samples.items[0].duration_ms, 90000);
    assert_int_equal(samples.items[1].job, quick);
    AUTO_VALUE(StateSamples) one = {0};
    OK(state_job_samples(s, "backup", "", "shop", 1, &one));
    assert_int_equal(one.count, 1);
}

/* -- whose process is gone ------------------------------------------------------------------------
 */

static int64_t run_by(State *s, pid_t pid)
{
    bool done;
    int64_t id = kit_job(s, "backup", "shop", KIT_NOW);
    OK(state_job_start(s, id, pid, KIT_NOW, &done));
    assert_true(done);
    return id;
}

static void test_interrupted(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    int64_t queued = kit_job(s, "backup", "shop", KIT_NOW), ours = run_by(s, getpid()),
            gone = run_by(s, child), zombie = gone;
    AUTO_VALUE(StateJobs) none = {0};
    OK(state_job_interrupt(s, NULL, NULL, KIT_NOW + 1, &none));
    assert_int_equal(none.count, 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    /* Not yet reaped, and yet it does nothing any more. */
    assert_false(proc_id_is_alive(child, proc_id_start(child)));
    AUTO_VALUE(StateJobs) found = {0};
    OK(state_job_interrupt(s, NULL, NULL, KIT_NOW + 2, &found));
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].id, zombie);
    assert_int_equal(found.items[0].status, JOB_INTERRUPTED);
    assert_int_equal(found.items[0].ended, KIT_NOW + 2);
    assert_non_null(found.items[0].error_message);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(proc_id_is_alive(child, -1));
    AUTO(StateJob) mine = get(s, ours);
    AUTO(StateJob) waiting = get(s, queued);
    assert_int_equal(mine->status, JOB_RUNNING);
    assert_int_equal(waiting->status, JOB_QUEUED);
    /* It lived after all, and tells how it ended. */
    bool done;
    OK(state_job_finish(
        s, gone, &(StateJobEnd){.status = JOB_SUCCEEDED, .exit_status = 0, .now = KIT_NOW}, &done));
    assert_true(done);
}

/* Another process has the number by now; a boot or a container ago it was another's. */
static void test_number_used_again(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t id = run_by(s, getpid()), rebooted = run_by(s, getpid());
    AUTO(char)
    later = mem_printf("UPDATE job SET pid_start = pid_start - 1 WHERE id = %lld", (long long)id);
    AUTO(char)
    boot = mem_printf("UPDATE job SET boot = 'another' WHERE id = %lld", (long long)rebooted);
    OK(state_exec(s, later));
    OK(state_exec(s, boot));
    AUTO_VALUE(StateJobs) found = {0};
    OK(state_job_interrupt(s, NULL, NULL, KIT_NOW, &found));
    assert_int_equal(found.count, 2);
}

static bool odd_ones(const StateJob *job, void *ctx)
{
    *(int *)ctx += 1;
    return job->id % 2;
}

static void test_asked(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int asked = 0;
    for (int i = 0; i < 4; i++)
        run_by(s, getpid());
    AUTO_VALUE(StateJobs) found = {0};
    OK(state_job_interrupt(s, odd_ones, &asked, KIT_NOW, &found));
    assert_int_equal(asked, 4);
    assert_int_equal(found.count, 2);
}

static void test_proc_id(void **state)
{
    (void)state;
    AUTO(char) boot = proc_id_boot();
    assert_true(strlen(boot) > 36);
    assert_true(proc_id_start(getpid()) > 0);
    assert_true(proc_id_is_alive(getpid(), proc_id_start(getpid())));
    assert_true(proc_id_is_alive(getpid(), -1));
    assert_false(proc_id_is_alive(getpid(), proc_id_start(getpid()) + 1));
    assert_false(proc_id_is_alive(0, -1));
    assert_int_equal(proc_id_start(INT32_MAX), -1);
    assert_false(proc_id_is_alive(INT32_MAX, -1));
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < JOB_STATUSES; i++) {
        StateJobStatus status;
        assert_true(state_job_status_of(state_job_status_name((StateJobStatus)i), &status));
        assert_int_equal(status, i);
    }
    StateJobStatus status;
    assert_false(state_job_status_of("done", &status));
    assert_string_equal(state_job_status_name(JOB_STATUSES), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_a_life),
        KIT_TEST(test_events),
        KIT_TEST(test_progress_events),
        KIT_TEST(test_texts),
        KIT_TEST(test_list),
        KIT_TEST(test_successes),
        KIT_TEST(test_interrupted),
        KIT_TEST(test_number_used_again),
        KIT_TEST(test_asked),
        KIT_TEST(test_proc_id),
        KIT_TEST(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
