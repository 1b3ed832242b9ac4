#include "kit.h"

#include "repo/merge_note.h"
#include "repo/repo_internal.h"

static void put(Repo *r, const char *oid, const char *backup, Instant t, const char *table)
{
    MergeNote n = {.backup = (char *)backup, .time = t, .all = !table};
    if (table)
        strlist_add(&n.tables, table);
    OK(merge_note_put(r, "7000000000000000001", oid, "shop", &n));
    strlist_free(&n.tables);
}

static void test_the_newest_come_first(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(MergeNotes) notes = {0};
    put(r, "5", "shop-a", 1705314600000, NULL);
    put(r, "5", "shop-c", 1705314600002, "public.t \"x\"");
    put(r, "5", "shop-b", 1705314600001, NULL);
    put(r, "6", "shop-d", 1705314600003, NULL);
    OK(merge_notes_read(r, "7000000000000000001", "5", &notes));
    assert_int_equal(notes.count, 3);
    assert_string_equal(notes.items[0].backup, "shop-c");
    assert_false(notes.items[0].all);
    assert_string_equal(notes.items[0].tables.items[0], "public.t \"x\"");
    assert_string_equal(notes.items[1].backup, "shop-b");
    assert_true(notes.items[1].all);
    assert_int_equal(notes.items[2].time, 1705314600000);
}

/* A merge of no table covers none: that is not the same as all. */
static void test_no_table_is_not_all(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(MergeNotes) notes = {0};
    const MergeNote none = {.backup = (char *)"shop-a", .time = 1705314600000};
    OK(merge_note_put(r, "1", "5", "shop", &none));
    OK(merge_notes_read(r, "1", "5", &notes));
    assert_false(notes.items[0].all);
}

static void test_damage_is_told(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    AUTO_VALUE(MergeNotes) notes = {0};
    AUTO_VALUE(StrList) names = {0};
    put(r, "5", "shop-a", 1705314600000, NULL);
    OK(note_names(repo_store(r), "merges/", &names));
    assert_int_equal(names.count, 1);
    OK(store_delete(repo_store(r), names.items[0]));
    OK(store_put(repo_store(r), names.items[0], "x", 1));
    FAILS(ERR_DAMAGED, merge_notes_read(r, "7000000000000000001", "5", &notes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_come_first),
        cmocka_unit_test(test_no_table_is_not_all),
        cmocka_unit_test(test_damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
