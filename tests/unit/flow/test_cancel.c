#include "../unit.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "flow/cancel.h"

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

static void test_request(void **state)
{
    (void)state;
    AUTO(Cancel) c = NULL;
    OK(cancel_new(NULL, &c));
    OK(cancel_check(c));
    assert_false(cancel_requested(c));
    assert_false(is_readable(cancel_fd(c)));
    for (int i = 0; i < 100000; i++)
        cancel_request(c);
    FAILS(ERR_CANCELLED, cancel_check(c));
    assert_true(cancel_requested(c));
    assert_true(is_readable(cancel_fd(c)));
    assert_true(is_readable(cancel_fd(c)));
}

static void test_null(void **state)
{
    (void)state;
    bool ready = true;
    OK(cancel_check(NULL));
    assert_false(cancel_requested(NULL));
    assert_int_equal(cancel_fd(NULL), -1);
    cancel_request(NULL);
    OK(cancel_poll(NULL, -1, 0, 5, &ready));
    assert_false(ready);
}

static void test_chain(void **state)
{
    (void)state;
    AUTO(Cancel) top = NULL;
    AUTO(Cancel) middle = NULL;
    AUTO(Cancel) low = NULL;
    AUTO(Cancel) late = NULL;
    AUTO(Cancel) sibling = NULL;
    OK(cancel_new(NULL, &top));
    OK(cancel_new(top, &middle));
    OK(cancel_new(middle, &low));
    OK(cancel_new(top, &sibling));
    cancel_request(middle);
    OK(cancel_check(top));
    OK(cancel_check(sibling));
    FAILS(ERR_CANCELLED, cancel_check(middle));
    FAILS(ERR_CANCELLED, cancel_check(low));
    assert_true(is_readable(cancel_fd(low)));
    assert_false(is_readable(cancel_fd(sibling)));
    OK(cancel_new(low, &late));
    FAILS(ERR_CANCELLED, cancel_check(late));
    assert_true(is_readable(cancel_fd(late)));
    cancel_request(top);
    FAILS(ERR_CANCELLED, cancel_check(sibling));
}

static void test_deadline(void **state)
{
    (void)state;
    AUTO(Cancel) top = NULL;
    AUTO(Cancel) low = NULL;
    bool ready;
    OK(cancel_new(NULL, &top));
    OK(cancel_new(top, &low));
    cancel_deadline(low, 60000);
    int64_t start = clock_mono_ms();
    cancel_deadline(top, 200);
    Error *early = cancel_check(low);
    assert_true(!early || clock_mono_ms() - start >= 200);
    error_drop(early);
    FAILS(ERR_TIMEOUT, cancel_poll(low, -1, 0, -1, &ready));
    assert_true(clock_mono_ms() - start >= 200);
    assert_true(clock_mono_ms() - start < 5000);
    FAILS(ERR_TIMEOUT, cancel_check(top));
    assert_true(cancel_requested(low));
    cancel_deadline(top, 0);
    OK(cancel_check(low));
    cancel_deadline(top, INT64_MAX);
    OK(cancel_check(low));
}

static void test_poll(void **state)
{
    (void)state;
    AUTO(Cancel) c = NULL;
    OK(cancel_new(NULL, &c));
    int ends[2];
    bool ready;
    assert_int_equal(pipe(ends), 0);
    OK(cancel_poll(c, ends[0], POLLIN, 10, &ready));
    assert_false(ready);
    OK(cancel_poll(c, ends[1], POLLOUT, -1, &ready));
    assert_true(ready);
    assert_int_equal(write(ends[1], "x", 1), 1);
    OK(cancel_poll(c, ends[0], POLLIN, -1, &ready));
    assert_true(ready);
    /* A closed peer is news too. */
    close(ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    OK(cancel_poll(c, ends[0], POLLIN, -1, &ready));
    assert_true(ready);
    cancel_request(c);
    FAILS(ERR_CANCELLED, cancel_poll(c, ends[0], POLLIN, -1, &ready));
    close(ends[0]);
}

static void *request_soon(void *c)
{
    clock_sleep_ms(30);
    cancel_request(c);
    return NULL;
}

static void test_poll_wakes(void **state)
{
    (void)state;
    AUTO(Cancel) top = NULL;
    AUTO(Cancel) low = NULL;
    OK(cancel_new(NULL, &top));
    OK(cancel_new(top, &low));
    pthread_t thread;
    bool ready;
    assert_int_equal(pthread_create(&thread, NULL, request_soon, top), 0);
    FAILS(ERR_CANCELLED, cancel_poll(low, -1, 0, 30000, &ready));
    pthread_join(thread, NULL);
}

static Cancel *for_signal;

static void on_alarm(int signal)
{
    (void)signal;
    cancel_request(for_signal);
}

/* A signal that comes while the same thread is inside a call must not hang it. */
static void test_signal(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        AUTO(Cancel) top = NULL;
        OK(cancel_new(NULL, &top));
        for_signal = top;
        struct sigaction action = {.sa_handler = on_alarm}, before;
        sigaction(SIGALRM, &action, &before);
        struct itimerval timer = {.it_value = {.tv_usec = 200 + 100 * round}};
        setitimer(ITIMER_REAL, &timer, NULL);
        int64_t start = clock_mono_ms();
        while (!cancel_requested(top)) {
            AUTO(Cancel) child = NULL;
            OK(cancel_new(top, &child));
            assert_true(clock_mono_ms() - start < 20000);
        }
        sigaction(SIGALRM, &before, NULL);
    }
}

static void *make_children(void *p)
{
    for (int i = 0; i < 2000; i++) {
        AUTO(Cancel) child = NULL;
        OK(cancel_new(p, &child));
        if (i % 2)
            cancel_request(child);
        else
            error_drop(cancel_check(child));
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    AUTO(Cancel) top = NULL;
    OK(cancel_new(NULL, &top));
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_children, top), 0);
    clock_sleep_ms(5);
    cancel_request(top);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request), cmocka_unit_test(test_null),
        cmocka_unit_test(test_chain),   cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_poll),    cmocka_unit_test(test_poll_wakes),
        cmocka_unit_test(test_signal),  cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
