/* Which backups stay, as a table of cases: a policy, a day, backups from the oldest to the newest,
 * and which of them stay. */
#include "../unit.h"

#include "op/retention.h"
#include "repo/lineage.h"

typedef struct Case {
    const char *name, *zone, *now;
    RetentionPolicy policy;
    /* One backup a line: instant, then words: bad, good (proven), quick (proven so), pin, part,
     * other (another server), import, key=value; before it + or -, whether it stays. */
    const char *backups;
} Case;

#define LAST(n) .keep[RETENTION_LAST] = (n)
#define HOURLY(n) .keep[RETENTION_HOURLY] = (n)
#define DAILY(n) .keep[RETENTION_DAILY] = (n)
#define WEEKLY(n) .keep[RETENTION_WEEKLY] = (n)
#define MONTHLY(n) .keep[RETENTION_MONTHLY] = (n)
#define YEARLY(n) .keep[RETENTION_YEARLY] = (n)
#define DAYS_MS(n) ((int64_t)(n)*86400000)

static char *tag_why[] = {(char *)"keep=yes"};
static const StrList tags_yes = {tag_why, 1, 1};

static const Case cases[] = {
    {"thirty days of nightly ones",
     "UTC",
     "2026-03-15T04:00:00Z",
     {.days = 30},
     "- 2026-02-12T03:00:00Z\n"
     "+ 2026-02-13T03:00:00Z\n" /* exactly thirty days before the newest */
     "+ 2026-02-14T03:00:00Z\n"
     "+ 2026-03-14T03:00:00Z\n"
     "+ 2026-03-15T03:00:00Z\n"},
    {"age counts from the newest good one, not from today",
     "UTC",
     "2027-01-01T00:00:00Z",
     {.days = 30},
     "- 2026-01-01T03:00:00Z\n"
     "+ 2026-02-20T03:00:00Z\n"
     "+ 2026-03-14T03:00:00Z\n"
     "+ 2026-03-15T03:00:00Z\n"},
    {"damaged and filtered ones are not the newest good one",
     "UTC",
     "2026-06-01T00:00:00Z",
     {.days = 10},
     "- 2026-01-01T03:00:00Z\n"
     "+ 2026-01-05T03:00:00Z\n"
     "+ 2026-01-12T03:00:00Z\n"
     "+ 2026-05-01T03:00:00Z bad\n"
     "+ 2026-05-02T03:00:00Z part\n"},
    {"a filtered one goes by the age of whole ones",
     "UTC",
     "2026-06-01T00:00:00Z",
     {.days = 10},
     "- 2026-01-01T03:00:00Z part\n"
     "+ 2026-05-30T03:00:00Z part\n"
     "+ 2026-05-30T04:00:00Z\n"
     "+ 2026-05-31T03:00:00Z\n"},
    {"without a whole one the last filtered one stays",
     "UTC",
     "2026-06-01T00:00:00Z",
     {.days = 1},
     "- 2026-01-01T03:00:00Z part\n"
     "- 2026-02-01T03:00:00Z part\n"
     "+ 2026-02-09T03:00:00Z part\n"
     "+ 2026-02-09T04:00:00Z part\n"},
    {"nothing goes where none is good",
     "UTC",
     "2026-06-01T00:00:00Z",
     {.days = 1, LAST(1)},
     "+ 2026-01-01T03:00:00Z bad\n"
     "+ 2026-02-01T03:00:00Z bad\n"},
    {"the last good one stays, whatever follows it",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(1)},
     "- 2026-01-01T03:00:00Z\n"
     "+ 2026-02-01T03:00:00Z\n"
     "+ 2026-03-01T03:00:00Z bad\n"
     "+ 2026-04-01T03:00:00Z bad\n"},
    {"a damaged one takes no place",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(2)},
     "- 2026-01-01T03:00:00Z bad\n"
     "+ 2026-02-01T03:00:00Z\n"
     "+ 2026-03-01T03:00:00Z bad\n"
     "+ 2026-04-01T03:00:00Z\n"},
    {"the last proven one stays",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(1)},
     "- 2026-01-01T03:00:00Z good\n"
     "+ 2026-02-01T03:00:00Z good\n"
     "- 2026-03-01T03:00:00Z\n"
     "+ 2026-04-01T03:00:00Z\n"},
    {"a quick look is no proof that displaces a real one",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(1)},
     "- 2026-01-01T03:00:00Z quick\n"
     "+ 2026-02-01T03:00:00Z good\n"
     "- 2026-03-01T03:00:00Z quick\n"
     "+ 2026-04-01T03:00:00Z quick\n"},
    {"pinned ones stay, and count",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(2)},
     "+ 2026-01-01T03:00:00Z pin\n"
     "- 2026-02-01T03:00:00Z\n"
     "+ 2026-03-01T03:00:00Z pin\n"
     "+ 2026-04-01T03:00:00Z\n"},
    {"tags",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(1), .tags = &tags_yes},
     "+ 2026-01-01T03:00:00Z keep=yes\n"
     "- 2026-02-01T03:00:00Z keep=no\n"
     "- 2026-03-01T03:00:00Z keep=yes2\n"
     "+ 2026-04-01T03:00:00Z\n"},
    {"groups by a tag",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(1), .group_by_tag = "why"},
     "- 2026-01-01T03:00:00Z why=a\n"
     "+ 2026-02-01T03:00:00Z why=b\n"
     "+ 2026-03-01T03:00:00Z why=a\n"
     "- 2026-03-02T03:00:00Z\n"
     "+ 2026-04-01T03:00:00Z\n"},
    {"servers of one address and name are two",
     "UTC",
     "2026-06-01T00:00:00Z",
     {LAST(1)},
     "- 2026-01-01T03:00:00Z\n"
     "- 2026-01-02T03:00:00Z other\n"
     "+ 2026-02-01T03:00:00Z other\n"
     "+ 2026-04-01T03:00:00Z\n"},
    {"daily: the newest of each day, in the zone's days",
     "Europe/Berlin",
     "2026-01-10T12:00:00Z",
     {DAILY(2)},
     "- 2026-01-08T22:30:00Z\n" /* 23:30 */
     "+ 2026-01-09T22:59:00Z\n" /* 23:59: the last of the 9th */
     "- 2026-01-09T23:30:00Z\n" /* 00:30 on the 10th */
     "+ 2026-01-10T11:00:00Z\n"},
    {"the same in UTC",
     "UTC",
     "2026-01-10T12:00:00Z",
     {DAILY(2)},
     "- 2026-01-08T22:30:00Z\n"
     "- 2026-01-09T22:59:00Z\n"
     "+ 2026-01-09T23:30:00Z\n"
     "+ 2026-01-10T11:00:00Z\n"},
    {"days without a backup take no place",
     "UTC",
     "2026-01-30T12:00:00Z",
     {DAILY(3)},
     "- 2026-01-01T03:00:00Z\n"
     "+ 2026-01-05T03:00:00Z\n"
     "+ 2026-01-20T03:00:00Z\n"
     "+ 2026-01-29T03:00:00Z\n"},
    {"the oldest stays while there is room",
     "UTC",
     "2026-01-30T12:00:00Z",
     {DAILY(3)},
     "+ 2026-01-28T03:00:00Z\n"
     "- 2026-01-28T04:00:00Z\n"
     "+ 2026-01-28T05:00:00Z\n"
     "+ 2026-01-29T03:00:00Z\n"},
    {"an hour that is there twice (Berlin, October)",
     "Europe/Berlin",
     "2026-10-25T12:00:00Z",
     {HOURLY(3)},
     "- 2026-10-24T23:30:00Z\n" /* 01:30 */
     "+ 2026-10-25T00:30:00Z\n" /* 02:30, summer */
     "+ 2026-10-25T01:30:00Z\n" /* 02:30, winter */
     "+ 2026-10-25T02:30:00Z\n"},
    {"an hour that is not there (Berlin, March)",
     "Europe/Berlin",
     "2026-03-29T12:00:00Z",
     {HOURLY(2)},
     "- 2026-03-29T00:10:00Z\n"
     "+ 2026-03-29T00:50:00Z\n" /* 01:50 */
     "- 2026-03-29T01:10:00Z\n" /* 03:10 */
     "+ 2026-03-29T01:50:00Z\n"},
    {"the same in New York, November",
     "America/New_York",
     "2026-11-01T12:00:00Z",
     {HOURLY(3)},
     "- 2026-11-01T04:30:00Z\n"
     "+ 2026-11-01T05:30:00Z\n" /* 01:30 EDT */
     "+ 2026-11-01T06:30:00Z\n" /* 01:30 EST */
     "+ 2026-11-01T07:30:00Z\n"},
    {"a day of 25 hours is one day (New York)",
     "America/New_York",
     "2026-11-02T12:00:00Z",
     {DAILY(2)},
     "- 2026-11-01T03:59:00Z\n" /* 23:59 on 31 October */
     "- 2026-11-01T04:00:00Z\n" /* midnight */
     "+ 2026-11-02T04:59:00Z\n" /* 23:59 */
     "+ 2026-11-02T05:00:00Z\n"},
    {"thirty days across a change of clocks (Berlin)",
     "Europe/Berlin",
     "2026-04-10T03:00:00Z",
     {.days = 30},
     "- 2026-03-10T02:00:00Z\n"
     "+ 2026-03-11T02:00:00Z\n" /* 03:00, as the newest: 30 days, and only 719 hours */
     "+ 2026-04-09T01:00:00Z\n"
     "+ 2026-04-10T01:00:00Z\n"},
    {"and back (New York)",
     "America/New_York",
     "2026-11-10T12:00:00Z",
     {.days = 30},
     "- 2026-10-10T07:00:00Z\n"
     "+ 2026-10-11T07:00:00Z\n" /* 03:00, as the newest: 721 hours */
     "+ 2026-11-09T08:00:00Z\n"
     "+ 2026-11-10T08:00:00Z\n"},
    {"weeks begin on Monday",
     "UTC",
     "2026-01-12T12:00:00Z",
     {WEEKLY(2)},
     "- 2025-12-28T03:00:00Z\n"
     "- 2026-01-10T03:00:00Z\n"
     "+ 2026-01-11T03:00:00Z\n" /* Sunday */
     "+ 2026-01-12T03:00:00Z\n"},
    {"a week across two years is one",
     "UTC",
     "2026-01-05T12:00:00Z",
     {WEEKLY(2)},
     "- 2025-12-29T03:00:00Z\n"
     "- 2025-12-31T03:00:00Z\n"
     "+ 2026-01-04T03:00:00Z\n"
     "+ 2026-01-05T03:00:00Z\n"},
    {"months, with a leap day",
     "UTC",
     "2024-04-01T12:00:00Z",
     {MONTHLY(3)},
     "- 2024-01-31T03:00:00Z\n"
     "- 2024-02-28T03:00:00Z\n"
     "+ 2024-02-29T03:00:00Z\n"
     "- 2024-03-01T03:00:00Z\n"
     "+ 2024-03-31T03:00:00Z\n"
     "+ 2024-04-01T03:00:00Z\n"},
    {"thirty days before 30 March of a leap year",
     "UTC",
     "2024-03-30T12:00:00Z",
     {.days = 30},
     "- 2024-02-28T03:00:00Z\n"
     "+ 2024-02-29T03:00:00Z\n"
     "+ 2024-03-29T03:00:00Z\n"
     "+ 2024-03-30T03:00:00Z\n"},
    {"years, by the zone's new year",
     "America/New_York",
     "2026-01-02T12:00:00Z",
     {YEARLY(2)},
     "- 2025-12-31T20:00:00Z\n"
     "+ 2026-01-01T04:59:00Z\n" /* still 2025 there */
     "- 2026-01-01T05:00:00Z\n"
     "+ 2026-01-02T03:00:00Z\n"},
    {"rules add up",
     "UTC",
     "2026-01-31T12:00:00Z",
     {LAST(1), DAILY(2), MONTHLY(2)},
     "- 2025-12-30T03:00:00Z\n"
     "+ 2025-12-31T03:00:00Z\n" /* monthly */
     "- 2026-01-29T03:00:00Z\n"
     "+ 2026-01-30T03:00:00Z\n" /* daily */
     "+ 2026-01-31T03:00:00Z\n"},
    {"within",
     "UTC",
     "2026-02-01T00:00:00Z",
     {.within_ms = DAYS_MS(2)},
     "- 2026-01-28T02:59:59Z\n"
     "+ 2026-01-29T03:00:00Z\n"
     "+ 2026-01-30T03:00:00Z\n"
     "+ 2026-01-31T03:00:00Z\n"},
    {"two in the same second",
     "UTC",
     "2026-02-01T00:00:00Z",
     {LAST(1)},
     "- 2026-01-31T03:00:00Z\n"
     "- 2026-01-31T03:00:00Z\n"
     "+ 2026-01-31T03:00:00Z\n"},
    {"one from a clock that was a year ahead is not counted",
     "UTC",
     "2026-02-03T00:00:00Z",
     {.days = 30, LAST(1)},
     "- 2025-12-01T03:00:00Z\n"
     "+ 2026-02-01T03:00:00Z\n"
     "+ 2027-02-02T03:00:00Z\n"
     "+ 2026-02-02T03:00:00Z\n"},
    {"while the clock is a year ahead nothing goes at once",
     "UTC",
     "2027-02-03T00:00:00Z",
     {.days = 30},
     "- 2025-12-01T03:00:00Z\n"
     "+ 2026-01-31T03:00:00Z\n"
     "+ 2026-02-01T03:00:00Z\n"
     "+ 2027-02-02T03:00:00Z\n"},
    {"a clock that went back: the newest is the last of its lineage",
     "UTC",
     "2026-02-10T00:00:00Z",
     {LAST(1)},
     "- 2026-02-08T03:00:00Z\n"
     "- 2026-02-09T03:00:00Z\n"
     "+ 2020-01-01T03:00:00Z\n"},
    {"a clock that goes back and forth makes no two of a day",
     "UTC",
     "2026-02-10T00:00:00Z",
     {DAILY(3)},
     "- 2026-02-05T03:00:00Z\n"
     "+ 2026-02-08T03:00:00Z\n"
     "- 2026-02-09T01:00:00Z\n"
     "+ 2026-02-03T01:00:00Z\n"
     "+ 2026-02-09T03:00:00Z\n"},
    {"after a long pause the first one lets nothing go",
     "UTC",
     "2026-08-01T04:00:00Z",
     {.days = 30},
     "- 2026-02-01T03:00:00Z\n"
     "+ 2026-04-20T03:00:00Z\n"
     "+ 2026-05-01T03:00:00Z\n"
     "+ 2026-08-01T03:00:00Z\n"},
    {"the second one does",
     "UTC",
     "2026-08-02T04:00:00Z",
     {.days = 30},
     "- 2026-04-20T03:00:00Z\n"
     "- 2026-05-01T03:00:00Z\n"
     "+ 2026-08-01T03:00:00Z\n"
     "+ 2026-08-02T03:00:00Z\n"},
    {"imported ones go by the dump's time",
     "UTC",
     "2026-08-02T04:00:00Z",
     {LAST(1)},
     "+ 2026-05-01T03:00:00Z import\n"
     "- 2020-01-01T03:00:00Z import\n"
     "- 2026-04-30T03:00:00Z import\n"},
    {"no rule keeps all",
     "UTC",
     "2026-08-02T04:00:00Z",
     {.days = 0},
     "+ 2026-05-01T03:00:00Z\n"
     "+ 2026-06-01T03:00:00Z\n"},
    {"one alone stays", "UTC", "2030-01-01T00:00:00Z", {.days = 1}, "+ 2026-05-01T03:00:00Z\n"},
    {"before 1970",
     "America/New_York",
     "2026-01-01T00:00:00Z",
     {DAILY(2)},
     "- 1969-12-30T03:00:00Z\n"
     "+ 1969-12-31T03:00:00Z\n"
     "- 1970-01-01T03:00:00Z\n"
     "+ 1970-01-01T04:00:00Z\n"},
};

