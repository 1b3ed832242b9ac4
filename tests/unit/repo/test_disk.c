/* A repository in a directory whose power fails after every single call to the system: no file is
 * ever found under its name with other contents than it was given, and what was told is there. */
#include "survive.h"

#include <stdlib.h>

#include "../store/disk.h"
#include "repo/trash.h"

#define LUCKS 4

static char folder[] = "/tmp/pgstow-disk-XXXXXX";

static Store *open_dir(void)
{
    Store *s = NULL;
    OK(store_open_dir(folder, false, &s));
    return s;
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    disk_listen(folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    disk_forget();
    AUTO(char) command = mem_printf("rm -rf '%s'", folder);
    int status = system(command);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return status;
}

/* -- the store's own promises ----------------------------------------------------------------- */

typedef struct Promise {
    const char *name, *bytes;
    size_t from, until; /* it must be there in cuts of these; outside it may be */
} Promise;

static Promise promises[16];
static size_t promise_count;

static Promise *promise(const char *name, const char *bytes, size_t from)
{
    promises[promise_count] = (Promise){name, bytes, from, SIZE_MAX};
    return &promises[promise_count++];
}

static Error *check_known(void *ctx, const char *name, uint64_t size)
{
    AUTO_VALUE(Buf) b = {0};
    (void)size;
    OK(store_get_all(ctx, name, 1000, &b));
    for (size_t i = 0; i < promise_count; i++)
        if (!strcmp(promises[i].name, name)) {
            assert_int_equal(b.len, strlen(promises[i].bytes));
            assert_memory_equal(b.data, promises[i].bytes, b.len);
            return NULL;
        }
    fail_msg("%s was never put", name);
    return NULL;
}

static void finish(Store *s, const char *name, const char *bytes)
{
    AUTO(StorePut) p = NULL;
    OK(store_put_begin(s, name, &p));
    OK(store_put_write(p, bytes, 3));
    OK(store_put_write(p, bytes + 3, strlen(bytes) - 3));
    OK(store_put_finish(p));
}

static void test_contract(void **state)
{
    (void)state;
    size_t states = 0;
    promise_count = 0;
    AUTO(Store) s = open_dir();
    OK(store_put(s, "config", "the config", 10));
    promise("config", "the config", disk.count);
    Promise *session = promise("sessions/one", "a session", 0);
    OK(store_put(s, "sessions/one", "a session", 9));
    session->from = disk.count;
    finish(s, "packs/00/a", "a pack of frames");
    finish(s, "packs/01/b", "another pack");
    OK(store_barrier(s));
    promise("packs/00/a", "a pack of frames", disk.count);
    promise("packs/01/b", "another pack", disk.count);
    finish(s, "packs/00/c", "never promised");
    promise("packs/00/c", "never promised", SIZE_MAX);
    OK(store_put(s, "backups/x.manifest", "the manifest", 12));
    promise("backups/x.manifest", "the manifest", disk.count);
    session->until = disk.count;
    OK(store_delete(s, "sessions/one"));
    OK(store_barrier(s));
    size_t gone = disk.count;
    {
        /* What another process left behind is adopted. */
        AUTO(Store) other = open_dir();
        store_adopt(other, "packs/00/c");
        OK(store_barrier(other));
        promises[4].from = disk.count;
    }
    disk.on = false;
    for (size_t at = 0; at <= disk.count; at++)
        for (int luck = 0; luck < 12; luck++) {
            size_t undecided;
            AUTO(Store) found = disk_cut(at, luck, &undecided);
            OK(store_list(found, "", check_known, found));
            for (size_t i = 0; i < promise_count; i++) {
                bool there;
                OK(store_exists(found, promises[i].name, &there));
                if (at >= promises[i].from && at <= promises[i].until && !there)
                    print_error("after %zu events %s is gone\n", at, promises[i].name);
                assert_true(there || at < promises[i].from || at > promises[i].until);
                assert_false(there && at >= gone && &promises[i] == session);
            }
            states++;
        }
    print_message("# %zu states of the disk after %zu calls\n", states, disk.count);
}

/* -- a repository ----------------------------------------------------------------------------- */

static void test_repository(void **state)
{
    (void)state;
    KitTable t[2] = {kit_table("orders", 20001, 1, 2400, 0), kit_table("notes", 20002, 1, 20, 7)};
    KitTable changed[2] = {kit_table("orders", 20001, 1, 2400, 0),
                           kit_table("notes", 20002, 1, 30, 7)};
    kit_row(&changed[0].pieces[0], 50000, 3);
    const KitTable *order[] = {t, changed, changed};
    Told told[3];
    size_t states = 0;
    for (int i = 0; i < 3; i++) {
        AUTO(Repo) r = NULL;
        AUTO_VALUE(BackupInfo) info = {0};
        WriterOptions o = kit_options();
        OK(kit_open(open_dir(), &r));
        if (i == 2) {
            told[0].deleted = disk.count;
            OK(trash_put(r, told[0].id));
        }
        kit_backup(r, &o, order[i], 2, &info);
        told[i] = (Told){mem_strdup(info.id), order[i], 2, disk.count, SIZE_MAX};
    }
    disk.on = false;
    for (size_t at = 0; at <= disk.count; at++)
        for (int luck = 0; luck < LUCKS; luck++) {
            size_t undecided;
            Store *found = disk_cut(at, luck, &undecided);
            if (luck > 1 && undecided < 2) {
                store_free(found);
                continue;
            }
            survive(found, told, 3, at, luck, t, 2);
            states++;
        }
    print_message("# %zu states of the disk after %zu calls\n", states, disk.count);
    for (int i = 0; i < 3; i++)
        free(told[i].id);
    for (int i = 0; i < 2; i++) {
        kit_free(&t[i]);
        kit_free(&changed[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_contract, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repository, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
