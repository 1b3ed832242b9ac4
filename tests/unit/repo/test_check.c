#include "objects.h"

#include "repo/lineage.h"
#include "repo/pin.h"
#include "repo/trash.h"

#include "base/text.h"
#include "repo/check.h"

/* What check says of the changed repository: whether it names the object, at this level. */
static bool found_at(const Snapshot *s, const Change *changes, size_t count, CheckLevel level)
{
    AUTO(Repo) r = NULL;
    AUTO_VALUE(CheckReport) report = {0};
    const char *name = s->items[changes->object].name;
    Error *e = kit_open(rebuild_store(s, changes, count), &r);
    if (e) {
        bool key = text_starts(name, "keys/");
        assert_true(error_kind(e) == ERR_DAMAGED || (key && error_kind(e) == ERR_KEY));
        if (!error_hint_text(e))
            print_error("%s: without a hint: %s\n", name, error_message(e));
        assert_non_null(error_hint_text(e));
        assert_true(key || !strcmp(name, "config"));
        error_free(e);
        return true;
    }
    OK(check_run(r, NULL, level, 2, NULL, &report));
    for (size_t i = 0; i < report.count; i++)
        if (!strcmp(report.problems[i].object, name))
            return true;
    if (report.count)
        print_message("# %s: only found %s: %s\n", name, report.problems[0].object,
                      report.problems[0].what);
    return false;
}

/* -- what is promised -------------------------------------------------------------------------- */

enum { NEVER = -1 };

/* The level at which each damage of each kind of object is found. A flipped bit: in what `check`
 * reads at level quick (everything but the frames of packs), and in the frames. Objects whose
 * absence is a state of its own (no session, not deleted, not proven) cannot be missed. */
static const struct Promise {
    const char *prefix, *suffix;
    int deleted, truncated, flipped, swapped;
} promises[] = {
    {"config", "", CHECK_QUICK, CHECK_QUICK, CHECK_QUICK, NEVER /* it has no sibling */},
    {"keys/", "", CHECK_QUICK, CHECK_QUICK, CHECK_QUICK, NEVER},
    {"backups/", ".manifest", CHECK_QUICK, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"backups/", ".metadata.json", CHECK_QUICK, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"packs/", "", CHECK_QUICK, CHECK_QUICK, CHECK_DATA, CHECK_QUICK},
    {"sessions/", "", NEVER, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"trash/", "", NEVER, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"purges/", "", NEVER, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"pins/", "", NEVER, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"lineages/", "", NEVER, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"proofs/damage/", "", NEVER, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
    {"ledger/", "", NEVER, CHECK_QUICK, CHECK_QUICK, NEVER /* its name says nothing */},
    {"proofs/", "", NEVER, CHECK_QUICK, CHECK_QUICK, CHECK_QUICK},
};

static const struct Promise *promise_of(const char *name)
{
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++)
        if (text_starts(name, promises[i].prefix) && text_ends(name, promises[i].suffix))
            return &promises[i];
    fail_msg("nothing is promised of %s", name);
    return NULL;
}

static void expect(const Snapshot *s, const Change *changes, size_t count, int level,
                   const char *damage, size_t where)
{
    const char *name = s->items[changes->object].name;
    if (level == NEVER)
        return;
    if (!found_at(s, changes, count, (CheckLevel)level)) {
        print_error("%s, %s at byte %zu, is not found at level %s\n", name, damage, where,
                    check_level_name((CheckLevel)level));
        fail();
    }
}

static void expect_flip(const Snapshot *s, size_t object, size_t at, int level)
{
    AUTO_VALUE(Buf) b = {0};
    buf_add(&b, s->items[object].bytes.data, s->items[object].bytes.len);
    b.data[at] ^= (uint8_t)(1u << (at % 8));
    Change change = {object, &b};
    expect(s, &change, 1, level, "flipped", at);
}

/* The parts of a pack that quick reads: its header (54 bytes), its footer and trailer. */
static void flip_pack(const Snapshot *s, size_t object)
{
    const Buf *b = &s->items[object].bytes;
    const uint8_t *trailer = b->data + b->len - 12;
    size_t footer = (size_t)trailer[0] | (size_t)trailer[1] << 8 | (size_t)trailer[2] << 16;
    size_t end = b->len - 12 - footer - 16;
    static const size_t header[] = {0, 9, 10, 11, 13, 25, 29, 37, 40, 53};
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        expect_flip(s, object, header[i], CHECK_QUICK);
    for (size_t i = 0; i < 12; i++)
        expect_flip(s, object, end + (b->len - end - 1) * i / 11, CHECK_QUICK);
    for (size_t i = 0; i < 12; i++)
        expect_flip(s, object, 54 + (end - 55) * i / 11, CHECK_DATA);
}

