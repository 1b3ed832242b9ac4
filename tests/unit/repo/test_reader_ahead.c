#include "kit.h"

#include "repo/reader_ahead.h"

/* A backup of one table. */
typedef struct World {
    Repo *repo;
    KitTable table;
    BackupInfo info;
    Manifest *m;
} World;

static void world_make(World *w, uint32_t pieces, uint64_t rows)
{
    WriterOptions o = kit_options();
    *w = (World){.repo = kit_repo(), .table = kit_table("orders", 1, pieces, rows, 1)};
    kit_backup(w->repo, &o, &w->table, 1, &w->info);
    OK(catalog_load(w->repo, w->info.id, &w->m));
}

static void world_free(World *w)
{
    manifest_free(w->m);
    backup_info_clear(&w->info);
    kit_free(&w->table);
    repo_free(w->repo);
}

static Error *read_all(World *w, Cancel *cancel, Buf *out)
{
    AUTO(ReaderAhead) ra = NULL;
    TRY(reader_ahead_open(w->repo, w->m, &w->m->streams[0], cancel, &ra));
    for (;;) {
        const uint8_t *p;
        size_t n;
        TRY(reader_ahead_next(ra, &p, &n));
        if (!n)
            break;
        buf_add(out, p, n);
    }
    const uint8_t *p;
    size_t n = 1;
    TRY(reader_ahead_next(ra, &p, &n));
    assert_int_equal(n, 0); /* the end stays the end */
    assert_true(reader_ahead_fetched(ra) > 0);
    return NULL;
}

static void comes_back(uint32_t pieces, uint64_t rows)
{
    World w;
    AUTO_VALUE(Buf) whole = {0};
    AUTO_VALUE(Buf) back = {0};
    world_make(&w, pieces, rows);
    for (uint32_t k = 0; k < w.table.count; k++)
        buf_add(&whole, w.table.pieces[k].data, w.table.pieces[k].len);
    OK(read_all(&w, NULL, &back));
    assert_int_equal(back.len, whole.len);
    assert_memory_equal(back.data, whole.data, whole.len);
    world_free(&w);
}

static void test_whole(void **state)
{
    (void)state;
    comes_back(1, 10);    /* too small for a thread */
    comes_back(5, 20000); /* more than may wait to be taken */
    comes_back(40, 3);
}

/* Who stops in the middle ends the thread, which waits for room by then. */
static void test_left(void **state)
{
    (void)state;
    World w;
    world_make(&w, 10, 20000);
    AUTO(ReaderAhead) ra = NULL;
    const uint8_t *p;
    size_t n;
    OK(reader_ahead_open(w.repo, w.m, &w.m->streams[0], NULL, &ra));
    OK(reader_ahead_next(ra, &p, &n));
    assert_true(n > 0);
    reader_ahead_free(STEAL(ra));
    OK(reader_ahead_open(w.repo, w.m, &w.m->streams[0], NULL, &ra));
    reader_ahead_free(STEAL(ra));
    world_free(&w);
}

static void test_cancelled(void **state)
{
    (void)state;
    World w;
    AUTO(Cancel) cancel = NULL;
    AUTO_VALUE(Buf) back = {0};
    world_make(&w, 10, 20000);
    OK(cancel_new(NULL, &cancel));
    cancel_request(cancel);
    FAILS(ERR_CANCELLED, read_all(&w, cancel, &back));
    world_free(&w);
}

/* Damage anywhere is the error at the end, and not an early end. */
static void test_damaged(void **state)
{
    (void)state;
    World w;
    AUTO_VALUE(Buf) bytes = {0};
    AUTO_VALUE(Buf) back = {0};
    char name[NAME_TEXT] = "";
    world_make(&w, 10, 20000);
    for (size_t i = 0; i < w.m->pack_count; i++)
        if (w.m->packs[i].kind == PACK_DATA)
            name_pack(w.m->packs[i].id, name);
    OK(store_get_all(repo_store(w.repo), name, SIZE_MAX / 2, &bytes));
    bytes.data[bytes.len / 2] ^= 1;
    OK(store_delete(repo_store(w.repo), name));
    OK(store_put(repo_store(w.repo), name, bytes.data, bytes.len));
    FAILS(ERR_DAMAGED, read_all(&w, NULL, &back));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_left),
                                       cmocka_unit_test(test_cancelled),
                                       cmocka_unit_test(test_damaged)};
    return cmocka_run_group_tests_name("repo/reader_ahead", tests, NULL, NULL);
}
