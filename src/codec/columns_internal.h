/* What the parts of the columns share: streams of numbers, fields as numbers, Huffman's code. */
#ifndef PGSTOW_CODEC_COLUMNS_INTERNAL_H
#define PGSTOW_CODEC_COLUMNS_INTERNAL_H

#include <string.h>

#include "base/buf.h"
#include "codec/columns.h"

/* Room for count things, and one more; what was in it is lost. */
Error *columns_room(Buf *b, size_t count, size_t size) MUST_CHECK;

/* -- bits ------------------------------------------------------------------------------------ */

/* Whole numbers are little endian in files, and in memory wherever pgstow runs so far; elsewhere
 * the bytes are turned. */
static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void store64(uint8_t *p, uint64_t v)
{
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, 8);
}

/* Bits that v needs: 0 for 0. */
static inline unsigned bits_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline uint64_t unzigzag(uint64_t u)
{
    return u >> 1 ^ (0 - (u & 1));
}

/* Division by one number of many that are its multiples: by what is left of it without its powers
 * of two one multiplies with the inverse modulo 2^64. */
typedef struct Divisor {
    uint64_t inverse, most; /* most: the greatest quotient that there is */
    unsigned shift;
} Divisor;

/* v is not 0. */
static inline Divisor divisor_of(uint64_t v)
{
    Divisor d = {.most = UINT64_MAX / v, .shift = (unsigned)__builtin_ctzll(v)};
    v >>= d.shift;
    /* Newton: each step doubles the bits that are right, beginning with 3. */
    d.inverse = v;
    for (int i = 0; i < 5; i++)
        d.inverse *= 2 - v * d.inverse;
    return d;
}

/* Of a multiple. */
static inline uint64_t divide_exactly(const Divisor *d, uint64_t v)
{
    return (v >> d->shift) * d->inverse;
}

/* Whether v is a multiple (Granlund and Montgomery, "Division by invariant integers using
 * multiplication", 1994, section 9). */
static inline bool divides(const Divisor *d, uint64_t v)
{
    uint64_t q = v * d->inverse;
    return (q >> d->shift | (d->shift ? q << (64 - d->shift) : 0)) <= d->most;
}

/* The lowest bit of the first byte comes first. The space must be reserved, 16 bytes more than are
 * written. */
typedef struct BitWriter {
    uint8_t *at;
    uint64_t bits;
    unsigned filled; /* of `bits`: less than 8 between two calls */
} BitWriter;

/* v < 2^count, count at most 56. */
static inline void bits_put(BitWriter *w, uint64_t v, unsigned count)
{
    w->bits |= v << w->filled;
    w->filled += count;
    store64(w->at, w->bits);
    w->at += w->filled >> 3;
    w->bits >>= w->filled & ~7u;
    w->filled &= 7;
}

static inline void bits_put_long(BitWriter *w, uint64_t v, unsigned count)
{
    if (count > 32) {
        bits_put(w, v & 0xffffffff, 32);
        v >>= 32;
        count -= 32;
    }
    bits_put(w, v, count);
}

/* The last byte is filled with zeros. Ends the writer. */
static inline void bits_end(BitWriter *w)
{
    w->at += w->filled > 0;
}

/* At least 57 bits from bit `at` on. Whoever reads looks where the end is before: reading itself
 * may go FORM_SLACK bytes beyond. */
static inline uint64_t bits_peek(const uint8_t *p, uint64_t at)
{
    return load64(p + (at >> 3)) >> (at & 7);
}

#define FORM_SLACK 16

/* -- Huffman's code (columns_huffman.c) -------------------------------------------------------- */

#define HUFFMAN_SYMBOLS 256
#define HUFFMAN_BITS 11 /* no code is longer */

typedef struct HuffmanCode {
    uint8_t length[HUFFMAN_SYMBOLS]; /* bits; 0: does not occur, or is the only one */
    uint16_t code[HUFFMAN_SYMBOLS];  /* its first bit is the lowest */
    unsigned first, count;           /* symbols from the first to the last that occurs */
} HuffmanCode;

/* From how often each symbol occurs, in all at least once; *bits is what they will take. */
void huffman_make(const uint32_t *counts, HuffmanCode *out, uint64_t *bits);
void huffman_write(const HuffmanCode *h, Buf *out);

typedef struct HuffmanTable {
    unsigned bits;
    uint16_t entries[1 << HUFFMAN_BITS]; /* by the next bits: symbol, length above 8 bits */
} HuffmanTable;
Error *huffman_read(Reader *r, HuffmanTable *out) MUST_CHECK;

/* -- streams of numbers (columns_numbers.c) ---------------------------------------------------- */