static void add_word(BackupInfo *b, const char *word)
{
    bool proof = !strcmp(word, "bad") || !strcmp(word, "good") || !strcmp(word, "quick");
    if (proof) {
        b->last_proof_level = mem_strdup(!strcmp(word, "quick") ? "quick" : "data");
        b->proven = strcmp(word, "bad") != 0;
    } else if (!strcmp(word, "pin")) {
        b->pinned = true;
    } else if (!strcmp(word, "part")) {
        free(b->filter);
        b->filter = mem_strdup("exclude-table=a");
    } else if (!strcmp(word, "other")) {
        free(b->system_identifier);
        b->system_identifier = mem_strdup("2");
    } else if (!strcmp(word, "import")) {
        b->database_oid = 0;
        free(b->server);
        free(b->system_identifier);
        b->server = mem_strdup("import");
        b->system_identifier = mem_strdup("");
    } else {
        strlist_add(&b->tags, word);
    }
}

/* expected[sequence]: whether it stays. */
static void read_backups(const char *text, BackupList *out, bool *expected)
{
    AUTO(char) copy = mem_strdup(text);
    char *save_line = NULL, *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save_line); line;
         line = strtok_r(NULL, "\n", &save_line)) {
        mem_grow(out->items, out->count, out->cap);
        BackupInfo *b = &out->items[out->count++];
        *b = (BackupInfo){.database = mem_strdup("shop"),
                          .server = mem_strdup("localhost:5432"),
                          .system_identifier = mem_strdup("1"),
                          .filter = mem_strdup(""),
                          .database_oid = 16384,
                          .sequence = out->count};
        expected[b->sequence] = *strtok_r(line, " ", &save) == '+';
        OK(clock_parse(strtok_r(NULL, " ", &save), &b->timestamp));
        b->id = mem_printf("shop-%03zu", out->count);
        for (char *word = strtok_r(NULL, " ", &save); word; word = strtok_r(NULL, " ", &save))
            add_word(b, word);
    }
}

