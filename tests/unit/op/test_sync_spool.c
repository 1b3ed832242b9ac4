#include "../state/kit.h"

#include <fcntl.h>

#include "crypto/hash.h"
#include "op/sync_contents.h"
#include "op/sync_spool.h"

#define SESSION "20240115-103000-4f2a"
#define TABLE "\"table\":{\"schema\":\"public\",\"name\":\"t\",\"columns\":[\"a\",\"b\"]}"
#define OTHER "\"table\":{\"schema\":\"public\",\"name\":\"u\",\"columns\":[\"a\"]}"

static SyncSpool *open_spool(bool create)
{
    SyncSpool *s = NULL;
    OK(sync_spool_open(kit_folder, SESSION, create, &s));
    return s;
}

static char *batch(unsigned attempt, unsigned seq, const char *members)
{
    return mem_printf("{\"sessionId\":\"" SESSION "\",\"attempt\":%u,\"seq\":%u%s%s}", attempt, seq,
                      *members ? "," : "", members);
}

/* Each by a handle of its own, as a service takes them; NULL where it is taken. */
static Error *take(unsigned attempt, unsigned seq, const char *members)
{
    AUTO(char) json = batch(attempt, seq, members);
    AUTO(SyncSpool) s = open_spool(true);
    return sync_spool_take(s, json, strlen(json));
}

static SyncSpoolState state_now(void)
{
    AUTO(SyncSpool) s = open_spool(false);
    return sync_spool_state(s);
}