typedef struct Numbers { /* working space */
    Buf room[3][2];
    Buf tokens, spelling;
    HuffmanTable table;
    /* Of the numbers decoded last: what they are all multiples of, beyond the least, or 1; whether
     * those that differ may be few. */
    uint64_t unit;
    bool few;
} Numbers;
void numbers_free(Numbers *s);
/* Adds a stream of v[0..n) to out. */
Error *numbers_encode(Numbers *s, const int64_t *v, size_t n, Buf *out) MUST_CHECK;
/* Exactly n numbers; n is bounded by the caller, who has room for them. Behind r's end FORM_SLACK
 * bytes may be read. */
Error *numbers_decode(Numbers *s, Reader *r, size_t n, int64_t *v) MUST_CHECK;

/* -- tokens (columns_tokens.c) ------------------------------------------------------------------
 */

#define FORM_DIRECT 15u  /* logarithm of how many numbers are tokens themselves: 2 to 8 */
#define FORM_SIGNED 128u /* the sign is the lowest bit; this part only writes it down */

/* How often tokens occur among every `step`th number; how many low bits these have. */
uint64_t tokens_count(const uint64_t *u, size_t n, size_t step, unsigned direct, uint32_t *counts);
/* Bits that n tokens would take in a perfect code. */
uint64_t tokens_entropy(const uint32_t *counts, size_t n);
/* bits, lows: what the codes and the low bits take in all. */
Error *tokens_write(Numbers *s, const uint64_t *u, size_t n, unsigned form, const HuffmanCode *h,
                    uint64_t bits, uint64_t lows, Buf *out) MUST_CHECK;
/* Of numbers from 0 to different - 1 (at most 65,535), the small ones frequent; how often each
 * occurs is known. n is not 0. */
Error *tokens_write_ranked(Numbers *s, const uint16_t *v, size_t n, const uint32_t *counts,
                           size_t different, Buf *out) MUST_CHECK;
/* As numbers_decode. */
Error *tokens_read(Numbers *s, Reader *r, size_t n, uint8_t *form, uint64_t *u) MUST_CHECK;
Error *tokens_read_ranked(Numbers *s, Reader *r, size_t n, uint64_t *v) MUST_CHECK;

/* -- fields as numbers (columns_fields.c) ------------------------------------------------------ */

#define NUMBER_DIGITS 18 /* of numbers and of templates: they fit 64 bits */
#define TEMPLATE_MAX 64  /* bytes */
#define ZONE_MAX 16      /* bytes behind a timestamp */
#define PRINT_MAX 96     /* no print function writes beyond so many bytes */

/* Each is true where the field p[0..n) is exactly what is printed of *v. Bytes from `base` on may
 * be read. */
bool number_parse(const uint8_t *base, const uint8_t *p, size_t n, unsigned scale, int64_t *v);
/* The same without zeros at the end of what is behind the point. */
bool trimmed_parse(const uint8_t *base, const uint8_t *p, size_t n, unsigned scale, int64_t *v);
bool date_parse(const uint8_t *p, size_t n, int64_t *v); /* days since 1970-01-01 */
/* Microseconds since 1970-01-01; the zone is what follows. */
bool timestamp_parse(const uint8_t *p, size_t n, const uint8_t *zone, size_t zone_n, int64_t *v);
size_t timestamp_zone(const uint8_t *p, size_t n); /* where the zone of one begins; at most n */

/* Texts of one shape, in which only digits differ. */
typedef struct Template {
    uint8_t text[TEMPLATE_MAX + 16]; /* '0' where there is a digit; room behind */
    uint8_t n, digits;
    uint8_t place[NUMBER_DIGITS]; /* of each digit */
    bool together;                /* nothing stands between them */
} Template;
bool template_make(const uint8_t *p, size_t n, Template *t); /* of a field; false: of no use */

/* -- text as words (columns_words.c) ----------------------------------------------------------- */

#define WORD_MAX 32                   /* bytes */
#define TEXT_SLACK COLUMNS_TEXT_SLACK /* the same behind all other text; it may be written over */

typedef struct Words { /* working space */
    Buf slots, entries, places, numbers, counts;
} Words;
void words_free(Words *w);
/* Adds a column to form and text, which has room for it; *done is false, and nothing added, where
 * it has too many different words. Behind `column` TEXT_SLACK bytes may be read. */
Error *words_encode(Words *w, Numbers *numbers, const Buf *column, Buf *form, Buf *text,
                    bool *done) MUST_CHECK;
/* The column to *out, which ends at `end`, from what follows its kind and the length of its text.
 * TEXT_SLACK bytes more may be written. */
