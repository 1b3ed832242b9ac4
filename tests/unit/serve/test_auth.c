/* Who is let in, and who has tried too often. */
#include "kit.h"

#include "serve/auth.h"

#define WRONG "Bearer pgstow_0000000000000000000000000000000000000000000000000000000000000000"

static char *add_token(State *s, const char *name, StateRole role, Instant expires)
{
    char text[TOKEN_TEXT];
    TokenActor actor = {"root", "", "cli"};
    TokenOptions o = {name, role, expires};
    OK(op_token_add(s, &actor, &o, text));
    return mem_printf("Bearer %s", text);
}

static AuthAnswer ask(Auth *a, const char *header, const char *address)
{
    AUTO(StateToken) who = NULL;
    AuthAnswer answer;
    OK(auth_check(a, header, address, &answer, &who));
    assert_int_equal(answer == AUTH_KNOWN, who != NULL);
    return answer;
}

static void test_tokens(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Auth) a = auth_new(s);
    AUTO(char) good = add_token(s, "good", ROLE_OPERATOR, 0);
    AUTO(char) soon = add_token(s, "soon", ROLE_VIEWER, clock_now() + 3600000);
    AUTO(char) revoked = add_token(s, "revoked", ROLE_ADMIN, 0);
    AUTO(StateToken) who = NULL;
    AuthAnswer answer;
    TokenActor actor = {"root", "", "cli"};
    (void)state;
    OK(op_token_revoke(s, &actor, "revoked"));
    OK(auth_check(a, good, "10.0.0.1", &answer, &who));
    assert_int_equal(answer, AUTH_KNOWN);
    assert_string_equal(who->name, "good");
    assert_int_equal(who->role, ROLE_OPERATOR);
    assert_int_equal(ask(a, soon, "10.0.0.1"), AUTH_KNOWN);
    assert_int_equal(ask(a, revoked, "10.0.0.1"), AUTH_UNKNOWN);
    static const char *const wrong[] = {NULL,         "",         "Bearer", "Bearer ",
                                        "Basic YTpi", "Bearer x", WRONG,    "Bearer pgstow_"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(ask(a, wrong[i], "10.0.0.1"), AUTH_UNKNOWN);
    /* The scheme's case does not matter, the token's does. */
    AUTO(char) lower = mem_strdup(good);
    memcpy(lower, "bearer", 6);
    assert_int_equal(ask(a, lower, "10.0.0.1"), AUTH_KNOWN);
    AUTO(char) longer = mem_printf("%s0", good);
    AUTO(char) blank = mem_printf("%s ", good);
    assert_int_equal(ask(a, longer, "10.0.0.1"), AUTH_UNKNOWN);
    assert_int_equal(ask(a, blank, "10.0.0.1"), AUTH_UNKNOWN);
}

static void guess(Auth *a, const char *address, int times)
{
    for (int i = 0; i < times; i++)
        assert_int_equal(ask(a, WRONG, address), AUTH_UNKNOWN);
}

/* Guessing ends; who has a right token is let in all the same, since the address may be a proxy's.
 */
static void test_an_address_guesses_too_often(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Auth) a = auth_new(s);
    AUTO(char) good = add_token(s, "good", ROLE_VIEWER, 0);
    (void)state;
    guess(a, "10.0.0.1", AUTH_FAILURES);
    assert_int_equal(ask(a, WRONG, "10.0.0.1"), AUTH_TOO_OFTEN);
    assert_int_equal(ask(a, NULL, "10.0.0.1"), AUTH_TOO_OFTEN);
    assert_int_equal(ask(a, good, "10.0.0.1"), AUTH_KNOWN);
    assert_int_equal(ask(a, WRONG, "10.0.0.1"), AUTH_TOO_OFTEN); /* it has not begun anew */
    assert_int_equal(ask(a, WRONG, "10.0.0.2"), AUTH_UNKNOWN);
}

static void test_who_brings_no_token_has_guessed_nothing(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Auth) a = auth_new(s);
    (void)state;
    for (int i = 0; i < 3 * AUTH_FAILURES; i++)
        assert_int_equal(ask(a, NULL, "10.0.0.1"), AUTH_UNKNOWN);
    assert_int_equal(ask(a, WRONG, "10.0.0.1"), AUTH_UNKNOWN);
}

static void test_an_ipv6_network_is_one(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Auth) a = auth_new(s);
    (void)state;
    for (int i = 0; i < AUTH_FAILURES; i++) {
        AUTO(char) address = mem_printf("2001:db8:0:1:%x::%x", i, i + 1);
        guess(a, address, 1);
    }
    assert_int_equal(ask(a, WRONG, "2001:db8:0:1:ffff::1"), AUTH_TOO_OFTEN);
    assert_int_equal(ask(a, WRONG, "2001:db8:0:2::1"), AUTH_UNKNOWN);
    /* Those of IPv4 in IPv6 are hosts of their own. */
    guess(a, "::ffff:10.0.0.1", AUTH_FAILURES);
    assert_int_equal(ask(a, WRONG, "::ffff:10.0.0.1"), AUTH_TOO_OFTEN);
    assert_int_equal(ask(a, WRONG, "::ffff:10.0.0.2"), AUTH_UNKNOWN);
}

/* More addresses than are kept: the ones that came first are forgotten, and none is taken for
 * another.
 */
static void test_many_addresses(void **state)
{
    AUTO(State) s = kit_state();
    AUTO(Auth) a = auth_new(s);
    (void)state;
    for (int i = 0; i < 3000; i++) {
        AUTO(char) address = mem_printf("10.1.%d.%d", i / 256, i % 256);
        guess(a, address, 1);
    }
    guess(a, "10.2.0.1", AUTH_FAILURES);
    assert_int_equal(ask(a, WRONG, "10.2.0.1"), AUTH_TOO_OFTEN);
    assert_int_equal(ask(a, WRONG, "10.1.0.1"), AUTH_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_tokens),
        KIT_TEST(test_an_address_guesses_too_often),
        KIT_TEST(test_who_brings_no_token_has_guessed_nothing),
        KIT_TEST(test_an_ipv6_network_is_one),
        KIT_TEST(test_many_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
