/* Frames of rows as columns: whatever the fields are, the bytes come back, and no payload makes
 * others, or takes more memory than a frame may. */
#include "decoded.h"

#include "codec/columns.h"

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static uint64_t below(uint64_t n)
{
    return next_random() % n;
}

static size_t half(void *ctx, const void *p, size_t n)
{
    (void)ctx;
    (void)p;
    return n / 2;
}

/* What this processor runs best, and what every processor runs, write the same and read it. */
static void both_ways(const void *p, size_t n)
{
    ColumnsWay way[2] = {{columns_encode, columns_decode}, columns_way()};
    Buf form[2] = {{0}}, text[2] = {{0}};
    bool done[2];
    for (int i = 0; i < 2; i++) {
        AUTO(Columns) c = columns_new(half, NULL);
        OK(way[i].encode(c, p, n, &form[i], &text[i], &done[i]));
    }
    assert_int_equal(done[0], done[1]);
    for (int i = 0; i < 2 && done[0]; i++) {
        AUTO(Columns) c = columns_new(half, NULL);
        AUTO_VALUE(Buf) out = {0};
        assert_int_equal(form[i].len, form[0].len);
        assert_int_equal(text[i].len, text[0].len);
        assert_memory_equal(form[i].data, form[0].data, form[0].len);
        if (text[0].len)
            assert_memory_equal(text[i].data, text[0].data, text[0].len);
        OK(buf_reserve(&text[1 - i], COLUMNS_TEXT_SLACK, SIZE_MAX));
        OK(way[i].decode(c, form[1 - i].data, form[1 - i].len, &text[1 - i], n, &out));
        assert_memory_equal(out.data, p, n);
    }
    for (int i = 0; i < 2; i++) {
        buf_free(&form[i]);
        buf_free(&text[i]);
    }
}

/* Encoded as `expected` (-1: as anything), decoded, and as many bytes as `most` at most. */
static size_t trip(const void *p, size_t n, int expected)
{
    AUTO(Codec) c = codec_new();
    AUTO_VALUE(Buf) packed = {0};
    CodecId used;
    OK(codec_encode(c, 1, p, n, &packed, &used));
    if (expected >= 0)
        assert_int_equal(used, expected);
    comes_back(c, used, &packed, p, n);
    if (n) /* codec.h stores what is empty */
        both_ways(p, n);
    return packed.len;
}

/* Fields that are nearly numbers, dates or the like, each of which must come back as it was. */
static const char *const odd[] = {
    "",
    "\\N",
    "\\\\N",
    "\\n",
    "N",
    "\\",
    "-",
    "+",
    "+1",
    "-0",
    "0",
    "-1",
    "00",
    "01",
    "-01",
    "0.0",
    "-0.0",
    "-0.00",
    "0.00",
    "1.",
    ".5",
    "-.5",
    "1.5",
    "1.50",
    "1.500",
    "1e5",
    "NaN",
    "Infinity",
    "-Infinity",
    "1 ",
    " 1",
    "1_000",
    "1,5",
    "0x10",
    "999999999999999999",
    "1000000000000000000",
    "-999999999999999999",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.000000000000000001",
    "0.0000000000000000001",
    "99999999",
    "100000000",
    "9999999999999999",
    "10000000000000000",
    "12345678.12345678",
    "2024-01-15",
    "2024-02-29",
    "2023-02-29",
    "1900-02-29",
    "2000-02-29",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "2024-13-01",
    "2024-00-10",
    "2024-04-31",
    "2024-1-15",
    "2024-01-15 BC",
    "24-01-15",
    "infinity",
    "2024-01-15 10:30:00",
    "2024-01-15 10:30:00.5",
    "2024-01-15 10:30:00.50",
    "2024-01-15 10:30:00.123456",
    "2024-01-15 10:30:00.1234567",
    "2024-01-15 10:30:00.",
    "2024-01-15 24:00:00",
    "2024-01-15 23:59:60",
    "2024-01-15 10:60:00",
    "2024-01-15 10:30:00+00",
    "2024-01-15 10:30:00.000001+05:30",
    "2024-01-15 10:30:00-03:30:45 and more",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59.999999+00",
    "2024-01-15T10:30:00",
    "t",
    "f",
    "Clerk#000000017",
    "25-989-741-2988",
    "a1",
    "1a",
    "0123456789012345678",
    "\xff\xfe",
    "\r",
    "1\r",
    "\x01",
    "550e8400-e29b-41d4-a716-446655440000",
    "\\\\x00ff",
    "{1,2,3}",
    "{\"a\": 1}",
    "a text that is a good deal longer than the sixteen bytes which are copied at once"};
