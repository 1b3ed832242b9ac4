#include "../unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "flow/queue.h"

static atomic_int freed;

static void count_free(void *p)
{
    atomic_fetch_add(&freed, 1);
    free(p);
}

static void test_order(void **state)
{
    (void)state;
    AUTO(Queue) q = queue_new(1000, NULL);
    int values[100];
    size_t in = 0, out = 0;
    /* Uneven steps, so that the ring goes round and grows while it is bent. */
    for (int step = 0; step < 50; step++) {
        for (int i = 0; i < 2; i++)
            assert_true(queue_push(q, &values[in++], 1));
        void *p = NULL;
        assert_true(queue_pop(q, &p));
        assert_ptr_equal(p, &values[out++]);
    }
    queue_close(q);
    assert_false(queue_push(q, &values[0], 1));
    void *p = NULL;
    while (queue_pop(q, &p))
        assert_ptr_equal(p, &values[out++]);
    assert_int_equal(out, 100);
}

static void test_leftovers(void **state)
{
    (void)state;
    atomic_store(&freed, 0);
    Queue *q = queue_new(1000, count_free);
    for (int i = 0; i < 5; i++)
        assert_true(queue_push(q, mem_zalloc(1), 0));
    void *p = NULL;
    assert_true(queue_pop(q, &p));
    free(p);
    queue_abort(q);
    assert_false(queue_pop(q, &p));
    queue_free(q);
    assert_int_equal(atomic_load(&freed), 4);
}

typedef struct Pusher {
    Queue *q;
    size_t weight;
    atomic_int pushed;
    bool result;
} Pusher;

static void *push_one(void *arg)
{
    Pusher *p = arg;
    p->result = queue_push(p->q, p, p->weight);
    atomic_store(&p->pushed, 1);
    return NULL;
}

static void wait_for(atomic_int *flag)
{
    int64_t start = clock_mono_ms();
    while (!atomic_load(flag)) {
        assert_true(clock_mono_ms() - start < 20000);
        clock_sleep_ms(1);
    }
}

static void test_bound(void **state)
{
    (void)state;
    AUTO(Queue) q = queue_new(10, NULL);
    int item;
    /* One that is too heavy passes when the queue is empty ... */
    assert_true(queue_push(q, &item, 50));
    Pusher next = {.q = q, .weight = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_one, &next), 0);
    clock_sleep_ms(30);
    /* ... and all others wait for it. */
    assert_int_equal(atomic_load(&next.pushed), 0);
    void *p = NULL;
    assert_true(queue_pop(q, &p));
    assert_ptr_equal(p, &item);
    wait_for(&next.pushed);
    pthread_join(thread, NULL);
    assert_true(next.result);
}

static void *pop_all(void *arg)
{
    void *p = NULL;
    size_t n = 0;
    while (queue_pop(arg, &p))
        n++;
    return (void *)n;
}

static void test_abort_wakes(void **state)
{
    (void)state;
    AUTO(Queue) full = queue_new(1, NULL);
    AUTO(Queue) empty = queue_new(1, NULL);
    int item;
    assert_true(queue_push(full, &item, 1));
    Pusher waiting = {.q = full, .weight = 1};
    pthread_t pusher, popper;
    assert_int_equal(pthread_create(&pusher, NULL, push_one, &waiting), 0);
    assert_int_equal(pthread_create(&popper, NULL, pop_all, empty), 0);
    clock_sleep_ms(20);
    queue_abort(full);
    queue_abort(empty);
    pthread_join(pusher, NULL);
    void *popped = NULL;
    pthread_join(popper, &popped);
    assert_false(waiting.result);
    assert_int_equal((size_t)popped, 0);
    assert_false(queue_push(full, &item, 1));
}

#define EACH 20000

static void *push_many(void *arg)
{
    for (size_t i = 0; i < EACH; i++)
        if (!queue_push(arg, arg, i % 7))
            break;
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    AUTO(Queue) q = queue_new(64, NULL);
    pthread_t pushers[3], poppers[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&poppers[i], NULL, pop_all, q), 0);
        assert_int_equal(pthread_create(&pushers[i], NULL, push_many, q), 0);
    }
    for (size_t i = 0; i < 3; i++)
        pthread_join(pushers[i], NULL);
    queue_close(q);
    size_t total = 0;
    for (size_t i = 0; i < 3; i++) {
        void *n = NULL;
        pthread_join(poppers[i], &n);
        total += (size_t)n;
    }
    assert_int_equal(total, 3 * EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),   cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_bound),   cmocka_unit_test(test_abort_wakes),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
