/* A stream of numbers says in its first byte how it is written:
 *
 * - constant: the number
 * - packed: base, unit, u8 width; (number - base) / unit in so many bits each
 * - tokens: base, unit, tokens of (number - base) / unit
 * - delta: the first number, then the stream of differences
 * - runs: how many, then the stream of their numbers and that of their lengths less one
 *
 * All is modulo 2^64. What tokens are is said in columns_tokens.c.
 */
#include "codec/columns_internal.h"

typedef enum Method { CONSTANT = 0, PACKED = 1, TOKENS = 2, DELTA = 3, RUNS = 4 } Method;
#define DEPTH_MAX 2 /* streams in a stream */
/* Tokens must save one part in so many to be taken, since bits are read faster. */
#define WORTH 32
#define SAMPLES 256 /* numbers looked at to estimate */

void numbers_free(Numbers *s)
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            buf_free(&s->room[i][j]);
    buf_free(&s->tokens);
    buf_free(&s->spelling);
}

static Error *room_for(Numbers *s, unsigned depth, int which, size_t n, int64_t **out)
{
    Buf *b = &s->room[depth][which];
    size_t bytes = (n + 1) * sizeof(int64_t);
    TRY(buf_reserve(b, bytes, bytes));
    *out = (int64_t *)(void *)b->data;
    return NULL;
}

static void put_signed(Buf *out, int64_t v)
{
    buf_varint(out, zigzag(v));
}

static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* -- numbers for themselves -----------------------------------------------------------------------
 */

typedef struct Leaves { /* numbers that are neither differences nor runs */
    int64_t min;
    uint64_t range; /* (greatest - min) / unit */
    uint64_t unit;
    unsigned width;
} Leaves;

/* The greatest number that divides all distances from the least. */
static uint64_t common_unit(const int64_t *v, size_t n, int64_t min, Divisor *out)
{
    *out = divisor_of(1);
    uint64_t unit = 0;
    for (size_t i = 0; i < n && unit != 1; i++) {
        uint64_t a = (uint64_t)minus(v[i], min), b = unit;
        if (b && divides(out, a))
            continue;
        while (b) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        unit = a;
        if (unit)
            *out = divisor_of(unit);
    }
    return unit ? unit : 1;
}

/* u: (v - min) / unit, or NULL where that is not known yet. */
static Error *write_packed(const uint64_t *u, const int64_t *v, size_t n, const Leaves *x, Buf *out)
{
    buf_u8(out, PACKED);
    put_signed(out, x->min);
    buf_varint(out, x->unit);
    buf_u8(out, (uint8_t)x->width);
    TRY(buf_reserve(out, n * x->width / 8 + 32, SIZE_MAX));
    BitWriter w = {.at = out->data + out->len};
    if (u && x->width <= 56)
        for (size_t i = 0; i < n; i++)
            bits_put(&w, u[i], x->width);
    else
        for (size_t i = 0; i < n; i++)
            bits_put_long(&w, ((uint64_t)v[i] - (uint64_t)x->min) / x->unit, x->width);
    bits_end(&w);
    out->len = (size_t)(w.at - out->data);
    return NULL;
}

/* Whether numbers lie about zero, so that their signs are worth a bit each. */
static bool about_zero(const int64_t *v, size_t n, int64_t min)
{
    uint64_t above = 0, around = 0;
    for (size_t i = 0; i<n; i += n> SAMPLES ? n / SAMPLES : 1) {
        above += bits_of((uint64_t)minus(v[i], min));
        around += bits_of(zigzag(v[i]));
    }
    return around < above;
}

