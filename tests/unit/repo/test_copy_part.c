/* Copies of packs of which only some frames are needed, and copies from and to what is far. */
#include "copy_kit.h"

#include "repo/check.h"
#include "repo/copy.h"
#include "repo/origin.h"
#include "repo/prune.h"
#include "repo/trash.h"
#include "store/store_internal.h"

#define DAY (24 * 3600 * INT64_C(1000))

/* -- a store that is far, and counts ----------------------------------------------------------- */

typedef struct Far {
    StoreKind kind;
    const StoreKind *near;
    atomic_uint_fast64_t gets;
} Far;

static Far far_one;

static Error *far_get(Store *s, const char *name, uint64_t offset, void *p, size_t n)
{
    far_one.gets++;
    return far_one.near->get(s, name, offset, p, n);
}

static void make_far(Repo *r)
{
    Store *s = repo_store(r);
    far_one.near = s->kind;
    far_one.kind = *s->kind;
    far_one.kind.far = true;
    far_one.kind.get = far_get;
    far_one.gets = 0;
    s->kind = &far_one.kind;
}

static void make_near(Repo *r)
{
    repo_store(r)->kind = far_one.near;
}

/* -- what is looked at ------------------------------------------------------------------------- */

static Error *add_part(void *ctx, const char *name, uint64_t size)
{
    (void)size;
    *(size_t *)ctx += strlen(name) > 5 && !strcmp(name + strlen(name) - 5, ".part");
    return NULL;
}

static size_t parts(Repo *r)
{
    size_t n = 0;
    OK(store_list(repo_store(r), "origins/", add_part, &n));
    return n;
}

static void copy(Repo *from, Repo *to, const char *id, CopyOutcome *out)
{
    AUTO(Copier) c = NULL;
    copy_outcome_clear(out);
    CopyEnds ends = {.from = from, .to = to, .jobs = 2};
    OK(copier_new(&ends, &c));
    OK(copier_run(c, id, out));
}

static void check_all(Repo *r)
{
    AUTO_VALUE(CheckReport) report = {0};
    OK(check_run(r, NULL, CHECK_REBUILD, 2, NULL, &report));
    for (size_t i = 0; i < report.count; i++)
        print_error("%s: %s\n", report.problems[i].object, report.problems[i].what);
    assert_int_equal(report.count, 0);
}

/* The rows between two hundredths of each piece are others. */
static KitTable table_without(uint64_t rows, unsigned from, unsigned to)
{
    KitTable t = kit_table("orders", 20001, 3, rows, 0);
    for (uint32_t p = 0; p < t.count; p++) {
        Buf *b = &t.pieces[p];
        for (size_t i = b->len * from / 100; i < b->len * to / 100; i++)
            if (b->data[i] >= '0' && b->data[i] <= '9')
                b->data[i] = (uint8_t)('0' + (b->data[i] - '0' + i % 7 + 1) % 10);
    }
    return t;
}

typedef struct Scene {
    Repo *from, *to;
    KitTable whole, late,
        early; /* late has only the end of the first one's rows, early the begin */
    BackupInfo first, second, third;
} Scene;

static void begin(Scene *s, bool from_sealed, bool to_sealed)
{
    uint64_t rows = kit_sanitized() ? 12000 : 20000;
    *s = (Scene){.from = copy_kit_repo(from_sealed, &kit_keys),
                 .to = copy_kit_repo(to_sealed, &copy_kit_keys)};
    s->whole = table_without(rows, 0, 0);
    s->late = table_without(rows, 0, 70);
    s->early = table_without(rows, 30, 100);
    WriterOptions o = kit_options();
    kit_backup(s->from, &o, &s->whole, 1, &s->first);
    o.parent = s->first.id;
    o.timestamp += DAY;
    kit_backup(s->from, &o, &s->late, 1, &s->second);
    o.timestamp += DAY;
    kit_backup(s->from, &o, &s->early, 1, &s->third);
}

static void end(Scene *s)
{
    check_all(s->to);
    repo_free(s->from);
    repo_free(s->to);
    kit_free(&s->whole);
    kit_free(&s->late);
    kit_free(&s->early);
    backup_info_clear(&s->first);
    backup_info_clear(&s->second);
    backup_info_clear(&s->third);
}