static void run_case(const Case *c)
{
    AUTO_VALUE(BackupList) list = {0};
    AUTO(Zone) zone = NULL;
    bool expected[64] = {false}, failed = false;
    RetentionPolicy policy = c->policy;
    Instant now;
    OK(zone_open(c->zone, &zone));
    OK(clock_parse(c->now, &now));
    policy.zone = zone;
    read_backups(c->backups, &list, expected);
    lineage_sort(list.items, list.count);
    RetentionVerdict *v = mem_calloc(list.count, sizeof *v);
    retention_decide(&list, &policy, now, v);
    for (size_t i = 0; i < list.count; i++) {
        char time[CLOCK_TEXT];
        const BackupInfo *b = &list.items[i];
        assert_true(v[i].why.count > 0);
        if (v[i].keep != expected[b->sequence]) {
            print_error("%s: %s of %s %s (%s)\n", c->name, b->id, clock_iso(b->timestamp, time),
                        v[i].keep ? "stays" : "goes", v[i].why.items[0]);
            failed = true;
        }
        retention_verdict_clear(&v[i]);
    }
    free(v);
    assert_false(failed);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_case(&cases[i]);
}

/* Whatever the policy and the backups: each lineage keeps its last good and its last proven one. */
static void test_never(void **state)
{
    (void)state;
    AUTO(Zone) zone = NULL;
    OK(zone_open("Europe/Berlin", &zone));
    uint64_t r = 12345;
    for (int round = 0; round < 2000; round++) {
        AUTO_VALUE(BackupList) list = {0};
        Instant now = 1767225600000;
        const BackupInfo *good = NULL, *proven = NULL;
        for (size_t i = 0; i < 12; i++) {
            r = r * 6364136223846793005ull + 1442695040888963407ull;
            mem_grow(list.items, list.count, list.cap);
            BackupInfo *b = &list.items[list.count++];
            *b = (BackupInfo){.id = mem_printf("shop-%03zu", i),
                              .database = mem_strdup("shop"),
                              .server = mem_strdup("s"),
                              .system_identifier = mem_strdup("1"),
                              .filter = mem_strdup(""),
                              .database_oid = 1,
                              .sequence = i + 1,
                              .timestamp = now - (Instant)(r >> 40) % 200 * 86400000ll};
            if (r >> 33 & 1)
                add_word(b, r >> 34 & 1 ? "bad" : "good");
        }
        RetentionPolicy p = {.zone = zone,
                             .days = (unsigned)(r >> 20 & 3),
                             .keep = {(unsigned)(r >> 22 & 1), 0, (unsigned)(r >> 23 & 3)}};
        lineage_sort(list.items, list.count);
        RetentionVerdict *v = mem_calloc(list.count, sizeof *v);
        retention_decide(&list, &p, now, v);
        for (size_t i = 0; i < list.count; i++) {
            good = lineage_good(&list.items[i]) ? &list.items[i] : good;
            proven = list.items[i].proven ? &list.items[i] : proven;
        }
        assert_true(!good || v[good - list.items].keep);
        assert_true(!proven || v[proven - list.items].keep);
        for (size_t i = 0; i < list.count; i++)
            retention_verdict_clear(&v[i]);
        free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_never)};
    return cmocka_run_group_tests_name("op/retention", tests, NULL, NULL);
}
