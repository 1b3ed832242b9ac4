#include "notify_kit.h"

#include "op/notify.h"
#include "op/notify_note.h"
#include "state/state_condition.h"
#include "state/state_outbox.h"

#define HOUR 3600000ll
#define WEBHOOK "notify:\n  webhook:\n    url: http://127.0.0.1:9/\n"
#define SERVER "database:\n  url: postgresql://u:p%40@db.example.com/shop\n"

static int64_t last[2]; /* of the outbox that a test has seen: of pings, of others */

static State *fresh(void)
{
    last[0] = last[1] = 0;
    return kit_state();
}

/* What was told since the last call, "event of database" in turn; by one channel. */
static char *told(State *s, const char *channel)
{
    AUTO_VALUE(StateOutbox) l = {0};
    Buf b = {0};
    int64_t *seen = &last[!strcmp(channel, "ping")];
    OK(state_outbox_list(s, 0, 0, 0, &l));
    for (size_t i = l.count; i-- > 0;) {
        const StateNote *n = &l.items[i];
        if (n->id <= *seen || strcmp(n->channel, channel) != 0)
            continue;
        AUTO(Doc) d = NULL;
        OK(doc_parse(n->payload, strlen(n->payload), "it", &d));
        assert_string_equal(doc_str(d, "event", ""), n->event);
        const char *name = doc_str(d, "database", "");
        buf_printf(&b, "%s%s%s%s", b.len ? ", " : "", n->event, *name ? " " : "", name);
        *seen = n->id;
    }
    return buf_steal_str(&b);
}

#define TOLD(expected)                                                                             \
    do {                                                                                           \
        AUTO(char) told_ = told(s, "webhook");                                                     \
        assert_string_equal(told_, expected);                                                      \
    } while (0)

/* A job of that kind that has ended so: error is the kind of its error, NULL where it succeeded. */
static int64_t ended(State *s, const char *kind, const char *database, const char *error,
                     Instant now, int64_t took)
{
    int64_t id = kit_job(s, kind, database, now - took);
    bool done;
    StateJobEnd end = {.status = JOB_SUCCEEDED, .exit_status = 0, .now = now};
    OK(state_job_start(s, id, getpid(), now - took, &done));
    if (error) {
        end.status = !strcmp(error, "CANCELLED")     ? JOB_CANCELLED
                     : !strcmp(error, "interrupted") ? JOB_INTERRUPTED
                                                     : JOB_FAILED;
        end.error_kind = error;
        end.error_message = "that is how it is";
        end.error_hint = "do something";
    } else {
        end.backup = "shop-1";
    }
    OK(state_job_finish(s, id, &end, &done));
    return id;
}

static void ends(State *s, const Notifier *n, const char *database, const char *error, Instant now)
{
    OK(notify_job_ended(s, n, ended(s, "backup", database, error, now, 1), false, now));
}

typedef struct Step {
    const char *kind, *database, *error; /* NULL: it succeeded */
    bool again;
    const char *told;
} Step;

static void walk(const char *yaml, const Step *steps, size_t count)
{
    AUTO(State) s = fresh();
    AUTO(Notifier) n = kit_notifier(yaml);
    for (size_t i = 0; i < count; i++) {
        Instant now = KIT_NOW + (int64_t)i * HOUR;
        int64_t id = ended(s, steps[i].kind, steps[i].database, steps[i].error, now, 1000);
        OK(notify_job_ended(s, n, id, steps[i].again, now));
        AUTO(char) got = told(s, "webhook");
        if (strcmp(got, steps[i].told) != 0)
            print_error("step %zu: \"%s\" instead of \"%s\"\n", i, got, steps[i].told);
        assert_string_equal(got, steps[i].told);
    }
}
#define WALK(yaml, ...)                                                                            \
    do {                                                                                           \
        const Step steps_[] = {__VA_ARGS__};                                                       \
        walk(yaml, steps_, sizeof steps_ / sizeof *steps_);                                        \
        kit_tear_down(state);                                                                      \
        kit_set_up(state);                                                                         \
    } while (0)

