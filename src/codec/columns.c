/* Encoding: where the rows and their fields are, which blocks of them make a table, and what each
 * column is written as. A kind of column is tried where the first field looks like it, and dropped
 * as soon as too many others don't. */
#include "codec/columns_internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ROWS_MIN 24      /* fewer rows are no table */
#define COLUMNS_MAX 2048 /* PostgreSQL has at most 1664 in the result of a query */
#define WORDS_MAX 4096u  /* different texts of a dictionary */
#define NEIGHBOURS 8     /* earlier columns of its kind that one is compared with */

Columns *columns_new(ColumnsMeasure measure, void *ctx)
{
    Columns *c = mem_new(Columns);
    c->measure = measure;
    c->measure_ctx = ctx;
    return c;
}

void columns_free(Columns *c)
{
    if (!c)
        return;
    numbers_free(&c->numbers);
    Buf *all[] = {&c->ends,    &c->lines, &c->values, &c->marks,   &c->wide, &c->words, &c->slots,
                  &c->columns, &c->known, &c->cells,  &c->printed, &c->kept, &c->form,  &c->column};
    words_free(&c->words_of);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(all[i]);
    free(c);
}

Error *columns_room(Buf *b, size_t count, size_t size)
{
    b->len = 0;
    return buf_reserve(b, (count + 1) * size, SIZE_MAX);
}

/* -- where fields end -------------------------------------------------------------------------- */

typedef struct Fields {
    uint32_t *ends, *lines;
    size_t count, line_count;
} Fields;

static inline void note_ends(Fields *f, size_t at, uint64_t all, uint64_t newlines)
{
    uint32_t *end = f->ends + 1 + f->count;
    uint64_t left = all;
    for (; left; left &= left - 1)
        *end++ = (uint32_t)(at + (unsigned)__builtin_ctzll(left));
    for (; newlines; newlines &= newlines - 1) {
        uint64_t up_to = newlines ^ (newlines - 1);
        f->lines[++f->line_count] =
            (uint32_t)(f->count + (unsigned)__builtin_popcountll(all & up_to));
    }
    f->count = (size_t)(end - f->ends) - 1;
}

static void find_fields(const uint8_t *p, size_t n, Fields *f)
{
    size_t at = 0;
    f->ends[0] = UINT32_MAX; /* one before the first byte */
    f->lines[0] = 0;
#ifdef __SSE2__
    const __m128i tab = _mm_set1_epi8('\t'), newline = _mm_set1_epi8('\n');
    for (; at + 64 <= n; at += 64) {
        uint64_t tabs = 0, newlines = 0;
        for (unsigned i = 0; i < 4; i++) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + at + 16 * i));
            tabs |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, tab)) << 16 * i;
            newlines |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, newline)) << 16 * i;
        }
        note_ends(f, at, tabs | newlines, newlines);
    }
#endif
    for (; at < n; at++)
        if (p[at] == '\t' || p[at] == '\n')
            note_ends(f, at, 1, p[at] == '\n');
}

/* -- a column ---------------------------------------------------------------------------------- */

/* A field and its newline behind what is in `text`, which has room for it. */
static inline void add_text(Buf *text, Field f)
{
    uint8_t *to = text->data + text->len;
    memcpy(to, f.p, f.n);
    to[f.n] = '\n';
    text->len += f.n + 1;
}

static unsigned behind_point(Field f)
{
    const uint8_t *point = f.n ? memchr(f.p, '.', f.n) : NULL;
    return point ? (unsigned)(f.p + f.n - point - 1) : 0;
}

/* Numbers, whose first one has so many digits behind the point; or not all the same. */
static void guess_scale(const Table *t, size_t col, unsigned first, Shape *s)
{
    int64_t v;
    s->kind = COLUMN_NUMBER;
    s->scale = first;
    for (size_t row = 0; row < t->rows; row += t->rows / 64 + 1) {
        Field f = field_at(t, row, col);
        unsigned behind = behind_point(f);
        if (behind == first || !number_parse(t->p, f.p, f.n, behind, &v))
            continue;
        s->kind = COLUMN_TRIMMED;
        s->scale = behind > s->scale ? behind : s->scale;
    }
}

