#include "kit.h"

#include "repo/check.h"
#include "repo/ledger.h"
#include "repo/repo_internal.h"

#define DAY 86400000ll

static PackId pack(uint64_t i)
{
    PackId id = {.n = (uint32_t)(i % 7)};
    uint64_t session[2] = {kit_mix(i / 7), i / 7};
    memcpy(id.session.b, session, SESSION_BYTES);
    return id;
}

static void put(Repo *r, uint64_t from, uint64_t to, Instant when)
{
    PackId *packs = mem_calloc(to - from, sizeof *packs);
    for (uint64_t i = from; i < to; i++)
        packs[i - from] = pack(i);
    OK(ledger_put(r, packs, to - from, when));
    free(packs);
}

static Instant when(Repo *r, uint64_t i)
{
    AUTO(Ledger) l = NULL;
    OK(ledger_read(r, &l));
    return ledger_when(l, pack(i));
}

static void test_the_newest_counts(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    Instant now = clock_now();
    assert_int_equal(when(r, 1), 0);
    put(r, 0, 10, now - 9 * DAY);
    put(r, 0, 5, now - 2 * DAY);
    put(r, 0, 3, now - 4 * DAY);
    /* A host whose clock was wrong. */
    put(r, 0, 20, now + 400 * DAY);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(when(r, i), i < 5 ? now - 2 * DAY : i < 10 ? now - 9 * DAY : 0);
}

static void spoil(Repo *r, const char *name)
{
    AUTO_VALUE(Buf) b = {0};
    OK(store_get_all(repo_store(r), name, 1u << 20, &b));
    b.data[b.len / 3] ^= 4;
    OK(store_delete(repo_store(r), name));
    OK(store_put(repo_store(r), name, b.data, b.len));
}

/* What cannot be read makes for more work, not for trust. */
static void test_damaged_note(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(StrList) names = {0};
    Instant now = clock_now();
    put(r, 0, 10, now - DAY);
    OK(note_names(repo_store(r), "ledger/", &names));
    assert_int_equal(names.count, 1);
    OK(ledger_check_note(r, names.items[0]));
    spoil(r, names.items[0]);
    FAILS(ERR_DAMAGED, ledger_check_note(r, names.items[0]));
    put(r, 5, 20, now - 2 * DAY);
    assert_int_equal(when(r, 0), 0);
    assert_int_equal(when(r, 5), now - 2 * DAY);
}

static bool is_even(void *ctx, PackId id)
{
    (void)ctx;
    return id.n % 2 == 0;
}

static void test_compaction(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO(Ledger) l = NULL;
    AUTO(Ledger) other = NULL;
    AUTO(Ledger) after = NULL;
    Instant now = clock_now();
    for (unsigned i = 0; i < LEDGER_NOTES_MAX; i++)
        put(r, i, i + 20, now - (100 - i) * DAY);
    OK(ledger_read(r, &l));
    OK(ledger_compact(r, l, NULL, NULL));
    assert_int_equal(when(r, 0), now - 100 * DAY); /* not yet many */
    put(r, 0, 1, now - DAY);
    ledger_free(STEAL(l));
    OK(ledger_read(r, &l));
    OK(ledger_read(r, &other));
    assert_int_equal(ledger_notes(l), LEDGER_NOTES_MAX + 1);
    OK(ledger_compact(r, l, is_even, NULL));
    /* Somebody who did the same at the same time takes nothing away from it. */
    OK(ledger_compact(r, other, NULL, NULL));
    OK(ledger_read(r, &after));
    assert_int_equal(ledger_notes(after), 2);
    for (uint64_t i = 0; i < LEDGER_NOTES_MAX + 19; i++)
        assert_int_equal(ledger_when(after, pack(i)), ledger_when(l, pack(i)));
    assert_int_equal(ledger_when(after, pack(0)), now - DAY);
}

/* A hundred thousand packs, each checked by several runs. */
static void test_many(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO(Ledger) l = NULL;
    uint64_t many = kit_sanitized() ? 10000 : 100000;
    Instant now = clock_now();
    for (int i = 0; i < 4; i++)
        put(r, 0, many, now - (10 - i) * DAY);
    OK(ledger_read(r, &l));
    assert_int_equal(ledger_packs(l), many);
    assert_int_equal(ledger_notes(l), 4 * ((many + LEDGER_NOTE_PACKS - 1) / LEDGER_NOTE_PACKS));
    for (uint64_t i = 0; i < many; i += 997)
        assert_int_equal(ledger_when(l, pack(i)), now - 7 * DAY);
}

/* -- checking by it --------------------------------------------------------------------------- */

typedef struct Shop {
    Repo *repo;
    StrList ids;
    unsigned days;
} Shop;

static void shop_clear(Shop *s)
{
    repo_free(s->repo);
    strlist_free(&s->ids);
}
DEFINE_AUTO_VALUE(Shop, shop_clear)

/* A backup of rows that no other has, so few that its recipe lies in the manifest: one pack. */
static void back_up(Shop *s)
{
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    KitTable t = kit_table("t", 16400, 1, 60 + 40 * (s->days % 3), s->days * 1000ull);
    o.timestamp += s->days++ * DAY;
    kit_backup(s->repo, &o, &t, 1, &info);
    strlist_add(&s->ids, info.id);
    kit_free(&t);
}

static void check(Shop *s, const CheckChoice *choice, CheckLevel level, CheckReport *out)
{
    check_report_clear(out);
    OK(check_run_part(s->repo, NULL, level, choice, 2, NULL, out));
}

static Error *must_be_read(void *ctx, const char *name, uint64_t size)
{
    PackId id;
    (void)size;
    assert_true(name_parse_pack(name, &id));
    if (!ledger_when(ctx, id))
        FAIL(ERR_NOT_FOUND, "%s was not read", name);
    return NULL;
}