static bool ignored(const char *name)
{
    return strstr(name, "gone-") && text_starts(name, "backups/");
}

/* -- making it ----------------------------------------------------------------------------------
 */

static void put_session(Repo *r, const char *backup)
{
    AUTO_VALUE(SessionInfo)
    s = {.kind = SESSION_READER, .backup_id = mem_strdup(backup), .what = mem_strdup("restore")};
    session_info_here(&s);
    OK(session_put(r, &s));
}

/* Two backups of two tables, two deleted ones, sessions, marks and proofs: of all at least two, so
 * that each has a sibling. */
static void fill(Repo *r, StrList *ids)
{
    KitTable t[2] = {kit_table("orders", 20001, 3, 4000, 0), kit_table("notes", 20002, 1, 50, 7)};
    WriterOptions o = kit_options();
    for (int i = 0; i < 2; i++) {
        AUTO_VALUE(BackupInfo) info = {0};
        for (int row = 0; row < 300; row++)
            kit_row(&t[0].pieces[2], (uint64_t)(50000 + i * 1000 + row), 3);
        kit_backup(r, &o, t, 2, &info);
        strlist_add(ids, info.id);
        put_session(r, info.id);
        OK(pin_put(r, info.id));
        OK(lineage_remember(r, &info, info.checksum));
    }
    o.database = "gone";
    o.database_oid = 77;
    for (int i = 0; i < 2; i++) {
        AUTO_VALUE(BackupInfo) info = {0};
        kit_backup(r, &o, t, 2, &info);
        OK(trash_put(r, info.id));
        OK(trash_undelete(r, info.id)); /* which leaves a decision */
        OK(trash_put(r, info.id));
    }
    PackId pack = {.session = session_id_new(), .n = 4};
    OK(damage_put(r, pack, 3, "a test"));
    OK(damage_put(r, pack, UINT32_MAX, "a test"));
    AUTO_VALUE(CheckReport) report = {0};
    OK(check_run(r, NULL, CHECK_REBUILD, 2, NULL, &report));
    for (size_t i = 0; i < report.count; i++)
        print_error("%s: %s\n", report.problems[i].object, report.problems[i].what);
    assert_int_equal(report.count, 0);
    assert_int_equal(report.good.count, 2);
    assert_int_equal(report.backups, 2);
    kit_free(&t[0]);
    kit_free(&t[1]);
}

static void test_every_damage(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(StrList) ids = {0};
    Snapshot s = {0};
    fill(r, &ids);
    snapshot(r, &s);
    size_t kinds = 0, swapped = 0, packs[2] = {0}; /* packs: data, recipes */
    for (size_t i = 0; i < s.count; i++) {
        const char *name = s.items[i].name;
        const Buf *b = &s.items[i].bytes;
        if (ignored(name))
            continue;
        const struct Promise *p = promise_of(name);
        kinds |= 1u << (p - promises);
        /* Packs that only deleted backups use are nobody's business. */
        Change deleted = {i, NULL};
        if (text_starts(name, "packs/") && !found_at(&s, &deleted, 1, CHECK_QUICK))
            continue;
        if (text_starts(name, "packs/"))
            packs[(b->data[10] == PACK_RECIPE)]++;
        expect(&s, &deleted, 1, p->deleted, "deleted", 0);
        size_t lengths[] = {0, 1, b->len / 2, b->len - 1};
        for (size_t k = 0; k < 4; k++) {
            Buf shorter = {b->data, lengths[k], 0};
            Change truncated = {i, &shorter};
            expect(&s, &truncated, 1, p->truncated, "truncated", lengths[k]);
        }
        if (text_starts(name, "packs/"))
            flip_pack(&s, i);
        for (size_t k = 0; k < 24 && !text_starts(name, "packs/"); k++)
            expect_flip(&s, i, (b->len - 1) * k / 23, p->flipped);
        for (size_t k = 0; k < s.count; k++)
            if (k != i && promise_of(s.items[k].name) == p && !ignored(s.items[k].name)) {
                Change swap[2] = {{i, &s.items[k].bytes}, {k, b}};
                expect(&s, swap, 2, p->swapped, "swapped", 0);
                swapped |= 1u << (p - promises);
                break;
            }
    }
    /* Nothing was left out by accident. */
    size_t count = sizeof promises / sizeof *promises, all = (1u << count) - 1;
    for (size_t i = 0; i < count; i++)
        if (!kit_encrypted() && !strcmp(promises[i].prefix, "keys/")) {
            assert_false(kinds & 1u << i);
            kinds |= 1u << i;
        }
    assert_int_equal(kinds, all);
    for (size_t i = 0; i < count; i++)
        assert_true(promises[i].swapped == NEVER || (swapped & 1u << i));
    assert_true(packs[0] >= 2 && packs[1] >= 2);
    snapshot_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