static Error *encode_leaves(Numbers *s, unsigned depth, const int64_t *v, size_t n, bool centred,
                            Buf *out)
{
    int64_t min = v[0], max = v[0];
    for (size_t i = 1; i < n; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    if (min == max) {
        buf_u8(out, CONSTANT);
        put_signed(out, min);
        return NULL;
    }
    Leaves x = {.min = min};
    Divisor by;
    x.unit = common_unit(v, n, min, &by);
    x.range = (uint64_t)minus(max, min) / x.unit;
    x.width = bits_of(x.range);
    uint64_t packed = (uint64_t)n * x.width;
    int64_t *room;
    TRY(room_for(s, depth, 1, n, &room));
    uint64_t *u = (uint64_t *)room;
    bool is_signed = centred && x.unit == 1 && x.width > 8 && about_zero(v, n, min);
    if (is_signed)
        for (size_t i = 0; i < n; i++)
            u[i] = zigzag(v[i]);
    else if (x.unit == 1)
        for (size_t i = 0; i < n; i++)
            u[i] = (uint64_t)v[i] - (uint64_t)min;
    else
        for (size_t i = 0; i < n; i++)
            u[i] = divide_exactly(&by, (uint64_t)v[i] - (uint64_t)min);
    unsigned direct = x.width <= 8 ? 8 : 4;
    uint32_t counts[HUFFMAN_SYMBOLS];
    uint64_t lows, bits;
    size_t step = n / SAMPLES, sampled = step ? (n + step - 1) / step : n;
    if (direct != 8 && step >= 4) {
        /* Numbers that fill their bits are found by looking at some. What is seen of some is too
         * good rather than too bad: rare tokens are missed. */
        lows = tokens_count(u, n, step, direct, counts);
        if (lows + tokens_entropy(counts, sampled) + sampled * x.width / WORTH >= sampled * x.width)
            return write_packed(is_signed ? NULL : u, v, n, &x, out);
    }
    lows = tokens_count(u, n, 1, direct, counts);
    /* What it costs to read a code must be worth it. */
    if (lows + tokens_entropy(counts, n) + packed / WORTH + 256 >= packed)
        return write_packed(is_signed ? NULL : u, v, n, &x, out);
    HuffmanCode h;
    huffman_make(counts, &h, &bits);
    if (bits + lows + packed / WORTH + 4 * h.count + 32 >= packed)
        return write_packed(is_signed ? NULL : u, v, n, &x, out);
    buf_u8(out, TOKENS);
    put_signed(out, is_signed ? 0 : min);
    buf_varint(out, x.unit);
    return tokens_write(s, u, n, direct | (is_signed ? FORM_SIGNED : 0), &h, bits, lows, out);
}

/* -- choosing ---------------------------------------------------------------------------------- */

typedef struct Look { /* at some numbers, and those before them */
    uint64_t sampled, changes;
    uint64_t plain,
        deltas; /* bits of the numbers above the least of them, and of the differences */
} Look;

static void look_at(const int64_t *v, size_t n, Look *l)
{
    *l = (Look){0};
    size_t step = n > SAMPLES ? n / SAMPLES : 1;
    int64_t min = v[0];
    for (size_t i = 1; i < n; i += step)
        min = v[i] < min ? v[i] : min;
    for (size_t i = 1; i < n; i += step, l->sampled++) {
        l->plain += bits_of((uint64_t)minus(v[i], min));
        l->deltas += bits_of(zigzag(minus(v[i], v[i - 1])));
        l->changes += v[i] != v[i - 1];
    }
}

static Error *encode(Numbers *s, unsigned depth, const int64_t *v, size_t n, bool centred,
                     Buf *out);

static Error *encode_runs(Numbers *s, unsigned depth, const int64_t *v, size_t n, Buf *out)
{
    int64_t *values, *lengths;
    TRY(room_for(s, depth, 0, n, &values));
    TRY(room_for(s, depth, 1, n, &lengths));
    size_t count = 0, start = 0;
    for (size_t i = 1; i <= n; i++)
        if (i == n || v[i] != v[start]) {
            values[count] = v[start];
            lengths[count++] = (int64_t)(i - start) - 1;
            start = i;
        }
    if (count == 1) {
        buf_u8(out, CONSTANT);
        put_signed(out, v[0]);
        return NULL;
    }
    buf_u8(out, RUNS);
    buf_varint(out, count);
    TRY(encode(s, depth + 1, values, count, false, out));
    return encode(s, depth + 1, lengths, count, false, out);
}

static Error *encode_deltas(Numbers *s, unsigned depth, const int64_t *v, size_t n, Buf *out)
{
    int64_t *d;
    TRY(room_for(s, depth, 0, n, &d));
    for (size_t i = 1; i < n; i++)
        d[i - 1] = minus(v[i], v[i - 1]);
    buf_u8(out, DELTA);
    put_signed(out, v[0]);
    return encode(s, depth + 1, d, n - 1, true, out);
}

static Error *encode(Numbers *s, unsigned depth, const int64_t *v, size_t n, bool centred, Buf *out)
{
    if (n == 0)
        return NULL;
    if (depth < DEPTH_MAX && n > 1) {
        Look l;
        look_at(v, n, &l);
        /* In 1/16 of a bit a number; a code of one bit is the shortest, runs have none. */
        uint64_t plain = l.plain * 16 / l.sampled, deltas = l.deltas * 16 / l.sampled + 12;
        uint64_t each = plain < deltas ? plain : deltas;
        each = each < 16 ? 16 : each;
        if (l.changes * (plain + 80) < l.sampled * each)
            return encode_runs(s, depth, v, n, out);
        if (n > 8 && deltas < plain)
            return encode_deltas(s, depth, v, n, out);
    }
    return encode_leaves(s, depth, v, n, centred, out);
}

Error *numbers_encode(Numbers *s, const int64_t *v, size_t n, Buf *out)
{
    return encode(s, 0, v, n, false, out);
}

/* -- the way back ------------------------------------------------------------------------------ */

static Error *read_signed(Reader *r, int64_t *v)
{
    uint64_t u;
    TRY(reader_varint(r, &u));
    *v = (int64_t)unzigzag(u);
    return NULL;
}

static Error *read_packed(Numbers *s, Reader *r, size_t n, int64_t *v)
{
    int64_t base;
    uint64_t unit;
    uint8_t width;
    TRY(read_signed(r, &base));
    TRY(reader_varint(r, &unit));
    TRY(reader_u8(r, &width));
    if (width < 1 || width > 64)
        FAIL(ERR_DAMAGED, "numbers in columns are of %u bits", width);
    s->unit = unit;
    s->few = width <= 10;
    const uint8_t *p;
    TRY(reader_bytes(r, (n * width + 7) / 8, &p));
    uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1, at = 0;
    if (width <= 57 && unit == 1)
        for (size_t i = 0; i < n; i++, at += width)
            v[i] = (int64_t)((uint64_t)base + (bits_peek(p, at) & mask));
    else
        for (size_t i = 0; i < n; i++, at += width) {
            uint64_t u = (bits_peek(p, at) & 0xffffffff) | bits_peek(p, at + 32) << 32;
            v[i] = (int64_t)((uint64_t)base + unit * (u & mask));
        }
    return NULL;
}

static Error *read_tokens(Numbers *s, Reader *r, size_t n, int64_t *v)
{
    int64_t base;
    uint64_t unit, *u = (uint64_t *)v;
    uint8_t form;
    TRY(read_signed(r, &base));
    TRY(reader_varint(r, &unit));
    TRY(tokens_read(s, r, n, &form, u));
    s->unit = unit;
    s->few = (form & FORM_DIRECT) == 8;
    if (form & FORM_SIGNED)
        for (size_t i = 0; i < n; i++)
            u[i] = unzigzag(u[i]);
    if (unit == 1)
        for (size_t i = 0; i < n; i++)
            u[i] += (uint64_t)base;
    else
        for (size_t i = 0; i < n; i++)
            u[i] = (uint64_t)base + unit * u[i];
    return NULL;
}

static Error *decode(Numbers *s, unsigned depth, Reader *r, size_t n, int64_t *v);

static Error *read_runs(Numbers *s, unsigned depth, Reader *r, size_t n, int64_t *v)
{
    uint64_t count;
    int64_t *values, *lengths;
    TRY(reader_varint_max(r, n, &count));
    TRY(room_for(s, depth, 0, (size_t)count, &values));
    TRY(room_for(s, depth, 1, (size_t)count, &lengths));
    TRY(decode(s, depth + 1, r, (size_t)count, values));
    TRY(decode(s, depth + 1, r, (size_t)count, lengths));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if ((uint64_t)lengths[i] >= n - at)
            FAIL(ERR_DAMAGED, "runs in columns are too long");
        for (size_t end = at + (size_t)lengths[i] + 1; at < end; at++)
            v[at] = values[i];
    }
    if (at != n)
        FAIL(ERR_DAMAGED, "runs in columns are too short");
    s->unit = 1;
    s->few = true;
    return NULL;
}

