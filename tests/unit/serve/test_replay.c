/* Signed requests are taken once, within their time, and not again after a restart. */
#include "kit.h"

#include <pthread.h>

#include "serve/replay.h"

#define NOW 1700000000000ll

static void nonce_of(uint32_t n, uint8_t out[REPLAY_NONCE])
{
    memset(out, 7, REPLAY_NONCE);
    memcpy(out + 4, &n, sizeof n); /* all of them fall into one place: the worst table there is */
}

static Error *take(Replay *r, const char *node, Instant time, uint32_t nonce, Instant now)
{
    uint8_t bytes[REPLAY_NONCE];
    nonce_of(nonce, bytes);
    return replay_take(r, node, time, bytes, now);
}

static void test_once(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(Replay) r = replay_new(s);
    OK(take(r, "a", NOW, 1, NOW));
    OK(take(r, "a", NOW, 2, NOW));
    FAILS(ERR_TOKEN, take(r, "a", NOW, 1, NOW));
    FAILS(ERR_TOKEN, take(r, "a", NOW + 5, 1, NOW + 5));
    for (uint32_t i = 3; i < 3000; i++)
        OK(take(r, "a", NOW, i, NOW));
    for (uint32_t i = 3; i < 3000; i++)
        FAILS(ERR_TOKEN, take(r, "a", NOW, i, NOW));
}

/* As long as its time would still be taken a nonce is known, whatever the windows do. */
static void test_remembered_long_enough(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    uint32_t n = 0;
    /* Wherever in a window it came. */
    for (Instant now = NOW; now < NOW + 1500000; now += 77000) {
        AUTO(Replay) r = replay_new(s);
        AUTO(char) node = mem_printf("a%lld", (long long)now);
        AUTO(char) other = mem_printf("b%lld", (long long)now);
        Instant ahead = now + REPLAY_WINDOW_MS;
        uint32_t mine = n++;
        OK(take(r, other, NOW, n++, NOW)); /* the first window begins */
        OK(take(r, node, ahead, mine, now));
        for (Instant later = now; later <= ahead + REPLAY_WINDOW_MS; later += 60000) {
            OK(take(r, other, later, n++, later)); /* windows turn */
            FAILS(ERR_TOKEN, take(r, node, ahead, mine, later));
        }
        /* The clock is set back: what may be forgotten is not taken at all. */
        FAILS(ERR_RATE, take(r, node, ahead, mine, now));
        OK(take(r, node, ahead + REPLAY_AHEAD_MS, n++, now + REPLAY_AHEAD_MS));
    }
}

static void test_time(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(Replay) r = replay_new(s);
    OK(take(r, "a", NOW + REPLAY_WINDOW_MS, 1, NOW));
    OK(take(r, "a", NOW - REPLAY_WINDOW_MS, 2, NOW));
    FAILS(ERR_TOKEN, take(r, "a", NOW + REPLAY_WINDOW_MS + 1, 3, NOW));
    FAILS(ERR_TOKEN, take(r, "a", NOW - REPLAY_WINDOW_MS - 1, 4, NOW));
    FAILS(ERR_TOKEN, take(r, "a", INT64_MAX, 5, NOW));
    FAILS(ERR_TOKEN, take(r, "a", 0, 6, NOW));
}

/* A service that starts knows no nonces: what may have been taken before is not taken. */
static void test_restart(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(Replay) r = replay_new(s);
    OK(take(r, "a", NOW, 1, NOW));
    OK(take(r, "a", NOW + REPLAY_AHEAD_MS + 500, 2, NOW + 3000));
    replay_free(r);
    r = replay_new(s);
    FAILS(ERR_RATE, take(r, "a", NOW, 1, NOW + 4000));
    FAILS(ERR_RATE, take(r, "a", NOW + REPLAY_AHEAD_MS + 500, 2, NOW + 4000));
    FAILS(ERR_RATE, take(r, "a", NOW + 2 * REPLAY_AHEAD_MS + 499, 3, NOW + 4000));
    OK(take(r, "a", NOW + 2 * REPLAY_AHEAD_MS + 500, 3, NOW + 4500));
    OK(take(r, "b", NOW, 4, NOW)); /* each node has its own */
}

typedef struct Race {
    Replay *r;
    int taken;
    pthread_mutex_t lock;
} Race;

static void *race(void *arg)
{
    Race *x = arg;
    for (uint32_t i = 0; i < 200; i++) {
        Error *e = take(x->r, "a", NOW, i, NOW);
        pthread_mutex_lock(&x->lock);
        x->taken += !e;
        pthread_mutex_unlock(&x->lock);
        error_free(e);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO(Replay) r = replay_new(s);
    Race x = {.r = r, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &x), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(x.taken, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_once),    KIT_TEST(test_remembered_long_enough),
        KIT_TEST(test_time),    KIT_TEST(test_restart),
        KIT_TEST(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
