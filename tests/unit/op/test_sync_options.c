/* What a sync is asked to do, through JSON and back; and what a source never sends. */
#include "../unit.h"

#include <string.h>

#include "op/sync_work.h"

static void test_round_trip(void **state)
{
    AUTO_VALUE(SyncOptions)
    o = {.direction = SYNC_PUSH,
         .method = SYNC_METHOD_HTTP,
         .peer = mem_strdup("berlin"),
         .entry = mem_strdup("shop"),
         .on_conflict = mem_strdup("newest:changed"),
         .mode = MERGE_MIRROR,
         .taken = MERGE_TAKEN_SKIP,
         .keyless = MERGE_KEYLESS_REPLACE,
         .cascade = true,
         .delta = true,
         .dry_run = true,
         .ignore_extra = true,
         .masked_too = true,
         .max_rate = UINT64_C(5000000000),
         .lock_wait_ms = 1500};
    AUTO_VALUE(SyncOptions) back = {0};
    (void)state;
    strlist_add(&o.where, "shop.orders: id < 5");
    strlist_add(&o.masks, "shop.customer.name: 'x'");
    strlist_add(&o.keys, "shop.article: by_code");
    AUTO(Doc) d = sync_options_doc(&o);
    AUTO(char) text = doc_print(d, false);
    OK(sync_options_read(d, &back));
    AUTO(Doc) again = sync_options_doc(&back);
    AUTO(char) same = doc_print(again, false);
    assert_string_equal(text, same);
    assert_int_equal(back.direction, SYNC_PUSH);
    assert_int_equal(back.max_rate, UINT64_C(5000000000));
    assert_string_equal(back.on_conflict, "newest:changed");
    assert_false(back.safety_backup); /* as it was said */
}

/* Of a peer that says nothing: what is careful. */
static void test_nothing_said(void **state)
{
    AUTO(Doc) d = doc_object();
    AUTO_VALUE(SyncOptions) o = {0};
    (void)state;
    OK(sync_options_read(d, &o));
    assert_int_equal(o.direction, SYNC_PULL);
    assert_int_equal(o.mode, MERGE_UPSERT);
    assert_true(o.safety_backup && o.verify && o.compress);
    assert_false(o.masked_too || o.dry_run || o.delta || o.ignore_extra);
}

static void test_refused(void **state)
{
    static const char *const texts[] = {"{\"direction\": \"sideways\"}",
                                        "{\"merge\": \"replace\"}",
                                        "{\"where\": \"shop.orders: true\"}",
                                        "{\"keys\": [1]}",
                                        "{\"maxRate\": -1}",
                                        "{\"onConflict\": \"oldest\"}",
                                        "{\"keyless\": \"drop\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO(Doc) d = NULL;
        AUTO_VALUE(SyncOptions) o = {0};
        OK(doc_parse(texts[i], strlen(texts[i]), "test", &d));
        FAILS(ERR_USAGE, sync_options_read(d, &o));
    }
}

static void test_excluded(void **state)
{
    AUTO_VALUE(StrList) exclude = {0};
    AUTO_VALUE(StrList) said = {0};
    AUTO_VALUE(SyncOptions) o = {0};
    AUTO_VALUE(BackupOptions) b = {0};
    (void)state;
    strlist_add(&exclude, "demo: shop.customer: demo OR note = 'a: b' -- really");
    strlist_add(&exclude, "logs: \"odd: schema\".log: true");
    strlist_add(&o.where, "shop.customer: id < 5");
    strlist_add(&o.exclude_tables, "shop.old");
    strlist_add(&o.masks, "shop.customer.email: ''");
    OK(sync_filters(&exclude, &o, &b, &said));
    assert_true(strlist_has(&b.exclude_tables, "shop.old"));
    assert_true(strlist_has(&b.masks, "shop.customer.email: ''"));
    assert_true(strlist_has(&said, "table shop.old"));
    assert_true(strlist_has(&said, "masked shop.customer.email: ''"));
    assert_int_equal(b.where.count, 3);
    assert_string_equal(b.where.items[0], "shop.customer: id < 5");
    /* A row of which it is not known stays; and what ends a line ends no condition. */
    assert_string_equal(b.where.items[1],
                        "shop.customer:  ((demo OR note = 'a: b' -- really\n) IS NOT TRUE)");
    assert_string_equal(b.where.items[2], "\"odd: schema\".log:  ((true\n) IS NOT TRUE)");
    assert_int_equal(said.count, 5);
    assert_string_equal(said.items[4], "logs: \"odd: schema\".log: true");
}

static void test_excluded_wrongly(void **state)
{
    static const char *const texts[] = {"demo", "demo: shop.customer", "demo: shop.customer: a; b",
                                        "demo: a.b.c: true", "demo: t: (a"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO_VALUE(StrList) exclude = {0};
        AUTO_VALUE(SyncOptions) o = {0};
        AUTO_VALUE(BackupOptions) b = {0};
        strlist_add(&exclude, texts[i]);
        FAILS(ERR_CONFIG, sync_filters(&exclude, &o, &b, NULL));
    }
}

/* Of thousands of tables the whole is told, if not each: that it was written must never be lost. */
static void test_long_results(void **state)
{
    AUTO_VALUE(SyncApplied)
    a = {.backup = mem_strdup("b"), .rows = 7, .outcome = doc_object()}, back = {0};
    Doc *tables = doc_array();
    (void)state;
    doc_set_int(a.outcome, "inserted", 7);
    for (int i = 0; i < 20000; i++) {
        Doc *one = doc_object();
        doc_set_str(one, "name", "a table with a name that is not the shortest");
        doc_push(tables, one);
    }
    doc_set(a.outcome, "tables", tables);
    AUTO(Doc) kept = sync_applied_kept(&a);
    AUTO(char) text = doc_print(kept, false);
    assert_true(strlen(text) < SYNC_RESULT_MAX);
    OK(sync_applied_read(kept, &back));
    assert_int_equal(back.rows, 7);
    assert_int_equal(doc_int(back.outcome, "inserted", 0), 7);
    assert_int_equal(doc_count(doc_get(a.outcome, "tables")), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_nothing_said),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_excluded),
        cmocka_unit_test(test_excluded_wrongly), cmocka_unit_test(test_long_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