/* -- the tests --------------------------------------------------------------------------------- */

/* Only what is needed, each frame once, and the whole pack where all of it is wanted. */
static void some_frames(bool from_sealed, bool to_sealed, bool far_source, bool far_target)
{
    Scene s;
    AUTO_VALUE(CopyOutcome) out = {0};
    begin(&s, from_sealed, to_sealed);
    if (far_source || far_target)
        make_far(far_source ? s.from : s.to);
    uint64_t total = copy_kit_pack_bytes(s.from), before;
    copy(s.from, s.to, s.second.id, &out);
    kit_compare(s.to, s.second.id, &s.late, 1);
    assert_int_equal(parts(s.to), 1);
    /* Its own and a third of the first one's, of three. */
    print_message("# %llu of %llu\n", (unsigned long long)copy_kit_pack_bytes(s.to),
                  (unsigned long long)total);
    assert_true(copy_kit_pack_bytes(s.to) < total * 55 / 100);

    /* Other frames of the same pack: those alone. */
    before = copy_kit_pack_bytes(s.to);
    copy(s.from, s.to, s.third.id, &out);
    kit_compare(s.to, s.third.id, &s.early, 1);
    assert_int_equal(parts(s.to), 2);
    assert_true(copy_kit_pack_bytes(s.to) - before < total * 55 / 100);

    /* All of them: the pack as a whole, which then serves everybody. */
    before = copy_kit_pack_bytes(s.to);
    copy(s.from, s.to, s.first.id, &out);
    kit_compare(s.to, s.first.id, &s.whole, 1);
    assert_int_equal(parts(s.to), 2);
    check_all(s.to);
    if (far_source || far_target)
        make_near(far_source ? s.from : s.to);
    end(&s);
}

static void test_plain(void **state)
{
    (void)state;
    some_frames(false, false, false, false);
}

static void test_sealed(void **state)
{
    (void)state;
    some_frames(true, true, false, false);
    some_frames(false, true, false, false);
}

static void test_from_far(void **state)
{
    (void)state;
    some_frames(false, false, true, false);
    some_frames(true, true, true, false);
}

static void test_to_far(void **state)
{
    (void)state;
    some_frames(false, false, false, true);
    some_frames(true, true, false, true);
    some_frames(true, false, false, true);
}

/* What a copy that died had of it is not copied again. */
typedef struct StopAt {
    Job *job;
    const char *phase;
} StopAt;

static void stop_at(void *ctx, const JobProgress *now)
{
    StopAt *s = ctx;
    if (!strcmp(now->phase, s->phase))
        cancel_request(job_cancel(s->job));
}

static void test_continued(void **state)
{
    (void)state;
    Scene s;
    AUTO_VALUE(CopyOutcome) out = {0};
    begin(&s, false, false);
    StopAt stop = {NULL, "recipes"};
    AUTO(Job) job = NULL;
    AUTO(Copier) c = NULL;
    OK(job_new(NULL, stop_at, &stop, &job));
    stop.job = job;
    CopyEnds ends = {.from = s.from, .to = s.to, .jobs = 2, .job = job};
    OK(copier_new(&ends, &c));
    FAILS(ERR_CANCELLED, copier_run(c, s.second.id, &out));
    uint64_t before = copy_kit_pack_bytes(s.to);
    assert_int_equal(parts(s.to), 1);
    copy(s.from, s.to, s.second.id, &out);
    assert_int_equal(out.packs, 0);
    assert_int_equal(parts(s.to), 1);
    assert_true(copy_kit_pack_bytes(s.to) - before < 100000); /* recipes */
    kit_compare(s.to, s.second.id, &s.late, 1);
    end(&s);
}

