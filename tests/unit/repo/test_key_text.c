#include "kit.h"

#include "repo/key_text.h"

static bool same(const Secret *a, const Secret *b)
{
    return secret_length(a) == secret_length(b) &&
           !memcmp(secret_look(a), secret_look(b), secret_length(a));
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        AUTO(Secret) key = secret_random(KEY_BYTES);
        AUTO(Secret) back = NULL;
        AUTO(char) text = key_text_write(key);
        OK(key_text_read(text, strlen(text), &back));
        assert_true(same(key, back));
    }
}

/* As people type: small letters, no dashes, other letters for those that look alike; and as a file
 * with words around it. */
static void test_forgiving(void **state)
{
    (void)state;
    AUTO(Secret) key = secret_new(KEY_BYTES);
    AUTO(char) text = key_text_write(key);
    AUTO_VALUE(Buf) typed = {0};
    assert_non_null(strchr(text, '0'));
    buf_add_str(&typed, "# Keep this safe: PGSTOW\n\n");
    for (const char *p = text + strlen(KEY_TEXT_MARK); *p; p++)
        if (*p != '-')
            buf_u8(&typed, (uint8_t)(*p == '0' ? 'o' : *p == '1' ? 'l' : *p >= 'A' ? *p | 32 : *p));
    AUTO(Secret) back = NULL;
    OK(key_text_read((const char *)typed.data, typed.len, &back));
    assert_true(same(key, back));
}

/* Every single slip, and every two neighbours that changed places, are found. */
static void test_slips(void **state)
{
    (void)state;
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    AUTO(Secret) key = secret_random(KEY_BYTES);
    AUTO(char) text = key_text_write(key);
    size_t n = strlen(text), tried = 0;
    for (size_t i = strlen(KEY_TEXT_MARK) + 1; i < n; i++) {
        char was = text[i];
        for (const char *c = letters; *c && strchr(letters, was); c++)
            if (*c != was) {
                AUTO(Secret) back = NULL;
                text[i] = *c;
                FAILS(ERR_KEY, key_text_read(text, n, &back));
                tried++;
            }
        text[i] = was;
        size_t next = i + 1 + (text[i + 1] == '-');
        if (strchr(letters, was) && next < n && strchr(letters, text[next]) && text[next] != was) {
            AUTO(Secret) back = NULL;
            text[i] = text[next];
            text[next] = was;
            FAILS(ERR_KEY, key_text_read(text, n, &back));
            text[next] = text[i];
            text[i] = was;
        }
    }
    assert_int_equal(tried, 64 * 31);
    AUTO(Secret) back = NULL;
    FAILS(ERR_KEY, key_text_read(text, n - 2, &back));
    FAILS(ERR_KEY, key_text_read("", 0, &back));
    FAILS(ERR_KEY, key_text_read("correct horse", 13, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_forgiving),
        cmocka_unit_test(test_slips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
