#include "../unit.h"

#include "pg/encoding.h"

/* Every byte of a SQL_ASCII database, there and back. */
static void test_bytes_there_and_back(void **state)
{
    (void)state;
    AUTO(Encoding) e = NULL;
    AUTO_VALUE(Buf) utf8 = {0};
    AUTO_VALUE(Buf) again = {0};
    char all[255];
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    OK(encoding_open("SQL_ASCII", &e));
    OK(encoding_to_utf8(e, all, sizeof all, &utf8));
    assert_int_equal(utf8.len, 127 + 2 * 128);
    OK(encoding_ascii_bytes((const char *)utf8.data, utf8.len, &again));
    assert_int_equal(again.len, sizeof all);
    assert_memory_equal(again.data, all, sizeof all);
    OK(encoding_ascii_bytes("", 0, &again));
    assert_int_equal(again.len, 0);
}

static void test_what_no_byte_became(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) out = {0};
    const char *const wrong[] = {"\xc4\x80", "\xe2\x82\xac", "\xc3", "\xc3x",
                                 "\xc1\x81", "\x80",         "\xf0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        FAILS(ERR_DAMAGED, encoding_ascii_bytes(wrong[i], strlen(wrong[i]), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_there_and_back),
        cmocka_unit_test(test_what_no_byte_became),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
