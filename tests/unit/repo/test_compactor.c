#include "kit.h"

#include "repo/compactor.h"

/* -- what one run may write again ------------------------------------------------------------- */

static uint64_t limit(uint64_t new_bytes)
{
    BackupInfo parent = {.logical_size = 1000000, .size = 400000, .new_bytes = new_bytes};
    return rewrite_limit(&parent);
}

static void test_limit(void **state)
{
    (void)state;
    assert_int_equal(limit(0), 50000);
    assert_int_equal(limit(60000), 50000); /* a quarter of 15 % is less than 5 % */
    assert_int_equal(limit(130000), 80000);
    assert_int_equal(limit(400000), 100000);
    assert_int_equal(limit(UINT64_MAX), 100000);
    BackupInfo empty = {0};
    assert_int_equal(rewrite_limit(&empty), 0);
}

/* -- which packs are sparse ------------------------------------------------------------------- */

typedef struct Offer {
    PackKind kind;
    uint64_t raw, used;
} Offer;

/* The packs of a parent of 10 MB, of which its own run wrote little. They are all small ones. */
static ParentPacks *offer(Repo *r, const Offer *offers, size_t count)
{
    AUTO(Manifest) m = manifest_new();
    ParentPacks *p;
    m->info.logical_size = 10000000;
    m->info.size = 4000000;
    for (size_t i = 0; i < count; i++) {
        char name[NAME_TEXT];
        PackInfo pack = {.id = {.n = (uint32_t)i},
                         .kind = offers[i].kind,
                         .size = 100,
                         .raw = offers[i].raw,
                         .used = offers[i].used};
        uint8_t bytes[100] = {0};
        OK(store_put(repo_store(r), name_pack(pack.id, name), bytes, sizeof bytes));
        mem_grow(m->packs, m->pack_count, m->pack_cap);
        m->packs[m->pack_count++] = pack;
    }
    OK(parent_packs_new(r, m, NULL, 0, &p));
    return p;
}

static bool is_sparse(ParentPacks *p, uint32_t n)
{
    return parent_packs_find(p, (PackId){.n = n})->sparse;
}

/* The limit goes to the packs of which the least part is left: it frees the most there. */
static void test_least_part(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    const Offer offers[] = {
        {PACK_DATA, 1000000, 230000}, {PACK_DATA, 1000000, 240000}, {PACK_DATA, 9000000, 450000},
        {PACK_DATA, 1000000, 245000}, {PACK_DATA, 1000000, 250000},
    };
    AUTO(ParentPacks) p = offer(r, offers, 5);
    assert_true(is_sparse(p, 2));
    assert_true(is_sparse(p, 0)); /* the rest of the limit */
    assert_false(is_sparse(p, 1));
    assert_false(is_sparse(p, 3));
    assert_false(is_sparse(p, 4));
    assert_int_equal(parent_packs_rewrite_limit(p, SPARSE_PACK), 500000);
    assert_int_equal(parent_packs_rewrite_limit(p, SPARSE_FRAME), 0);
    assert_int_equal(parent_packs_rewrite_limit(p, SPARSE_NOT), 0);
}

/* Frames have what sparse packs leave of it; recipes take nothing of it. */
static void test_what_is_left(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    const Offer offers[] = {
        {PACK_DATA, 1000000, 100000}, {PACK_RECIPE, 1000000, 200000}, {PACK_DATA, 1000000, 900000}};
    AUTO(ParentPacks) p = offer(r, offers, 3);
    assert_true(is_sparse(p, 0));
    assert_true(is_sparse(p, 1));
    assert_false(is_sparse(p, 2));
    assert_int_equal(parent_packs_rewrite_limit(p, SPARSE_PACK), 100000);
    assert_int_equal(parent_packs_rewrite_limit(p, SPARSE_FRAME), 400000);
}

/* Of more than 16 small packs, those of which the fewest bytes are left are too many. */
static void test_too_many(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    Offer offers[19];
    for (size_t i = 0; i < 19; i++)
        offers[i] = (Offer){PACK_DATA, 100000 + i * 10000, 90000 + (18 - i) * 1000};
    offers[4] = (Offer){PACK_DATA, 1000000, 100000}; /* sparse of itself */
    AUTO(ParentPacks) p = offer(r, offers, 19);
    for (uint32_t i = 0; i < 19; i++)
        assert_int_equal(is_sparse(p, i), i == 4 || i >= 17);
    assert_int_equal(parent_packs_rewrite_limit(p, SPARSE_PACK), 100000 + 90000 + 91000);
}

