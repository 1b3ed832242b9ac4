#include "kit.h"

#include "state/state_peer.h"

static void test_peers(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    AUTO_VALUE(StatePeers) none = {0};
    AUTO_VALUE(StatePeers) two = {0};
    AUTO_VALUE(StatePeers) one = {0};
    OK(state_peer_list(s, &none));
    assert_int_equal(none.count, 0);
    OK(state_peer_add(s, "munich", "{\"a\": 1}", KIT_NOW));
    OK(state_peer_add(s, "berlin", "{}", KIT_NOW + 1));
    FAILS(ERR_EXISTS, state_peer_add(s, "munich", "{}", KIT_NOW));
    OK(state_peer_list(s, &two));
    assert_int_equal(two.count, 2);
    assert_string_equal(two.items[0].name, "berlin");
    assert_string_equal(two.items[1].facts, "{\"a\": 1}");
    assert_true(two.items[1].created == KIT_NOW);
    OK(state_peer_remove(s, "munich"));
    FAILS(ERR_NOT_FOUND, state_peer_remove(s, "munich"));
    OK(state_peer_list(s, &one));
    assert_int_equal(one.count, 1);
}

static void test_floors(void **state)
{
    (void)state;
    Instant until;
    AUTO(State) s = kit_state();
    OK(state_peer_floor(s, "a", &until));
    assert_true(until == 0);
    OK(state_peer_raise_floor(s, "a", KIT_NOW));
    OK(state_peer_raise_floor(s, "a", KIT_NOW - 1)); /* it never goes back */
    OK(state_peer_raise_floor(s, "b", 1));
    state_close(STEAL(s));
    s = kit_state();
    OK(state_peer_floor(s, "a", &until));
    assert_true(until == KIT_NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {KIT_TEST(test_peers), KIT_TEST(test_floors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
