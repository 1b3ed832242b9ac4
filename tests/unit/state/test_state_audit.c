#include "kit.h"

#include "state/state_audit.h"
#include "state/state_retain.h"

static void add(State *s, const char *actor, const char *action, Instant now)
{
    OK(state_audit_add(s,
                       &(StateAuditNew){.actor = actor,
                                        .role = "admin",
                                        .origin = "192.0.2.1",
                                        .action = action,
                                        .object = "shop",
                                        .outcome = "done",
                                        .now = now},
                       NULL));
}

static void test_list(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    int64_t id;
    OK(state_audit_add(
        s,
        &(StateAuditNew){"ci", "operator", "cli", "backup.delete", "shop-1", "refused", "why", 7},
        &id));
    for (int i = 0; i < 10; i++)
        add(s, i % 2 ? "a" : "b", i % 5 ? "x" : "y", KIT_NOW + i);
    AUTO_VALUE(StateAudit) all = {0};
    OK(state_audit_list(s, NULL, &all));
    assert_int_equal(all.count, 11);
    const StateAuditEntry *first = &all.items[10];
    assert_int_equal(first->id, id);
    assert_int_equal(first->at, 7);
    assert_string_equal(first->actor, "ci");
    assert_string_equal(first->role, "operator");
    assert_string_equal(first->origin, "cli");
    assert_string_equal(first->action, "backup.delete");
    assert_string_equal(first->object, "shop-1");
    assert_string_equal(first->outcome, "refused");
    assert_string_equal(first->detail, "why");
    assert_null(all.items[0].detail);
    static const struct {
        StateAuditFilter filter;
        size_t count;
        bool more;
    } cases[] = {
        {{.actor = "a"}, 5, false},
        {{.action = "y"}, 2, false},
        {{.object = "shop"}, 10, false},
        {{.outcome = "refused"}, 1, false},
        {{.since = KIT_NOW + 2, .until = KIT_NOW + 5}, 3, false},
        {{.below = 4}, 3, false},
        {{.limit = 4}, 4, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_VALUE(StateAudit) l = {0};
        OK(state_audit_list(s, &cases[i].filter, &l));
        assert_int_equal(l.count, cases[i].count);
        assert_int_equal(l.more, cases[i].more);
    }
}

/* By whatever statement, from this program or another. */
static void test_only_added_to(void **state)
{
    (void)state;
    AUTO(State) s = kit_state();
    for (int i = 0; i < 4; i++)
        add(s, "a", "x", KIT_NOW + i * DAY);
    static const char *const refused[] = {
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE audit SET at = 1 WHERE id = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = 4",
        "DELETE FROM audit_horizon",
        "REPLACE INTO audit_horizon VALUES (1, -1)",
        "UPDATE audit_horizon SET id = -1",
        "INSERT INTO audit_horizon VALUES (2, 4)",
        "REPLACE INTO audit VALUES (1, 1, 'nobody', '', '', '', '', '', NULL)",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        AUTO(Error) e = state_exec(s, refused[i]);
        assert_non_null(e);
        assert_int_equal(kit_sql(refused[i]), SQLITE_CONSTRAINT);
    }
    StateRetained gone;
    OK(state_retain(s, &(StateRetention){.audit.days = 2}, KIT_NOW + 4 * DAY, &gone));
    assert_int_equal(gone.audit, 2);
    /* What went does not come back as something else. */
    assert_int_equal(kit_sql("INSERT INTO audit VALUES (1, 1, 'nobody', '', '', '', '', '', NULL)"),
                     SQLITE_CONSTRAINT);
    add(s, "b", "x", KIT_NOW);
    AUTO_VALUE(StateAudit) l = {0};
    OK(state_audit_list(s, NULL, &l));
    assert_int_equal(l.count, 3);
    assert_int_equal(l.items[0].id, 5);
    assert_int_equal(l.items[2].id, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_list),
        KIT_TEST(test_only_added_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
