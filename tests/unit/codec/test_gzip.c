#include "../unit.h"

#include "base/buf.h"
#include "codec/gzip.h"
#include "codec/unpack.h"

static Error *collect(void *ctx, const void *p, size_t n)
{
    assert_true(n > 0 && n <= 64 << 10);
    buf_add(ctx, p, n);
    return NULL;
}

static Error *collect_any(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
    return NULL;
}

static void comes_back(UnpackForm form, const Buf *packed, const void *p, size_t n)
{
    AUTO_VALUE(Buf) back = {0};
    AUTO(Unpack) u = NULL;
    OK(unpack_open(form, collect_any, &back, &u));
    OK(unpack_write(u, packed->data, packed->len));
    OK(unpack_finish(u));
    assert_int_equal(back.len, n);
    if (n)
        assert_memory_equal(back.data, p, n);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65536, 3000000}, portions[] = {1000, 1 << 20};
    AUTO_VALUE(Buf) rows = {0};
    while (rows.len < 3000000)
        buf_printf(&rows, "%zu\tcustomer %zu\n", rows.len, rows.len * 7919 % 100003);
    for (int form = 0; form < 2; form++) {
        AUTO_VALUE(Buf) packed = {0};
        AUTO(GzipWriter) w = NULL;
        OK(gzip_writer_open(form ? GZIP_ZLIB : GZIP_FILE, 1 + form * 5, collect, &packed, &w));
        /* One writer for all: each run is a stream of its own. */
        for (size_t i = 0; i < 8; i++) {
            size_t n = sizes[i / 2], portion = portions[i % 2];
            packed.len = 0;
            for (size_t at = 0; at < n; at += portion)
                OK(gzip_writer_write(w, rows.data + at, n - at < portion ? n - at : portion));
            OK(gzip_writer_finish(w));
            assert_true(packed.len > 0);
            assert_true(n < 1000 || packed.len < n / 2);
            comes_back(form ? UNPACK_ZLIB : UNPACK_GZIP, &packed, rows.data, n);
        }
    }
}

static Error *refuse(void *ctx, const void *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
    FAIL(ERR_IO, "no");
}

static void test_errors_pass(void **state)
{
    (void)state;
    AUTO(GzipWriter) w = NULL;
    OK(gzip_writer_open(GZIP_FILE, 9, refuse, NULL, &w));
    FAILS(ERR_IO, gzip_writer_finish(w));
    AUTO(GzipWriter) none = NULL;
    FAILS(ERR_INTERNAL, gzip_writer_open(GZIP_FILE, 0, refuse, NULL, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_errors_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