/* What a column could be, from one of its fields. */
static bool guess(const Table *t, size_t row, size_t col, Shape *s)
{
    int64_t v;
    Field f = field_at(t, row, col);
    if (date_parse(f.p, f.n, &v)) {
        s->kind = COLUMN_DATE;
        return true;
    }
    if (f.n >= 19) {
        size_t zone = timestamp_zone(f.p, f.n);
        s->zone_n = f.n - zone;
        if (s->zone_n <= ZONE_MAX && timestamp_parse(f.p, f.n, f.p + zone, s->zone_n, &v)) {
            s->kind = COLUMN_TIMESTAMP;
            memcpy(s->zone, f.p + zone, s->zone_n);
            return true;
        }
    }
    unsigned behind = behind_point(f);
    if (number_parse(t->p, f.p, f.n, behind, &v)) {
        guess_scale(t, col, behind, s);
        return true;
    }
    s->kind = COLUMN_TEMPLATE;
    return template_make(f.p, f.n, &s->shape);
}

/* -- a column relative to another -------------------------------------------------------------- */

typedef struct Earlier { /* a column of numbers without marks */
    size_t column;
    ColumnKind kind;
    unsigned scale;
    const int64_t *v;
} Earlier;

#define SAMPLES 32

/* About how many bits a number takes: of a itself, or less b. */
static unsigned spread(const int64_t *a, const int64_t *b, size_t n)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0, step = n / SAMPLES + 1; i < n; i += step) {
        int64_t d = a[i] - (b ? b[i] : 0);
        min = d < min ? d : min;
        max = d > max ? d : max;
    }
    return bits_of((uint64_t)max - (uint64_t)min);
}

/* The same of the distances of neighbours, as a mean. */
static unsigned step_bits(const int64_t *v, size_t n)
{
    unsigned sum = 0, count = 0;
    for (size_t i = 1, step = n / SAMPLES + 1; i < n; i += step, count++)
        sum += bits_of(zigzag(v[i] - v[i - 1]));
    return count ? sum / count : 0;
}

/* How many columns before this one the other is; 0: none helps. */
static size_t find_relative(const Columns *c, size_t col, const Shape *s, const int64_t *v,
                            size_t n, const int64_t **other)
{
    const Earlier *e = (const Earlier *)(const void *)c->columns.data;
    size_t count = c->columns.len / sizeof *e, seen = 0, found = 0;
    unsigned best = spread(v, NULL, n), steps = step_bits(v, n);
    best = steps < best ? steps : best;
    if (best < 5)
        return 0;
    best -= 1;
    for (size_t i = count; i-- > 0 && seen < NEIGHBOURS;) {
        if (e[i].kind != s->kind || e[i].scale != s->scale)
            continue;
        seen++;
        unsigned bits = spread(v, e[i].v, n);
        if (bits < best) {
            best = bits;
            *other = e[i].v;
            found = col - e[i].column;
        }
    }
    return found;
}

/* -- writing ----------------------------------------------------------------------------------- */

static Error *write_marks(Columns *c, const Table *t, size_t col, const uint8_t *marks,
                          const Taken *taken, Buf *form, Buf *text)
{
    buf_u8(form, taken->marked);
    if (!taken->marked)
        return NULL;
    TRY(columns_room(&c->wide, t->rows, sizeof(int64_t)));
    int64_t *wide = (int64_t *)(void *)c->wide.data;
    for (size_t i = 0; i < t->rows; i++)
        wide[i] = marks[i];
    TRY(numbers_encode(&c->numbers, wide, t->rows, form));
    size_t start = text->len;
    for (size_t i = 0; taken->odd && i < t->rows; i++)
        if (marks[i] == MARK_ODD)
            add_text(text, field_at(t, i, col));
    buf_varint(form, text->len - start);
    return NULL;
}

static Error *write_values(Columns *c, const Table *t, size_t col, const Shape *s, const int64_t *v,
                           const Taken *taken, Buf *form)
{
    const int64_t *other = NULL;
    size_t back = taken->marked ? 0 : find_relative(c, col, s, v, t->rows, &other);
    buf_varint(form, back);
    if (!taken->marked)
        buf_add(&c->columns, &(Earlier){col, s->kind, s->scale, v}, sizeof(Earlier));
    if (!back)
        return numbers_encode(&c->numbers, v, taken->values, form);
    TRY(columns_room(&c->wide, t->rows, sizeof(int64_t)));
    int64_t *wide = (int64_t *)(void *)c->wide.data;
    for (size_t i = 0; i < t->rows; i++)
        wide[i] = v[i] - other[i];
    return numbers_encode(&c->numbers, wide, t->rows, form);
}

