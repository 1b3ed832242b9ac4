#include "kit.h"

#include <unistd.h>

#include "base/file.h"
#include "flow/group.h"

/* The same data again: nothing new but a manifest, and the very same places. */
static void test_unchanged(void **state)
{
    (void)state;
    AUTO(Repo) r = kit_repo();
    KitTable t[2] = {kit_table("orders", 20001, 3, 40000, 0), kit_table("tiny", 20002, 1, 10, 0)};
    AUTO_VALUE(BackupInfo) a = {0};
    AUTO_VALUE(BackupInfo) b = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, t, 2, &a);
    assert_string_equal(a.id, "shop-20240115T103000Z");
    assert_string_equal(a.key, "20240115103000");
    assert_int_equal(a.logical_size, kit_bytes(&t[0]) + kit_bytes(&t[1]));
    assert_int_equal(a.rows, 120010);
    assert_int_equal(a.sequence, 1);
    assert_true(a.new_bytes == a.size || a.new_bytes > a.size / 100 * 99);
    kit_compare(r, a.id, t, 2);
    kit_backup(r, &o, t, 2, &b);
    assert_string_equal(b.id, "shop-20240115T103001Z"); /* moved on */
    assert_string_equal(b.parent, a.id);
    assert_int_equal(b.sequence, 2);
    assert_string_equal(b.predecessor_hash, a.checksum);
    assert_true(b.new_bytes == b.manifest_size || b.new_bytes < b.manifest_size + 16);
    kit_compare(r, b.id, t, 2);
    AUTO(Manifest) ma = NULL;
    AUTO(Manifest) mb = NULL;
    OK(catalog_load(r, a.id, &ma));
    OK(catalog_load(r, b.id, &mb));
    for (size_t i = 0; i < 3; i++) {
        const RecipeRef *x = &ma->streams[0].pieces[i].recipe, *y = &mb->streams[0].pieces[i].recipe;
        assert_true(pack_id_equal(x->pack, y->pack) && x->frame == y->frame);
    }
    kit_free(&t[0]);
    kit_free(&t[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
