#include "kit.h"

#include "state/state_token.h"

static const uint8_t *hash(char c)
{
    static uint8_t h[STATE_TOKEN_HASH];
    memset(h, c, sizeof h);
    return h;
}

static Error *add(State *s, const char *name, char c, StateRole role, Instant expires)
{
    return state_token_add(s, &(StateTokenNew){name, hash(c), role, expires, KIT_NOW}, NULL);
}

/* "name role", or "none". */
static void finds(State *s, char c, Instant now, const char *expected)
{
    AUTO(StateToken) t = NULL;
    OK(state_token_check(s, hash(c), now, &t));
    AUTO(char) found = t ? mem_printf("%s %s", t->name, state_role_name(t->role)) : NULL;
    assert_string_equal(found ? found : "none", expected);
}

static void test_check(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    OK(add(s, "boss", 'b', ROLE_ADMIN, 0));
    OK(add(s, "ci", 'c', ROLE_OPERATOR, KIT_NOW + 1000));
    OK(add(s, "eye", 'e', ROLE_VIEWER, 0));
    FAILS(ERR_EXISTS, add(s, "boss", 'x', ROLE_VIEWER, 0));
    FAILS(ERR_EXISTS, add(s, "other", 'b', ROLE_VIEWER, 0));
    finds(s, 'b', KIT_NOW, "boss admin");
    finds(s, 'e', KIT_NOW, "eye viewer");
    finds(s, 'x', KIT_NOW, "none");
    finds(s, 'c', KIT_NOW + 999, "ci operator");
    finds(s, 'c', KIT_NOW + 1000, "none");
    OK(state_token_revoke(s, "boss", KIT_NOW + 5));
    finds(s, 'b', KIT_NOW, "none");
    FAILS(ERR_NOT_FOUND, state_token_revoke(s, "boss", KIT_NOW));
    FAILS(ERR_NOT_FOUND, state_token_revoke(s, "nobody", KIT_NOW));
    /* The name is free again, the old token stays revoked. */
    OK(add(s, "boss", 'n', ROLE_VIEWER, 0));
    finds(s, 'n', KIT_NOW, "boss viewer");
    finds(s, 'b', KIT_NOW, "none");
    FAILS(ERR_EXISTS, add(s, "again", 'b', ROLE_VIEWER, 0));

    AUTO_VALUE(StateTokens) l = {0};
    OK(state_token_list(s, 0, 0, &l));
    assert_int_equal(l.count, 4);
    assert_string_equal(l.items[0].name, "boss");
    assert_int_equal(l.items[3].revoked, KIT_NOW + 5);
    assert_int_equal(l.items[2].expires, KIT_NOW + 1000);
    AUTO_VALUE(StateTokens) page = {0};
    OK(state_token_list(s, l.items[1].id, 1, &page));
    assert_int_equal(page.count, 1);
    assert_string_equal(page.items[0].name, "ci");
    assert_true(page.more);
}

static void test_used(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t id;
    OK(state_token_add(s, &(StateTokenNew){"ci", hash('c'), ROLE_VIEWER, 0, KIT_NOW}, &id));
    static const struct {
        Instant now, seen;
    } uses[] = {
        {KIT_NOW, KIT_NOW},
        {KIT_NOW + 59999, KIT_NOW}, /* not worth a write */
        {KIT_NOW + 60000, KIT_NOW + 60000},
        {KIT_NOW - 5000, KIT_NOW - 5000}, /* the clock was put back */
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        OK(state_token_used(s, id, "192.0.2.1", uses[i].now));
        AUTO(StateToken) t = NULL;
        OK(state_token_check(s, hash('c'), KIT_NOW, &t));
        assert_int_equal(t->last_used, uses[i].seen);
        assert_string_equal(t->last_from, "192.0.2.1");
    }
}

/* What the program itself keeps from being: a role that nobody knows, a hash that is none. */
static void test_past_us(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    OK(add(s, "ci", 'c', ROLE_VIEWER, 0));
    assert_int_equal(kit_sql("UPDATE token SET role = 'root'"), SQLITE_CONSTRAINT);
    assert_int_equal(kit_sql("UPDATE token SET hash = x'00'"), SQLITE_CONSTRAINT);
    assert_int_equal(kit_sql("PRAGMA ignore_check_constraints = 1; UPDATE token SET role = 'root'"),
                     SQLITE_OK);
    AUTO(StateToken) t = NULL;
    FAILS(ERR_DAMAGED, state_token_check(s, hash('c'), KIT_NOW, &t));
    StateRole role;
    assert_true(state_role_of("operator", &role));
    assert_int_equal(role, ROLE_OPERATOR);
    assert_false(state_role_of("", &role));
    assert_string_equal(state_role_name(STATE_ROLES), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_check),
        KIT_TEST(test_used),
        KIT_TEST(test_past_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
