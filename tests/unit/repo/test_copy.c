#include "copy_kit.h"

#include "repo/check.h"
#include "repo/copy.h"
#include "repo/origin.h"
#include "repo/prune.h"
#include "repo/trash.h"

#define DAY (24 * 3600 * INT64_C(1000))

static Error *add_one(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    (void)size;
    ++*(size_t *)ctx;
    return NULL;
}

static size_t count(Repo *r, const char *folder)
{
    size_t n = 0;
    OK(store_list(repo_store(r), folder, add_one, &n));
    return n;
}

static void copy_with(Repo *from, Repo *to, const char *id, Job *job, CopyOutcome *out)
{
    AUTO(Copier) c = NULL;
    copy_outcome_clear(out);
    CopyEnds ends = {.from = from, .to = to, .jobs = 2, .job = job};
    OK(copier_new(&ends, &c));
    OK(copier_run(c, id, out));
}

static void copy(Repo *from, Repo *to, const char *id, CopyOutcome *out)
{
    copy_with(from, to, id, NULL, out);
}

static Error *try_copy(Repo *from, Repo *to, const char *id, Job *job)
{
    AUTO(Copier) c = NULL;
    AUTO_VALUE(CopyOutcome) out = {0};
    CopyEnds ends = {.from = from, .to = to, .jobs = 2, .job = job};
    TRY(copier_new(&ends, &c));
    return copier_run(c, id, &out);
}

/* Sound at every level, and nothing of anybody's work left behind. */
static void check_all(Repo *r)
{
    AUTO_VALUE(CheckReport) report = {0};
    OK(check_run(r, NULL, CHECK_REBUILD, 2, NULL, &report));
    for (size_t i = 0; i < report.count; i++)
        print_error("%s: %s\n", report.problems[i].object, report.problems[i].what);
    assert_int_equal(report.count, 0);
    assert_int_equal(count(r, "sessions/"), 0);
}

/* Two tables of several pieces, one cut by content. */
static void make_tables(KitTable t[3], uint64_t rows)
{
    t[0] = kit_table("orders", 20001, 3, rows, 0);
    t[1] = kit_table("view", 20002, 1, rows, 1000000);
    t[2] = kit_table("few", 20003, 1, 10, 2000000);
}

static void free_tables(KitTable t[3])
{
    for (size_t i = 0; i < 3; i++)
        kit_free(&t[i]);
}

/* One row in the middle of each piece is another. */
static void change_rows(KitTable *t)
{
    for (uint32_t p = 0; p < t->count; p++)
        t->pieces[p].data[t->pieces[p].len / 2 / 90 * 90] ^= 1;
}

static WriterOptions options_at(Instant later)
{
    WriterOptions o = kit_options();
    o.timestamp += later;
    return o;
}

/* -- between all kinds of repositories --------------------------------------------------------- */

static void all_ways(bool from_sealed, bool to_sealed)
{
    AUTO(Repo) from = copy_kit_repo(from_sealed, &kit_keys);
    AUTO(Repo) to = copy_kit_repo(to_sealed, &copy_kit_keys);
    KitTable t[3], u[3];
    make_tables(t, kit_sanitized() ? 20000 : 60000);
    make_tables(u, kit_sanitized() ? 20000 : 60000);
    change_rows(&u[0]);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(BackupInfo) second = {0};
    AUTO_VALUE(CopyOutcome) out = {0};
    WriterOptions o = kit_options(), later = options_at(DAY);
    kit_backup(from, &o, t, 3, &first);
    kit_backup(from, &later, u, 3, &second);

    copy(from, to, first.id, &out);
    assert_int_equal(out.state, COPY_DONE);
    assert_string_equal(out.info.id, first.id);
    assert_string_equal(out.info.key, first.key);
    assert_int_equal(out.info.timestamp, first.timestamp);
    assert_int_equal(out.info.finished, first.finished);
    assert_int_equal(out.info.logical_size, first.logical_size);
    assert_int_equal(out.info.rows, first.rows);
    assert_int_equal(out.info.encrypted, to_sealed);
    assert_string_equal(out.info.copied_repository, repo_id(from));
    assert_string_equal(out.info.copied_checksum, first.checksum);
    assert_true(out.packs > 0 && out.reused == 0);
    kit_compare(to, first.id, t, 3);

    /* What the second backup added, and no more; its place in the target's own lineage. */
    uint64_t before = copy_kit_pack_bytes(to);
    copy(from, to, second.id, &out);
    uint64_t added = copy_kit_pack_bytes(to) - before;
    print_message("# the backup added %llu, the copy %llu\n", (unsigned long long)second.new_bytes,
                  (unsigned long long)added);
    /* Where pages of recipes end depends on the ids. */
    assert_true(added < second.new_bytes + 20000);
    assert_int_equal(out.info.sequence, 2);
    assert_true(out.reused > 0);
    kit_compare(to, second.id, u, 3);
    check_all(to);

    /* Again: nothing. */
    before = copy_kit_pack_bytes(to);
    size_t sessions = count(to, "backups/");
    copy(from, to, first.id, &out);
    assert_int_equal(out.state, COPY_THERE);
    assert_string_equal(out.info.id, first.id);
    copy(from, to, second.id, &out);
    assert_int_equal(out.state, COPY_THERE);
    assert_int_equal(copy_kit_pack_bytes(to), before);
    assert_int_equal(count(to, "backups/"), sessions);

    /* And back: the source has what the copy was made of. */
    copy(to, from, first.id, &out);
    assert_int_equal(out.state, COPY_THERE);
    free_tables(t);
    free_tables(u);
}

