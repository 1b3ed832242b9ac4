/* Turns: so many at once, the others in order, and those who go away while they wait. */
#include "../unit.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/turns.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int order[16], done;

typedef struct Client {
    Turns *turns;
    const Cancel *stop;
    int number, socket;
    bool full, took;
    pthread_t thread;
} Client;

static void *come(void *arg)
{
    Client *c = arg;
    Error *e = turns_take(c->turns, c->socket, c->stop, &c->full);
    pthread_mutex_lock(&lock);
    c->took = !e && !c->full;
    order[done++] = c->number;
    pthread_mutex_unlock(&lock);
    if (e)
        assert_int_equal(error_kind(e), ERR_CANCELLED);
    error_free(e);
    return NULL;
}

static int how_many(void)
{
    pthread_mutex_lock(&lock);
    int n = done;
    pthread_mutex_unlock(&lock);
    return n;
}

static void wait_for(int n)
{
    while (how_many() < n)
        clock_sleep_ms(1);
}

static void wait_until_waiting(Turns *t, unsigned n)
{
    while (turns_waiting(t) != n)
        clock_sleep_ms(1);
}

static void begin(Client *c, Turns *t, int number, int socket, const Cancel *stop)
{
    *c = (Client){.turns = t, .number = number, .socket = socket, .stop = stop};
    assert_int_equal(pthread_create(&c->thread, NULL, come, c), 0);
}

static void test_in_order(void **state)
{
    Client c[8];
    bool full;
    (void)state;
    done = 0;
    Turns *t = turns_new(2, 8);
    OK(turns_take(t, -1, NULL, &full));
    OK(turns_take(t, -1, NULL, &full));
    for (int i = 0; i < 8; i++) {
        begin(&c[i], t, i, -1, NULL);
        wait_until_waiting(t, (unsigned)i + 1);
    }
    OK(turns_take(t, -1, NULL, &full));
    assert_true(full);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(how_many(), i);
        turns_give(t);
        wait_for(i + 1);
        assert_int_equal(order[i], i);
        pthread_join(c[i].thread, NULL);
        assert_true(c[i].took);
    }
    turns_give(t);
    OK(turns_take(t, -1, NULL, &full));
    assert_false(full);
    turns_free(t);
}

static void test_who_goes_away(void **state)
{
    Client c[4];
    int ends[2];
    Cancel *stop;
    bool full;
    (void)state;
    done = 0;
    OK(cancel_new(NULL, &stop));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Turns *t = turns_new(1, 4);
    OK(turns_take(t, -1, NULL, &full));
    for (int i = 0; i < 4; i++) {
        begin(&c[i], t, i, i == 1 ? ends[0] : -1, i == 3 ? stop : NULL);
        wait_until_waiting(t, (unsigned)i + 1);
    }
    close(ends[1]);
    wait_for(1);
    cancel_request(stop);
    wait_for(2);
    assert_int_equal(turns_waiting(t), 2);
    turns_give(t);
    wait_for(3);
    turns_give(t);
    wait_for(4);
    for (int i = 0; i < 4; i++) {
        static const int gone_first[] = {1, 3, 0, 2};
        pthread_join(c[i].thread, NULL);
        assert_int_equal(order[i], gone_first[i]);
        assert_int_equal(c[i].took, i % 2 == 0);
    }
    turns_give(t);
    OK(turns_take(t, -1, NULL, &full)); /* none was lost */
    assert_false(full);
    turns_free(t);
    cancel_free(stop);
    close(ends[0]);
}

/* One whose turn comes as he goes passes it on. */
static void test_both_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        Client c[2];
        Cancel *stop;
        bool full;
        done = 0;
        OK(cancel_new(NULL, &stop));
        Turns *t = turns_new(1, 2);
        OK(turns_take(t, -1, NULL, &full));
        begin(&c[0], t, 0, -1, stop);
        wait_until_waiting(t, 1);
        begin(&c[1], t, 1, -1, NULL);
        wait_until_waiting(t, 2);
        cancel_request(stop);
        turns_give(t);
        pthread_join(c[0].thread, NULL);
        if (c[0].took)
            turns_give(t);
        pthread_join(c[1].thread, NULL);
        assert_true(c[1].took);
        turns_free(t);
        cancel_free(stop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_who_goes_away),
        cmocka_unit_test(test_both_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
