#include "codec/columns_internal.h"

/* -- digits, eight at a time ------------------------------------------------------------------- */

/* The n <= 8 bytes before `end` as characters, those before them '0'. */
static inline uint64_t load_digits(const uint8_t *base, const uint8_t *end, unsigned n)
{
    uint64_t w = 0;
    if (end - base >= 8) {
        w = load64(end - 8) ^ 0x3030303030303030;
    } else {
        for (unsigned i = 0; i < n; i++)
            w |= (uint64_t)(end[-1 - (int)i] ^ 0x30) << (56 - 8 * i);
    }
    return n < 8 ? w >> (64 - 8 * n) << (64 - 8 * n) : w;
}

/* Whether all are digits (less '0', the first in the lowest byte); *v is then their number. */
static inline bool number8(uint64_t w, uint64_t *v)
{
    if (((w + 0x7676767676767676) | w) & 0x8080808080808080)
        return false;
    w = (w * 2561) >> 8 & 0x00ff00ff00ff00ff;
    w = (w * 6553601) >> 16 & 0x0000ffff0000ffff;
    *v = (w * 42949672960001) >> 32;
    return true;
}

/* n is 1 to 8. */
static inline bool digits8(const uint8_t *base, const uint8_t *end, unsigned n, uint64_t *v)
{
    return number8(load_digits(base, end, n), v);
}

/* n is 1 to 18. */
static inline bool digits18(const uint8_t *base, const uint8_t *end, size_t n, uint64_t *v)
{
    if (n <= 8)
        return digits8(base, end, (unsigned)n, v);
    uint64_t high, low;
    if (!digits8(base, end, 8, &low) || !digits18(base, end - 8, n - 8, &high))
        return false;
    *v = high * 100000000 + low;
    return true;
}

/* The eight digits of v < 10^8, the highest in the lowest byte. */
static inline uint64_t spread8(uint32_t v)
{
    uint64_t high = v / 10000, low = v % 10000;
    uint64_t x = high | low << 32;
    uint64_t q = x * 10486 >> 20 & 0x0000007f0000007f;
    x = q | (x - q * 100) << 16;
    q = x * 103 >> 10 & 0x000f000f000f000f;
    return q | (x - q * 10) << 8;
}

static inline void print8(uint8_t *p, uint64_t v, size_t n)
{
    store64(p, (spread8((uint32_t)v) | 0x3030303030303030) >> (64 - 8 * n));
}

/* Exactly n digits (1 to 18) of v < 10^n; 8 bytes behind them may be written. */
static inline void print_digits(uint8_t *p, uint64_t v, size_t n)
{
    if (n <= 8) {
        print8(p, v, n);
        return;
    }
    uint64_t high = v / 100000000;
    if (n > 16) {
        print8(p, high / 100000000, n - 16);
        high %= 100000000;
        p += n - 16;
        n = 16;
    }
    print8(p, high, n - 8);
    print8(p + n - 8, v % 100000000, 8);
}

static const uint64_t powers[NUMBER_DIGITS + 1] = {1,
                                                   10,
                                                   100,
                                                   1000,
                                                   10000,
                                                   100000,
                                                   1000000,
                                                   10000000,
                                                   100000000,
                                                   1000000000,
                                                   10000000000,
                                                   100000000000,
                                                   1000000000000,
                                                   10000000000000,
                                                   100000000000000,
                                                   1000000000000000,
                                                   10000000000000000,
                                                   100000000000000000,
                                                   1000000000000000000};

/* -- numbers ----------------------------------------------------------------------------------- */

bool number_parse(const uint8_t *base, const uint8_t *p, size_t n, unsigned scale, int64_t *v)
{
    if (n == 0)
        return false;
    bool negative = *p == '-';
    uint64_t u, below = 0;
    p += negative;
    n -= negative;
    size_t whole = scale ? n - scale - 1 : n; /* digits before the point */
    if (n < (scale ? scale + 2u : 1u) || whole + scale > NUMBER_DIGITS)
        return false;
    if (!digits18(base, p + whole, whole, &u) || (*p == '0' && whole > 1))
        return false;
    if (scale) {
        if (p[whole] != '.' || !digits18(base, p + n, scale, &below))
            return false;
        u = u * powers[scale] + below;
    }
    *v = negative ? -(int64_t)u : (int64_t)u;
    return u || !negative;
}