static void test_one_for_one_cause(void **state)
{
    WALK(WEBHOOK,                                              /**/
         {"backup", "shop", NULL, 0, ""},                      /* all is well */
         {"backup", "shop", "TOOL_FAILED", 0, "failure shop"}, /**/
         {"backup", "shop", "TOOL_FAILED", 0, ""},             /* the same */
         {"backup", "shop", "TOOL_FAILED", 0, ""},             /**/
         {"backup", "shop", "TIMEOUT", 0, "failure shop"},     /* another reason */
         {"backup", "shop", "TOOL_FAILED", 0, ""},             /* in turns */
         {"backup", "shop", "TIMEOUT", 0, ""},                 /**/
         {"backup", "crm", "TIMEOUT", 0, "failure crm"},       /* another database's own */
         {"backup", "shop", NULL, 0, "recovered shop"},        /* one for both */
         {"backup", "shop", NULL, 0, ""},                      /**/
         {"backup", "crm", NULL, 0, "recovered crm"},          /**/
         {"backup", "shop", "TIMEOUT", 0, "failure shop"});    /* anew */
    WALK(WEBHOOK,                                              /**/
         {"backup", "shop", "CANCELLED", 0, ""},               /* somebody wanted it */
         {"backup", "shop", "CONNECT", 1, ""},                 /* it is tried again */
         {"backup", "shop", "CONNECT", 1, ""},                 /**/
         {"backup", "shop", NULL, 0, ""},                      /* and nobody was told */
         {"backup", "shop", "CONNECT", 1, ""},                 /**/
         {"backup", "shop", "CONNECT", 0, "failure shop"},     /* that was the last */
         {"backup", "shop", "interrupted", 0, "failure shop"}, /**/
         {"backup", "shop", "interrupted", 0, ""},             /**/
         {"verify", "shop", NULL, 0, ""},                      /* another thing */
         {"backup", "shop", NULL, 0, "recovered shop"});
    WALK(WEBHOOK, {"drill", "shop", "MISMATCH", 0, "drill-failed shop"},
         {"drill", "shop", "MISMATCH", 0, ""},         /**/
         {"drill", "shop", NULL, 0, "recovered shop"}, /**/
         {"verify", "", "DAMAGED", 0, "damage"},       /**/
         {"restore", "shop", "DAMAGED", 0, ""},        /* the same repository */
         {"backup", "shop", NULL, 0, ""},              /* which found nothing out */
         {"verify", "", NULL, 0, "recovered"});
}

/* A hundred databases on a server that is down are one cause. */
static void test_shared_causes(void **state)
{
    AUTO(State) s = fresh();
    AUTO(Notifier) n = kit_notifier(SERVER WEBHOOK);
    assert_string_equal(notifier_at(n, 0)->server, "db.example.com:5432");
    Instant now = KIT_NOW;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 100; i++) {
            AUTO(char) name = mem_printf("db%d", i);
            ends(s, n, name, "CONNECT", ++now);
        }
    TOLD("failure db0");
    for (int i = 50; i < 100; i++) {
        AUTO(char) name = mem_printf("db%d", i);
        ends(s, n, name, NULL, ++now);
    }
    TOLD("recovered db50");
    ends(s, n, "db0", "REPO_FULL", ++now);
    ends(s, n, "db1", "REPO_FULL", ++now);
    TOLD("failure db0");
    (void)state;
}

