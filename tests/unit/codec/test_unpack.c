#include "../unit.h"

#include "base/proc.h"
#include "codec/unpack.h"

static Error *take(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
    return NULL;
}

static Error *run(UnpackForm form, const Buf *in, size_t slice, Buf *out)
{
    AUTO(Unpack) u = NULL;
    TRY(unpack_open(form, take, out, &u));
    for (size_t at = 0; at < in->len; at += slice)
        TRY(unpack_write(u, in->data + at, in->len - at < slice ? in->len - at : slice));
    return unpack_finish(u);
}

/* By the program that others use. */
static void pack(const char *command, Buf *out)
{
    AUTO_VALUE(StrList) argv = {0};
    AUTO(char) said = NULL;
    int status;
    strlist_add(&argv, "sh");
    strlist_add(&argv, "-c");
    strlist_add(&argv, command);
    OK(proc_run(&argv, NULL, 1 << 20, out, &status, &said));
    assert_int_equal(status, 0);
}

static void test_comes_back(void **state)
{
    (void)state;
    static const struct {
        UnpackForm form;
        const char *command;
    } ways[] = {{UNPACK_GZIP, "seq 1 100000 | gzip"},
                {UNPACK_GZIP, "(seq 1 50000 | gzip; seq 50001 100000 | gzip)"},
                {UNPACK_ZSTD, "seq 1 100000 | zstd -q"},
                {UNPACK_ZSTD, "(seq 1 50000 | zstd -q; seq 50001 100000 | zstd -q)"},
                {UNPACK_LZ4, "seq 1 100000 | lz4 -q"},
                {UNPACK_LZ4, "(seq 1 50000 | lz4 -q; seq 50001 100000 | lz4 -q)"},
                {UNPACK_NONE, "seq 1 100000"}};
    AUTO_VALUE(Buf) expected = {0};
    pack("seq 1 100000", &expected);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        AUTO_VALUE(Buf) packed = {0};
        pack(ways[i].command, &packed);
        assert_int_equal(unpack_sniff(packed.data, packed.len), ways[i].form);
        for (size_t slice = 1; slice <= packed.len; slice = slice * 7 + 3) {
            AUTO_VALUE(Buf) out = {0};
            OK(run(ways[i].form, &packed, slice, &out));
            assert_int_equal(out.len, expected.len);
            assert_memory_equal(out.data, expected.data, out.len);
        }
        if (ways[i].form == UNPACK_NONE)
            continue;
        /* Cut short, or with a byte of it changed, it is found; never taken for whole. */
        AUTO_VALUE(Buf) out = {0};
        packed.len -= 3;
        FAILS(ERR_DAMAGED, run(ways[i].form, &packed, 1000, &out));
    }
}

static void test_one_zlib_stream(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) packed = {0};
    AUTO_VALUE(Buf) out = {0};
    pack("python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.compress(b\"abc\" * 999))'",
         &packed);
    OK(run(UNPACK_ZLIB, &packed, 10, &out));
    assert_int_equal(out.len, 2997);
    buf_u8(&packed, 0);
    FAILS(ERR_DAMAGED, run(UNPACK_ZLIB, &packed, 10, &out));
}

static void test_foreign_bytes(void **state)
{
    (void)state;
    static const UnpackForm forms[] = {UNPACK_ZLIB, UNPACK_GZIP, UNPACK_ZSTD, UNPACK_LZ4};
    AUTO_VALUE(Buf) junk = {0};
    AUTO_VALUE(Buf) empty = {0};
    buf_add_str(&junk, "this is nothing that was ever compressed");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        AUTO_VALUE(Buf) out = {0};
        FAILS(ERR_DAMAGED, run(forms[i], &junk, 7, &out));
        FAILS(ERR_DAMAGED, run(forms[i], &empty, 7, &out));
    }
    assert_int_equal(unpack_sniff(junk.data, junk.len), UNPACK_NONE);
    assert_int_equal(unpack_sniff("\x1f", 1), UNPACK_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_one_zlib_stream),
        cmocka_unit_test(test_foreign_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