static Error *try_numbers(Columns *c, const Table *t, size_t col, int64_t *v, Buf *form, Buf *text,
                          bool *done)
{
    Shape s = {0};
    Taken taken;
    *done = false;
    TRY(columns_room(&c->marks, t->rows, 1));
    /* By the first field, and where that was an odd one by another. */
    for (size_t look = 0; look < 2 && !*done; look++) {
        size_t row = look * (t->rows / 2);
        while (row < t->rows && is_null(field_at(t, row, col)))
            row++;
        *done = row < t->rows && guess(t, row, col, &s) &&
                fields_take(t, col, &s, v, c->marks.data, &taken);
    }
    if (!*done)
        return NULL;
    buf_u8(form, (uint8_t)s.kind);
    if (s.kind == COLUMN_NUMBER || s.kind == COLUMN_TRIMMED)
        buf_u8(form, (uint8_t)s.scale);
    else if (s.kind == COLUMN_TIMESTAMP)
        buf_block(form, s.zone, s.zone_n);
    else if (s.kind == COLUMN_TEMPLATE)
        buf_block(form, s.shape.text, s.shape.n);
    TRY(write_marks(c, t, col, c->marks.data, &taken, form, text));
    return write_values(c, t, col, &s, v, &taken, form);
}

/* A text of a dictionary. */
typedef struct Word {
    uint64_t first, last; /* up to 16 bytes are these two */
    const uint8_t *p;
    size_t n;
} Word;

static inline Word word_of(Field f, const uint8_t *end)
{
    Word w = {.p = f.p, .n = f.n};
    if (f.n >= 8) {
        w.first = load64(f.p);
        w.last = load64(f.p + f.n - 8);
    } else if (end - f.p >= 8) {
        w.first = f.n ? load64(f.p) << (64 - 8 * f.n) : 0;
    } else {
        for (size_t i = 0; i < f.n; i++)
            w.first |= (uint64_t)f.p[i] << (64 - 8 * f.n + 8 * i);
    }
    return w;
}

static inline bool same_word(const Word *a, const Word *b)
{
    return a->first == b->first && a->last == b->last && a->n == b->n &&
           (a->n <= 16 || memcmp(a->p + 8, b->p + 8, a->n - 16) == 0);
}

/* The place of each row's text in a list of those that differ; *done is false where they are too
 * many. */
static Error *take_words(Columns *c, const Table *t, size_t col, int64_t *v, size_t *count,
                         bool *done)
{
    size_t limit = t->rows / 3 < WORDS_MAX ? t->rows / 3 : WORDS_MAX, size = 64, words = 0;
    while (size < 2 * limit)
        size *= 2;
    TRY(columns_room(&c->slots, size, sizeof(uint16_t)));
    TRY(columns_room(&c->words, limit, sizeof(Word)));
    uint16_t *slot = (uint16_t *)(void *)c->slots.data;
    Word *known = (Word *)(void *)c->words.data;
    const uint8_t *end = t->p + t->ends[t->rows * t->cols];
    memset(slot, 0, size * sizeof *slot);
    *done = false;
    for (size_t row = 0; row < t->rows; row++) {
        Word w = word_of(field_at(t, row, col), end);
        uint64_t hash =
            (w.first ^ (w.last << 23 | w.last >> 41) ^ w.n) * UINT64_C(0x9e3779b97f4a7c15);
        size_t at = hash >> 48 & (size - 1);
        while (slot[at] && !same_word(&known[slot[at] - 1], &w))
            at = (at + 1) & (size - 1);
        if (!slot[at]) {
            if (words >= limit || words > 24 + row / 2)
                return NULL;
            known[words++] = w;
            slot[at] = (uint16_t)words;
        }
        v[row] = slot[at] - 1;
    }
    *count = words;
    *done = true;
    return NULL;
}

static Error *try_dictionary(Columns *c, const Table *t, size_t col, int64_t *v, Buf *form,
                             Buf *text, bool *done)
{
    size_t count, start = text->len;
    TRY(take_words(c, t, col, v, &count, done));
    if (!*done)
        return NULL;
    const Word *word = (const Word *)(const void *)c->words.data;
    for (size_t i = 0; i < count; i++)
        add_text(text, (Field){word[i].p, word[i].n});
    buf_u8(form, COLUMN_DICTIONARY);
    buf_varint(form, count);
    buf_varint(form, text->len - start);
    return numbers_encode(&c->numbers, v, t->rows, form);
}

#define WORDS_TEXT_MIN 2048 /* bytes of a column below which words are not tried */
#define HABIT 15            /* frames for which it is believed what one has shown */

