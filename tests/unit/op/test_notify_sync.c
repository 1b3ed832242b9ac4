/* Syncs that a peer asked for and that died without a word: who is told, and when it is over. */
#include "notify_kit.h"

#include "../state/session_kit.h"
#include "base/doc.h"
#include "op/notify.h"
#include "state/state_outbox.h"

#define YAML                                                                                       \
    "notify:\n  webhook:\n    url: http://127.0.0.1:9/\n"                                          \
    "  minFree: 0\n"

/* What was told since it was last asked, "event: title" each. */
static char *told(State *s, int64_t *last)
{
    AUTO_VALUE(StateOutbox) l = {0};
    Buf b = {0};
    OK(state_outbox_list(s, 0, 0, 0, &l));
    for (size_t i = l.count; i-- > 0;) {
        AUTO(Doc) d = NULL;
        if (l.items[i].id <= *last)
            continue;
        OK(doc_parse(l.items[i].payload, strlen(l.items[i].payload), "it", &d));
        buf_printf(&b, "%s%s: %s", b.len ? "; " : "", l.items[i].event, doc_str(d, "title", ""));
        *last = l.items[i].id;
    }
    return buf_steal_str(&b);
}

typedef struct World {
    State *s;
    Notifier *n;
    int64_t last;
    Instant now;
} World;

static World begin(void)
{
    return (World){.s = kit_state(), .n = kit_notifier(YAML), .now = clock_now()};
}

static void end(World *w)
{
    state_close(w->s);
    notifier_free(w->n);
}

static void expect(World *w, const char *what)
{
    OK(notify_tick(w->s, w->n, w->now));
    AUTO(char) got = told(w->s, &w->last);
    assert_string_equal(got, what);
}

static StateSessionNew asked(const World *w, const char *id)
{
    StateSessionNew new = wanted(id, NULL);
    new.role = SYNC_REMOTE;
    new.pid = 0;
    new.now = w->now;
    return new;
}

static void dies(const World *w, const StateSessionNew *new)
{
    (void)opened(w->s, new);
    silence(SYNC_DEAD_MS + 1);
}

static void ends(const World *w, const char *id, SyncStatus status)
{
    StateSessionNew new = asked(w, id);
    StateSessionRef ref = opened(w->s, &new);
    end_as(w->s, &ref, status);
}

#define BROKEN "failure: the sync of shop that peer berlin asked for was broken off"
#define WORKS "recovered: the sync of shop that peer berlin asks for works again"

static void test_told_once_and_over(void **state)
{
    (void)state;
    World w = begin();
    StateSessionNew one = asked(&w, "one"), two = asked(&w, "two");
    expect(&w, "");
    dies(&w, &one);
    expect(&w, BROKEN);
    expect(&w, "");
    dies(&w, &two);
    expect(&w, ""); /* the same cause */
    ends(&w, "stopped", SYNC_CANCELLED);
    ends(&w, "failed", SYNC_FAILED); /* which whoever asked for it knows */
    expect(&w, "");
    ends(&w, "good", SYNC_COMPLETED);
    expect(&w, WORKS);
    expect(&w, "");
    end(&w);
}

/* Each by itself: another peer, direction, database. */
static void test_each_by_itself(void **state)
{
    (void)state;
    World w = begin();
    StateSessionNew one = asked(&w, "one"), two = asked(&w, "two");
    two.direction = SYNC_PUSH;
    dies(&w, &one);
    dies(&w, &two);
    expect(&w, BROKEN "; " BROKEN);
    ends(&w, "good", SYNC_COMPLETED);
    expect(&w, WORKS);
    end(&w);
}

/* One that goes on is no news yet, and one that tells its end late is well. */
static void test_late(void **state)
{
    (void)state;
    World w = begin();
    StateSessionNew one = asked(&w, "one"), two = asked(&w, "two");
    dies(&w, &one);
    expect(&w, BROKEN);
    (void)opened(w.s, &two);
    expect(&w, "");
    end_as(w.s, &(StateSessionRef){"two", SYNC_REMOTE, 1}, SYNC_FAILED);
    expect(&w, "");
    StateSessionNew three = asked(&w, "three");
    dies(&w, &three);
    assert_int_equal(kit_number(w.s, "SELECT count(*) FROM full_sync_sessions WHERE ended IS NULL"),
                     1);
    expect(&w, "");
    end_as(w.s, &(StateSessionRef){"three", SYNC_REMOTE, 1}, SYNC_COMPLETED);
    expect(&w, WORKS);
    end(&w);
}

static void test_nobodys_news(void **state)
{
    (void)state;
    World w = begin();
    /* Whose job failed, which was told of. */
    StateSessionNew job = asked(&w, "job"), dry = asked(&w, "dry"), own = asked(&w, "own"),
                    old = asked(&w, "old");
    job.job = kit_ended(w.s, "sync", "shop", KIT_NOW, 3, JOB_FAILED);
    dies(&w, &job);
    expect(&w, "");
    /* Nothing was to be changed. */
    dry.options = "{\"dryRun\": true}";
    dry.direction = SYNC_PUSH;
    dies(&w, &dry);
    expect(&w, "");
    /* A run of this host is a job of it. */
    own.role = SYNC_INITIATOR;
    dies(&w, &own);
    expect(&w, "");
    /* Long ago. */
    dies(&w, &old);
    OK(state_session_expire(w.s, false, w.now - 2 * DAY, NULL));
    expect(&w, "");
    /* A job that had done what it was for. */
    StateSessionNew served = asked(&w, "served");
    served.job = kit_ended(w.s, "sync-backup", "shop", KIT_NOW, 3, JOB_SUCCEEDED);
    dies(&w, &served);
    expect(&w, BROKEN);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_told_once_and_over),
        KIT_TEST(test_each_by_itself),
        KIT_TEST(test_late),
        KIT_TEST(test_nobodys_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
