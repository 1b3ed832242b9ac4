#include "../unit.h"

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

/* RFC 4231, case 2 in a key padded to 32 bytes by zeros, which HMAC does itself. */
static void test_hmac(void **state)
{
    (void)state;
    uint8_t key[HASH_BYTES] = "Jefe", out[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    AUTO(Hash) h = hash_new_keyed(key);
    const char *text = "what do ya want for nothing?";
    for (int i = 0; i < 3; i++) {
        hash_once(h, text, strlen(text), out);
        text_hex(out, sizeof out, hex);
        assert_string_equal(hex,
                            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
    key_derive(key, "what do ya want ", "for nothing?", 12, out);
    text_hex(out, sizeof out, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* McGrew and Viega's GCM test case 16, and RFC 8439 2.8.2. */
static const struct {
    SealCipher cipher;
    const char *key, *nonce, *aad, *plain, *sealed, *tag;
} vectors[] = {
    {SEAL_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b"
     "5"
     "25b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828"
     "838"
     "c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    {SEAL_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620492"
     "0"
     "636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c20737"
     "5"
     "6e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da927"
     "2"
     "8b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b483"
     "1"
     "d7bc3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
};

static size_t bytes_of(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    assert_true(text_unhex(hex, out, n));
    return n;
}

static void test_seal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t key[KEY_BYTES], nonce[NONCE_BYTES], aad[64], plain[256], wanted[256],
            tag[TAG_BYTES], found_tag[TAG_BYTES], out[256];
        bytes_of(vectors[i].key, key);
        bytes_of(vectors[i].nonce, nonce);
        size_t aad_n = bytes_of(vectors[i].aad, aad), n = bytes_of(vectors[i].plain, plain);
        bytes_of(vectors[i].sealed, wanted);
        bytes_of(vectors[i].tag, tag);
        seal_close(vectors[i].cipher, key, nonce, aad, aad_n, plain, n, out, found_tag);
        assert_memory_equal(out, wanted, n);
        assert_memory_equal(found_tag, tag, TAG_BYTES);
        assert_true(seal_open(vectors[i].cipher, key, nonce, aad, aad_n, out, n, tag, out));
        assert_memory_equal(out, plain, n);
        /* Any bit of anything. */
        for (size_t bit = 0; bit < 8 * TAG_BYTES; bit += 5) {
            uint8_t back[256];
            tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(
                seal_open(vectors[i].cipher, key, nonce, aad, aad_n, wanted, n, tag, back));
            tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
            uint8_t *at = &wanted[bit % n];
            *at ^= 1;
            assert_false(
                seal_open(vectors[i].cipher, key, nonce, aad, aad_n, wanted, n, tag, back));
            for (size_t k = 0; k < n; k++)
                assert_int_equal(back[k], 0);
            *at ^= 1;
            aad[bit % aad_n] ^= 1;
            assert_false(
                seal_open(vectors[i].cipher, key, nonce, aad, aad_n, wanted, n, tag, back));
            aad[bit % aad_n] ^= 1;
        }
        assert_false(seal_open(vectors[i].cipher, key, nonce, aad, aad_n, wanted, n - 1, tag, out));
    }
}

static void test_box(void **state)
{
    (void)state;
    uint8_t open_half[BOX_PUBLIC_BYTES], secret_half[BOX_SECRET_BYTES], other[BOX_SECRET_BYTES],
        other_open[BOX_PUBLIC_BYTES];
    uint8_t box[32 + BOX_EXTRA], out[32];
    box_pair(open_half, secret_half);
    box_pair(other_open, other);
    box_close(open_half, "0123456789abcdef0123456789abcdef", 32, box);
    assert_true(box_open(open_half, secret_half, box, sizeof box, out));
    assert_memory_equal(out, "0123456789abcdef0123456789abcdef", 32);
    assert_false(box_open(other_open, other, box, sizeof box, out));
    box[40] ^= 1;
    assert_false(box_open(open_half, secret_half, box, sizeof box, out));
    assert_false(box_open(open_half, secret_half, box, BOX_EXTRA - 1, out));
}

static void test_passphrase(void **state)
{
    (void)state;
    AUTO(Secret) word = secret_copy("correct horse", 13);
    AUTO(Secret) a = NULL;
    AUTO(Secret) b = NULL;
    AUTO(Secret) c = NULL;
    uint8_t salt[PASSPHRASE_SALT_BYTES] = {1};
    OK(passphrase_key(word, salt, 1, 8192, &a));
    OK(passphrase_key(word, salt, 1, 8192, &b));
    salt[0] = 2;
    OK(passphrase_key(word, salt, 1, 8192, &c));
    assert_memory_equal(secret_look(a), secret_look(b), KEY_BYTES);
    assert_memory_not_equal(secret_look(a), secret_look(c), KEY_BYTES);
    Secret *none;
    FAILS(ERR_LIMIT, passphrase_key(word, salt, 1000, 8192, &none));
    FAILS(ERR_LIMIT, passphrase_key(word, salt, 1, 1ull << 40, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_passphrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
