#include "../unit.h"

#include "base/text.h"
#include "crypto/sign.h"

static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static SignParts good(void)
{
    return (SignParts){.method = "GET",
                       .target = "/api/sync/peer?a=b%20c",
                       .body = empty,
                       .time = "1767225600000",
                       .nonce = "000102030405060708090a0b0c0d0e0f",
                       .node = "hamburg"};
}

/* What another program gets: printf 'pgstow-sync-1\nGET\n...\nhamburg' | openssl dgst -sha256 -hmac
 */
static void test_known(void **state)
{
    (void)state;
    char text[SIGN_HEX];
    AUTO(Secret) key = secret_copy("0123456789abcdef", 16);
    SignParts p = good();
    sign_make(key, &p, text);
    assert_string_equal(text, "fea7d7e353e0eaddc1227f3376323e4641b90a3a2c16a32d8954b60b9bb410b1");
    assert_true(sign_check(key, &p, text));
    sign_body("", 0, text);
    assert_string_equal(text, empty);
    sign_body("abc", 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* Each part counts: what is changed in one of them is not what was signed. */
static void test_every_part_counts(void **state)
{
    (void)state;
    char signature[SIGN_HEX], other[SIGN_HEX];
    AUTO(Secret) key = secret_copy("0123456789abcdef", 16);
    AUTO(Secret) another = secret_copy("0123456789abcdeg", 16);
    AUTO(Secret) none = secret_new(0);
    SignParts p = good();
    sign_make(key, &p, signature);
    sign_body("abc", 3, other);
    SignParts changed[] = {p, p, p, p, p, p};
    changed[0].method = "HEAD";
    changed[1].target = "/api/sync/peer?a=b";
    changed[2].body = other;
    changed[3].time = "1767225600001";
    changed[4].nonce = "000102030405060708090a0b0c0d0e0e";
    changed[5].node = "hamburh";
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        assert_false(sign_check(key, &changed[i], signature));
    assert_false(sign_check(another, &p, signature));
    assert_false(sign_check(none, &p, signature));
    sign_make(none, &p, other); /* who has no key cannot make one that passes for it */
    assert_false(sign_check(none, &p, other));
    for (size_t i = 0; signature[i]; i++) {
        char was = signature[i];
        signature[i] = was == '0' ? '1' : '0';
        assert_false(sign_check(key, &p, signature));
        signature[i] = was;
    }
    assert_true(sign_check(key, &p, signature));
    assert_false(sign_check(key, &p, ""));
    signature[SIGN_HEX - 2] = 0;
    assert_false(sign_check(key, &p, signature));
}

/* No two requests have one text: what could move the border between two parts is refused. */
static void test_forms(void **state)
{
    (void)state;
    char long_node[SIGN_NODE_MAX + 2];
    memset(long_node, 'a', sizeof long_node - 1);
    long_node[sizeof long_node - 1] = 0;
    SignParts p = good(), bad[16];
    for (size_t i = 0; i < 16; i++)
        bad[i] = p;
    bad[0].method = "get";
    bad[1].method = "GET\n/x";
    bad[2].method = "";
    bad[3].target = "";
    bad[4].target = "api";
    bad[5].target = "/api\n/x";
    bad[6].target = "/a b";
    bad[7].body = "e3b0";
    bad[8].time = "-1";
    bad[9].time = "";
    bad[10].time = "12345678901234567890";
    bad[11].nonce = "00";
    bad[12].nonce = "000102030405060708090A0B0C0D0E0F"; /* one nonce has one form */
    bad[13].node = "";
    bad[14].node = "a\nb";
    bad[15].node = long_node;
    assert_true(sign_is_sane(&p));
    for (size_t i = 0; i < 16; i++)
        if (sign_is_sane(&bad[i]))
            fail_msg("number %zu is taken", i);
    assert_true(sign_is_node("db-1.example.com:5432"));
    assert_false(sign_is_node("-a"));
    assert_false(sign_is_node("a/b"));
    assert_false(sign_is_node("\xc3\xa4"));
}

static void test_registration(void **state)
{
    (void)state;
    char hash[SIGN_HEX];
    AUTO(Secret) key = secret_copy("secret", 6);
    AUTO(Secret) none = secret_new(0);
    sign_registration(key, hash);
    assert_string_equal(hash, "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
    assert_true(sign_registration_check(key, hash));
    assert_true(sign_registration_check(
        key, "2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B"));
    assert_false(sign_registration_check(key, empty));
    assert_false(sign_registration_check(key, "secret"));
    assert_false(sign_registration_check(key, ""));
    assert_false(sign_registration_check(none, empty));
}

static void test_nonces(void **state)
{
    (void)state;
    char a[SIGN_NONCE_HEX], b[SIGN_NONCE_HEX];
    uint8_t bytes[16];
    sign_nonce(a);
    sign_nonce(b);
    assert_string_not_equal(a, b);
    assert_true(text_unhex(a, bytes, sizeof bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),  cmocka_unit_test(test_every_part_counts),
        cmocka_unit_test(test_forms),  cmocka_unit_test(test_registration),
        cmocka_unit_test(test_nonces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
