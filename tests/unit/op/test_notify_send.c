#include "notify_kit.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/log.h"
#include "op/notify.h"
#include "op/notify_send.h"
#include "state/state_event.h"

#define HOUR 3600000ll

/* A port that is ours, and that nobody listens at. */
static int closed_port(int *fd)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

static Notifier *nowhere(int *fd)
{
    AUTO(char)
    yaml = mem_printf("notify:\n  webhook: {url: \"http://127.0.0.1:%d/SECRET\"}\n"
                      "  ping: {url: \"http://127.0.0.1:%d/SECRET\"}\n",
                      closed_port(fd), 1);
    return kit_notifier(yaml);
}

static void put(State *s, const char *cause, const char *channel, const char *event,
                const char *payload, Instant created)
{
    OK(state_outbox_put(
        s,
        &(StateNoteNew){
            .cause = cause, .channel = channel, .event = event, .payload = payload, .now = created},
        NULL));
}

static StateNote *only(StateOutbox *l, State *s, unsigned statuses)
{
    state_outbox_clear(l);
    OK(state_outbox_list(s, statuses, 0, 0, l));
    assert_int_equal(l->count, 1);
    return &l->items[0];
}

/* Later each time, for a day. */
static void test_backoff(void **state)
{
    (void)state;
    int64_t before = 0, whole = 0;
    for (int i = 1; i < 1000; i++) {
        int64_t wait = notify_backoff(i);
        assert_true(wait >= before && wait >= 60000 && wait <= HOUR);
        before = wait;
        whole += i < 6 ? wait : 0;
    }
    assert_true(whole < HOUR);
    assert_true(notify_backoff(-1) > 0);
}

static void test_tried_again_and_given_up(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int fd;
    AUTO(Notifier) n = nowhere(&fd);
    NotifySent sent;
    AUTO_VALUE(StateOutbox) l = {0};
    Instant now = clock_now();
    put(s, "a", "webhook", "failure", "{\"event\": \"failure\"}", now);
    OK(notify_send_due(s, n, NULL, &sent));
    assert_int_equal(sent.sent, 0);
    assert_int_equal(sent.failed, 1);
    StateNote *w = only(&l, s, 1u << OUTBOX_OPEN);
    assert_int_equal(w->attempts, 1);
    assert_true(w->next_try >= now + 60000 && w->next_try < now + 3 * 60000);
    assert_int_equal(sent.next, w->next_try);
    assert_non_null(strstr(w->error, "http://127.0.0.1:"));
    assert_null(strstr(w->error, "SECRET"));
    OK(notify_send_due(s, n, NULL, &sent)); /* it is not due */
    assert_int_equal(sent.failed + sent.given_up, 0);

    OK(state_outbox_sent(s, w->id, now));
    put(s, "old", "webhook", "failure", "{\"event\": \"failure\"}", now - NOTIFY_GIVE_UP_MS);
    OK(notify_send_due(s, n, NULL, &sent));
    assert_int_equal(sent.given_up, 1);
    assert_int_equal(sent.next, 0);
    w = only(&l, s, 1u << OUTBOX_GIVEN_UP);
    assert_non_null(strstr(w->error, "http://127.0.0.1:"));
    AUTO_VALUE(StateEvents) events = {0};
    OK(state_event_since(s, 0, 0, &events));
    assert_int_equal(events.count, 1);
    assert_string_equal(events.items[0].kind, "notification.given-up");
    assert_null(strstr(events.items[0].body, "SECRET"));
    close(fd);
}

/* What is no notification, and one by a channel that is gone. */
static void test_what_can_never_be_sent(void **state)
{
    (void)state;
    static const char *const notes[][2] = {
        {"webhook", "no JSON"}, {"slack", "{}"}, {"pager", "{}"}, {"email", "{}"}};
    AUTO(State) s = kit_state();
    int fd;
    AUTO(Notifier) n = nowhere(&fd);
    AUTO(Notifier) nobody = notifier_new();
    NotifySent sent;
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        put(s, "a", notes[i][0], "failure", notes[i][1], clock_now());
    OK(notify_send_due(s, n, NULL, &sent));
    assert_int_equal(sent.given_up, sizeof notes / sizeof *notes);
    put(s, "a", "webhook", "failure", "{}", clock_now());
    OK(notify_send_due(s, nobody, NULL, &sent));
    assert_int_equal(sent.given_up, 1);
    assert_int_equal(sent.next, 0);
    close(fd);
}

/* It is as if it had not been taken. */
static void test_cancelled(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int fd;
    AUTO(Notifier) n = nowhere(&fd);
    AUTO(Cancel) c = NULL;
    NotifySent sent;
    AUTO_VALUE(StateOutbox) l = {0};
    OK(cancel_new(NULL, &c));
    cancel_request(c);
    put(s, "a", "webhook", "failure", "{}", clock_now());
    FAILS(ERR_CANCELLED, notify_send_due(s, n, c, &sent));
    StateNote *w = only(&l, s, 1u << OUTBOX_OPEN);
    assert_true(w->next_try <= clock_now());
    close(fd);
}

/* A late ping does not undo what a later run has said. */
static void test_pings_that_come_late(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int fd;
    AUTO(Notifier) n = nowhere(&fd);
    NotifySent sent;
    Instant now = clock_now();
    int64_t first = kit_ended(s, "backup", "shop", now - 10, 1, JOB_FAILED);
    OK(notify_job_started(s, n, first, now - 10)); /* it has ended meanwhile */
    OK(notify_send_due(s, n, NULL, &sent));
    assert_int_equal(sent.failed + sent.given_up, 0);
    int64_t second = kit_ended(s, "backup", "shop", now - 5, 1, JOB_SUCCEEDED);
    put(s, "b", "ping", "failure",
        "{\"job\": {\"id\": 1}, \"entry\": \"\", \"database\": \"shop\"}", now - 5);
    assert_int_equal(first, 1);
    OK(notify_send_due(s, n, NULL, &sent));
    assert_int_equal(sent.failed + sent.given_up, 0);
    assert_int_equal(kit_number(s, "SELECT count(*) FROM outbox WHERE status = 'given-up'"), 2);
    OK(notify_job_ended(s, n, second, false, now));
    OK(notify_send_due(s, n, NULL, &sent)); /* the newest one is tried */
    assert_int_equal(sent.failed, 1);
    close(fd);
}

int main(void)
{
    log_set_sink(NULL, NULL, LOG_DEBUG);
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_backoff),
        KIT_TEST(test_tried_again_and_given_up),
        KIT_TEST(test_what_can_never_be_sent),
        KIT_TEST(test_cancelled),
        KIT_TEST(test_pings_that_come_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
