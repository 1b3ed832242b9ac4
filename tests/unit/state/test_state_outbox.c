#include "kit.h"

#include "state/state_outbox.h"

static bool put(State *s, const char *cause, const char *channel, Instant now)
{
    bool added;
    OK(state_outbox_put(s, &(StateNoteNew){cause, channel, "failure", "{\"a\": 1}", now}, &added));
    return added;
}

/* The causes that are due, joined. */
static char *take(State *s, Instant now, uint32_t limit)
{
    AUTO_VALUE(StateOutbox) l = {0};
    AUTO_VALUE(Buf) text = {0};
    OK(state_outbox_take(s, now, 1000, limit, &l));
    for (size_t i = 0; i < l.count; i++)
        buf_printf(&text, "%s%s:%d", i ? " " : "", l.items[i].cause, l.items[i].attempts);
    return buf_steal_str(&text);
}

static void takes(State *s, Instant now, const char *expected)
{
    AUTO(char) found = take(s, now, 0);
    assert_string_equal(found, expected);
}

static Instant next(State *s)
{
    Instant t;
    OK(state_outbox_next(s, &t));
    return t;
}

static void test_one_for_a_cause(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    assert_true(put(s, "failing/shop", "email", KIT_NOW));
    assert_false(put(s, "failing/shop", "email", KIT_NOW + 1));
    assert_true(put(s, "failing/shop", "webhook", KIT_NOW));
    assert_true(put(s, "failing/blog", "email", KIT_NOW));
    OK(state_outbox_sent(s, 1, KIT_NOW + 2));
    assert_true(put(s, "failing/shop", "email", KIT_NOW + 3)); /* it is another one */
    AUTO(char) large = mem_zalloc(STATE_PAYLOAD_MAX + 2);
    memset(large, 'x', STATE_PAYLOAD_MAX + 1);
    FAILS(ERR_LIMIT, state_outbox_put(s, &(StateNoteNew){"c", "email", "e", large, 1}, NULL));
    large[STATE_PAYLOAD_MAX] = 0;
    OK(state_outbox_put(s, &(StateNoteNew){"c", "email", "e", large, 1}, NULL));
    AUTO_VALUE(StateOutbox) l = {0};
    OK(state_outbox_list(s, 0, 0, 1, &l));
    assert_int_equal(strlen(l.items[0].payload), STATE_PAYLOAD_MAX); /* whole, or not at all */
    assert_true(l.more);
}

static void test_sending(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    assert_int_equal(next(s), 0);
    takes(s, KIT_NOW, "");
    put(s, "a", "email", KIT_NOW);
    put(s, "b", "email", KIT_NOW + 10);
    put(s, "c", "email", KIT_NOW + 500);
    assert_int_equal(next(s), KIT_NOW);
    AUTO(char) one = take(s, KIT_NOW + 10, 1);
    assert_string_equal(one, "a:1");
    takes(s, KIT_NOW + 10, "b:1"); /* who takes one has it for a while */
    takes(s, KIT_NOW + 20, "");
    OK(state_outbox_sent(s, 1, KIT_NOW + 20));
    OK(state_outbox_failed(s, 2, "no answer", KIT_NOW + 300));
    assert_int_equal(next(s), KIT_NOW + 300);
    takes(s, KIT_NOW + 299, "");
    takes(s, KIT_NOW + 300, "b:2");
    /* Its sender died: after the while it is due again. */
    takes(s, KIT_NOW + 1299, "c:1");
    takes(s, KIT_NOW + 1300, "b:3");
    OK(state_outbox_give_up(s, 2, "still none", KIT_NOW + 1400));
    OK(state_outbox_sent(s, 2, KIT_NOW + 1500)); /* too late: nothing changes */
    OK(state_outbox_failed(s, 2, "late", KIT_NOW + 1500));
    OK(state_outbox_sent(s, 3, KIT_NOW + 1600));
    takes(s, KIT_NOW + DAY, "");
    assert_int_equal(next(s), 0);

    AUTO_VALUE(StateOutbox) l = {0};
    OK(state_outbox_list(s, 0, 0, 0, &l));
    assert_int_equal(l.count, 3);
    const StateNote *b = &l.items[1];
    assert_string_equal(b->cause, "b");
    assert_string_equal(b->channel, "email");
    assert_string_equal(b->event, "failure");
    assert_string_equal(b->payload, "{\"a\": 1}");
    assert_int_equal(b->created, KIT_NOW + 10);
    assert_int_equal(b->attempts, 3);
    assert_int_equal(b->next_try, 0);
    assert_int_equal(b->status, OUTBOX_GIVEN_UP);
    assert_int_equal(b->ended, KIT_NOW + 1400);
    assert_string_equal(b->error, "still none");
    AUTO_VALUE(StateOutbox) sent = {0};
    OK(state_outbox_list(s, 1u << OUTBOX_SENT, 3, 0, &sent));
    assert_int_equal(sent.count, 1);
    assert_string_equal(sent.items[0].cause, "a");
    assert_null(sent.items[0].error);
    assert_string_equal(state_outbox_status_name(OUTBOX_SENT), "sent");
    assert_string_equal(state_outbox_status_name(OUTBOX_STATUSES), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_one_for_a_cause),
        KIT_TEST(test_sending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
