#include "../unit.h"

#include <pthread.h>

#include "base/text.h"
#include "crypto/hash.h"

static void assert_hash(const uint8_t *hash, const char *hex)
{
    char text[2 * HASH_BYTES + 1];
    text_hex(hash, HASH_BYTES, text);
    assert_string_equal(text, hex);
}

/* FIPS 180-4's examples. */
static const struct {
    const char *text, *hash;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void test_vectors(void **state)
{
    (void)state;
    AUTO(Hash) h = hash_new();
    uint8_t out[HASH_BYTES];
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t n = strlen(vectors[i].text);
        hash_once(h, vectors[i].text, n, out);
        assert_hash(out, vectors[i].hash);
        for (size_t at = 0; at < n; at++)
            hash_add(h, vectors[i].text + at, 1);
        hash_end(h, out);
        assert_hash(out, vectors[i].hash);
    }
    char many[1000];
    memset(many, 'a', sizeof many);
    for (int i = 0; i < 1000; i++)
        hash_add(h, many, sizeof many);
    hash_end(h, out);
    assert_hash(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    /* What was added and never ended does not count. */
    hash_add(h, "left over", 9);
    hash_once(h, "abc", 3, out);
    assert_hash(out, vectors[1].hash);
}

static void *hash_many(void *arg)
{
    (void)arg;
    AUTO(Hash) h = hash_new();
    for (int i = 0; i < 1000; i++) {
        uint8_t out[HASH_BYTES];
        hash_once(h, "abc", 3, out);
        assert_hash(out, vectors[1].hash);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_many, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(hash_equal("abcd", "abcd", 4));
    assert_false(hash_equal("abcd", "abce", 4));
    assert_false(hash_equal("abcd", "bbcd", 4));
    assert_true(hash_equal(NULL, NULL, 0));
}

static void test_random(void **state)
{
    (void)state;
    uint8_t a[64] = {0}, b[64] = {0};
    random_bytes(a, 0);
    assert_int_equal(a[0], 0);
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    /* The last bytes were written as well: 16 zeros by chance are out of the question. */
    static const uint8_t zeros[16];
    assert_memory_not_equal(a + 48, zeros, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
