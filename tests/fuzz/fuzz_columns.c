/* Columns of a frame, without what zstd does to their text. The first byte says what the rest is:
 * 0, a form and a text (u16 bytes that they make, u16 length of the form) that are decoded; else
 * rows, so many times one behind the other, that are encoded and decoded again. */
#include "codec/columns.h"
#include "fuzz.h"

/* Takes words for better than text now and then, and otherwise not. */
static size_t measure(void *ctx, const void *p, size_t n)
{
    unsigned *asked = ctx;
    (void)p;
    return *asked += 1, *asked % 4 ? n : 0;
}

static void decode(Columns *c, const uint8_t *p, size_t n)
{
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(Buf) out = {0};
    if (n < 4)
        return;
    size_t claimed = (size_t)p[0] | (size_t)p[1] << 8, form = (size_t)p[2] | (size_t)p[3] << 8;
    p += 4;
    n -= 4;
    form = form < n ? form : n;
    MUST(succeeded(buf_reserve(&text, n - form + COLUMNS_TEXT_SLACK, SIZE_MAX)));
    buf_add(&text, p + form, n - form);
    bool is = sound(columns_decode(c, p, form, &text, claimed, &out));
    if (is)
        MUST(out.len == claimed);
    AUTO_VALUE(Buf) again = {0};
    MUST(sound(columns_way().decode(c, p, form, &text, claimed, &again)) == is);
    MUST(!is || !claimed || memcmp(out.data, again.data, claimed) == 0);
}

static void round_trip(Columns *c, unsigned times, const uint8_t *p, size_t n)
{
    AUTO_VALUE(Buf) rows = {0};
    AUTO_VALUE(Buf) form = {0};
    AUTO_VALUE(Buf) text = {0};
    AUTO_VALUE(Buf) out = {0};
    bool done;
    while (times--)
        buf_add(&rows, p, n);
    MUST(succeeded(columns_encode(c, rows.data, rows.len, &form, &text, &done)));
    MUST(text.len <= rows.len);
    MUST(succeeded(buf_reserve(&text, COLUMNS_TEXT_SLACK, SIZE_MAX)));
    if (!done)
        return;
    MUST(succeeded(columns_way().decode(c, form.data, form.len, &text, rows.len, &out)));
    MUST(out.len == rows.len && memcmp(out.data, rows.data, rows.len) == 0);
    MUST(succeeded(columns_decode(c, form.data, form.len, &text, rows.len, &out)));
    MUST(out.len == rows.len && memcmp(out.data, rows.data, rows.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Columns *columns;
    static unsigned asked;
    if (!columns)
        columns = columns_new(measure, &asked);
    if (size < 2)
        return 0;
    if (data[0])
        round_trip(columns, data[0] % 64 + 1u, data + 1, size - 1);
    else
        decode(columns, data + 1, size - 1);
    return 0;
}