#define ODD (sizeof odd / sizeof *odd)

static const char *const words[] = {
    "parcels",    "wait",      "the",
    "a",          "carefully", "ledgers",
    "merchants",  "über",      "of",
    "42",         "(and)",     "x",
    "sleep",      "I",         "--",
    "{\"k\": 1}", "arrive",    "boldly",
    "harbours",   "",          "a_word_that_is_longer_than_thirty_two_bytes_of_text",
    "3.14",       "\\t",       "spices"};
#define WORDS (sizeof words / sizeof *words)

/* -- what is seen in columns ------------------------------------------------------------------- */

static void test_numbers_take_few_bits(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%d\n", 1000000 + i * 10);
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 30);
    rows.len = 0;
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%u\t%u\n", (unsigned)below(1024), (unsigned)below(65536));
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 4096 * 26 / 8 + 100);
    rows.len = 0;
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%u.%02u\n", (unsigned)below(100), (unsigned)below(100));
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 4096 * 14 / 8 + 100);
    rows.len = 0;
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%.6g\n", (double)below(1000000) / 1000.0);
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 4096 * 20 / 8 + 200);
}

static void test_a_column_relative_to_another(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (int i = 0; i < 4096; i++) {
        unsigned day = 1 + (unsigned)below(27), month = 1 + (unsigned)below(12),
                 year = 1990 + (unsigned)below(30);
        buf_printf(&rows, "%u-%02u-%02u\t%u-%02u-%02u\n", year, month, day, year, month, day + 1);
    }
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 4096 * 14 / 8 + 100);
}

/* Texts of the same words: less than half of what zstd makes of them. */
static void test_texts_of_words(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    seed = 5;
    while (rows.len < 200000) {
        for (uint64_t n = 3 + below(12); n--;)
            buf_printf(&rows, "%s ", words[below(10)]);
        buf_add_str(&rows, ".\n");
    }
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, rows.len / 10);
}

static void test_few_texts(void **state)
{
    (void)state;
    static const char *const states[] = {"", "\\N", "paid", "a b", "Grüße", "back\\\\slash", "-"};
    AUTO_VALUE(Buf) rows = {0};
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%s\tsame for all\t\n", states[below(7)]);
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 4096 * 3 / 8 + 200);
}

/* Words that are too many for a token each, and some that occur once. */
static void test_texts_of_many_words(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    seed = 6;
    for (unsigned row = 0; row < 5000; row++) {
        for (uint64_t n = 3 + below(8); n--;)
            buf_printf(&rows, "%c%u ", (char)('a' + below(20)), (unsigned)below(1 + below(60)));
        buf_printf(&rows, row % 10 ? "\n" : "once%u\n", row);
    }
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, rows.len * 2 / 5);
}

static void test_few_numbers(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0.5", "-2", "0.125", "7.25", "12"};
    AUTO_VALUE(Buf) rows = {0};
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%s\n", numbers[below(5)]);
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 4096 * 3 / 8 + 100);
}

/* A bit each is all that a code can do for them. */
static void test_yes_and_no(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%d\n", below(7) == 0);
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 4096 / 8 + 50);
}

/* Each value as often as the two before it together: codes that would be too long. */
static void test_rare_values(void **state)
{
    (void)state;
    for (unsigned values = 11; values <= 20; values++) {
        AUTO_VALUE(Buf) rows = {0};
        size_t left[20], all = 0;
        for (unsigned i = 0; i < values; i++)
            all += left[i] = i < 2 ? 1 : left[i - 1] + left[i - 2];
        for (; all; all--) {
            size_t at = below(all), i = 0;
            for (; at >= left[i]; i++)
                at -= left[i];
            left[i]--;
            buf_printf(&rows, "%zu\n", i);
        }
        trip(rows.data, rows.len, CODEC_COLUMNS);
    }
}

/* Repeated, and what is repeated has a distance that is always the same. */
static void test_steps(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (int i = 0; i < 4096; i++)
        buf_printf(&rows, "%d\t%d.5\n", 1000 + i / 16 * 3, i % 32 < 16 ? 2 : 40);
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 100);
}

/* -- whatever the fields are ------------------------------------------------------------------- */