/* Of the frames that another backup needs as well those that are there are not copied again. */
static void test_overlapping_parts(void **state)
{
    (void)state;
    Scene s;
    AUTO_VALUE(CopyOutcome) out = {0};
    AUTO_VALUE(OriginList) l = {0};
    AUTO_VALUE(BackupInfo) fourth = {0};
    bool copied[4096] = {false};
    size_t frames_of_parts = 0, part_count = 0;
    begin(&s, false, false);
    KitTable middle = table_without(kit_sanitized() ? 12000 : 20000, 10, 70);
    WriterOptions o = kit_options();
    o.parent = s.first.id;
    o.timestamp += 3 * DAY;
    kit_backup(s.from, &o, &middle, 1, &fourth);
    copy(s.from, s.to, s.second.id, &out);
    copy(s.from, s.to, fourth.id, &out);
    kit_compare(s.to, fourth.id, &middle, 1);
    OK(origin_list(s.to, repo_id(s.from), &l));
    for (size_t i = 0; i < l.count; i++) {
        PackInfo info;
        FrameInfo *frames = NULL;
        size_t count;
        if (!l.items[i].part)
            continue;
        part_count++;
        OK(pack_read_footer(repo_packs(s.to), l.items[i].target, &info, &frames, &count));
        for (size_t k = 0; k < count; k++, frames_of_parts++) {
            assert_true(frames[k].number < 4096 && !copied[frames[k].number]);
            copied[frames[k].number] = true;
        }
        free(frames);
    }
    assert_true(part_count == 2 && frames_of_parts > 2);
    kit_free(&middle);
    end(&s);
}

/* A part that was found damaged is not built on: its frames are copied anew. */
static void test_damaged_part(void **state)
{
    (void)state;
    Scene s;
    AUTO_VALUE(CopyOutcome) out = {0};
    AUTO_VALUE(OriginList) l = {0};
    begin(&s, false, false);
    copy(s.from, s.to, s.second.id, &out);
    OK(origin_list(s.to, repo_id(s.from), &l));
    for (size_t i = 0; i < l.count; i++)
        if (l.items[i].part)
            OK(damage_put(s.to, l.items[i].target, UINT32_MAX, "for the test"));
    OK(trash_put(s.to, s.second.id));
    /* Another one that needs the same frames. */
    AUTO_VALUE(BackupInfo) again = {0};
    WriterOptions o = kit_options();
    o.parent = s.first.id;
    o.timestamp += 3 * DAY;
    kit_backup(s.from, &o, &s.late, 1, &again);
    copy(s.from, s.to, again.id, &out);
    assert_int_equal(parts(s.to), 2);
    kit_compare(s.to, again.id, &s.late, 1);
    backup_info_clear(&again);
    repo_free(s.from);
    repo_free(s.to);
    kit_free(&s.whole);
    kit_free(&s.late);
    kit_free(&s.early);
    backup_info_clear(&s.first);
    backup_info_clear(&s.second);
    backup_info_clear(&s.third);
}

/* An origin of a part goes with its pack. */
static bool is_gone(const void *ctx, PackId target)
{
    return pack_id_equal(target, *(const PackId *)ctx);
}

static void test_origins(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    static const char from[] = "000102030405060708090a0b0c0d0e0f";
    PackId a = {session_id_new(), 0}, b = {session_id_new(), 7}, x, y;
    AUTO_VALUE(OriginList) l = {0};
    char name[NAME_TEXT];
    OK(origin_put_part(r, from, a, b));
    OK(origin_list(r, from, &l));
    assert_int_equal(l.count, 1);
    assert_true(l.items[0].part && pack_id_equal(l.items[0].target, b));
    name_origin_part(from, a, b, name);
    OK(origin_check(r, name));
    assert_true(name_parse_origin_part(name, &x, &y));
    assert_true(pack_id_equal(x, a) && pack_id_equal(y, b));
    assert_false(name_parse_origin(name, &x, &y)); /* an older pgstow takes it for no whole pack */
    assert_false(name_parse_origin_part(".part", &x, &y));
    OK(origin_sweep(r, is_gone, &b));
    origin_list_clear(&l);
    OK(origin_list(r, from, &l));
    assert_int_equal(l.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_from_far),
        cmocka_unit_test(test_to_far),
        cmocka_unit_test(test_continued),
        cmocka_unit_test(test_overlapping_parts),
        cmocka_unit_test(test_damaged_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