static void plain_text(const Buf *column, Buf *form, Buf *text)
{
    buf_u8(form, COLUMN_TEXT);
    buf_varint(form, column->len);
    buf_add(text, column->data, column->len);
}

/* As words or as it is, whichever was smaller when both were last tried. */
static Error *encode_text(Columns *c, Habit *habit, Buf *form, Buf *text)
{
    size_t form_start = form->len, text_start = text->len;
    bool trial = habit->left == 0, done = false;
    if (c->column.len >= WORDS_TEXT_MIN && (trial || habit->words))
        TRY(words_encode(&c->words_of, &c->numbers, &c->column, form, text, &done));
    if (trial && c->column.len >= WORDS_TEXT_MIN) {
        *habit = (Habit){.left = HABIT};
        habit->words = done && form->len - form_start +
                                       c->measure(c->measure_ctx, text->data + text_start,
                                                  text->len - text_start) <
                                   c->measure(c->measure_ctx, c->column.data, c->column.len);
    } else if (!trial) {
        habit->left--;
    }
    if (done && habit->words)
        return NULL;
    form->len = form_start;
    text->len = text_start;
    plain_text(&c->column, form, text);
    return NULL;
}

static Error *encode_column(Columns *c, const Table *t, size_t col, int64_t *v, Buf *form,
                            Buf *text)
{
    bool done;
    TRY(try_numbers(c, t, col, v, form, text, &done));
    if (!done)
        TRY(try_dictionary(c, t, col, v, form, text, &done));
    if (done)
        return NULL;
    size_t size = 0;
    for (size_t row = 0; row < t->rows; row++)
        size += field_at(t, row, col).n + 1;
    c->column.len = 0;
    TRY(buf_reserve(&c->column, size + TEXT_SLACK, SIZE_MAX));
    for (size_t row = 0; row < t->rows; row++)
        add_text(&c->column, field_at(t, row, col));
    return encode_text(c, &c->habits[(t->cols * 31 + col) % HABITS], form, text);
}

static Error *encode_table(Columns *c, const Table *t, Buf *form, Buf *text)
{
    buf_u8(form, BLOCK_TABLE);
    buf_varint(form, t->rows);
    buf_varint(form, t->cols);
    TRY(columns_room(&c->values, t->rows * t->cols, sizeof(int64_t)));
    c->columns.len = 0;
    for (size_t col = 0; col < t->cols; col++) {
        int64_t *v = (int64_t *)(void *)c->values.data + col * t->rows;
        TRY(encode_column(c, t, col, v, form, text));
    }
    return NULL;
}

/* -- blocks ------------------------------------------------------------------------------------ */

static void encode_raw(const uint8_t *p, size_t n, Buf *form, Buf *text)
{
    if (!n)
        return;
    buf_u8(form, BLOCK_RAW);
    buf_varint(form, n);
    buf_add(text, p, n);
}

static size_t line_end(const Fields *f, size_t line)
{
    return line ? (size_t)f->ends[f->lines[line]] + 1 : 0;
}

Error *columns_encode(Columns *c, const void *bytes, size_t n, Buf *form, Buf *text, bool *done)
{
    const uint8_t *p = bytes;
    form->len = text->len = 0;
    *done = false;
    if (n > COLUMNS_RAW_MAX)
        return NULL;
    TRY(columns_room(&c->ends, n, sizeof(uint32_t)));
    TRY(columns_room(&c->lines, n, sizeof(uint32_t)));
    TRY(buf_reserve(text, n + TEXT_SLACK, SIZE_MAX));
    Fields f = {.ends = (uint32_t *)(void *)c->ends.data,
                .lines = (uint32_t *)(void *)c->lines.data};
    find_fields(p, n, &f);
    size_t raw_from = 0, in_tables = 0;
    for (size_t line = 0, next; line < f.line_count; line = next) {
        uint32_t cols = f.lines[line + 1] - f.lines[line];
        next = line + 1;
        while (next < f.line_count && f.lines[next + 1] - f.lines[next] == cols)
            next++;
        if (next - line < ROWS_MIN || cols > COLUMNS_MAX)
            continue;
        size_t start = line_end(&f, line), end = line_end(&f, next);
        encode_raw(p + raw_from, start - raw_from, form, text);
        Table t = {p, f.ends + f.lines[line], next - line, cols};
        TRY(encode_table(c, &t, form, text));
        raw_from = end;
        in_tables += end - start;
    }
    encode_raw(p + raw_from, n - raw_from, form, text);
    *done = in_tables > n / 2;
    return NULL;
}