static void test_plain_to_plain(void **state)
{
    (void)state;
    all_ways(false, false);
}

static void test_plain_to_encrypted(void **state)
{
    (void)state;
    all_ways(false, true);
}

static void test_encrypted_to_plain(void **state)
{
    (void)state;
    all_ways(true, false);
}

static void test_encrypted_to_encrypted(void **state)
{
    (void)state;
    all_ways(true, true);
}

/* -- interrupted ------------------------------------------------------------------------------- */

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

/* What was copied before is not copied again, and the copy still has the backup's id. */
static void test_continued(void **state)
{
    (void)state;
    AUTO(Repo) from = copy_kit_repo(false, &kit_keys);
    AUTO(Repo) to = copy_kit_repo(true, &copy_kit_keys);
    KitTable t[3];
    make_tables(t, 60000);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(CopyOutcome) out = {0};
    WriterOptions o = kit_options();
    kit_backup(from, &o, t, 3, &first);
    StopAt stop = {NULL, "recipes"};
    AUTO(Job) job = NULL;
    OK(job_new(NULL, stop_at, &stop, &job));
    stop.job = job;
    FAILS(ERR_CANCELLED, try_copy(from, to, first.id, job));
    BackupList l = {0};
    OK(catalog_list(to, NULL, &l));
    assert_int_equal(l.count, 0);
    backup_list_clear(&l);
    assert_int_equal(count(to, "sessions/"), 1);
    uint64_t before = copy_kit_pack_bytes(to);
    assert_true(before > 0);

    copy(from, to, first.id, &out);
    assert_int_equal(out.packs, 0);
    assert_true(out.reused > 0);
    assert_string_equal(out.info.id, first.id);
    assert_true(copy_kit_pack_bytes(to) - before < 100000); /* recipes */
    kit_compare(to, first.id, t, 3);
    check_all(to);
    free_tables(t);
}

/* A backup in the target goes on although a copy died there, and does not use its packs up. */
static void test_backup_beside(void **state)
{
    (void)state;
    AUTO(Repo) from = copy_kit_repo(false, &kit_keys);
    AUTO(Repo) to = copy_kit_repo(false, &kit_keys);
    KitTable t[3];
    make_tables(t, 20000);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(BackupInfo) own = {0};
    AUTO_VALUE(CopyOutcome) out = {0};
    WriterOptions o = kit_options(), later = options_at(DAY);
    kit_backup(from, &o, t, 3, &first);
    StopAt stop = {NULL, "recipes"};
    AUTO(Job) job = NULL;
    OK(job_new(NULL, stop_at, &stop, &job));
    stop.job = job;
    FAILS(ERR_CANCELLED, try_copy(from, to, first.id, job));
    kit_backup(to, &later, t, 3, &own);
    assert_int_equal(count(to, "sessions/"), 1);
    copy(from, to, first.id, &out);
    assert_int_equal(out.packs, 0);
    assert_int_equal(out.info.sequence, 2);
    assert_int_equal(count(to, "sessions/"), 0);
    check_all(to);

    /* One that still runs is not disturbed. */
    AUTO(Writer) w = NULL;
    AUTO_VALUE(BackupInfo) third = {0};
    WriterOptions running = options_at(2 * DAY), last = options_at(3 * DAY);
    OK(writer_open(to, &running, NULL, &w));
    kit_backup(from, &last, t, 3, &third);
    FAILS(ERR_BUSY, try_copy(from, to, third.id, NULL));
    free_tables(t);
}