/* Numbers of more than eight digits. */
static void print_long(uint8_t **out, uint64_t u, unsigned scale)
{
    unsigned digits = 1;
    while (digits < NUMBER_DIGITS && u >= powers[digits])
        digits++;
    if (digits < scale + 1)
        digits = scale + 1;
    uint8_t *p = *out;
    print_digits(p, u / powers[scale], digits - scale);
    p += digits - scale;
    if (scale) {
        *p = '.';
        print_digits(p + 1, u % powers[scale], scale);
        p += scale + 1;
    }
    *out = p;
}

static inline bool number_print(uint8_t **out, int64_t v, unsigned scale)
{
    uint8_t *p = *out;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    *p = '-';
    p += v < 0;
    if (u < 100000000 && scale < 8) {
        uint64_t w = spread8((uint32_t)u);
        unsigned skip = (unsigned)__builtin_ctzll(w | (uint64_t)1 << 63) / 8;
        skip = skip > 7 - scale ? 7 - scale : skip;
        w = (w | 0x3030303030303030) >> 8 * skip;
        unsigned digits = 8 - skip;
        store64(p, w);
        if (scale) {
            store64(p + digits - scale + 1, w >> 8 * (digits - scale));
            p[digits - scale] = '.';
            p++;
        }
        *out = p + digits;
        return true;
    }
    if (u >= powers[NUMBER_DIGITS])
        return false;
    *out = p;
    print_long(out, u, scale);
    return true;
}

bool trimmed_parse(const uint8_t *base, const uint8_t *p, size_t n, unsigned scale, int64_t *v)
{
    const uint8_t *point = n ? memchr(p, '.', n) : NULL;
    unsigned behind = point ? (unsigned)(p + n - point - 1) : 0;
    if (point && (behind < 1 || behind > scale || p[n - 1] == '0'))
        return false;
    if (!number_parse(base, p, n, behind, v))
        return false;
    uint64_t u = *v < 0 ? 0 - (uint64_t)*v : (uint64_t)*v;
    if (u >= powers[NUMBER_DIGITS - (scale - behind)])
        return false;
    *v *= (int64_t)powers[scale - behind];
    return true;
}

static bool trimmed_print(uint8_t **out, int64_t v, unsigned scale)
{
    for (; scale && v % 10 == 0; scale--)
        v /= 10;
    return number_print(out, v, scale);
}

/* -- dates and timestamps ---------------------------------------------------------------------- */

static inline bool two_digits(const uint8_t *p, unsigned *v)
{
    unsigned a = p[0] - '0', b = p[1] - '0';
    *v = a * 10 + b;
    return a < 10 && b < 10;
}

static inline bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 || year % 400 == 0);
}

#define DAYS_0000_03_01 (-719468) /* from 1970-01-01 */

static inline bool date_of(const uint8_t *p, int64_t *v)
{
    static const uint8_t days[16] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0};
    /* Of a year that begins in March, so that its odd day is the last. */
    static const int16_t before[16] = {0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275};
    uint64_t w = load64(p), tail = load64(p + 2); /* YYYY-MM- and YY-MM-DD */
    if ((tail & 0x0000ff0000ff0000) != 0x00002d00002d0000)
        return false;
    w = (w & 0xffffffff) | (tail >> 24 & 0xffff) << 32 | tail >> 48 << 48;
    w ^= 0x3030303030303030;
    if (((w + 0x7676767676767676) | w) & 0x8080808080808080)
        return false;
    w = (w * 2561) >> 8;
    unsigned year = (unsigned)(w & 255) * 100 + (unsigned)(w >> 16 & 255);
    unsigned month = (unsigned)(w >> 32 & 255), day = (unsigned)(w >> 48 & 255);
    if (year < 1 || month > 12 || day < 1 ||
        day > days[month] + (unsigned)(month == 2 && is_leap(year)))
        return false;
    unsigned y = year - (month <= 2);
    *v = (int64_t)(y * 365 + y / 4 - y / 100 + y / 400 + day) + before[month] - 1 + DAYS_0000_03_01;
    return true;
}

