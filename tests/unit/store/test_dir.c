/* What a directory adds to the contract: modes, links, permissions, full disks, other processes. */
#include "store_setup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void assert_mode(const char *name, mode_t mode)
{
    AUTO(char) path = setup_path(name);
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void test_open(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("open/deep/repo");
    AUTO(Store) s = NULL;
    FAILS(ERR_REPO_NOT_FOUND, store_open_dir(path, false, &s));
    OK(store_open_dir(path, true, &s));
    assert_string_equal(store_where(s), path);
    assert_mode("open/deep/repo", 0700);
    AUTO(char) file = setup_path("open/file");
    OK(file_write_atomic(file, "x", 1, 0600));
    AUTO(Store) none = NULL;
    FAILS(ERR_IO, store_open_dir(file, true, &none));
    AUTO(char) below = file_join(file, "below");
    FAILS(ERR_IO, store_open_dir(below, false, &none));
}

static void test_modes(void **state)
{
    (void)state;
    const mode_t masks[] = {0, 077, 0777};
    for (size_t i = 0; i < 3; i++) {
        AUTO(char) name = mem_printf("modes%zu", i);
        AUTO(char) path = setup_path(name);
        AUTO(Store) s = NULL;
        mode_t before = umask(masks[i]);
        OK(store_open_dir(path, true, &s));
        OK(store_put(s, "packs/ab/x", "x", 1));
        umask(before);
        AUTO(char) packs = file_join(name, "packs");
        AUTO(char) ab = file_join(name, "packs/ab");
        AUTO(char) tmp = file_join(name, "tmp");
        AUTO(char) object = file_join(name, "packs/ab/x");
        assert_mode(name, 0700);
        assert_mode(packs, 0700);
        assert_mode(ab, 0700);
        assert_mode(tmp, 0700);
        assert_mode(object, 0600);
    }
}

/* Other files lie about in people's folders. */
static void test_strangers(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("strangers");
    AUTO(Store) s = NULL;
    OK(store_open_dir(path, true, &s));
    OK(store_put(s, "a/object", "x", 1));
    const char *files[] = {".DS_Store", "a/.nfs0001", "a/with space", "tmp/left"};
    for (size_t i = 0; i < 4; i++) {
        AUTO(char) file = file_join(path, files[i]);
        OK(file_write_atomic(file, "x", 1, 0600));
    }
    AUTO(char) fifo = file_join(path, "a/fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_objects(s, "", "a/object ");
    uint64_t size;
    FAILS(ERR_IO, store_size(s, "a/fifo", &size));
}

static void test_links(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("links");
    AUTO(char) outside = setup_path("outside");
    AUTO(char) secret = file_join(outside, "secret");
    AUTO(char) file_link = file_join(path, "a/link");
    AUTO(char) folder_link = file_join(path, "folder");
    AUTO(Store) s = NULL;
    OK(file_make_dir(outside, 0700));
    OK(file_write_atomic(secret, "secret", 6, 0600));
    OK(store_open_dir(path, true, &s));
    OK(store_put(s, "a/object", "x", 1));
    assert_int_equal(symlink(secret, file_link), 0);
    assert_int_equal(symlink(outside, folder_link), 0);
    char out[6];
    bool exists;
    FAILS(ERR_IO, store_get(s, "a/link", 0, out, 6));
    FAILS(ERR_IO, store_exists(s, "a/link", &exists));
    FAILS(ERR_IO, store_get(s, "folder/secret", 0, out, 6));
    FAILS(ERR_IO, store_put(s, "folder/new", "x", 1));
    FAILS(ERR_IO, store_delete(s, "folder/secret"));
    FAILS(ERR_EXISTS, store_put(s, "a/link", "x", 1));
    FAILS(ERR_IO, store_list(s, "", setup_add_name, &(Buf){0}));
    assert_true(file_exists(secret));
    /* The root itself may be one. */
    AUTO(char) root_link = setup_path("root_link");
    assert_int_equal(unlink(file_link), 0);
    assert_int_equal(unlink(folder_link), 0);
    assert_int_equal(symlink(path, root_link), 0);
    AUTO(Store) linked = NULL;
    OK(store_open_dir(root_link, false, &linked));
    assert_objects(linked, "", "a/object ");
}

/* What a writer leaves behind that dies before it finishes. */
static void test_leftovers(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("leftovers");
    AUTO(char) tmp = file_join(path, "tmp");
    AUTO(Store) s = NULL;
    OK(store_open_dir(path, true, &s));
    pid_t child = fork();
    if (child == 0) {
        AUTO(StorePut) p = NULL;
        error_drop(store_put_begin(s, "packs/x", &p));
        error_drop(store_put_write(p, "half", 4));
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_objects(s, "", "");
    OK(store_put(s, "packs/x", "whole", 5));
    assert_objects(s, "", "packs/x ");
    struct stat st;
    assert_int_equal(stat(tmp, &st), 0);
}

/* A copy of the repository by hard links (cp -l) while an object is written. */
static void test_linked_copy(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("linked");
    AUTO(char) tmp = file_join(path, "tmp");
    AUTO(char) copy = setup_path("copy");
    AUTO(Store) s = NULL;
    AUTO(StorePut) p = NULL;
    OK(store_open_dir(path, true, &s));
    OK(store_put_begin(s, "a/object", &p));
    OK(store_put_write(p, "ours", 4));
    DIR *dir = opendir(tmp);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (*entry->d_name == '.')
            continue;
        AUTO(char) file = file_join(tmp, entry->d_name);
        assert_int_equal(link(file, copy), 0);
    }
    closedir(dir);
    OK(store_put(s, "a/object", "theirs", 6));
    FAILS(ERR_EXISTS, store_put_finish(p));
    char out[6];
    OK(store_get(s, "a/object", 0, out, 6));
    assert_memory_equal(out, "theirs", 6);
}

/* A root that somebody deleted is not an empty one. */
static void test_gone(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("gone");
    AUTO(Store) s = NULL;
    OK(store_open_dir(path, true, &s));
    assert_objects(s, "", "");
    assert_int_equal(rmdir(path), 0);
    AUTO_VALUE(Buf) names = {0};
    FAILS(ERR_REPO_NOT_FOUND, store_list(s, "", setup_add_name, &names));
    FAILS(ERR_REPO_NOT_FOUND, store_list(s, "backups/", setup_add_name, &names));
}

static void test_processes(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("processes");
    AUTO(Store) root = NULL;
    OK(store_open_dir(path, true, &root));
    for (int round = 0; round < 5; round++) {
        pid_t children[4];
        AUTO(char) name = mem_printf("r%d/object", round);
        for (int i = 0; i < 4; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                AUTO(Store) s = NULL;
                OK(store_open_dir(path, false, &s));
                Error *e = store_put(s, name, "x", 1);
                _exit(!e ? 0 : error_kind(e) == ERR_EXISTS ? 1 : 2);
            }
        }
        int won = 0, lost = 0;
        for (int i = 0; i < 4; i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_true(WIFEXITED(status));
            won += WEXITSTATUS(status) == 0;
            lost += WEXITSTATUS(status) == 1;
        }
        assert_int_equal(won, 1);
        assert_int_equal(lost, 3);
    }
}

/* Runs `work` as nobody in a child, since root may do everything; whoever isn't root runs it as
 * themselves. The exit status is 0 where the error was of this kind and had a hint. */
static void as_nobody(ErrorKind expected, Error *(*work)(const char *path), const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
            _exit(3);
        Error *e = work(path);
        bool right = e && error_kind(e) == expected && error_hint_text(e);
        if (!right)
            fprintf(stderr, "# %s\n", e ? error_message(e) : "succeeded");
        _exit(right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static Error *open_it(const char *path)
{
    AUTO(Store) s = NULL;
    return store_open_dir(path, false, &s);
}

static Error *create_it(const char *path)
{
    AUTO(Store) s = NULL;
    AUTO(char) below = file_join(path, "new");
    return store_open_dir(below, true, &s);
}

static Error *put_it(const char *path)
{
    AUTO(Store) s = NULL;
    TRY(store_open_dir(path, false, &s));
    return store_put(s, "a/new", "x", 1);
}

static Error *get_it(const char *path)
{
    AUTO(Store) s = NULL;
    char byte;
    TRY(store_open_dir(path, false, &s));
    return store_get(s, "a/x", 0, &byte, 1);
}

static Error *delete_it(const char *path)
{
    AUTO(Store) s = NULL;
    TRY(store_open_dir(path, false, &s));
    return store_delete(s, "a/x");
}

static Error *list_it(const char *path)
{
    AUTO(Store) s = NULL;
    AUTO_VALUE(Buf) names = {0};
    TRY(store_open_dir(path, false, &s));
    return store_list(s, "", setup_add_name, &names);
}

static void set_modes(const char *path, mode_t root, mode_t folder, mode_t file)
{
    AUTO(char) a = file_join(path, "a");
    AUTO(char) x = file_join(path, "a/x");
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(chmod(a, 0700), 0);
    assert_int_equal(chmod(x, file), 0);
    assert_int_equal(chmod(a, folder), 0);
    assert_int_equal(chmod(path, root), 0);
}

static void test_permission(void **state)
{
    (void)state;
    AUTO(char) path = setup_path("permission");
    AUTO(Store) s = NULL;
    OK(store_open_dir(path, true, &s));
    OK(store_put(s, "a/x", "x", 1));
    assert_int_equal(chmod(setup_folder, 0755), 0);
    set_modes(path, 0, 0755, 0644);
    as_nobody(ERR_REPO_PERMISSION, open_it, path);
    set_modes(path, 0555, 0555, 0);
    as_nobody(ERR_REPO_PERMISSION, create_it, path);
    as_nobody(ERR_REPO_PERMISSION, put_it, path);
    as_nobody(ERR_REPO_PERMISSION, get_it, path);
    as_nobody(ERR_REPO_PERMISSION, delete_it, path);
    set_modes(path, 0555, 0, 0);
    as_nobody(ERR_REPO_PERMISSION, list_it, path);
    set_modes(path, 0700, 0700, 0600);
}

/* A disk of this process alone; false where we may not mount. */
static bool mount_own(const char *path, const char *size)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", path, "tmpfs", 0, size) == 0;
}

#define MAY_NOT_MOUNT 77

/* Fills a disk of 256 KiB: 0 where all was as it should be. */
static int fill_disk(const char *path)
{
    if (!mount_own(path, "size=256k"))
        return MAY_NOT_MOUNT;
    AUTO(Store) s = NULL;
    OK(store_open_dir(path, false, &s));
    OK(store_put(s, "small", "x", 1));
    char *large = mem_zalloc(1 << 20);
    AUTO(Error) e = store_put(s, "packs/large", large, 1 << 20);
    free(large);
    if (!e || error_kind(e) != ERR_REPO_FULL || !error_hint_text(e))
        return 1;
    assert_objects(s, "", "small ");
    /* What did not fit is gone, so there is room again. */
    uint64_t space;
    OK(store_free_space(s, &space));
    if (space < 200000)
        return 2;
    OK(store_put(s, "packs/small", "x", 1));
    assert_objects(s, "", "packs/small small ");
    return 0;
}

/* Not one more byte fits. */
static bool fill_up(const char *path, const char *name)
{
    AUTO(char) ballast = file_join(path, name);
    AUTO_VALUE(Fd) fd = {open(ballast, O_WRONLY | O_CREAT, 0600)};
    char block[4096] = {0};
    while (write(fd.n, block, sizeof block) > 0)
        ;
    return errno == ENOSPC;
}

static off_t reserve_size(const char *path)
{
    AUTO(char) reserve = file_join(path, "tmp/reserve");
    struct stat st;
    return stat(reserve, &st) == 0 ? st.st_size : 0;
}

static bool is_full(Error *e)
{
    AUTO(Error) failure = e;
    return failure && error_kind(failure) == ERR_REPO_FULL;
}

/* As fill_disk. A full disk of 3 MiB: what frees space finds room, who does not ask for it finds
 * none. */
static int use_reserve(const char *path)
{
    if (!mount_own(path, "size=3m"))
        return MAY_NOT_MOUNT;
    AUTO(Store) s = NULL;
    AUTO(Store) frees = NULL;
    AUTO(Store) again = NULL;
    OK(store_open_dir(path, false, &s));
    OK(store_put(s, "small", "x", 1));
    store_keep_reserve(s);
    if (reserve_size(path) != 256 << 10)
        return 1;
    if (!fill_up(path, "ballast"))
        return 2;
    OK(store_open_dir(path, false, &frees));
    if (!is_full(store_put(s, "trash/a", "x", 1)) || reserve_size(path) != 256 << 10)
        return 3;
    store_use_reserve(frees);
    OK(store_put(frees, "trash/a", "x", 1));
    if (reserve_size(path))
        return 4;
    assert_objects(s, "", "ballast small trash/a ");
    /* What is left of it is kept for the next one, and the disk as full as before. */
    store_keep_reserve(frees);
    off_t left = reserve_size(path);
    if (left >= 256 << 10 || left < 240 << 10 || !is_full(store_put(s, "trash/b", "x", 1)))
        return 5;
    OK(store_open_dir(path, false, &again));
    store_use_reserve(again);
    OK(store_put(again, "trash/b", "x", 1));
    /* Others take it all: then nothing is there to give up, and nothing is made of crumbs. */
    if (!fill_up(path, "more") || !is_full(store_put(again, "trash/c", "x", 1)))
        return 6;
    store_keep_reserve(again);
    if (reserve_size(path))
        return 7;
    OK(store_delete(s, "more"));
    store_keep_reserve(s); /* gave nothing up: only where there is plenty */
    if (reserve_size(path))
        return 8;
    OK(store_delete(s, "ballast"));
    store_keep_reserve(s);
    if (reserve_size(path) != 256 << 10)
        return 9;
    assert_objects(s, "", "small trash/a trash/b ");
    uint64_t files, bytes;
    OK(store_sweep(s, -1, false, &files, &bytes));
    return files || !reserve_size(path) ? 10 : 0;
}

static void in_child(const char *name, int (*work)(const char *path))
{
    AUTO(char) path = setup_path(name);
    assert_int_equal(mkdir(path, 0700), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(work(path));
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == MAY_NOT_MOUNT)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_full(void **state)
{
    (void)state;
    in_child("full", fill_disk);
}

static void test_reserve(void **state)
{
    (void)state;
    in_child("reserve", use_reserve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_strangers),   cmocka_unit_test(test_links),
        cmocka_unit_test(test_leftovers),   cmocka_unit_test(test_gone),
        cmocka_unit_test(test_processes),   cmocka_unit_test(test_permission),
        cmocka_unit_test(test_full),        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_linked_copy),
    };
    return cmocka_run_group_tests(tests, setup_make, setup_drop);
}
