/* What those who follow are told, and when they are told no more. */
#include "kit.h"

#include "serve/events.h"
#include "state/state_job.h"
#include "state/state_log.h"

static int64_t new_job(State *s)
{
    int64_t id;
    OK(state_job_create(
        s, &(StateJobNew){.kind = "backup", .entry = "shop", .database = "shop", .now = 1}, &id));
    return id;
}

static void start(State *s, int64_t id)
{
    bool started;
    OK(state_job_start(s, id, getpid(), 2, &started));
    assert_true(started);
}

static void say_lines(State *s, int64_t id, int count)
{
    for (int i = 0; i < count; i++)
        OK(state_log_add(s, id, &(StateLogNew){3, "info", "said"}, 1));
}

static void end(State *s, int64_t id)
{
    OK(state_job_finish(s, id, &(StateJobEnd){.status = JOB_SUCCEEDED, .now = 4}, NULL));
}

static Listener *follow(Events *e, int64_t job, const char *last)
{
    Listener *l = NULL;
    OK(listener_new(e, &(ListenerOptions){.job = job, .last = last, .socket = -1}, &l));
    return l;
}

/* Adds what comes until `mark` has come, or the end. */
static char *hear(Listener *l, const char *mark)
{
    Buf all = {0};
    buf_u8(&all, 0);
    for (size_t n = 1; n && !strstr((char *)all.data, mark);) {
        const char *text;
        OK(listener_next(l, &text, &n));
        all.len--;
        buf_add(&all, text, n);
        buf_u8(&all, 0);
    }
    return (char *)all.data;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

static void test_one_job(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Events) e = NULL;
    (void)state;
    OK(events_new(s, &e));
    int64_t job = new_job(s), other = new_job(s);
    say_lines(s, job, 70); /* before anybody follows: three parts */
    AUTO(Listener) l = follow(e, job, NULL);
    AUTO(char) before = hear(l, "\"n\": 70,");
    assert_int_equal(count(before, "retry: "), 1);
    assert_int_equal(count(before, "event: job\n"), 1);
    assert_int_equal(count(before, "event: log\n"), 3);
    assert_int_equal(count(before, "id: "), 1); /* with the last part: all was seen then */
    assert_int_equal(count(before, "\"line\""), 70);
    start(s, other);
    start(s, job);
    for (int i = 0; i < 5; i++)
        OK(state_job_progress(s, job, &(StateProgress){.bytes_done = (uint64_t)i}));
    say_lines(s, other, 1);
    say_lines(s, job, 2);
    end(s, other);
    end(s, job);
    AUTO(char) after = hear(l, "no such thing");
    assert_int_equal(count(after, "event: started\n"), 1);
    assert_int_equal(count(after, "event: progress\n"), 1);
    assert_int_equal(count(after, "\"line\""), 2);
    assert_int_equal(count(after, "\"n\": 71,"), 1);
    assert_int_equal(count(after, "event: ended\n"), 1);
    assert_int_equal(count(after, "event: "), 5);
    const char *text;
    size_t n;
    OK(listener_next(l, &text, &n));
    assert_int_equal(n, 0);
}

static void test_coming_back(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Events) e = NULL;
    (void)state;
    OK(events_new(s, &e));
    int64_t job = new_job(s);
    start(s, job);
    end(s, job);
    AUTO(Listener) seen = follow(e, job, "3");
    assert_null(seen);
    AUTO(Listener) not_yet = follow(e, job, "2");
    AUTO(char) rest = hear(not_yet, "no such thing");
    assert_int_equal(count(rest, "id: 3\nevent: ended\n"), 1);
    assert_int_equal(count(rest, "event: "), 1);
    AUTO(Listener) all = follow(e, 0, "0");
    AUTO(char) whole = hear(all, "event: ended\n");
    assert_int_equal(count(whole, "event: "), 3);
    AUTO(Listener) foreign = follow(e, 0, "4000");
    AUTO(char) lost = hear(foreign, "event: lost\n");
    assert_int_equal(count(lost, "id: 3\nevent: lost\n"), 1);
    AUTO(Listener) none = NULL;
    FAILS(ERR_USAGE, listener_new(e, &(ListenerOptions){.last = "x", .socket = -1}, &none));
    FAILS(ERR_NOT_FOUND, listener_new(e, &(ListenerOptions){.job = 17, .socket = -1}, &none));
}

static Error *no_more(void *ctx)
{
    (void)ctx;
    FAIL(ERR_TOKEN, "no more");
}

static void test_the_end_of_listening(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Events) e = NULL;
    AUTO(Listener) refused = NULL;
    Listener *all[EVENTS_LISTENERS];
    const char *text;
    size_t n;
    (void)state;
    OK(events_new(s, &e));
    for (int i = 0; i < EVENTS_LISTENERS; i++)
        all[i] = follow(e, 0, NULL);
    FAILS(ERR_RATE, listener_new(e, &(ListenerOptions){.socket = -1}, &refused));
    listener_free(all[0]);
    OK(listener_new(e, &(ListenerOptions){.socket = -1, .may_go_on = no_more}, &all[0]));
    OK(listener_next(all[0], &text, &n)); /* its greeting */
    FAILS(ERR_TOKEN, listener_next(all[0], &text, &n));
    OK(listener_next(all[1], &text, &n));
    events_close(e);
    OK(listener_next(all[1], &text, &n));
    assert_int_equal(n, 0);
    for (int i = 0; i < EVENTS_LISTENERS; i++)
        listener_free(all[i]);
    FAILS(ERR_BUSY, listener_new(e, &(ListenerOptions){.socket = -1}, &refused));
}

int main(void)
{
    const struct CMUnitTest tests[] = {KIT_TEST(test_one_job), KIT_TEST(test_coming_back),
                                       KIT_TEST(test_the_end_of_listening)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