Error *words_decode(Words *w, Numbers *numbers, Reader *form, const uint8_t *text, size_t n,
                    uint8_t **out, const uint8_t *end) MUST_CHECK;

/* -- the layout -------------------------------------------------------------------------------- */

typedef enum BlockKind { BLOCK_RAW = 0, BLOCK_TABLE = 1 } BlockKind;

typedef enum ColumnKind {
    COLUMN_TEXT = 0,
    COLUMN_DICTIONARY = 1,
    COLUMN_NUMBER = 2,
    COLUMN_DATE = 3,
    COLUMN_TIMESTAMP = 4,
    COLUMN_TEMPLATE = 5,
    COLUMN_WORDS = 6,
    COLUMN_TRIMMED = 7
} ColumnKind;

/* A column of numbers has marks where not every field is one. */
typedef enum Mark { MARK_VALUE = 0, MARK_NULL = 1, MARK_ODD = 2 } Mark;

/* How a column's fields are made into numbers. */
typedef struct Shape {
    ColumnKind kind;
    unsigned scale;         /* digits behind the point; of trimmed numbers at most */
    uint8_t zone[ZONE_MAX]; /* behind a timestamp */
    size_t zone_n;
    Template shape;
} Shape;

/* A table in a frame, for the encoder. */
typedef struct Table {
    const uint8_t *p;     /* of the whole frame */
    const uint32_t *ends; /* before the first field, then of each */
    size_t rows, cols;
} Table;

typedef struct Field {
    const uint8_t *p;
    size_t n;
} Field;

static inline Field field_at(const Table *t, size_t row, size_t col)
{
    size_t i = row * t->cols + col;
    uint32_t start = t->ends[i] + 1;
    return (Field){t->p + start, t->ends[i + 1] - start};
}

static inline bool is_null(Field f)
{
    return f.n == 2 && f.p[0] == '\\' && f.p[1] == 'N';
}

typedef struct Taken {
    size_t values, odd;
    bool marked;
} Taken;

/* All fields of a column by one shape: *v gets the values, `marks` what each row has; false as soon
 * as more than a few are odd. */
bool fields_take(const Table *t, size_t col, const Shape *s, int64_t *v, uint8_t *marks,
                 Taken *out);

/* A field as it will stand in its row. 48 bytes from p on may be read where it has more than 16,
 * else 16. */
typedef struct Cell {
    const uint8_t *p;
    size_t n;
} Cell;

/* A column while rows are put together again. */
typedef struct Column {
    Shape how;
    const int64_t *v;     /* of the next row with a value; places of the dictionary */
    const uint8_t *marks; /* of the next row; NULL: all are values */
    size_t values;        /* how many */
    const int64_t *all;   /* values of the first row on; NULL where others can't refer to it */
    const uint8_t *text, *text_end; /* fields that are text, each ended by a newline */
    size_t cells;  /* first in `known`: the words of a dictionary, or few numbers as text */
    int64_t least; /* of these numbers the first */
    size_t few;    /* how many there are of them: least, least + unit ...; 0: none are kept */
    Divisor unit;
} Column;

/* The text of a value; false where it is none that is found in fields. No more than PRINT_MAX bytes
 * from *p on are written; *p becomes its end. */
bool field_print(const Shape *how, int64_t v, uint8_t **p);
/* out[0], out[cols] ... become the column's next fields that are values, their text is at *at. */
bool fields_print(Column *col, size_t rows, size_t cols, uint8_t **at, Cell *out);

/* What was better for a column of text when both forms of it were tried. */
#define HABITS 256
typedef struct Habit {
    uint8_t words; /* is better */
    uint8_t left;  /* so many times nothing is tried */
} Habit;

struct Columns {
    ColumnsMeasure measure;
    void *measure_ctx;
    Habit habits[HABITS]; /* by the column's number and that of all */
    Numbers numbers;
    Words words_of;
    Buf ends;    /* u32: where each field ends, after the place before the first byte */
    Buf lines;   /* u32: fields up to the end of each row, after a 0 */
    Buf values;  /* i64: of all columns of a table */
    Buf marks;   /* u8: of all of its columns */
    Buf wide;    /* i64: marks, or differences to another column */
    Buf words;   /* those of a dictionary that is made */
    Buf slots;   /* u16: of the same: place in `words` plus one */
    Buf columns; /* Column, or (while encoding) Earlier */
    Buf known;   /* Cell: of all columns of a table that have few values */
    Buf cells;   /* Cell: of some rows */
    Buf printed; /* the numbers among them as text */
    Buf kept;    /* those in `known` */
    Buf form;    /* what is decoded, with room behind */
    Buf column;  /* a column of text, each field ended by a newline; or all that were words */
};

#endif
