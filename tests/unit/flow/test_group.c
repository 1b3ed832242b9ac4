#include "../unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "flow/group.h"

static atomic_int ran;

static Error *succeed(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
    return NULL;
}

static Error *wait_cancelled(void *arg)
{
    bool ready;
    return cancel_poll(group_cancel(arg), -1, 0, 30000, &ready);
}

static Error *wait_queue(void *arg)
{
    void *item;
    if (queue_pop(arg, &item))
        FAIL(ERR_INTERNAL, "something came");
    return NULL;
}

static Error *fail_soon(void *arg)
{
    (void)arg;
    clock_sleep_ms(20);
    FAIL(ERR_DAMAGED, "the first error");
}

static Error *fail_later(void *arg)
{
    Group *g = arg;
    while (!cancel_requested(group_cancel(g)))
        clock_sleep_ms(1);
    FAIL(ERR_IO, "a second error");
}

static void test_success(void **state)
{
    (void)state;
    AUTO(Group) g = NULL;
    atomic_store(&ran, 0);
    OK(group_new(NULL, &g));
    for (int i = 0; i < 20; i++)
        OK(group_start(g, succeed, NULL));
    OK(group_join(g));
    assert_int_equal(atomic_load(&ran), 20);
    FAILS(ERR_INTERNAL, group_join(g));
}

static void test_first_error(void **state)
{
    (void)state;
    AUTO(Queue) q = queue_new(1, NULL);
    AUTO(Group) g = NULL;
    OK(group_new(NULL, &g));
    group_watch(g, q);
    OK(group_start(g, wait_cancelled, g));
    OK(group_start(g, fail_later, g));
    OK(group_start(g, wait_queue, q));
    OK(group_start(g, fail_soon, NULL));
    AUTO(Error) e = group_join(g);
    assert_non_null(e);
    assert_string_equal(error_message(e), "the first error");
    AUTO(Queue) after = queue_new(1, NULL);
    group_watch(g, after);
    int item;
    assert_false(queue_push(after, &item, 1));
}

static void test_fail_outside(void **state)
{
    (void)state;
    AUTO(Group) g = NULL;
    OK(group_new(NULL, &g));
    group_fail(g, NULL);
    OK(cancel_check(group_cancel(g)));
    OK(group_start(g, wait_cancelled, g));
    group_fail(g, ERROR_NEW(ERR_TOOL_FAILED, "pg_dump died"));
    group_fail(g, ERROR_NEW(ERR_IO, "and more"));
    FAILS(ERR_TOOL_FAILED, group_join(g));
}

static void test_parent(void **state)
{
    (void)state;
    AUTO(Cancel) parent = NULL;
    AUTO(Group) g = NULL;
    OK(cancel_new(NULL, &parent));
    OK(group_new(parent, &g));
    OK(group_start(g, wait_cancelled, g));
    OK(group_start(g, wait_cancelled, g));
    cancel_request(parent);
    FAILS(ERR_CANCELLED, group_join(g));
}

/* An error on the way to the join: everything ends by itself. */
static void test_free_without_join(void **state)
{
    (void)state;
    AUTO(Queue) q = queue_new(1, NULL);
    AUTO(Group) g = NULL;
    OK(group_new(NULL, &g));
    group_watch(g, q);
    OK(group_start(g, wait_queue, q));
    OK(group_start(g, wait_cancelled, g));
}

static Error *start_more(void *arg)
{
    for (int i = 0; i < 5; i++)
        TRY(group_start(arg, succeed, NULL));
    return NULL;
}

static void test_nested_start(void **state)
{
    (void)state;
    AUTO(Group) g = NULL;
    atomic_store(&ran, 0);
    OK(group_new(NULL, &g));
    for (int i = 0; i < 4; i++)
        OK(group_start(g, start_more, g));
    OK(group_join(g));
    assert_int_equal(atomic_load(&ran), 20);
}

static Error *look_at_mask(void *arg)
{
    (void)arg;
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    if (!sigismember(&now, SIGINT) || !sigismember(&now, SIGTERM) || sigismember(&now, SIGSEGV))
        FAIL(ERR_INTERNAL, "signals reach a thread of the group");
    return NULL;
}

static void test_signals(void **state)
{
    (void)state;
    AUTO(Group) g = NULL;
    OK(group_new(NULL, &g));
    OK(group_start(g, look_at_mask, NULL));
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    assert_false(sigismember(&now, SIGINT));
    OK(group_join(g));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success),           cmocka_unit_test(test_first_error),
        cmocka_unit_test(test_fail_outside),      cmocka_unit_test(test_parent),
        cmocka_unit_test(test_free_without_join), cmocka_unit_test(test_nested_start),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