/* -- what stands against it -------------------------------------------------------------------- */

static void test_refused(void **state)
{
    (void)state;
    AUTO(Repo) from = copy_kit_repo(false, &kit_keys);
    AUTO(Repo) to = copy_kit_repo(false, &kit_keys);
    KitTable t = kit_table("orders", 20001, 1, 1000, 0);
    AUTO_VALUE(BackupInfo) ours = {0};
    AUTO_VALUE(BackupInfo) theirs = {0};
    AUTO_VALUE(CopyOutcome) out = {0};
    WriterOptions o = kit_options(), later = options_at(DAY);
    kit_backup(from, &o, &t, 1, &ours);
    kit_backup(to, &o, &t, 1, &theirs);
    assert_string_equal(ours.id, theirs.id);
    FAILS(ERR_EXISTS, try_copy(from, to, ours.id, NULL));
    FAILS(ERR_CONFLICT, try_copy(from, from, ours.id, NULL));
    FAILS(ERR_NOT_FOUND, try_copy(from, to, "nothing-20240115T103000Z", NULL));
    /* A deleted copy does not come back by itself. */
    kit_backup(from, &later, &t, 1, &ours);
    copy(from, to, ours.id, &out);
    OK(trash_put(to, ours.id));
    FAILS(ERR_EXISTS, try_copy(from, to, ours.id, NULL));
    kit_free(&t);
}

/* -- damage ------------------------------------------------------------------------------------ */

static PackId some_data_pack(Repo *r, const char *id)
{
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, id, &m));
    for (size_t i = 0; i < m->pack_count; i++)
        if (m->packs[i].kind == PACK_DATA)
            return m->packs[i].id;
    fail();
    return (PackId){0};
}

/* Turns a byte in the middle of an object over. */
static void damage(Repo *r, PackId pack)
{
    AUTO_VALUE(Buf) bytes = {0};
    char name[NAME_TEXT];
    OK(store_get_all(repo_store(r), name_pack(pack, name), SIZE_MAX / 2, &bytes));
    bytes.data[bytes.len / 2] ^= 1;
    OK(store_delete(repo_store(r), name));
    OK(store_put(repo_store(r), name, bytes.data, bytes.len));
}

static void test_damaged_source(void **state)
{
    (void)state;
    AUTO(Repo) from = copy_kit_repo(false, &kit_keys);
    AUTO(Repo) to = copy_kit_repo(false, &kit_keys);
    KitTable t[3];
    make_tables(t, 20000);
    AUTO_VALUE(BackupInfo) first = {0};
    WriterOptions o = kit_options();
    kit_backup(from, &o, t, 3, &first);
    PackId pack = some_data_pack(from, first.id);
    damage(from, pack);
    FAILS(ERR_DAMAGED, try_copy(from, to, first.id, NULL));
    BackupList l = {0};
    OK(catalog_list(to, NULL, &l));
    assert_int_equal(l.count, 0);
    backup_list_clear(&l);
    /* Healed: what was left out is not taken for the whole. */
    AUTO_VALUE(CopyOutcome) out = {0};
    damage(from, pack);
    copy(from, to, first.id, &out);
    kit_compare(to, first.id, t, 3);
    check_all(to);
    free_tables(t);
}

/* A pack that was found damaged in the target is copied anew for the next backup. */
static void test_damaged_target(void **state)
{
    (void)state;
    AUTO(Repo) from = copy_kit_repo(false, &kit_keys);
    AUTO(Repo) to = copy_kit_repo(true, &copy_kit_keys);
    KitTable t[3];
    make_tables(t, 20000);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(BackupInfo) second = {0};
    AUTO_VALUE(CopyOutcome) out = {0};
    WriterOptions o = kit_options(), later = options_at(DAY);
    kit_backup(from, &o, t, 3, &first);
    kit_backup(from, &later, t, 3, &second);
    copy(from, to, first.id, &out);
    PackId pack = some_data_pack(to, first.id);
    damage(to, pack);
    OK(damage_put(to, pack, UINT32_MAX, "a test"));
    copy(from, to, second.id, &out);
    assert_int_equal(out.packs, 1);
    kit_compare(to, second.id, t, 3);
    free_tables(t);
}

/* -- origins ----------------------------------------------------------------------------------- */

static bool is_gone(const void *ctx, PackId target)
{
    return pack_id_equal(*(const PackId *)ctx, target);
}