static bool all_read(Shop *s)
{
    AUTO(Ledger) l = NULL;
    OK(ledger_read(s->repo, &l));
    AUTO(Error) e = store_list(repo_store(s->repo), "packs/", must_be_read, l);
    return !e;
}

static Instant last_proof(Shop *s, const char *id, const char *level)
{
    Instant proven;
    OK(proof_last_good(s->repo, id, level, &proven));
    return proven;
}

/* Twenty runs of 5 % read all that was there before the first of them, though a new backup comes
 * before each; and nobody is called good before all of its packs were read. */
static void test_sample(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {.repo = kit_repo()};
    AUTO_VALUE(CheckReport) report = {0};
    CheckChoice choice = {.share = 0.05};
    for (int i = 0; i < 30; i++)
        back_up(&s);
    uint64_t read = 0;
    for (int i = 0; i < 20; i++) {
        choice.since = clock_now() - 30 * DAY;
        check(&s, &choice, CHECK_DATA, &report);
        assert_int_equal(report.count, 0);
        assert_true(report.packs_read <= 3);
        assert_int_equal(report.good.count + report.partly_count, s.ids.count);
        for (size_t k = 0; k < s.ids.count; k++)
            assert_int_equal(strlist_has(&report.good, s.ids.items[k]),
                             last_proof(&s, s.ids.items[k], "data") != 0);
        read += report.packs_read;
        assert_int_equal(report.packs, s.ids.count);
        back_up(&s);
        if (i < 10)
            assert_false(all_read(&s));
    }
    assert_true(read <= 60);
    for (int i = 0; i < 30; i++)
        assert_true(last_proof(&s, s.ids.items[i], "data") > 0);
    assert_false(strlist_has(&report.good, s.ids.items[s.ids.count - 1]));
}

/* Without a time that earlier runs may be away only what one run reads is said of a backup. */
static void test_sample_covers(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {.repo = kit_repo()};
    AUTO_VALUE(CheckReport) report = {0};
    CheckChoice choice = {.share = 0.05};
    for (int i = 0; i < 12; i++)
        back_up(&s);
    for (int i = 0; i < 12; i++) {
        check(&s, &choice, CHECK_DATA, &report);
        assert_int_equal(report.packs_read, 1);
        assert_int_equal(report.good.count, 1);
        assert_int_equal(report.partly_count, 11);
    }
    assert_true(all_read(&s));
}

static void test_older_than(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {.repo = kit_repo()};
    AUTO_VALUE(CheckReport) report = {0};
    CheckChoice choice = {.share = 1, .since = clock_now() - 30 * DAY};
    back_up(&s);
    back_up(&s);
    check(&s, NULL, CHECK_DATA, &report);
    assert_int_equal(report.packs_read, 2);
    back_up(&s);
    check(&s, &choice, CHECK_DATA, &report);
    assert_int_equal(report.packs, 3);
    assert_int_equal(report.packs_read, 1);
    assert_int_equal(report.good.count, 3);
    assert_int_equal(report.partly_count, 0);
    /* At rebuild nothing was proven yet: the streams are read, the packs not again. */
    assert_int_equal(last_proof(&s, s.ids.items[0], "rebuild"), 0);
    check(&s, &choice, CHECK_REBUILD, &report);
    assert_int_equal(report.packs_read, 0);
    assert_int_equal(report.good.count, 3);
    assert_true(last_proof(&s, s.ids.items[0], "rebuild") > 0);
    assert_true(last_proof(&s, s.ids.items[0], "data") > 0);
}

/* A damaged pack is read every time until it is found whole; and a look that sees less does not
 * take back what was found. */
static void test_damage_stays(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {.repo = kit_repo()};
    AUTO_VALUE(CheckReport) report = {0};
    AUTO(Manifest) m = NULL;
    AUTO_VALUE(BackupInfo) info = {0};
    CheckChoice choice = {.share = 0.01, .since = clock_now() - 30 * DAY};
    char name[NAME_TEXT];
    back_up(&s);
    back_up(&s);
    check(&s, NULL, CHECK_DATA, &report);
    OK(catalog_load(s.repo, s.ids.items[0], &m));
    spoil(s.repo, name_pack(m->packs[0].id, name));
    check(&s, NULL, CHECK_DATA, &report);
    assert_int_equal(report.bad.count, 1);
    assert_int_equal(report.loss_count, 1);
    assert_string_equal(report.losses[0].backup, s.ids.items[0]);
    assert_int_equal(report.losses[0].tables_lost, 1);
    assert_string_equal(report.losses[0].streams.items[0], "public.t");
    for (int i = 0; i < 2; i++) {
        check(&s, &choice, CHECK_DATA, &report);
        assert_int_equal(report.packs_read, 1);
        assert_int_equal(report.bad.count, 1);
        assert_int_equal(report.good.count, 1);
    }
    check(&s, NULL, CHECK_QUICK, &report);
    assert_int_equal(report.bad.count, 0);
    info.id = mem_strdup(s.ids.items[0]);
    OK(catalog_add_proof(s.repo, &info));
    assert_false(info.proven);
    assert_string_equal(info.last_proof_level, "data");
    assert_int_equal(last_proof(&s, s.ids.items[0], "data"), 0);
    spoil(s.repo, name); /* back again */
    check(&s, &choice, CHECK_DATA, &report);
    assert_int_equal(report.bad.count, 0);
    assert_int_equal(report.good.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_counts),
        cmocka_unit_test(test_damaged_note),
        cmocka_unit_test(test_compaction),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_sample_covers),
        cmocka_unit_test(test_older_than),
        cmocka_unit_test(test_damage_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
