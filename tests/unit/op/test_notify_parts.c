/* Entries with all databases of a server. */
#include "notify_kit.h"

#include "base/doc.h"
#include "op/notify.h"
#include "state/state_condition.h"
#include "state/state_outbox.h"

#define HOUR 3600000ll
#define ALL                                                                                        \
    "backup:\n  allDatabases: true\n  notifyOnSuccess: true\n"                                     \
    "notify:\n  minFree: 1\n  webhook:\n    url: http://127.0.0.1:9/\n"

static int64_t seen;

/* The titles of what was told since the last call, one a line, without the host. */
static char *told(State *s)
{
    AUTO_VALUE(StateOutbox) l = {0};
    Buf b = {0};
    OK(state_outbox_list(s, 0, 0, 0, &l));
    for (size_t i = l.count; i-- > 0;) {
        if (l.items[i].id <= seen)
            continue;
        AUTO(Doc) d = NULL;
        OK(doc_parse(l.items[i].payload, strlen(l.items[i].payload), "it", &d));
        buf_printf(&b, "%s%s: %s", b.len ? "\n" : "", l.items[i].event, doc_str(d, "title", ""));
        seen = l.items[i].id;
    }
    return buf_steal_str(&b);
}

#define TOLD(expected)                                                                             \
    do {                                                                                           \
        AUTO(char) told_ = told(s);                                                                \
        assert_string_equal(told_, expected);                                                      \
    } while (0)

typedef struct One {
    const char *database, *error; /* NULL: it was backed up */
} One;

/* A run of all with these ends, of these words ("" for those of a schedule); told, unless it is
 * repeated. */
static void run(State *s, const Notifier *n, const char *words, bool again, Instant now,
                const One *ones, size_t count)
{
    int64_t id;
    bool done, failed = false;
    AUTO(char) arguments = mem_printf("{\"words\":[\"backup\"%s]}", words);
    AUTO_VALUE(Buf) list = {0};
    OK(state_job_create(
        s, &(StateJobNew){"backup", "", "", "schedule", "x", arguments, 0, 0, now - 1000}, &id));
    OK(state_job_start(s, id, getpid(), now - 1000, &done));
    for (size_t i = 0; i < count; i++) {
        const char *error = ones[i].error;
        StateJobPart p = {.database = ones[i].database,
                          .started = now - 900,
                          .end = {.status = error ? JOB_FAILED : JOB_SUCCEEDED,
                                  .error_kind = error,
                                  .error_message = error ? "so it is" : NULL,
                                  .now = now - 100}};
        failed = failed || error;
        if (error)
            buf_printf(&list, "%s{}", list.len ? "," : "");
        /* a pattern that matches none has no part */
        if (strcmp(ones[i].database, "no_*") != 0)
            OK(state_job_add_part(s, id, &p, NULL));
    }
    AUTO(char) names = buf_steal_str(&list);
    AUTO(char) result = mem_printf("{\"failed\":[%s]}", names);
    StateJobEnd end = {.status = failed ? JOB_FAILED : JOB_SUCCEEDED,
                       .error_kind = failed ? "PARTIAL" : NULL,
                       .error_message = failed ? "some" : NULL,
                       .result = result,
                       .now = now};
    OK(state_job_finish(s, id, &end, &done));
    OK(notify_job_ended(s, n, id, again, now));
}
#define RUN(words, again, day, ...)                                                                \
    do {                                                                                           \
        const One ones_[] = {__VA_ARGS__};                                                         \
        run(s, n, words, again, KIT_NOW + (day)*DAY, ones_, sizeof ones_ / sizeof *ones_);         \
    } while (0)

static void test_one_for_all(void **state)
{
    (void)state;
    seen = 0;
    AUTO(State) s = kit_state();
    AUTO(Notifier) n = kit_notifier(ALL);
    RUN("", 0, 0, {"a", NULL}, {"b", NULL}, {"c", NULL});
    TOLD("success: backup was made");
    RUN("", 0, 1, {"a", "DB"}, {"b", NULL}, {"c", NULL});
    TOLD("failure: backup of a failed: the database server reported an error");
    RUN("", 0, 2, {"a", "DB"}, {"b", "DB"}, {"c", "AUTH"});
    TOLD("failure: 2 databases could not be backed up: c, b");
    RUN("", 0, 3, {"a", "DB"}, {"b", "DB"}, {"c", "AUTH"});
    TOLD("");
    RUN("", 0, 4, {"a", NULL}, {"b", "DB"}, {"c", "AUTH"});
    TOLD("recovered: backup of a works again");
    RUN("", 0, 5, {"a", NULL}, {"b", NULL}, {"c", NULL});
    TOLD("recovered: 2 databases are backed up again: c, b\nsuccess: backup was made");
    AUTO_VALUE(StateConditions) left = {0};
    OK(state_condition_list(s, &left));
    assert_int_equal(left.count, 0);
}

