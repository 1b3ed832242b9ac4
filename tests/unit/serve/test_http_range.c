/* The Range header: what it means, and all that it may be instead. */
#include "../unit.h"

#include "serve/http_range.h"

typedef struct Case {
    const char *header;
    uint64_t total, from, to; /* from == to: there is no such part */
} Case;

static void test_parts(void **state)
{
    static const Case cases[] = {
        {"bytes=0-", 10, 0, 10},
        {"bytes=0-0", 10, 0, 1},
        {"bytes=3-5", 10, 3, 6},
        {"bytes=3-9", 10, 3, 10},
        {"bytes=3-10", 10, 3, 10},
        {"BYTES=9-", 10, 9, 10},
        {"bytes= 3-4 ", 10, 3, 5},
        {"bytes=10-", 10, 0, 0},
        {"bytes=10-20", 10, 0, 0},
        {"bytes=0-", 0, 0, 0},
        {"bytes=-1", 10, 9, 10},
        {"bytes=-10", 10, 0, 10},
        {"bytes=-11", 10, 0, 10},
        {"bytes=-0", 10, 0, 0},
        {"bytes=-1", 0, 0, 0},
        {"bytes=-99999999999999999999", 10, 0, 10},
        {"bytes=7-99999999999999999999", 10, 7, 10},
        {"bytes=18446744073709551615-", UINT64_MAX, 0, 0},
        {"bytes=18446744073709551614-", UINT64_MAX, UINT64_MAX - 1, UINT64_MAX},
        {"bytes=99999999999999999999-99999999999999999999", 10, 0, 0},
        {"bytes=0-18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"bytes=00000000000000000000000003-0004", 10, 3, 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        HttpRange r;
        uint64_t from, to;
        if (!http_range_parse(c->header, &r))
            fail_msg("%s is no range", c->header);
        bool there = http_range_within(&r, c->total, &from, &to);
        if (there != (c->from < c->to) || (there && (from != c->from || to != c->to)))
            fail_msg("%s of %llu: %llu to %llu", c->header, (unsigned long long)c->total,
                     (unsigned long long)from, (unsigned long long)to);
    }
}

static void test_no_ranges(void **state)
{
    static const char *const texts[] = {
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=--1",
        "bytes=1",
        "bytes=a-",
        "bytes=1-b",
        "bytes=5-4",
        "bytes=1-2,3-4",
        "bytes=1-,",
        "bytes=1 -2",
        "bytes=1- 2",
        "bytes=0x1-2",
        "items=1-2",
        "bytes:1-2",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=1-2-",
        "bytes=1.0-2",
        "bytes=\xff-",
        " bytes=1-2",
        "bytes=99999999999999999999-1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        HttpRange r;
        if (http_range_parse(texts[i], &r))
            fail_msg("\"%s\" is a range", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_no_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