/* -- in backups ------------------------------------------------------------------------------- */

/* A row's version is the day on which it last changed. */
#define DELETED UINT64_MAX
typedef uint64_t (*Version)(uint64_t day, uint32_t piece, uint64_t row);

static void back_up(Repo *r, KitTable *t, uint64_t day, Version version, BackupInfo *info)
{
    const uint64_t rows = 20000;
    WriterOptions o = kit_options();
    for (uint32_t p = 0; p < t->count; p++) {
        t->pieces[p].len = 0;
        for (uint64_t i = 0; i < rows; i++) {
            uint64_t v = version(day, p, i);
            if (v != DELETED)
                kit_row(&t->pieces[p], p * rows + i, v);
        }
    }
    kit_backup(r, &o, t, 1, info);
}

/* Blocks of 200 rows, more than a chunk: a third of them, chosen by chance, changes each day. */
static uint64_t by_chance(uint64_t day, uint32_t piece, uint64_t row)
{
    uint64_t block = piece * 1000 + row / 200;
    while (day && kit_mix(block * 1000 + day) % 3)
        day--;
    return day;
}

/* Where a third changes every day, a backup needs few packs, and not much more than it uses. */
static void test_third_a_day(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 3, 1, 0);
    for (uint64_t day = 0; day < 20; day++) {
        AUTO_VALUE(BackupInfo) info = {0};
        AUTO(Manifest) m = NULL;
        uint64_t raw = 0, used = 0, packs = 0;
        back_up(r, &t, day, by_chance, &info);
        OK(catalog_load(r, info.id, &m));
        for (size_t i = 0; i < m->pack_count; i++)
            if (m->packs[i].kind == PACK_DATA) {
                raw += m->packs[i].raw;
                used += m->packs[i].used;
                packs++;
            }
        assert_true(packs <= 4);
        assert_true(day < 5 || raw * 2 < used * 5);
        assert_true(info.rewritten <= info.logical_size / 10);
        if (day == 19)
            kit_compare(r, info.id, &t, 1);
    }
    kit_free(&t);
}

/* Day 1 changes a quarter of the last piece, day 2 four fifths of that again, and in most others so
 * many rows are gone everywhere that their frames are sparse, but not their pack; day 3 nothing. */
static uint64_t in_frames(uint64_t day, uint32_t piece, uint64_t row)
{
    if (piece == 6 && row < 4000)
        return day < 2 ? day : 2;
    if (piece == 6 && row < 5000)
        return day > 0;
    return piece < 5 && day >= 2 && row % 2000 >= 400 ? DELETED : 0;
}

/* The data pack of which so many raw bytes at most are there; none: a number of its own. */
static PackId small_pack(const Manifest *m, uint64_t raw)
{
    for (size_t i = 0; i < m->pack_count; i++)
        if (m->packs[i].kind == PACK_DATA && m->packs[i].raw <= raw)
            return m->packs[i].id;
    return (PackId){0};
}

/* Frames that are sparse come first in the table and use their part of the limit up: the sparse
 * pack behind them still dies at once. */
static void test_packs_first(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t = kit_table("orders", 20001, 7, 1, 0);
    PackId sparse = {0};
    for (uint64_t day = 0; day < 4; day++) {
        AUTO_VALUE(BackupInfo) info = {0};
        AUTO(Manifest) m = NULL;
        back_up(r, &t, day, in_frames, &info);
        OK(catalog_load(r, info.id, &m));
        if (day == 1)
            sparse = small_pack(m, 1000000);
        const PackInfo *there = manifest_find_pack(m, sparse);
        if (day == 1)
            assert_non_null(there);
        if (day == 2)
            assert_true(there && there->used > 0 && there->used < there->raw / SPARSE_PART);
        if (day == 3) { /* the limit was used up, too */
            assert_null(there);
            assert_in_range(info.rewritten, info.logical_size / 25, info.logical_size / 20);
        }
    }
    kit_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),        cmocka_unit_test(test_least_part),
        cmocka_unit_test(test_what_is_left), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_third_a_day),  cmocka_unit_test(test_packs_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
