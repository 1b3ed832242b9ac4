/* What is kept of a catalog, held against reading all of it anew after everything that may happen
 * to a repository. */
#include "kit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "facts.h"
#include "repo/catalog_cache.h"
#include "repo/pin.h"
#include "repo/repo_internal.h"
#include "repo/trash.h"

#define DAY 86400000ll
#define START 1705314600000ll /* 2024-01-15 10:30 */

typedef struct World {
    char *folder;
    Repo *repo;
    CatalogCache *cache;
} World;

static Repo *open_repo(const char *folder)
{
    Store *s = NULL;
    Repo *r = NULL;
    OK(store_open_dir(folder, true, &s));
    OK(kit_open(s, &r));
    return r;
}

static int set_up(void **state)
{
    World *w = mem_new(World);
    OK(file_temp_dir(&w->folder));
    w->repo = open_repo(w->folder);
    w->cache = catalog_cache_new();
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    World *w = *state;
    catalog_cache_free(w->cache);
    repo_free(w->repo);
    OK(file_remove_tree(w->folder));
    free(w->folder);
    free(w);
    return 0;
}

static void encode(Repo *r, const char *database, Instant t, uint64_t rows, char **id, Buf *out)
{
    AUTO(Manifest) m = manifest_new();
    BackupInfo *i = &m->info;
    facts_of(database, t, i);
    i->rows = rows;
    OK(manifest_encode(m, repo_id(r), repo_keys(r), out));
    *id = mem_strdup(i->id);
}

/* The new one's id; caller frees. */
static char *put(Repo *r, const char *database, Instant t)
{
    AUTO_VALUE(Buf) b = {0};
    char name[NAME_TEXT], *id = NULL;
    encode(r, database, t, 10, &id, &b);
    OK(store_put(repo_store(r), name_manifest(id, name), b.data, b.len));
    return id;
}

static void same_info(const BackupInfo *a, const BackupInfo *b)
{
    AUTO(Doc) x = backup_info_doc(a);
    AUTO(Doc) y = backup_info_doc(b);
    AUTO(char) one = doc_print(x, false);
    AUTO(char) other = doc_print(y, false);
    assert_string_equal(one, other);
}

/* What was looked at is what a list that knows nothing says. */
static CatalogView *look(const World *w)
{
    AUTO_VALUE(BackupList) fresh = {0};
    CatalogView *v = NULL;
    OK(catalog_cache_look(w->cache, w->repo, &v));
    OK(catalog_list(w->repo, NULL, &fresh));
    assert_int_equal(v->list.count, fresh.count);
    for (size_t i = 0; i < fresh.count; i++)
        same_info(&v->list.items[i], &fresh.items[i]);
    assert_int_equal(v->list.damaged.count, fresh.damaged.count);
    for (size_t i = 0; i < fresh.damaged.count; i++)
        assert_string_equal(v->list.damaged.items[i], fresh.damaged.items[i]);
    return v;
}

/* How many bytes a look reads of objects. */
static uint64_t cost(const World *w)
{
    AUTO(CatalogView) v = NULL;
    uint64_t before = store_fetched(repo_store(w->repo));
    OK(catalog_cache_look(w->cache, w->repo, &v));
    return store_fetched(repo_store(w->repo)) - before;
}

static void test_manifests_are_read_once(void **state)
{
    World *w = *state;
    AUTO(char) first = put(w->repo, "shop", START);
    AUTO(char) second = put(w->repo, "shop", START + DAY);
    AUTO(CatalogView) v = look(w);
    AUTO(CatalogView) again = look(w);
    assert_ptr_equal(v, again);
    assert_int_equal(cost(w), 0);
    AUTO(char) third = put(w->repo, "wiki", START);
    uint64_t one = cost(w);
    AUTO(CatalogView) fresh = look(w);
    assert_ptr_not_equal(fresh, v);
    assert_int_equal(fresh->list.count, 3);
    /* Only the new one was read, and the view that somebody still holds is what it was. */
    assert_in_range(one, 1, 4000);
    assert_int_equal(v->list.count, 2);
    assert_string_equal(v->list.items[0].id, first);
    assert_string_equal(v->list.items[1].id, second);
}

static void test_marks_count_at_once(void **state)
{
    World *w = *state;
    AUTO(char) id = put(w->repo, "shop", START);
    AUTO(char) other = put(w->repo, "shop", START + DAY);
    bool was;
    catalog_view_release(look(w));
    OK(trash_put(w->repo, other));
    AUTO(CatalogView) deleted = look(w);
    assert_int_equal(deleted->list.count, 1);
    OK(trash_undelete(w->repo, other));
    AUTO(CatalogView) back = look(w);
    assert_int_equal(back->list.count, 2);
    OK(pin_put(w->repo, id));
    AUTO(CatalogView) pinned = look(w);
    assert_true(pinned->list.items[0].pinned);
    OK(pin_remove(w->repo, id, &was));
    AUTO(CatalogView) loose = look(w);
    assert_false(loose->list.items[0].pinned);
    OK(proof_put_whole(w->repo, id, &(Proof){.level = "drill", .good = true, .restore_ms = 1234}));
    AUTO(CatalogView) proven = look(w);
    assert_true(proven->list.items[0].proven);
    assert_int_equal(proven->list.items[0].restore_ms, 1234);
    OK(proof_put(w->repo, id, "rebuild", false, "a frame"));
    AUTO(CatalogView) bad = look(w);
    assert_int_equal(bad->list.items[0].last_drill, proven->list.items[0].last_drill);
}