static void add_field(Buf *b, unsigned kind, unsigned row)
{
    switch (kind) {
    case 0:
        buf_printf(b, "%d", (int)row);
        return;
    case 1:
        buf_printf(b, "%lld", (long long)(next_random() >> below(53)) - 5000);
        return;
    case 2:
        buf_printf(b, "%s%u.%04u", below(2) ? "-" : "", (unsigned)below(1000) + 1,
                   (unsigned)below(10000));
        return;
    case 3:
        buf_printf(b, "%04u-%02u-%02u", 1 + (unsigned)below(9999), 1 + (unsigned)below(12),
                   1 + (unsigned)below(28));
        return;
    case 4:
        buf_printf(b, "2024-03-%02u %02u:%02u:%02u+01", 1 + (unsigned)below(31),
                   (unsigned)below(24), (unsigned)below(60), (unsigned)below(60));
        return;
    case 5:
        buf_printf(b, "Clerk#%09u", (unsigned)below(1000));
        return;
    case 6:
        buf_add_str(b, odd[below(4)]);
        return;
    case 7:
        for (uint64_t n = below(40); n--;)
            buf_u8(b, (uint8_t)('a' + below(26)));
        return;
    case 8:
        buf_add_str(b, below(9) ? "7" : "\\N");
        return;
    case 9: /* anything but what separates fields */
        for (uint64_t n = below(20); n--;) {
            uint8_t byte = (uint8_t)next_random();
            buf_u8(b, byte == '\t' || byte == '\n' ? 0 : byte);
        }
        return;
    case 10:
        buf_printf(b, "%u", (unsigned)below(100) < 98 ? 0 : (unsigned)below(5));
        return;
    case 11:
        buf_printf(b, "%u", row / 100);
        return;
    case 13:
        buf_printf(b, "%.*g", 3 + (int)below(15), ((double)below(1000000) - 300000) / 977.0);
        return;
    case 12:
        for (uint64_t n = below(12); n--;)
            buf_printf(b, "%s%s", words[below(WORDS)], below(9) ? " " : ", ");
        return;
    default:
        buf_add_str(b, odd[below(ODD)]);
        return;
    }
}
#define FIELD_KINDS 15

static void test_random_tables(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (seed = 1; seed < 400000000;) {
        static uint64_t table;
        if (++table > 150)
            break;
        seed = table * 7919;
        size_t cols = 1 + below(12), count = below(table % 10 ? 400 : 4000);
        unsigned kinds[12], stray = (unsigned)below(4);
        for (size_t i = 0; i < cols; i++)
            kinds[i] = (unsigned)below(FIELD_KINDS);
        rows.len = 0;
        for (unsigned row = 0; row < count; row++) {
            size_t n = stray == 3 && below(200) == 0 ? cols + 1 : cols;
            for (size_t i = 0; i < n; i++) {
                /* Now and then something else: a value that is none stays what it was. */
                unsigned kind = i == cols || (stray && below(60) == 0) ? FIELD_KINDS : kinds[i];
                add_field(&rows, kind, row);
                buf_u8(&rows, i + 1 < n ? '\t' : '\n');
            }
        }
        if (stray == 2 && rows.len)
            rows.len -= below(rows.len < 30 ? rows.len : 30);
        size_t from = stray == 1 && rows.len ? below(rows.len < 30 ? rows.len : 30) : 0;
        trip(rows.data ? rows.data + from : NULL, rows.len - from, -1);
    }
}

/* A column of one odd field, and of ordinary ones with a few odd ones among them. */
static void test_odd_fields(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (size_t i = 0; i < ODD; i++)
        for (unsigned kind = 0; kind < 7; kind++) {
            rows.len = 0;
            for (unsigned row = 0; row < 200; row++) {
                if (kind == 6 || row % 70 == 69)
                    buf_add_str(&rows, odd[i]);
                else
                    add_field(&rows, kind, row);
                buf_printf(&rows, "\t%s\n", odd[(i + row) % ODD]);
            }
            trip(rows.data, rows.len, -1);
        }
}

/* -- rows that are not all alike --------------------------------------------------------------- */