static void test_what_is_wanted(void **state)
{
    WALK("backup:\n  notifyOnFailure: false\n  notifyOnSuccess: true\n" WEBHOOK,
         {"backup", "shop", NULL, 0, "success shop"}, {"backup", "shop", NULL, 0, "success shop"},
         {"verify", "shop", NULL, 0, ""}, {"backup", "shop", "TIMEOUT", 0, ""},
         {"backup", "shop", NULL, 0, "success shop"});
    /* what tells that it works again tells that it was made */
    WALK("backup:\n  notifyOnSuccess: true\n" WEBHOOK,
         {"backup", "shop", "TIMEOUT", 0, "failure shop"},
         {"backup", "shop", NULL, 0, "recovered shop"},
         {"backup", "shop", NULL, 0, "success shop"});
    /* a sync that was done is news as a backup is; one that only looked is not */
    WALK("backup:\n  notifyOnSuccess: true\n" WEBHOOK, {"sync", "shop", NULL, 0, "success shop"},
         {"sync-dry-run", "shop", NULL, 0, ""}, {"sync", "shop", "NETWORK", 0, "failure shop"},
         {"sync", "shop", "NETWORK", 0, ""}, {"sync", "shop", NULL, 0, "recovered shop"});
    /* nobody is to be told: nothing waits */
    WALK("backup:\n  notifyOnSuccess: true\n", {"backup", "shop", "TIMEOUT", 0, ""},
         {"backup", "shop", NULL, 0, ""});
}

static void test_entries(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(Notifier) n = notifier_new();
    Instant now = KIT_NOW;
    int64_t id = ended(s, "backup", "shop", "TIMEOUT", now, 1);
    OK(notify_job_ended(s, n, id, false, now)); /* nobody at all */
    TOLD("");
    FAILS(ERR_NOT_FOUND, notify_job_ended(s, n, id + 1, false, now));
    kit_add(n, "main", "jobs: 1\n");
    kit_add(n, "other", WEBHOOK);
    OK(notify_job_ended(s, n, id, false, now)); /* the first one's: it tells nobody */
    TOLD("");
    assert_string_equal(notifier_find(n, "other")->entry, "other");
    assert_string_equal(notifier_find(n, "gone")->entry, "main");
}

static void test_pings(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(Notifier) n = kit_notifier("notify:\n  ping:\n    url: http://127.0.0.1:9/a\n");
    static const struct {
        const char *kind, *error, *told;
        bool again;
    } steps[] = {
        {"backup", NULL, "started shop, success shop", false},
        {"backup", NULL, "started shop, success shop", false},
        {"backup", "TIMEOUT", "started shop, failure shop", false},
        {"backup", "TIMEOUT", "started shop, failure shop", false},
        {"backup", "TIMEOUT", "started shop", true},
        {"backup", "DAMAGED", "started shop, damage shop", false},
        {"verify", NULL, "", false},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        Instant now = KIT_NOW + (int64_t)i * HOUR;
        int64_t id = ended(s, steps[i].kind, "shop", steps[i].error, now, 1);
        OK(notify_job_started(s, n, id, now));
        OK(notify_job_ended(s, n, id, steps[i].again, now));
        AUTO(char) got = told(s, "ping");
        assert_string_equal(got, steps[i].told);
    }
}

static void test_missed(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(Notifier) n = kit_notifier(WEBHOOK);
    NotifyMissed m = {.kind = "backup", .entry = "", .database = "shop", .due = KIT_NOW, .runs = 3};
    OK(notify_missed(s, n, &m, KIT_NOW + HOUR));
    TOLD("missed shop");
    OK(notify_missed(s, n, &m, KIT_NOW + 2 * HOUR));
    TOLD("");
    m.due += DAY;
    OK(notify_missed(s, n, &m, KIT_NOW + DAY));
    TOLD("missed shop");
    OK(notify_job_ended(s, n, ended(s, "backup", "shop", NULL, KIT_NOW + DAY, 1), false,
                        KIT_NOW + DAY));
    TOLD("");
    AUTO_VALUE(StateConditions) left = {0};
    OK(state_condition_list(s, &left));
    assert_int_equal(left.count, 0);
}

