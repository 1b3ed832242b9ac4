/* Headers of frames as columns that say what is not so. */
#include "../unit.h"

#include "codec/columns.h"

/* Headers that claim what no frame holds: refused before memory is taken for it. */
static void lies(const char *bytes, const uint8_t *form, size_t n, size_t raw_len)
{
    AUTO(Columns) c = columns_new(NULL, NULL);
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(Buf) out = {0};
    OK(buf_reserve(&text, strlen(bytes) + COLUMNS_TEXT_SLACK, SIZE_MAX));
    buf_add_str(&text, bytes);
    FAILS(ERR_DAMAGED, columns_decode(c, form, n, &text, raw_len, &out));
    assert_in_range(out.cap, 0, raw_len + 1000);
}

static void test_lying_headers(void **state)
{
    (void)state;
#define LIES_OF(text, raw_len, ...)                                                                \
    lies(text, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), raw_len)
#define LIES(raw_len, ...) LIES_OF("", raw_len, __VA_ARGS__)
    LIES(1000, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 2, 0, 0, 0, 0, 0);
    LIES(1000, 1, 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 0, 0, 0, 0, 0);
    LIES(1000, 1, 100, 100, 2, 0, 0, 0, 0, 0); /* more fields than bytes */
    LIES(1000, 1, 0, 1, 2, 0, 0, 0, 0, 0);
    LIES(1000, 1, 1, 0);
    LIES(1000, 1, 10, 1, 9, 0, 0);          /* a kind that is unknown */
    LIES(1000, 0, 10);                      /* text that is not there */
    LIES(1000, 2, 10);                      /* a block of an unknown kind */
    LIES(20, 1, 10, 1, 2, 200, 0, 0, 0, 0); /* a scale beyond all */
    LIES(20, 1, 10, 1, 2, 0, 0, 1, 0, 2);   /* relative to a column that is not there */
    LIES(19, 1, 10, 1, 2, 0, 0, 0, 0, 2);   /* rows that do not fit */
    LIES(21, 1, 10, 1, 2, 0, 0, 0, 0, 2);
    LIES(20, 1, 10, 1, 2, 0, 0, 0, 1, 0, 1, 65);               /* 65 bits */
    LIES(20, 1, 10, 1, 2, 0, 0, 0, 3, 0, 3, 0, 3, 0, 0, 0);    /* too deep */
    LIES(20, 1, 10, 1, 2, 0, 0, 0, 4, 11, 0, 0, 0, 0);         /* more runs than numbers */
    LIES(20, 1, 10, 1, 2, 0, 0, 0, 4, 2, 0, 0, 0, 18);         /* longer runs */
    LIES(20, 1, 10, 1, 2, 0, 0, 0, 2, 0, 1, 4, 255, 255, 0);   /* symbols beyond 255 */
    LIES(20, 1, 10, 1, 2, 0, 0, 0, 2, 0, 1, 4, 0, 3, 1, 0, 0); /* a code that is not complete */
    LIES(20, 1, 10, 1, 1, 11, 0, 0, 0);                        /* more words than rows */
    LIES(20, 1, 10, 1, 1, 1, 0, 0, 0);                         /* a word that is not there */
    LIES(SIZE_MAX, 1, 10, 1, 2, 0, 0, 0, 0, 2);
    LIES(30, 1, 10, 1, 5, 1, '0', 0, 0, 0, 2);                         /* a template of one byte */
    LIES(30, 1, 10, 1, 5, 2, 'a', 'b', 0, 0, 0, 2);                    /* one without a digit */
    LIES_OF("abc", 2, 0, 3);                                           /* bytes behind the end */
    LIES_OF("1\n", 20, 1, 10, 1, 6, 2, 1, 0, 10, 0, 4, 8, 2, 0, 0, 0); /* a word not in the list */
    LIES_OF("1\n", 20, 1, 10, 1, 6, 2, 0, 1, 10, 0, 4, 8, 0, 0, 0, 0); /* single, and ten times */
    LIES_OF("1\n2\n", 20, 1, 10, 1, 6, 4, 1, 1, 10, 0, 4, 8, 1, 0, 0,
            0);                                                          /* one that is left over */
    LIES_OF("1\n", 20, 1, 10, 1, 6, 2, 1, 0, 10, 0, 6, 8, 1, 0, 0, 0);   /* longer than the list */
    LIES_OF("1\n", 20, 1, 10, 1, 6, 2, 1, 0, 10, 0, 2, 8, 1, 0, 0, 0);   /* shorter than it */
    LIES_OF("1\n", 20, 1, 10, 1, 6, 2, 1, 0, 11, 0, 4, 8, 1, 0, 0, 0);   /* more than the frame */
    LIES_OF("1\n", 20, 1, 10, 1, 6, 2, 1, 0, 10, 0, 4, 136, 1, 0, 0, 0); /* words with signs */
#undef LIES
#undef LIES_OF
}

/* They are lies in the one thing alone. */
static void says(const char *bytes, const uint8_t *form, size_t n)
{
    AUTO(Columns) c = columns_new(NULL, NULL);
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(Buf) out = {0};
    OK(buf_reserve(&text, strlen(bytes) + COLUMNS_TEXT_SLACK, SIZE_MAX));
    buf_add_str(&text, bytes);
    OK(columns_decode(c, form, n, &text, 20, &out));
    assert_memory_equal(out.data, "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n", 20);
}

static void test_true_headers(void **state)
{
    (void)state;
    static const uint8_t number[] = {1, 10, 1, 2, 0, 0, 0, 0, 2};
    static const uint8_t words_of[] = {1, 10, 1, 6, 2, 1, 0, 10, 0, 4, 8, 1, 0, 0, 0};
    says("", number, sizeof number);
    says("1\n", words_of, sizeof words_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lying_headers),
        cmocka_unit_test(test_true_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