bool date_parse(const uint8_t *p, size_t n, int64_t *v)
{
    return n == 10 && date_of(p, v);
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static inline void print_two(uint8_t *p, unsigned v)
{
    memcpy(p, pairs + 2 * v, 2);
}

#define DAY_MIN (-719162) /* 0001-01-01 */
#define DAY_MAX 2932896   /* 9999-12-31 */

/* Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms",
 * 2022. */
static inline bool date_print(uint8_t **out, int64_t v)
{
    if (v < DAY_MIN || v > DAY_MAX)
        return false;
    uint32_t n1 = 4 * (uint32_t)(v - DAYS_0000_03_01) + 3;
    uint32_t century = n1 / 146097, n2 = 4 * (n1 % 146097 / 4) + 3;
    uint64_t p2 = 2939745 * (uint64_t)n2;
    uint32_t year = (uint32_t)(p2 >> 32), of_year = (uint32_t)p2 / 2939745 / 4;
    uint32_t n3 = 2141 * of_year + 197913;
    unsigned month = n3 >> 16, day = (n3 & 0xffff) / 2141 + 1;
    year += 100 * century;
    if (of_year >= 306) {
        year++;
        month -= 12;
    }
    uint8_t *p = *out;
    print_two(p, year / 100);
    print_two(p + 2, year % 100);
    p[4] = p[7] = '-';
    print_two(p + 5, month);
    print_two(p + 8, day);
    *out = p + 10;
    return true;
}

#define SECOND INT64_C(1000000) /* in microseconds, as all instants here */
#define DAY (86400 * SECOND)

size_t timestamp_zone(const uint8_t *p, size_t n)
{
    size_t at = 19;
    if (n > 20 && p[19] == '.')
        for (at = 20; at < n && p[at] >= '0' && p[at] <= '9';)
            at++;
    return at < n ? at : n;
}

bool timestamp_parse(const uint8_t *p, size_t n, const uint8_t *zone, size_t zone_n, int64_t *v)
{
    unsigned hour, minute, second;
    int64_t day, below = 0;
    if (n < 19 + zone_n || p[10] != ' ' || p[13] != ':' || p[16] != ':' || !date_of(p, &day) ||
        !two_digits(p + 11, &hour) || !two_digits(p + 14, &minute) ||
        !two_digits(p + 17, &second) || hour > 23 || minute > 59 || second > 59 ||
        memcmp(p + n - zone_n, zone, zone_n) != 0)
        return false;
    n -= zone_n;
    if (n > 19) {
        /* As PostgreSQL writes it: up to six digits, of which the last is not 0. */
        unsigned digits = (unsigned)n - 20;
        uint64_t u;
        if (p[19] != '.' || n > 26 || digits < 1 || p[n - 1] == '0' ||
            !digits8(p, p + n, digits, &u))
            return false;
        below = (int64_t)(u * powers[6 - digits]);
    }
    *v = day * DAY + (int64_t)(hour * 3600 + minute * 60 + second) * SECOND + below;
    return true;
}

static inline bool timestamp_print(uint8_t **out, const uint8_t *zone, size_t zone_n, int64_t v)
{
    int64_t day = v / DAY, rest = v % DAY;
    if (rest < 0) {
        day--;
        rest += DAY;
    }
    if (!date_print(out, day))
        return false;
    uint8_t *p = *out;
    uint32_t second = (uint32_t)(rest / SECOND), below = (uint32_t)(rest % SECOND);
    p[0] = ' ';
    print_two(p + 1, second / 3600);
    p[3] = p[6] = ':';
    print_two(p + 4, second / 60 % 60);
    print_two(p + 7, second % 60);
    p += 9;
    if (below) {
        uint64_t w = spread8(below * 100); /* its last two digits are 0 */
        unsigned digits = 8 - (unsigned)__builtin_clzll(w) / 8;
        *p = '.';
        store64(p + 1, w | 0x3030303030303030);
        p += 1 + digits;
    }
    memcpy(p, zone, zone_n);
    *out = p + zone_n;
    return true;
}

/* -- templates --------------------------------------------------------------------------------- */

bool template_make(const uint8_t *p, size_t n, Template *t)
{
    if (n < 2 || n > TEMPLATE_MAX)
        return false;
    t->n = (uint8_t)n;
    t->digits = 0;
    for (size_t i = 0; i < n; i++) {
        bool digit = p[i] >= '0' && p[i] <= '9';
        if (digit && t->digits == NUMBER_DIGITS)
            return false;
        if (digit)
            t->place[t->digits++] = (uint8_t)i;
        t->text[i] = digit ? '0' : p[i];
    }
    t->together = t->digits && t->place[t->digits - 1] - t->place[0] == t->digits - 1;
    return t->digits > 0;
}

static inline bool template_parse(const uint8_t *base, const Template *t, const uint8_t *p,
                                  size_t n, int64_t *v)
{
    uint64_t u = 0;
    if (n != t->n)
        return false;
    if (t->together) {
        size_t start = t->place[0], end = start + t->digits;
        if (memcmp(p, t->text, start) != 0 || memcmp(p + end, t->text + end, n - end) != 0 ||
            !digits18(base, p + end, t->digits, &u))
            return false;
        *v = (int64_t)u;
        return true;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned digit = (unsigned)p[i] - '0';
        if (t->text[i] == '0') {
            if (digit > 9)
                return false;
            u = u * 10 + digit;
        } else if (p[i] != t->text[i]) {
            return false;
        }
    }
    *v = (int64_t)u;
    return true;
}

static inline bool template_print(const Template *t, uint8_t **out, int64_t v)
{
    uint8_t *p = *out;
    if (v < 0 || (uint64_t)v >= powers[t->digits])
        return false;
    for (unsigned i = 0; i < t->n; i += 16)
        memcpy(p + i, t->text + i, 16);
    if (t->together) {
        /* What is written behind the digits is put right again. */
        unsigned end = t->place[0] + t->digits;
        print_digits(p + t->place[0], (uint64_t)v, t->digits);
        for (unsigned i = end; i < t->n; i += 16)
            memcpy(p + i, t->text + i, 16);
    } else {
        uint8_t digits[32];
        print_digits(digits, (uint64_t)v, t->digits);
        for (unsigned i = 0; i < t->digits; i++)
            p[t->place[i]] = digits[i];
    }
    *out = p + t->n;
    return true;
}

/* -- whole columns ----------------------------------------------------------------------------- */

/* What number_parse does, with what depends on the scale alone worked out once. */
typedef struct Point {
    unsigned scale, least; /* characters without the sign: at least */
    unsigned shift;        /* of the point in the last eight characters */
    uint64_t behind;       /* what stands behind it there */
} Point;

static Point point_at(unsigned scale)
{
    bool has = scale > 0 && scale < 7; /* with more digits behind it nothing is short */
    return (Point){.scale = scale,
                   .least = scale ? scale + 2 : 1,
                   .shift = has ? 8 * (7 - scale) : 0,
                   .behind = has ? UINT64_MAX << 8 * (8 - scale) : UINT64_MAX};
}

static inline bool number_take(const uint8_t *base, const uint8_t *p, size_t n, const Point *x,
                               int64_t *v)
{
    size_t negative = n && *p == '-';
    size_t digits = n - negative - (x->scale > 0);
    const uint8_t *end = p + n;
    uint64_t u, high;
    if (n - negative - x->least > 16 - (size_t)x->least || end - base < 17)
        return number_parse(base, p, n, x->scale, v);
    uint64_t w = load64(end - 8) ^ 0x3030303030303030;
    if (x->scale) {
        if ((w >> x->shift & 255) != ('.' ^ 0x30))
            return false;
        end--;
        w = (w & x->behind) | ((w << 8 | (end[-8] ^ 0x30)) & ~x->behind);
    }
    if (digits <= 8) {
        w = w >> (64 - 8 * digits) << (64 - 8 * digits);
        if (!number8(w, &u))
            return false;
    } else {
        uint64_t above = load64(end - 16) ^ 0x3030303030303030;
        above = above >> (128 - 8 * digits) << (128 - 8 * digits);
        if (!number8(w, &u) || !number8(above, &high))
            return false;
        u += high * 100000000;
    }
    if ((p[negative] == '0' && digits > x->scale + 1) || (negative && !u))
        return false;
    *v = (int64_t)((u ^ (0 - (uint64_t)negative)) + negative);
    return true;
}

/* All fields of a column as numbers; false as soon as more than a few of them are none. */
static inline __attribute__((always_inline)) bool take_numbers(const Table *t, size_t col,
                                                               ColumnKind kind, const Shape *s,
                                                               int64_t *v, uint8_t *marks,
                                                               Taken *out)
{
    size_t count = 0, odd = 0, nulls = 0;
    const Point point = point_at(s->scale);
    memset(marks, MARK_VALUE, t->rows);
    for (size_t row = 0; row < t->rows; row++) {
        Field f = field_at(t, row, col);
        bool is = kind == COLUMN_NUMBER    ? number_take(t->p, f.p, f.n, &point, &v[count])
                  : kind == COLUMN_TRIMMED ? trimmed_parse(t->p, f.p, f.n, s->scale, &v[count])
                  : kind == COLUMN_DATE    ? date_parse(f.p, f.n, &v[count])
                  : kind == COLUMN_TIMESTAMP
                      ? timestamp_parse(f.p, f.n, s->zone, s->zone_n, &v[count])
                      : template_parse(t->p, &s->shape, f.p, f.n, &v[count]);
        if (is) {
            count++;
        } else {
            bool null = is_null(f);
            marks[row] = null ? MARK_NULL : MARK_ODD;
            nulls += null;
            odd += !null;
            if (odd > 2 + row / 16)
                return false;
        }
    }
    *out = (Taken){count, odd, odd || nulls};
    return count > 0;
}

bool fields_take(const Table *t, size_t col, const Shape *s, int64_t *v, uint8_t *marks, Taken *out)
{
    switch (s->kind) {
    case COLUMN_NUMBER:
        return take_numbers(t, col, COLUMN_NUMBER, s, v, marks, out);
    case COLUMN_TRIMMED:
        return take_numbers(t, col, COLUMN_TRIMMED, s, v, marks, out);
    case COLUMN_DATE:
        return take_numbers(t, col, COLUMN_DATE, s, v, marks, out);
    case COLUMN_TIMESTAMP:
        return take_numbers(t, col, COLUMN_TIMESTAMP, s, v, marks, out);
    default:
        return take_numbers(t, col, COLUMN_TEMPLATE, s, v, marks, out);
    }
}

static inline __attribute__((always_inline)) bool print(const Shape *how, ColumnKind kind,
                                                        int64_t v, uint8_t **p)
{
    switch (kind) {
    case COLUMN_NUMBER:
        return number_print(p, v, how->scale);
    case COLUMN_TRIMMED:
        return trimmed_print(p, v, how->scale);
    case COLUMN_DATE:
        return date_print(p, v);
    case COLUMN_TIMESTAMP:
        return timestamp_print(p, how->zone, how->zone_n, v);
    default:
        return template_print(&how->shape, p, v);
    }
}

bool field_print(const Shape *how, int64_t v, uint8_t **p)
{
    return print(how, how->kind, v, p);
}

static inline __attribute__((always_inline)) bool
print_cells(Column *col, ColumnKind kind, size_t rows, size_t cols, uint8_t **at, Cell *out)
{
    const int64_t *v = col->v;
    const uint8_t *marks = col->marks;
    uint8_t *p = *at;
    for (size_t i = 0; i < rows; i++, out += cols) {
        if (marks && marks[i] != MARK_VALUE)
            continue;
        uint8_t *start = p;
        if (!print(&col->how, kind, *v++, &p))
            return false;
        *out = (Cell){start, (size_t)(p - start)};
    }
    *at = p;
    col->v = v;
    return true;
}

bool fields_print(Column *col, size_t rows, size_t cols, uint8_t **at, Cell *out)
{
    switch (col->how.kind) {
    case COLUMN_NUMBER:
        return print_cells(col, COLUMN_NUMBER, rows, cols, at, out);
    case COLUMN_TRIMMED:
        return print_cells(col, COLUMN_TRIMMED, rows, cols, at, out);
    case COLUMN_DATE:
        return print_cells(col, COLUMN_DATE, rows, cols, at, out);
    case COLUMN_TIMESTAMP:
        return print_cells(col, COLUMN_TIMESTAMP, rows, cols, at, out);
    default:
        return print_cells(col, COLUMN_TEMPLATE, rows, cols, at, out);
    }
}