static void test_tried_again(void **state)
{
    (void)state;
    seen = 0;
    AUTO(State) s = kit_state();
    AUTO(Notifier) n = kit_notifier(ALL);
    RUN("", 0, 0, {"a", NULL}, {"b", NULL});
    TOLD("success: backup was made");
    RUN("", 1, 1, {"a", "CONNECT"}, {"b", "DB"}); /* what is repeated is not told yet */
    TOLD("failure: backup of b failed: the database server reported an error");
    RUN(",\"--include-database=a\"", 0, 2, {"a", "TIMEOUT"});
    TOLD("failure: backup of a failed: the time limit was passed");
    RUN("", 0, 3, {"a", NULL}, {"b", NULL}); /* and the one of a part made none of them go */
    TOLD("recovered: 2 databases are backed up again: b, a\nsuccess: backup was made");
}

static void test_gone(void **state)
{
    (void)state;
    seen = 0;
    AUTO(State) s = kit_state();
    AUTO(Notifier) n = kit_notifier(ALL);
    RUN("", 0, 0, {"a", NULL}, {"b", "DB"}, {"c", NULL}, {"d", NULL});
    TOLD("failure: backup of b failed: the database server reported an error");
    RUN("", 0, 1, {"a", NULL}, {"c", NULL}, {"d", NULL}, {"new", NULL});
    TOLD("anomaly: backup of b is unlike the last ones: it is no longer among the databases of the "
         "server that are backed up\nsuccess: backup was made");
    AUTO_VALUE(StateConditions) left = {0};
    OK(state_condition_list(s, &left));
    assert_int_equal(left.count, 0);
    RUN("", 0, 2, {"a", NULL}, {"new", NULL});
    TOLD("anomaly: backup is unlike the last ones: c, d\nsuccess: backup was made");
    RUN("", 0, 3, {"a", NULL}, {"new", NULL});
    TOLD("success: backup was made");
}

static void test_a_pattern_that_matches_none(void **state)
{
    (void)state;
    seen = 0;
    AUTO(State) s = kit_state();
    AUTO(Notifier) n = kit_notifier(ALL);
    RUN("", 0, 0, {"a", NULL}, {"no_*", "DB_NOT_FOUND"});
    TOLD("failure: backup failed: some of several things failed, the others were done");
    RUN("", 0, 1, {"a", NULL}, {"no_*", "DB_NOT_FOUND"});
    TOLD("");
    RUN("", 0, 2, {"a", NULL});
    TOLD("recovered: backup works again");
}

static void test_stale(void **state)
{
    (void)state;
    seen = 0;
    AUTO(State) s = kit_state();
    AUTO(Notifier) n = kit_notifier(ALL "  staleHours: 30\n");
    RUN("", 0, 0, {"a", NULL}, {"b", NULL}, {"c", "DB"});
    TOLD("failure: backup of c failed: the database server reported an error");
    OK(notify_tick(s, n, KIT_NOW + 29 * HOUR));
    TOLD("");
    RUN("", 0, 1, {"a", NULL}, {"b", "DB"}, {"c", "DB"});
    TOLD("failure: backup of b failed: the database server reported an error");
    for (int i = 0; i < 3; i++) { /* the others' successes do not hide them */
        OK(notify_tick(s, n, KIT_NOW + 31 * HOUR + i));
        if (!i)
            TOLD("stale: 2 databases have no recent good backup: b, c");
    }
    TOLD("");
    OK(notify_tick(s, n, KIT_NOW + DAY + 31 * HOUR)); /* one more of them */
    TOLD("stale: no good backup of a since 2023-11-15 22:13:19 UTC");
    RUN("", 0, 3, {"a", NULL}, {"b", NULL});
    AUTO(char) unused = told(s);
    OK(notify_tick(s, n, KIT_NOW + 3 * DAY)); /* c is gone: it is not stale for ever */
    TOLD("recovered: all databases have recent backups again");
    OK(notify_tick(s, n, KIT_NOW + 3 * DAY + 1));
    TOLD("");
}

static void test_stale_before_any_is_known(void **state)
{
    (void)state;
    seen = 0;
    AUTO(State) s = kit_state();
    AUTO(Notifier) n = kit_notifier(ALL "  staleHours: 30\n");
    int64_t id = kit_job(s, "backup", "", KIT_NOW);
    StateJobEnd end = {.status = JOB_FAILED, .error_kind = "CONNECT", .now = KIT_NOW};
    OK(state_job_finish(s, id, &end, NULL));
    OK(notify_job_ended(s, n, id, false, KIT_NOW));
    OK(notify_tick(s, n, KIT_NOW + 31 * HOUR));
    TOLD("failure: backup failed: the database server could not be reached\n"
         "stale: there is no good backup yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_one_for_all), KIT_TEST(test_tried_again),
        KIT_TEST(test_gone),        KIT_TEST(test_a_pattern_that_matches_none),
        KIT_TEST(test_stale),       KIT_TEST(test_stale_before_any_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