static void test_stale(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(Notifier)
    n = kit_notifier("backup:\n  enabled: true\n  schedule: \"0 0 * * *\"\n  timeZone: UTC\n"
                     "notify:\n  minFree: 1\n  webhook:\n    url: http://a.b/\n");
    Instant midnight = KIT_NOW - KIT_NOW % DAY;
    OK(notify_tick(s, n, midnight + 3 * DAY));
    TOLD(""); /* nothing was ever tried */
    OK(notify_job_ended(s, n, ended(s, "backup", "shop", NULL, midnight + 1000, 1), false,
                        midnight + 1000));
    OK(notify_tick(s, n, midnight + DAY + 12 * HOUR));
    TOLD(""); /* one is missing */
    OK(notify_tick(s, n, midnight + 2 * DAY + HOUR));
    TOLD(""); /* the second one may be under way */
    OK(notify_tick(s, n, midnight + 2 * DAY + 2 * HOUR + 1));
    TOLD("stale shop");
    for (int i = 0; i < 100; i++)
        OK(notify_tick(s, n, midnight + 3 * DAY + i * HOUR));
    TOLD("");
    OK(notify_job_ended(s, n, ended(s, "backup", "shop", NULL, midnight + 9 * DAY, 1), false,
                        midnight + 9 * DAY));
    TOLD("recovered shop");
    /* hours that are said count instead; also of what never worked */
    AUTO(Notifier)
    hours = kit_notifier("notify:\n  staleHours: 5\n  minFree: 1\n"
                         "  webhook:\n    url: http://a.b/\n");
    OK(notify_tick(s, hours, midnight + 9 * DAY + 5 * HOUR));
    TOLD("");
    OK(notify_tick(s, hours, midnight + 9 * DAY + 5 * HOUR + 1));
    TOLD("stale shop");
}

/* Each entry has its own hours. */
static void test_stale_of_entries(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(Notifier) n = notifier_new();
    int64_t id[2];
    bool done;
    kit_add(n, "a", "notify:\n  staleHours: 5\n  minFree: 1\n  webhook:\n    url: http://a.b/\n");
    kit_add(n, "b", "notify:\n  staleHours: 50\n  minFree: 1\n  webhook:\n    url: http://a.b/\n");
    for (int i = 0; i < 2; i++) {
        OK(state_job_create(s,
                            &(StateJobNew){"backup", i ? "b" : "a", i ? "crm" : "shop", "cli", "x",
                                           "{}", 0, 0, KIT_NOW},
                            &id[i]));
        OK(state_job_finish(s, id[i], &(StateJobEnd){.status = JOB_SUCCEEDED, .now = KIT_NOW},
                            &done));
    }
    OK(notify_tick(s, n, KIT_NOW + 4 * HOUR));
    TOLD("");
    OK(notify_tick(s, n, KIT_NOW + 6 * HOUR));
    TOLD("stale shop");
    OK(notify_tick(s, n, KIT_NOW + 51 * HOUR));
    TOLD("stale crm");
}

static void test_never_a_good_one(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(Notifier)
    n = kit_notifier("notify:\n  staleHours: 5\n  minFree: 1\n"
                     "  webhook:\n    url: http://a.b/\n");
    OK(notify_job_ended(s, n, ended(s, "backup", "shop", "AUTH", KIT_NOW, 1), false, KIT_NOW));
    TOLD("failure shop");
    OK(notify_tick(s, n, KIT_NOW + 4 * HOUR));
    TOLD("");
    OK(notify_tick(s, n, KIT_NOW + 6 * HOUR));
    TOLD("stale");
}

static void test_disk(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(char)
    low = mem_printf("backup:\n  backupDir: %s\nnotify:\n  minFree: 1000T\n"
                     "  webhook:\n    url: http://a.b/\n",
                     kit_root);
    AUTO(char)
    enough = mem_printf("backup:\n  backupDir: %s\nnotify:\n  minFree: 1\n"
                        "  webhook:\n    url: http://a.b/\n",
                        kit_root);
    AUTO(Notifier) full = notifier_new();
    AUTO(Notifier) empty = kit_notifier(enough);
    kit_add(full, "a", low);
    kit_add(full, "b", low);
    for (int i = 0; i < 3; i++)
        OK(notify_tick(s, full, KIT_NOW + i));
    TOLD("disk-low");
    OK(notify_tick(s, empty, KIT_NOW + 10));
    TOLD("recovered");
    OK(notify_tick(s, empty, KIT_NOW + 11));
    TOLD("");
}