/* What the last batch says of a table with these rows. */
static char *said(const char *name, const char *columns, unsigned rows, const char *text)
{
    uint8_t digest[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    AUTO(Hash) h = hash_new();
    hash_once(h, text, strlen(text), digest);
    text_hex(digest, HASH_BYTES, hex);
    return mem_printf("{\"schema\":\"public\",\"name\":\"%s\"%s,\"rows\":%u,\"sha256\":\"%s\"}",
                      name, columns, rows, hex);
}

static Error *take_last(unsigned attempt, unsigned seq, const char *tables)
{
    AUTO(char) members = mem_printf("\"tables\":[%s],\"last\":true", tables);
    return take(attempt, seq, members);
}

static void test_taken_to_its_end(void **state)
{
    (void)state;
    AUTO(char) t = said("t", "", 3, "1\t\\N\n2\txyz\n3\t\n");
    AUTO(char) empty = said("nothing", ",\"columns\":[\"x\"]", 0, "");
    AUTO(char) both = mem_printf("%s,%s", t, empty);
    OK(take(1, 1, "\"source\":{\"database\":\"shop\"}"));
    OK(take(1, 2, TABLE ",\"rows\":[[\"1\",null],[\"2\",\"x\"]],\"more\":true"));
    OK(take(1, 3, TABLE ",\"rows\":[[\"yz\"],[\"3\",\"\"]]"));
    assert_false(state_now().complete);
    OK(take_last(1, 4, both));
    SyncSpoolState s = state_now();
    assert_true(s.complete);
    assert_int_equal(s.seq, 4);
    assert_int_equal(s.rows, 3);
    assert_int_equal(s.tables, 1);

    AUTO_VALUE(SyncContents) all = {0};
    AUTO(SyncSpool) spool = open_spool(false);
    OK(sync_spool_read(
        spool,
        &(SyncSpoolReader){.batch = sync_contents_batch, .text = sync_contents_text, .ctx = &all}));
    OK(sync_contents_end(&all));
    assert_int_equal(all.table_count, 2);
    assert_string_equal(all.tables[1].name, "nothing");
    assert_string_equal(all.tables[1].columns.items[0], "x");
    assert_int_equal(all.rows, 3);
    assert_string_equal(doc_str(all.source, "database", ""), "shop");
}

static void test_nobody_else_may_read_it(void **state)
{
    struct stat st;
    (void)state;
    umask(0);
    OK(take(1, 1, ""));
    AUTO(char) folder = kit_path("rows");
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    AUTO(char) command = mem_printf("test \"$(stat -c %%a %s/*.rows)\" = 600", folder);
    assert_int_equal(system(command), 0);
}

static void test_again(void **state)
{
    (void)state;
    OK(take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    OK(take(1, 2, TABLE ",\"rows\":[[\"3\",\"4\"]]"));
    OK(take(1, 2, TABLE ",\"rows\":[[\"3\",\"4\"]]"));
    OK(take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    assert_int_equal(state_now().rows, 2);
    FAILS(ERR_USAGE, take(1, 1, TABLE ",\"rows\":[[\"1\",\"5\"]]"));
    FAILS(ERR_USAGE, take(1, 2, TABLE ",\"rows\":[[\"3\",\"5\"]]"));
    FAILS(ERR_USAGE, take(1, 4, TABLE ",\"rows\":[[\"3\",\"5\"]]"));
    assert_int_equal(state_now().seq, 2);
    assert_int_equal(state_now().rows, 2);
}

static void test_attempts_are_not_mixed(void **state)
{
    (void)state;
    OK(take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    OK(take(1, 2, TABLE ",\"rows\":[[\"3\",\"4\"]]"));
    FAILS(ERR_USAGE, take(2, 3, TABLE ",\"rows\":[[\"5\",\"6\"]]"));
    OK(take(2, 1, TABLE ",\"rows\":[[\"7\",\"8\"]]"));
    FAILS(ERR_FENCED, take(1, 3, TABLE ",\"rows\":[[\"5\",\"6\"]]"));
    FAILS(ERR_FENCED, take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    AUTO(char) t = said("t", "", 1, "7\t8\n");
    OK(take_last(2, 2, t));
    OK(take_last(2, 2, t));
    SyncSpoolState s = state_now();
    assert_true(s.complete);
    assert_int_equal(s.attempt, 2);
    assert_int_equal(s.rows, 1);
    FAILS(ERR_USAGE, take(2, 3, ""));
}

static void test_what_the_end_says_must_be_so(void **state)
{
    (void)state;
    AUTO(char) right = said("t", "", 1, "1\t2\n");
    AUTO(char) rows = said("t", "", 2, "1\t2\n");
    AUTO(char) hash = said("t", "", 1, "1\t3\n");
    AUTO(char) other = said("u", "", 0, "");
    AUTO(char) full = said("u", ",\"columns\":[\"a\"]", 1, "1\n");
    AUTO(char) twice = mem_printf("%s,%s", right, right);
    AUTO(char) no_columns = mem_printf("%s,%s", right, other);
    AUTO(char) missing = mem_printf("%s,%s", right, full);
    const char *const wrong[] = {"", rows, hash, other, twice, no_columns, missing};
    OK(take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FAILS(ERR_MISMATCH, take_last(1, 2, wrong[i]));
        assert_false(state_now().complete);
        assert_int_equal(state_now().seq, 1);
    }
    OK(take_last(1, 2, right));
    assert_true(state_now().complete);
}

static void test_a_table_comes_in_one_part(void **state)
{
    (void)state;
    AUTO(char) t = said("t", "", 2, "1\t2\n3\t4\n");
    AUTO(char) u = said("u", "", 1, "x\n");
    AUTO(char) both = mem_printf("%s,%s", t, u);
    OK(take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    OK(take(1, 2, OTHER ",\"rows\":[[\"x\"]]"));
    OK(take(1, 3, TABLE ",\"rows\":[[\"3\",\"4\"]]"));
    FAILS(ERR_MISMATCH, take_last(1, 4, both));
    /* Nor goes a value on in another one. */
    OK(take(2, 1, TABLE ",\"rows\":[[\"1\"]],\"more\":true"));
    FAILS(ERR_USAGE, take(2, 2, OTHER ",\"rows\":[[\"x\"]]"));
    FAILS(ERR_USAGE, take_last(2, 2, both));
}

static void test_of_another_session(void **state)
{
    (void)state;
    AUTO(SyncSpool) s = open_spool(true);
    const char json[] = "{\"sessionId\":\"other\",\"seq\":1}";
    FAILS(ERR_USAGE, sync_spool_take(s, json, strlen(json)));
}

static char *only_file(void)
{
    AUTO(char) command = mem_printf("ls %s/rows/*.rows", kit_folder);
    char line[4096];
    FILE *f = popen(command, "r");
    assert_non_null(fgets(line, sizeof line, f));
    pclose(f);
    line[strcspn(line, "\n")] = 0;
    return mem_strdup(line);
}

/* A write that a crash tore: at each length the file has what was whole, and goes on from there. */
static void test_a_torn_end(void **state)
{
    struct stat one, two;
    (void)state;
    OK(take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    AUTO(char) path = only_file();
    assert_int_equal(stat(path, &one), 0);
    OK(take(1, 2, TABLE ",\"rows\":[[\"3\",\"4\"]]"));
    assert_int_equal(stat(path, &two), 0);
    AUTO_VALUE(Buf) whole = {0};
    OK(file_read(path, 1 << 20, &whole));
    for (off_t cut = one.st_size; cut < two.st_size; cut++) {
        OK(file_write_atomic(path, whole.data, (size_t)cut, 0600));
        assert_int_equal(state_now().seq, 1);
        assert_int_equal(state_now().rows, 1);
    }
    /* Pages that never reached the disk, with the end there. */
    memset(whole.data + one.st_size + 20, 0, 10);
    OK(file_write_atomic(path, whole.data, whole.len, 0600));
    assert_int_equal(state_now().seq, 1);
    OK(take(1, 2, TABLE ",\"rows\":[[\"3\",\"4\"]]"));
    assert_int_equal(state_now().rows, 2);
    /* The head too. */
    for (size_t n = 0; n < 40; n += 13) {
        OK(file_write_atomic(path, whole.data, n, 0600));
        assert_int_equal(state_now().attempt, 0);
    }
}

static void test_damage_is_seen(void **state)
{
    (void)state;
    AUTO(char) t = said("t", "", 1, "1\t2\n");
    OK(take(1, 1, TABLE ",\"rows\":[[\"1\",\"2\"]]"));
    OK(take_last(1, 2, t));
    AUTO(char) path = only_file();
    AUTO_VALUE(Buf) whole = {0};
    OK(file_read(path, 1 << 20, &whole));
    char *row = memmem(whole.data, whole.len, "1\t2\n", 4);
    assert_non_null(row);
    *row = '9';
    OK(file_write_atomic(path, whole.data, whole.len, 0600));
    AUTO(SyncSpool) s = open_spool(false);
    FAILS(ERR_DAMAGED, sync_spool_read(s, &(SyncSpoolReader){0}));
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    AUTO(SyncSpool) first = open_spool(true);
    SyncSpool *second = NULL;
    FAILS(ERR_BUSY, sync_spool_open(kit_folder, SESSION, true, &second));
}

static bool none(void *ctx, const char *session)
{
    (void)ctx;
    assert_string_equal(session, SESSION);
    return false;
}

static bool all(void *ctx, const char *session)
{
    (void)ctx;
    (void)session;
    return true;
}

static void test_removed(void **state)
{
    (void)state;
    SyncSpool *s = NULL;
    OK(sync_spool_sweep(kit_folder, none, NULL)); /* there is no folder */
    OK(sync_spool_remove(kit_folder, SESSION));
    FAILS(ERR_NOT_FOUND, sync_spool_open(kit_folder, SESSION, false, &s));
    OK(take(1, 1, ""));
    OK(sync_spool_sweep(kit_folder, all, NULL));
    assert_int_equal(state_now().seq, 1);
    s = open_spool(false);
    OK(sync_spool_sweep(kit_folder, none, NULL)); /* it is in use */
    sync_spool_free(s);
    assert_int_equal(state_now().seq, 1);
    OK(sync_spool_sweep(kit_folder, none, NULL));
    FAILS(ERR_NOT_FOUND, sync_spool_open(kit_folder, SESSION, false, &s));
    OK(take(1, 1, ""));
    OK(sync_spool_remove(kit_folder, SESSION));
    FAILS(ERR_NOT_FOUND, sync_spool_open(kit_folder, SESSION, false, &s));
    FAILS(ERR_USAGE, sync_spool_open(kit_folder, "", true, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_taken_to_its_end),
        KIT_TEST(test_nobody_else_may_read_it),
        KIT_TEST(test_again),
        KIT_TEST(test_attempts_are_not_mixed),
        KIT_TEST(test_what_the_end_says_must_be_so),
        KIT_TEST(test_a_table_comes_in_one_part),
        KIT_TEST(test_of_another_session),
        KIT_TEST(test_a_torn_end),
        KIT_TEST(test_damage_is_seen),
        KIT_TEST(test_one_at_a_time),
        KIT_TEST(test_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
