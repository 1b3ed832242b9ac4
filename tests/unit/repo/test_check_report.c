/* What check says of damage: exactly what is damaged, which backups and tables that touches. */
#include "kit.h"

#include "repo/check.h"
#include "repo/repo_internal.h"

typedef struct Shop {
    Repo *repo;
    KitTable t[2];
    BackupInfo a, b; /* b adds some rows to the last piece of the first table */
} Shop;

static void open_shop(Shop *s)
{
    WriterOptions o = kit_options();
    *s =
        (Shop){.repo = kit_repo(),
               .t = {kit_table("orders", 20001, 3, 40000, 0), kit_table("notes", 20002, 1, 50, 7)}};
    kit_backup(s->repo, &o, s->t, 2, &s->a);
    for (int row = 0; row < 300; row++)
        kit_row(&s->t[0].pieces[2], (uint64_t)(200000 + row), 3);
    kit_backup(s->repo, &o, s->t, 2, &s->b);
}

static void close_shop(Shop *s)
{
    kit_free(&s->t[0]);
    kit_free(&s->t[1]);
    backup_info_clear(&s->a);
    backup_info_clear(&s->b);
    repo_free(s->repo);
}
DEFINE_AUTO_VALUE(Shop, close_shop)

/* Replaces an object by these bytes; none: deletes it. */
static void replace(Repo *r, const char *name, const Buf *bytes)
{
    OK(store_delete(repo_store(r), name));
    if (bytes)
        OK(store_put(repo_store(r), name, bytes->data, bytes->len));
}

static void flip(Repo *r, const char *name, uint64_t at)
{
    AUTO_VALUE(Buf) b = {0};
    OK(store_get_all(repo_store(r), name, 1u << 30, &b));
    b.data[at] ^= 16;
    replace(r, name, &b);
}

/* A place in the payload of a frame. */
static uint64_t inside(Repo *r, PackId pack, uint32_t frame)
{
    PackInfo info;
    FrameInfo *frames = NULL;
    size_t count;
    uint64_t at = 0;
    OK(pack_read_footer(repo_packs(r), pack, &info, &frames, &count));
    for (size_t i = 0; i < count; i++)
        if (frames[i].number == frame)
            at = frames[i].offset + frames[i].stored - CHECK_BYTES - 5;
    free(frames);
    assert_true(at > 0);
    return at;
}

/* Where the chunk stands with which a piece begins. */
static ChunkRef first_chunk(Repo *r, const char *id, size_t stream, size_t piece)
{
    AUTO(Manifest) m = NULL;
    AUTO(Codec) codec = codec_new();
    AUTO(Hash) hash = hash_new();
    AUTO_VALUE(Page) page = {0};
    OK(catalog_load(r, id, &m));
    OK(recipe_load(repo_packs(r), &m->streams[stream].pieces[piece].recipe, codec, hash, &page));
    return page.chunks[0];
}

static void check(Repo *r, const char *id, CheckLevel level, CheckReport *out)
{
    AUTO_VALUE(StrList) ids = {0};
    if (id)
        strlist_add(&ids, id);
    check_report_clear(out);
    OK(check_run(r, &ids, level, 2, NULL, out));
}

static bool is_proven(Repo *r, const char *id, const char *level, bool good)
{
    AUTO_VALUE(BackupList) l = {0};
    OK(catalog_list(r, NULL, &l));
    for (size_t i = 0; i < l.count; i++)
        if (!strcmp(l.items[i].id, id))
            return l.items[i].last_proof_level && l.items[i].proven == good &&
                   !strcmp(l.items[i].last_proof_level, level);
    return false;
}