static int64_t sized(State *s, int64_t rows, uint64_t bytes, int64_t took, Instant now)
{
    int64_t id = kit_job(s, "backup", "shop", now - took);
    bool done;
    AUTO(char) result = mem_printf("{\"rows\": %lld}", (long long)rows);
    StateProgress progress = {.bytes_done = bytes};
    StateJobEnd end = {.status = JOB_SUCCEEDED,
                       .exit_status = 0,
                       .now = now,
                       .result = rows < 0 ? "no JSON" : result,
                       .progress = &progress};
    OK(state_job_start(s, id, getpid(), now - took, &done));
    OK(state_job_finish(s, id, &end, &done));
    return id;
}

static void test_anomalies(void **state)
{
    static const struct {
        int64_t rows;
        uint64_t bytes;
        int64_t took;
        const char *told, *says;
    } steps[] = {
        {100000, 1000000000, 600000, "", NULL},
        {1, 5, 6000000, "", NULL}, /* too few to compare with */
        {100000, 1000000000, 600000, "", NULL},
        {110000, 1000000000, 600000, "", NULL},
        {100000, 1100000000, 600000, "", NULL},
        {100000, 1000000000, 700000, "", NULL},
        {190000, 1900000000, 1200000, "", NULL}, /* larger, and within bounds */
        {10, 1000000000, 600000, "anomaly shop", "10 rows, and usually 100000"},
        {0, 1000000000, 600000, "", NULL}, /* still so */
        {100000, 1000000000, 600000, "", NULL},
        {100000, 100000000, 600000, "anomaly shop", "100 MB, and usually 1.00 GB"},
        {-1, 1000000000, 600000, "", NULL}, /* it does not say how many rows */
        {100000, 1000000000, 6000000, "anomaly shop", "it took"},
    };
    AUTO(State) s = fresh();
    AUTO(Notifier) n = kit_notifier(WEBHOOK);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        Instant now = KIT_NOW + (int64_t)i * DAY;
        int64_t id = sized(s, steps[i].rows, steps[i].bytes, steps[i].took, now);
        OK(notify_job_ended(s, n, id, false, now));
        TOLD(steps[i].told);
        if (!steps[i].says)
            continue;
        AUTO_VALUE(StateOutbox) l = {0};
        OK(state_outbox_list(s, 0, 0, 1, &l));
        if (!strstr(l.items[0].payload, steps[i].says))
            print_error("%s\n", l.items[0].payload);
        assert_non_null(strstr(l.items[0].payload, steps[i].says));
    }
    (void)state;
}

/* With the end of the job itself, or not at all. */
static Error *ends_and_breaks(State *s, void *ctx)
{
    int64_t id = ended(s, "backup", "shop", "TIMEOUT", KIT_NOW, 1);
    TRY(notify_job_ended(s, ctx, id, false, KIT_NOW));
    FAIL(ERR_INTERNAL, "it breaks");
}

static void test_within_a_transaction(void **state)
{
    (void)state;
    AUTO(State) s = fresh();
    AUTO(Notifier) n = kit_notifier(WEBHOOK);
    FAILS(ERR_INTERNAL, state_together(s, ends_and_breaks, n));
    TOLD("");
    assert_int_equal(kit_number(s, "SELECT count(*) FROM condition"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_one_for_one_cause),
        KIT_TEST(test_shared_causes),
        KIT_TEST(test_what_is_wanted),
        KIT_TEST(test_entries),
        KIT_TEST(test_pings),
        KIT_TEST(test_missed),
        KIT_TEST(test_stale),
        KIT_TEST(test_stale_of_entries),
        KIT_TEST(test_never_a_good_one),
        KIT_TEST(test_disk),
        KIT_TEST(test_anomalies),
        KIT_TEST(test_within_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
