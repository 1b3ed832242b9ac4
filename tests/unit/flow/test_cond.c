#include "../unit.h"

#include "base/clock.h"
#include "flow/cond.h"

typedef struct Bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    bool ring;
} Bell;

static void *ring(void *arg)
{
    Bell *b = arg;
    pthread_mutex_lock(&b->lock);
    b->ring = true;
    pthread_cond_signal(&b->rung);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static void test_a_signal_ends_it(void **state)
{
    (void)state;
    Bell b = {.lock = PTHREAD_MUTEX_INITIALIZER};
    cond_init(&b.rung);
    pthread_t thread;
    pthread_mutex_lock(&b.lock);
    assert_int_equal(pthread_create(&thread, NULL, ring, &b), 0);
    while (!b.ring)
        assert_true(cond_wait_until(&b.rung, &b.lock, clock_mono_ms() + 600000));
    pthread_mutex_unlock(&b.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&b.rung);
}

/* Not before its time, which on another clock would be long past. */
static void test_the_time_ends_it(void **state)
{
    (void)state;
    Bell b = {.lock = PTHREAD_MUTEX_INITIALIZER};
    cond_init(&b.rung);
    pthread_mutex_lock(&b.lock);
    int64_t until = clock_mono_ms() + 20;
    while (cond_wait_until(&b.rung, &b.lock, until))
        continue;
    assert_true(clock_mono_ms() >= until);
    assert_false(cond_wait_until(&b.rung, &b.lock, until));
    pthread_mutex_unlock(&b.lock);
    pthread_cond_destroy(&b.rung);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signal_ends_it),
        cmocka_unit_test(test_the_time_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
