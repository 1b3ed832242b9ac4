#include "../unit.h"

#include <pthread.h>

#include "base/clock.h"
#include "flow/job.h"
#include "flow/rate.h"

typedef struct Seen {
    Job *job;
    int calls;
    char phases[64];
    uint64_t total;
} Seen;

static void on_event(void *ctx, const JobProgress *now)
{
    Seen *seen = ctx;
    JobProgress again;
    job_snapshot(seen->job, &again); /* allowed in the callback */
    assert_string_equal(again.phase, now->phase);
    seen->calls++;
    strcat(seen->phases, now->phase);
    seen->total = now->bytes_total;
}

static void test_phases(void **state)
{
    (void)state;
    AUTO(Job) j = NULL;
    Seen seen = {0};
    OK(job_new(NULL, on_event, &seen, &j));
    seen.job = j;
    job_phase(j, "copying", 1000, 3);
    job_object(j, "public.orders");
    job_add_bytes(j, 400);
    job_add_bytes(j, 200);
    job_add_items(j, 1);
    job_add_new(j, 50);
    job_add_reused(j, 550);
    JobProgress now;
    job_snapshot(j, &now);
    assert_string_equal(now.phase, "copying");
    assert_string_equal(now.object, "public.orders");
    assert_int_equal(now.bytes_done, 600);
    assert_int_equal(now.bytes_total, 1000);
    assert_int_equal(now.items_done, 1);
    assert_int_equal(now.items_total, 3);
    job_phase(j, "indexes", 0, 7);
    job_snapshot(j, &now);
    assert_string_equal(now.object, "");
    assert_int_equal(now.bytes_done, 0);
    assert_int_equal(now.items_done, 0);
    /* What was stored counts over the whole job. */
    assert_int_equal(now.bytes_new, 50);
    assert_int_equal(now.bytes_reused, 550);
    assert_int_equal(seen.calls, 2);
    assert_string_equal(seen.phases, "copyingindexes");
}

static void test_cut(void **state)
{
    (void)state;
    AUTO(Job) j = NULL;
    OK(job_new(NULL, NULL, NULL, &j));
    char name[200] = "";
    for (int i = 0; i < 60; i++)
        strcat(name, "\xc3\xa9"); /* 2 bytes each; 95 fit, so the last one must go whole */
    job_object(j, name);
    JobProgress now;
    job_snapshot(j, &now);
    assert_int_equal(strlen(now.object), 94);
    job_object(j, NULL);
    job_snapshot(j, &now);
    assert_string_equal(now.object, "");
}

static void test_cancel(void **state)
{
    (void)state;
    AUTO(Cancel) c = NULL;
    AUTO(Job) j = NULL;
    AUTO(Job) alone = NULL;
    OK(cancel_new(NULL, &c));
    OK(job_new(c, NULL, NULL, &j));
    OK(job_new(NULL, NULL, NULL, &alone));
    cancel_request(c);
    FAILS(ERR_CANCELLED, cancel_check(job_cancel(j)));
    OK(cancel_check(job_cancel(alone)));
    cancel_request(job_cancel(alone));
    FAILS(ERR_CANCELLED, cancel_check(job_cancel(alone)));
}

static void test_nobody(void **state)
{
    (void)state;
    JobProgress now;
    job_phase(NULL, "x", 1, 1);
    job_object(NULL, "x");
    job_add_bytes(NULL, 1);
    job_add_new(NULL, 1);
    job_add_reused(NULL, 1);
    job_add_items(NULL, 1);
    job_snapshot(NULL, &now);
    assert_int_equal(now.bytes_done, 0);
    assert_null(job_cancel(NULL));
}

static void *add_many(void *j)
{
    for (int i = 0; i < 10000; i++) {
        job_add_bytes(j, 3);
        if (i % 100 == 0)
            job_object(j, "public.t");
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    AUTO(Job) j = NULL;
    OK(job_new(NULL, NULL, NULL, &j));
    pthread_t threads[4];
    JobProgress now;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, j), 0);
    for (int i = 0; i < 100; i++)
        job_snapshot(j, &now);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    job_snapshot(j, &now);
    assert_int_equal(now.bytes_done, 120000);
}

static void *take_some(void *r)
{
    for (int i = 0; i < 20; i++)
        OK(rate_take(r, 1000, NULL));
    return NULL;
}

static void test_rate(void **state)
{
    (void)state;
    /* 60,000 bytes at 200,000 a second by three threads: 0.3 s, less the burst of 0.05 s. */
    AUTO(Rate) r = rate_new(200000);
    pthread_t threads[3];
    int64_t start = clock_mono_ms();
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_some, r), 0);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    int64_t took = clock_mono_ms() - start;
    assert_in_range(took, 200, 5000);
    /* A pause is not saved up. */
    clock_sleep_ms(300);
    start = clock_mono_ms();
    OK(rate_take(r, 40000, NULL));
    assert_in_range(clock_mono_ms() - start, 120, 5000);
}

static void test_rate_ends(void **state)
{
    (void)state;
    AUTO(Rate) slow = rate_new(1);
    AUTO(Rate) unlimited = rate_new(0);
    AUTO(Cancel) c = NULL;
    OK(cancel_new(NULL, &c));
    OK(rate_take(NULL, UINT64_MAX, c));
    OK(rate_take(unlimited, UINT64_MAX, c));
    cancel_deadline(c, 20);
    FAILS(ERR_TIMEOUT, rate_take(slow, UINT64_MAX, c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cancel),    cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_threads),   cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rate_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