static Error *read_deltas(Numbers *s, unsigned depth, Reader *r, size_t n, int64_t *v)
{
    TRY(read_signed(r, &v[0]));
    TRY(decode(s, depth + 1, r, n - 1, v + 1));
    s->unit = 1;
    s->few = false;
    for (size_t i = 1; i < n; i++)
        v[i] = plus(v[i], v[i - 1]);
    return NULL;
}

static Error *decode(Numbers *s, unsigned depth, Reader *r, size_t n, int64_t *v)
{
    uint8_t method;
    if (n == 0)
        return NULL;
    TRY(reader_u8(r, &method));
    if (depth == DEPTH_MAX && (method == DELTA || method == RUNS))
        FAIL(ERR_DAMAGED, "numbers in columns lie too deep");
    switch (method) {
    case CONSTANT:
        TRY(read_signed(r, &v[0]));
        for (size_t i = 1; i < n; i++)
            v[i] = v[0];
        return NULL;
    case PACKED:
        return read_packed(s, r, n, v);
    case TOKENS:
        return read_tokens(s, r, n, v);
    case DELTA:
        return read_deltas(s, depth, r, n, v);
    case RUNS:
        return read_runs(s, depth, r, n, v);
    }
    FAIL(ERR_DAMAGED, "numbers in columns are written in an unknown way");
}

Error *numbers_decode(Numbers *s, Reader *r, size_t n, int64_t *v)
{
    s->unit = 1;
    s->few = true;
    return decode(s, 0, r, n, v);
}