/* As somebody does who knows the file system and nothing of pgstow. */
static void overwrite(const World *w, const char *id, const void *p, size_t n)
{
    char name[NAME_TEXT];
    AUTO(char) path = file_join(w->folder, name_manifest(id, name));
    assert_int_equal(chmod(path, 0600), 0);
    AUTO_VALUE(Fd) fd = {open(path, O_WRONLY | O_CLOEXEC)};
    assert_true(fd.n >= 0);
    OK(file_write_all(fd.n, p, n, path));
}

static void test_what_was_changed_in_place_is_read_again(void **state)
{
    World *w = *state;
    AUTO_VALUE(Buf) whole = {0};
    AUTO_VALUE(Buf) broken = {0};
    char name[NAME_TEXT];
    AUTO(char) id = put(w->repo, "shop", START);
    OK(store_get_all(repo_store(w->repo), name_manifest(id, name), 1u << 20, &whole));
    buf_add(&broken, whole.data, whole.len);
    memset(broken.data + whole.len / 2, 'x', 8);
    catalog_view_release(look(w));
    clock_sleep_ms(20); /* a file's time has the steps of the kernel's clock */
    overwrite(w, id, broken.data, broken.len);
    AUTO(CatalogView) bad = look(w);
    assert_int_equal(bad->list.count, 0);
    assert_int_equal(bad->list.damaged.count, 1);
    clock_sleep_ms(20);
    overwrite(w, id, whole.data, whole.len);
    AUTO(CatalogView) good = look(w);
    assert_int_equal(good->list.count, 1);
}

static void test_another_one_of_the_same_name_is_read(void **state)
{
    World *w = *state;
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) id = put(w->repo, "shop", START);
    AUTO(char) same = NULL;
    char name[NAME_TEXT];
    AUTO(CatalogView) v = look(w);
    OK(store_delete(repo_store(w->repo), name_manifest(id, name)));
    encode(w->repo, "shop", START, 99, &same, &b);
    OK(store_put(repo_store(w->repo), name_manifest(id, name), b.data, b.len));
    AUTO(CatalogView) other = look(w);
    assert_int_equal(v->list.items[0].rows, 10);
    assert_int_equal(other->list.items[0].rows, 99);
}

/* One that was put in its place, as far as a name goes the same. */
static void test_another_repository_is_none_of_this_one(void **state)
{
    World *w = *state;
    AUTO(char) id = put(w->repo, "shop", START);
    AUTO(char) other = NULL;
    AUTO(char) elsewhere = NULL;
    OK(file_temp_dir(&elsewhere));
    AUTO(CatalogView) v = look(w);
    Repo *mine = w->repo;
    w->repo = open_repo(elsewhere);
    other = put(w->repo, "shop", START);
    AUTO(CatalogView) theirs = look(w);
    assert_string_equal(other, id);
    assert_string_not_equal(theirs->list.items[0].repository, v->list.items[0].repository);
    repo_free(w->repo);
    w->repo = mine;
    AUTO(CatalogView) back = look(w);
    assert_string_equal(back->list.items[0].repository, v->list.items[0].repository);
    OK(file_remove_tree(elsewhere));
}

typedef struct Looker {
    World *w;
    size_t least;
} Looker;

static void *look_often(void *arg)
{
    Looker *l = arg;
    for (int i = 0; i < 200; i++) {
        AUTO(CatalogView) v = NULL;
        OK(catalog_cache_look(l->w->cache, l->w->repo, &v));
        if (v->list.count < l->least) /* a list never goes back */
            abort();
        l->least = v->list.count;
    }
    return NULL;
}

static void test_many_look_while_backups_come(void **state)
{
    World *w = *state;
    pthread_t threads[4];
    Looker lookers[4] = {{w, 0}, {w, 0}, {w, 0}, {w, 0}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_often, &lookers[i]), 0);
    for (int i = 0; i < 30; i++)
        free(put(w->repo, "shop", START + i * DAY));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    AUTO(CatalogView) v = look(w);
    assert_int_equal(v->list.count, 30);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_manifests_are_read_once),
        TEST(test_marks_count_at_once),
        TEST(test_what_was_changed_in_place_is_read_again),
        TEST(test_another_one_of_the_same_name_is_read),
        TEST(test_another_repository_is_none_of_this_one),
        TEST(test_many_look_while_backups_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
