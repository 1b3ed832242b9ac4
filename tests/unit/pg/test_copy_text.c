#include "../unit.h"

#include "pg/copy_text.h"

/* -- rows ------------------------------------------------------------------------------------- */

typedef struct Taken {
    Buf all; /* rows, each with a | behind it */
    size_t rows;
} Taken;

static Error *take(void *ctx, const char *row, size_t n)
{
    Taken *t = ctx;
    buf_add(&t->all, row, n);
    buf_u8(&t->all, '|');
    t->rows++;
    return NULL;
}

static void test_rows_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "a\tb\n\nlonger row\nx\n";
    for (size_t slice = 1; slice < sizeof text; slice++) {
        Taken t = {0};
        AUTO_VALUE(CopyLines) l = {.take = take, .ctx = &t};
        for (size_t at = 0; at < sizeof text - 1; at += slice) {
            size_t n = sizeof text - 1 - at < slice ? sizeof text - 1 - at : slice;
            OK(copy_lines_feed(&l, text + at, n));
        }
        OK(copy_lines_end(&l));
        AUTO(char) got = buf_steal_str(&t.all);
        assert_int_equal(t.rows, 4);
        assert_string_equal(got, "a\tb||longer row|x|");
    }
}

static void test_last_row_must_end(void **state)
{
    (void)state;
    Taken t = {0};
    AUTO_VALUE(CopyLines) l = {.take = take, .ctx = &t};
    OK(copy_lines_feed(&l, "a\nb", 3));
    FAILS(ERR_DAMAGED, copy_lines_end(&l));
    buf_free(&t.all);
}

/* -- fields ----------------------------------------------------------------------------------- */

static void split(const char *row, size_t columns, CopyRow *r)
{
    OK(copy_row_split(row, strlen(row), columns, r));
    assert_int_equal(r->count, columns);
}

static void is(const CopyField *f, const char *want)
{
    if (!want) {
        assert_null(f->p);
        return;
    }
    assert_non_null(f->p);
    assert_int_equal(f->n, strlen(want));
    assert_memory_equal(f->p, want, f->n);
}

static void test_fields(void **state)
{
    (void)state;
    AUTO_VALUE(CopyRow) r = {0};
    split("1\t\\N\t\tx", 4, &r);
    is(&r.fields[0], "1");
    is(&r.fields[1], NULL);
    is(&r.fields[2], "");
    is(&r.fields[3], "x");
    split("a\\tb\tc\\nd\\\\e\t\\\\N\t\\b\\f\\r\\v", 4, &r);
    is(&r.fields[0], "a\tb");
    is(&r.fields[1], "c\nd\\e");
    is(&r.fields[2], "\\N");
    is(&r.fields[3], "\b\f\r\v");
    split("", 1, &r);
    is(&r.fields[0], "");
    split("", 0, &r);
}

static void test_bad_rows(void **state)
{
    (void)state;
    AUTO_VALUE(CopyRow) r = {0};
    FAILS(ERR_DAMAGED, copy_row_split("a\tb", 3, 3, &r));
    FAILS(ERR_DAMAGED, copy_row_split("a\tb", 3, 1, &r));
    FAILS(ERR_DAMAGED, copy_row_split("a", 1, 0, &r));
    FAILS(ERR_DAMAGED, copy_row_split("a\\", 2, 1, &r));
    FAILS(ERR_DAMAGED, copy_row_split("a\\x41", 5, 1, &r));
    FAILS(ERR_DAMAGED, copy_row_split("\\Nx", 3, 1, &r));
}

static void test_every_byte_comes_back(void **state)
{
    (void)state;
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(CopyRow) r = {0};
    copy_text_field(&text, all, sizeof all);
    buf_u8(&text, '\t');
    copy_text_field(&text, NULL, 0);
    buf_u8(&text, '\t');
    copy_text_field(&text, "\\N", 2);
    assert_null(memchr(text.data, '\n', text.len));
    OK(copy_row_split((const char *)text.data, text.len, 3, &r));
    assert_int_equal(r.fields[0].n, sizeof all);
    assert_memory_equal(r.fields[0].p, all, sizeof all);
    is(&r.fields[1], NULL);
    is(&r.fields[2], "\\N");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_cut_anywhere),
        cmocka_unit_test(test_last_row_must_end),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_every_byte_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