static void test_edges_of_frames(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    trip("\n", 1, CODEC_STORE);
    trip("1\t2\n", 4, CODEC_STORE);
    for (int i = 0; i < 30; i++) {
        trip(rows.data, rows.len, -1);
        buf_u8(&rows, '\n');
    }
    rows.len = 0;
    for (int i = 0; i < 30; i++) {
        trip(rows.data, rows.len, -1);
        buf_add_str(&rows, "\t\n");
    }
    rows.len = 0;
    /* The end of a row, whole rows, others of another table, and a row that is cut. */
    buf_add_str(&rows, "of a row\there\n");
    for (int i = 0; i < 2000; i++)
        buf_printf(&rows, "%d\t%d\tsame\n", i, i * 3);
    buf_add_str(&rows, "one row\talone\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&rows, "%d\n", i);
    buf_add_str(&rows, "and the beginn");
    assert_in_range(trip(rows.data, rows.len, CODEC_COLUMNS), 1, 200);
    for (size_t cut = 0; cut < 40; cut++) {
        trip(rows.data + cut, rows.len - cut, CODEC_COLUMNS);
        trip(rows.data, rows.len - cut, CODEC_COLUMNS);
    }
    /* Bytes that are no rows. */
    memset(rows.data, 0, rows.len);
    trip(rows.data, rows.len, CODEC_ZSTD);
    memset(rows.data, '\t', rows.len);
    trip(rows.data, rows.len, CODEC_ZSTD);
}

static void test_a_thousand_columns(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (unsigned row = 0; row < 60; row++)
        for (unsigned i = 0; i < 1600; i++) {
            add_field(&rows, i % FIELD_KINDS, row);
            buf_u8(&rows, i < 1599 ? '\t' : '\n');
        }
    trip(rows.data, rows.len, CODEC_COLUMNS);
    /* More than any table has. */
    rows.len = 0;
    for (unsigned row = 0; row < 60; row++)
        for (unsigned i = 0; i < 3000; i++)
            buf_printf(&rows, "%u%c", i, i < 2999 ? '\t' : '\n');
    trip(rows.data, rows.len, CODEC_ZSTD);
}

static void test_large_frames(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) rows = {0};
    for (unsigned row = 0; rows.len < COLUMNS_RAW_MAX - 100; row++)
        buf_printf(&rows, "%u\t%u\n", row, row * 7 % 1000);
    trip(rows.data, rows.len, CODEC_COLUMNS);
    while (rows.len <= COLUMNS_RAW_MAX)
        buf_add_str(&rows, "1\t2\n");
    trip(rows.data, rows.len, CODEC_ZSTD);
}

/* -- damage ------------------------------------------------------------------------------------ */

static void damaged(Codec *c, const Buf *packed, size_t raw_len)
{
    AUTO_VALUE(Buf) out = {0};
    AUTO(Error) e = codec_decode(c, CODEC_COLUMNS, packed->data, packed->len, raw_len, &out);
    if (e)
        assert_true(error_kind(e) == ERR_DAMAGED || error_kind(e) == ERR_REPO_UNSUPPORTED);
    else
        assert_int_equal(out.len, raw_len);
}

static void test_damage(void **state)
{
    (void)state;
    AUTO(Codec) c = codec_new();
    AUTO_VALUE(Buf) rows = {0};
    AUTO_VALUE(Buf) packed = {0};
    AUTO_VALUE(Buf) out = {0};
    CodecId used;
    seed = 99;
    for (unsigned row = 0; row < 100; row++)
        for (unsigned i = 0; i <= FIELD_KINDS; i++) {
            add_field(&rows, i == 5 && row % 30 == 0 ? 6 : i, row);
            buf_u8(&rows, i < FIELD_KINDS ? '\t' : '\n');
        }
    OK(codec_encode(c, 1, rows.data, rows.len, &packed, &used));
    assert_int_equal(used, CODEC_COLUMNS);
    has_one_length(c, used, &packed, rows.len);
    for (size_t cut = 0; cut < packed.len; cut += 1 + cut / 64)
        FAILS(ERR_DAMAGED, codec_decode(c, used, packed.data, cut, rows.len, &out));
    for (size_t i = 0; i < packed.len; i++) {
        packed.data[i] ^= (uint8_t)(1u << i % 8);
        damaged(c, &packed, rows.len);
        packed.data[i] ^= (uint8_t)(1u << i % 8);
    }
    for (int i = 0; i < 2000; i++) {
        size_t at = below(packed.len);
        uint8_t old = packed.data[at];
        packed.data[at] = (uint8_t)next_random();
        damaged(c, &packed, rows.len);
        packed.data[at] = old;
    }
    OK(codec_decode(c, used, packed.data, packed.len, rows.len, &out));
    assert_memory_equal(out.data, rows.data, rows.len);
    packed.data[0] = 200;
    FAILS(ERR_REPO_UNSUPPORTED, codec_decode(c, used, packed.data, packed.len, rows.len, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_take_few_bits),
        cmocka_unit_test(test_a_column_relative_to_another),
        cmocka_unit_test(test_few_texts),
        cmocka_unit_test(test_texts_of_words),
        cmocka_unit_test(test_texts_of_many_words),
        cmocka_unit_test(test_few_numbers),
        cmocka_unit_test(test_yes_and_no),
        cmocka_unit_test(test_rare_values),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_random_tables),
        cmocka_unit_test(test_odd_fields),
        cmocka_unit_test(test_edges_of_frames),
        cmocka_unit_test(test_a_thousand_columns),
        cmocka_unit_test(test_large_frames),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