static void test_shared_frame(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {0};
    AUTO_VALUE(CheckReport) report = {0};
    AUTO_VALUE(BackupInfo) healed = {0};
    WriterOptions o = kit_options();
    Damage *marks = NULL;
    size_t mark_count;
    char name[NAME_TEXT];
    open_shop(&s);
    check(s.repo, NULL, CHECK_REBUILD, &report);
    assert_int_equal(report.count, 0);
    assert_true(is_proven(s.repo, s.a.id, "rebuild", true));
    ChunkRef c = first_chunk(s.repo, s.a.id, 0, 0);
    name_pack(c.pack, name);
    flip(s.repo, name, inside(s.repo, c.pack, c.frame));
    check(s.repo, NULL, CHECK_QUICK, &report);
    assert_int_equal(report.count, 0);
    check(s.repo, NULL, CHECK_DATA, &report);
    assert_int_equal(report.count, 1);
    const CheckProblem *p = &report.problems[0];
    assert_string_equal(p->object, name);
    AUTO(char) frame = mem_printf("frame %u", c.frame);
    assert_non_null(strstr(p->what, frame));
    assert_int_equal(p->backups.count, 2);
    assert_int_equal(p->streams.count, 1);
    assert_string_equal(p->streams.items[0], "public.orders");
    assert_int_equal(report.bad.count, 2);
    assert_int_equal(report.good.count, 0);
    assert_true(is_proven(s.repo, s.b.id, "data", false));
    OK(damage_list(s.repo, &marks, &mark_count));
    assert_int_equal(mark_count, 1);
    assert_true(pack_id_equal(marks[0].pack, c.pack) && marks[0].frame == c.frame);
    free(marks);
    /* The next backup does not reuse it. */
    kit_backup(s.repo, &o, s.t, 2, &healed);
    check(s.repo, NULL, CHECK_REBUILD, &report);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.good.count, 1);
    assert_string_equal(report.good.items[0], healed.id);
    kit_compare(s.repo, healed.id, s.t, 2);
}

/* What only one of them uses touches only that one. */
static void test_own_frame(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {0};
    AUTO_VALUE(CheckReport) report = {0};
    AUTO(Manifest) a = NULL;
    AUTO(Manifest) b = NULL;
    char name[NAME_TEXT];
    open_shop(&s);
    OK(catalog_load(s.repo, s.a.id, &a));
    OK(catalog_load(s.repo, s.b.id, &b));
    const PackInfo *own = NULL;
    for (size_t i = 0; i < b->pack_count; i++)
        if (b->packs[i].kind == PACK_DATA && !manifest_find_pack(a, b->packs[i].id))
            own = &b->packs[i];
    assert_non_null(own);
    replace(s.repo, name_pack(own->id, name), NULL);
    check(s.repo, NULL, CHECK_QUICK, &report);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.problems[0].object, name);
    assert_int_equal(report.problems[0].backups.count, 1);
    assert_string_equal(report.bad.items[0], s.b.id);
    assert_string_equal(report.good.items[0], s.a.id);
    assert_true(is_proven(s.repo, s.a.id, "quick", true));
    assert_true(is_proven(s.repo, s.b.id, "quick", false));
}

/* Asked about one backup, it names the others that share the damage, but judges only the one. */
static void test_one_of_two(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {0};
    AUTO_VALUE(CheckReport) report = {0};
    char name[NAME_TEXT];
    open_shop(&s);
    replace(s.repo, name_pack(first_chunk(s.repo, s.a.id, 0, 1).pack, name), NULL);
    check(s.repo, s.b.id, CHECK_QUICK, &report);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.backups, 1);
    assert_int_equal(report.problems[0].backups.count, 2);
    assert_int_equal(report.bad.count, 1);
    assert_string_equal(report.bad.items[0], s.b.id);
    assert_false(is_proven(s.repo, s.a.id, "quick", false));
    AUTO_VALUE(StrList) ids = {0};
    strlist_add(&ids, "shop-20990101T000000Z");
    FAILS(ERR_NOT_FOUND, check_run(s.repo, &ids, CHECK_QUICK, 1, NULL, &report));
}

