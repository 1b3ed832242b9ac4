/* What of a peer's objects is kept: bounded, parts that lie in another once, the oldest go first.
 */
#include "../unit.h"

#include "store/peer_cache.h"

static void assert_kept(PeerCache *c, const char *name, uint64_t offset, const char *bytes)
{
    char got[64] = "";
    assert_int_equal(peer_cache_get(c, name, offset, got, strlen(bytes)), strlen(bytes));
    assert_memory_equal(got, bytes, strlen(bytes));
}

static void test_parts(void **state)
{
    (void)state;
    AUTO(PeerCache) c = peer_cache_new(100);
    char got[16];
    uint64_t size;
    assert_false(peer_cache_size(c, "packs/a", &size));
    peer_cache_put(c, "packs/a", 1000, 10, "bcd", 3);
    assert_kept(c, "packs/a", 11, "cd");
    assert_int_equal(peer_cache_get(c, "packs/a", 11, got, 3), 2);
    assert_int_equal(peer_cache_get(c, "packs/a", 9, got, 2), 0);
    assert_int_equal(peer_cache_get(c, "packs/b", 10, got, 1), 0);
    assert_int_equal(peer_cache_get(c, "packs/a", UINT64_MAX, got, 2), 0);
    assert_true(peer_cache_size(c, "packs/a", &size) && size == 1000);
    /* A part in which that one lies takes its place; one that lies in it is nothing new. */
    peer_cache_put(c, "packs/a", 1000, 9, "abcde", 5);
    peer_cache_put(c, "packs/a", 1000, 10, "bcd", 3);
    assert_kept(c, "packs/a", 9, "abcde");
    /* Nothing of it, but how large it is. */
    peer_cache_put(c, "packs/c", 7, 0, NULL, 0);
    assert_true(peer_cache_size(c, "packs/c", &size) && size == 7);
    assert_int_equal(peer_cache_get(c, "packs/c", 0, got, 1), 0);
    peer_cache_forget(c, "packs/a");
    assert_int_equal(peer_cache_get(c, "packs/a", 9, got, 1), 0);
    assert_true(peer_cache_size(c, "packs/c", &size));
}

/* One after the other, and over each other's bounds. */
static void test_parts_together(void **state)
{
    (void)state;
    static const char all[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    AUTO(PeerCache) c = peer_cache_new(1000);
    char got[40] = "";
    peer_cache_put(c, "a", 36, 8, all + 8, 8);
    peer_cache_put(c, "a", 36, 24, all + 24, 8);
    assert_int_equal(peer_cache_get(c, "a", 10, got, 20), 6); /* up to the gap */
    assert_memory_equal(got, all + 10, 6);
    assert_int_equal(got[6], 0);
    peer_cache_put(c, "a", 36, 16, all + 16, 8);
    assert_kept(c, "a", 10, "abcdefghijklmnopqrst");
    peer_cache_put(c, "a", 36, 12, all + 12, 10);
    assert_kept(c, "a", 9, "9abcdefghijklmnopqrst");
    assert_int_equal(peer_cache_get(c, "a", 8, got, 28), 24);
    assert_memory_equal(got, all + 8, 24);
}

static void test_bounds(void **state)
{
    (void)state;
    AUTO(PeerCache) c = peer_cache_new(10);
    char got[16];
    uint64_t size;
    peer_cache_put(c, "large", 11, 0, "0123456789a", 11);
    assert_false(peer_cache_size(c, "large", &size));
    peer_cache_put(c, "one", 4, 0, "1111", 4);
    peer_cache_put(c, "two", 4, 0, "2222", 4);
    assert_kept(c, "one", 0, "1111"); /* used: the other one is older now */
    peer_cache_put(c, "three", 4, 0, "3333", 4);
    assert_kept(c, "one", 0, "1111");
    assert_kept(c, "three", 0, "3333");
    assert_int_equal(peer_cache_get(c, "two", 0, got, 4), 0);
    peer_cache_put(c, "all", 10, 0, "0123456789", 10);
    assert_kept(c, "all", 0, "0123456789");
    assert_false(peer_cache_size(c, "one", &size) || peer_cache_size(c, "three", &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_together),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