static void test_origins(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    static const char from[] = "000102030405060708090a0b0c0d0e0f";
    PackId a = {session_id_new(), 0}, b = {session_id_new(), 4294967295u}, c = {a.session, 2};
    OK(origin_put(r, from, a, b));
    OK(origin_put(r, from, a, c));
    OK(origin_put(r, from, c, b));
    OK(origin_put(r, "ffffffffffffffffffffffffffffffff", a, a));
    AUTO_VALUE(OriginList) l = {0};
    size_t n;
    OK(origin_list(r, from, &l));
    assert_int_equal(l.count, 3);
    const Origin *o = origin_find(&l, a, &n);
    assert_int_equal(n, 2);
    assert_true(pack_id_equal(o[0].source, a) && pack_id_equal(o[1].source, a));
    assert_null(origin_find(&l, b, &n));
    char name[NAME_TEXT];
    OK(origin_check(r, name_origin(from, a, b, name)));
    PackId x, y;
    assert_true(name_parse_origin(name, &x, &y));
    assert_true(pack_id_equal(x, a) && pack_id_equal(y, b));
    assert_false(name_parse_origin("origins/00/1.2", &x, &y));
    OK(origin_sweep(r, is_gone, &b));
    origin_list_clear(&l);
    OK(origin_list(r, from, &l));
    assert_int_equal(l.count, 1);
    assert_true(pack_id_equal(l.items[0].target, c));
    assert_int_equal(count(r, "origins/"), 2);
}

/* -- beside prune ------------------------------------------------------------------------------ */

static void prune(Repo *r, int64_t trash_ms)
{
    AUTO_VALUE(PruneResult) result = {0};
    PruneOptions o = {.now = clock_now() + 1000, .trash_ms = trash_ms, .limit_ms = DAY};
    OK(prune_run(r, &o, NULL, &result));
}

/* Its only session becomes that of a process that is not there. */
static void bury(Repo *r)
{
    SessionInfo *list;
    size_t n;
    OK(session_list(r, &list, &n));
    assert_int_equal(n, 1);
    OK(session_end(r, list[0].id));
    list[0].pid = 999999999;
    OK(session_put(r, &list[0]));
    session_list_free(list, n);
}

/* Prune takes origins away with their packs. What a copy that died has stored stays for the trash
 * days, and afterwards the backup is copied as if nothing had been, under its own id. */
static void test_pruned(void **state)
{
    (void)state;
    AUTO(Repo) from = copy_kit_repo(false, &kit_keys);
    AUTO(Repo) to = copy_kit_repo(true, &copy_kit_keys);
    KitTable t[3];
    make_tables(t, 20000);
    AUTO_VALUE(BackupInfo) first = {0};
    AUTO_VALUE(CopyOutcome) out = {0};
    WriterOptions o = kit_options();
    kit_backup(from, &o, t, 3, &first);
    for (int i = 0; i < 2; i++) {
        copy(from, to, first.id, &out);
        assert_int_equal(out.state, COPY_DONE);
        assert_string_equal(out.info.id, first.id);
        prune(to, 0);
        assert_int_equal(count(to, "origins/"), out.packs);
        OK(trash_put(to, first.id));
        prune(to, 0);
        assert_int_equal(count(to, "origins/"), 0);
        assert_int_equal(count(to, "packs/"), 0);
    }
    StopAt stop = {NULL, "recipes"};
    AUTO(Job) job = NULL;
    OK(job_new(NULL, stop_at, &stop, &job));
    stop.job = job;
    FAILS(ERR_CANCELLED, try_copy(from, to, first.id, job));
    bury(to);
    prune(to, DAY);
    copy(from, to, first.id, &out);
    assert_int_equal(out.packs, 0);
    OK(trash_put(to, first.id));
    prune(to, 0);
    AUTO(Job) again = NULL;
    OK(job_new(NULL, stop_at, &stop, &again));
    stop.job = again;
    FAILS(ERR_CANCELLED, try_copy(from, to, first.id, again));
    bury(to);
    prune(to, 0);
    assert_int_equal(count(to, "origins/"), 0);
    copy(from, to, first.id, &out);
    assert_true(out.packs > 0);
    assert_string_equal(out.info.id, first.id);
    kit_compare(to, first.id, t, 3);
    check_all(to);
    free_tables(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_to_plain),
        cmocka_unit_test(test_plain_to_encrypted),
        cmocka_unit_test(test_encrypted_to_plain),
        cmocka_unit_test(test_encrypted_to_encrypted),
        cmocka_unit_test(test_continued),
        cmocka_unit_test(test_backup_beside),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged_source),
        cmocka_unit_test(test_damaged_target),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_pruned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