static void test_recipe(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {0};
    AUTO_VALUE(CheckReport) report = {0};
    AUTO(Manifest) m = NULL;
    char name[NAME_TEXT];
    open_shop(&s);
    OK(catalog_load(s.repo, s.a.id, &m));
    const RecipeRef *ref = &m->streams[0].pieces[0].recipe;
    assert_int_equal(ref->kind, RECIPE_INDEX);
    flip(s.repo, name_pack(ref->pack, name), inside(s.repo, ref->pack, ref->frame));
    check(s.repo, NULL, CHECK_QUICK, &report);
    assert_int_equal(report.count, 0);
    check(s.repo, NULL, CHECK_DATA, &report);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.problems[0].object, name);
    assert_int_equal(report.problems[0].backups.count, 2);
    assert_string_equal(report.problems[0].streams.items[0], "public.orders");
    check(s.repo, NULL, CHECK_REBUILD, &report);
    assert_int_equal(report.count, 1); /* and not once more for each stream */
}

/* A manifest that is sound in itself but tells something else than the packs hold. */
static void test_rebuild(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {0};
    AUTO_VALUE(CheckReport) report = {0};
    AUTO_VALUE(Buf) bytes = {0};
    AUTO(Manifest) m = NULL;
    AUTO(Manifest) again = NULL;
    char name[NAME_TEXT];
    open_shop(&s);
    OK(catalog_load(s.repo, s.b.id, &m));
    m->streams[0].pieces[1].rows++;
    m->streams[0].rows++;
    OK(manifest_encode(m, repo_id(s.repo), repo_keys(s.repo), &bytes));
    replace(s.repo, name_manifest(s.b.id, name), &bytes);
    OK(manifest_decode(repo_keys(s.repo), bytes.data, bytes.len, s.b.id, &again));
    replace(s.repo, name_metadata(s.b.id, name), NULL);
    OK(catalog_put_metadata(s.repo, &again->info));
    check(s.repo, NULL, CHECK_DATA, &report);
    assert_int_equal(report.count, 0);
    check(s.repo, NULL, CHECK_REBUILD, &report);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.problems[0].object, name_manifest(s.b.id, name));
    assert_non_null(strstr(report.problems[0].what, "rows"));
    assert_string_equal(report.bad.items[0], s.b.id);
    assert_string_equal(report.good.items[0], s.a.id);
}

/* metadata.json is for people: without it the backup is good, but it is said. While the session of
 * its writer is there it may still come. */
static void test_metadata(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {0};
    AUTO_VALUE(CheckReport) report = {0};
    AUTO_VALUE(SessionInfo) writer = {.kind = SESSION_WRITER};
    char name[NAME_TEXT];
    open_shop(&s);
    replace(s.repo, name_metadata(s.a.id, name), NULL);
    check(s.repo, NULL, CHECK_QUICK, &report);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.problems[0].object, name);
    assert_string_equal(report.problems[0].backups.items[0], s.a.id);
    assert_int_equal(report.good.count, 2);
    writer.backup_id = mem_strdup(s.a.id);
    session_info_here(&writer);
    OK(session_put(s.repo, &writer));
    check(s.repo, NULL, CHECK_QUICK, &report);
    assert_int_equal(report.count, 0);
}

static void test_cancel(void **state)
{
    (void)state;
    AUTO_VALUE(Shop) s = {0};
    AUTO_VALUE(CheckReport) report = {0};
    AUTO(Cancel) cancel = NULL;
    AUTO(Job) job = NULL;
    open_shop(&s);
    OK(cancel_new(NULL, &cancel));
    OK(job_new(cancel, NULL, NULL, &job));
    cancel_request(cancel);
    FAILS(ERR_CANCELLED, check_run(s.repo, NULL, CHECK_REBUILD, 2, job, &report));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_frame), cmocka_unit_test(test_own_frame),
        cmocka_unit_test(test_one_of_two),   cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_rebuild),      cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
