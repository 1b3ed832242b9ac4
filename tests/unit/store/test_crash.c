/* A process that dies, or fails, at each fault point of a directory store. The parent itself passes
 * none, so that each child reads its own PGSTOW_FAULT. */
#include "store_setup.h"

#include <signal.h>
#include <sys/wait.h>

static Error *work(const char *path)
{
    AUTO(Store) s = NULL;
    TRY(store_open_dir(path, true, &s));
    AUTO(StorePut) pack = NULL;
    TRY(store_put_begin(s, "packs/ab/pack", &pack));
    TRY(store_put_write(pack, "pack", 4));
    TRY(store_put_finish(pack));
    TRY(store_barrier(s));
    TRY(store_put(s, "backups/manifest", "manifest", 8));
    return store_delete(s, "backups/manifest");
}

/* In a child, with the fault; its status as waitpid gives it. An error exits with 100 and its kind.
 */
static int run(const char *path, const char *point, const char *action)
{
    pid_t child = fork();
    if (child == 0) {
        AUTO(char) fault = mem_printf("%s:%s", point, action);
        setenv("PGSTOW_FAULT", fault, 1);
        Error *e = work(path);
        _exit(e ? 100 + (int)error_kind(e) : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static const struct {
    const char *point, *objects;
} points[] = {
    {"store.finish.synced", ""},
    {"store.finish.linked", "packs/ab/pack "},
    {"store.barrier", "packs/ab/pack "},
    {"store.put.written", "packs/ab/pack "},
    {"store.put.linked", "backups/manifest packs/ab/pack "},
    {"store.delete", "backups/manifest packs/ab/pack "},
};

static void test_all(const char *action, bool killed)
{
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        AUTO(char) name = mem_printf("%s-%s", points[i].point, action);
        AUTO(char) path = setup_path(name);
        int status = run(path, points[i].point, action);
        if (killed)
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        else
            assert_int_equal(WEXITSTATUS(status), 100 + ERR_IO);
        AUTO(Store) s = NULL;
        OK(store_open_dir(path, false, &s));
        assert_objects(s, "", points[i].objects);
        AUTO_VALUE(Buf) bytes = {0};
        Error *e = store_get_all(s, "packs/ab/pack", 100, &bytes);
        assert_true(e ? error_kind(e) == ERR_NOT_FOUND : bytes.len == 4);
        error_free(e);
    }
}

static void test_killed(void **state)
{
    (void)state;
    test_all("kill", true);
}

static void test_failed(void **state)
{
    (void)state;
    test_all("error", false);
}

static void test_none(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("none");
    assert_int_equal(run(path, "no.such.point", "kill"), 0);
    AUTO(Store) s = NULL;
    OK(store_open_dir(path, false, &s));
    assert_objects(s, "", "packs/ab/pack ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, setup_make, setup_drop);
}
