#include "codec/columns_internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef struct Decoder {
    Columns *c;
    Reader form;
    const uint8_t *text, *text_end; /* what is not used yet */
    uint8_t *out, *end; /* where the next byte goes; PRINT_MAX bytes more may be written */
} Decoder;

/* -- reading what a table's columns are -------------------------------------------------------- */

static Error *take_text(Decoder *d, const uint8_t **start, const uint8_t **end)
{
    uint64_t n;
    TRY(reader_varint_max(&d->form, (uint64_t)(d->text_end - d->text), &n));
    *start = d->text;
    *end = d->text += n;
    return NULL;
}

static Error *read_marks(Decoder *d, size_t rows, uint8_t *marks, Column *col)
{
    uint8_t marked;
    TRY(reader_u8(&d->form, &marked));
    col->values = rows;
    if (!marked)
        return NULL;
    TRY(columns_room(&d->c->wide, rows, sizeof(int64_t)));
    int64_t *wide = (int64_t *)(void *)d->c->wide.data;
    TRY(numbers_decode(&d->c->numbers, &d->form, rows, wide));
    col->values = 0;
    for (size_t i = 0; i < rows; i++) {
        if (wide[i] < MARK_VALUE || wide[i] > MARK_ODD)
            FAIL(ERR_DAMAGED, "a mark in columns is unknown");
        marks[i] = (uint8_t)wide[i];
        col->values += wide[i] == MARK_VALUE;
    }
    col->marks = marks;
    return take_text(d, &col->text, &col->text_end);
}

static Error *read_values(Decoder *d, size_t rows, size_t number, int64_t *v, Column *col)
{
    uint64_t back;
    TRY(reader_varint_max(&d->form, number, &back));
    TRY(numbers_decode(&d->c->numbers, &d->form, col->values, v));
    col->v = v;
    col->all = col->marks ? NULL : v;
    if (!back)
        return NULL;
    const Column *other = col - back;
    if (!other->all || col->marks)
        FAIL(ERR_DAMAGED, "a column refers to one that has no numbers");
    for (size_t i = 0; i < rows; i++)
        v[i] = (int64_t)((uint64_t)v[i] + (uint64_t)other->all[i]);
    return NULL;
}

static Error *read_dictionary(Decoder *d, size_t rows, int64_t *v, Column *col)
{
    uint64_t count;
    TRY(reader_varint_max(&d->form, rows, &count));
    TRY(take_text(d, &col->text, &col->text_end));
    Buf *words = &d->c->words;
    col->words = words->len / sizeof(uint32_t);
    col->word_count = (size_t)count;
    TRY(buf_reserve(words, (size_t)(count + 1) * sizeof(uint32_t), SIZE_MAX));
    const uint8_t *p = col->text;
    for (size_t i = 0; i <= count; i++) {
        uint32_t at = (uint32_t)(p - col->text);
        memcpy(words->data + words->len, &at, sizeof at);
        words->len += sizeof at;
        const uint8_t *newline =
            i < count && p < col->text_end ? memchr(p, '\n', (size_t)(col->text_end - p)) : NULL;
        if (i < count && !newline)
            FAIL(ERR_DAMAGED, "a dictionary in columns is too short");
        p = newline ? newline + 1 : p;
    }
    if (p != col->text_end)
        FAIL(ERR_DAMAGED, "a dictionary in columns is too long");
    TRY(numbers_decode(&d->c->numbers, &d->form, rows, v));
    for (size_t i = 0; i < rows; i++)
        if ((uint64_t)v[i] >= count)
            FAIL(ERR_DAMAGED, "a word in columns is not in its dictionary");
    col->v = v;
    return NULL;
}

static Error *read_shape(Decoder *d, Shape *s)
{
    const uint8_t *p;
    size_t n;
    uint8_t scale;
    switch (s->kind) {
    case COLUMN_NUMBER:
        TRY(reader_u8(&d->form, &scale));
        s->scale = scale;
        if (scale >= NUMBER_DIGITS)
            FAIL(ERR_DAMAGED, "numbers in columns have %u digits behind the point", scale);
        return NULL;
    case COLUMN_TIMESTAMP:
        TRY(reader_block(&d->form, &p, &n));
        if (n > ZONE_MAX)
            FAIL(ERR_DAMAGED, "a zone in columns is of %zu bytes", n);
        memcpy(s->zone, p, n);
        s->zone_n = n;
        return NULL;
    case COLUMN_TEMPLATE:
        TRY(reader_block(&d->form, &p, &n));
        if (!template_make(p, n, &s->shape))
            FAIL(ERR_DAMAGED, "a template in columns is none");
        return NULL;
    default:
        return NULL;
    }
}

static Error *read_column(Decoder *d, size_t rows, size_t number, Column *col)
{
    int64_t *v = (int64_t *)(void *)d->c->values.data + number * rows;
    uint8_t kind;
    TRY(reader_u8(&d->form, &kind));
    *col = (Column){.how = {.kind = (ColumnKind)kind}};
    switch (col->how.kind) {
    case COLUMN_TEXT:
        return take_text(d, &col->text, &col->text_end);
    case COLUMN_DICTIONARY:
        return read_dictionary(d, rows, v, col);
    case COLUMN_NUMBER:
    case COLUMN_DATE:
    case COLUMN_TIMESTAMP:
    case COLUMN_TEMPLATE:
        TRY(read_shape(d, &col->how));
        TRY(read_marks(d, rows, d->c->marks.data + number * rows, col));
        return read_values(d, rows, number, v, col);
    }
    FAIL(ERR_DAMAGED, "a column is of a kind that is unknown");
}

/* -- writing rows ------------------------------------------------------------------------------ */

static inline bool put_bytes(Decoder *d, const uint8_t *p, size_t n)
{
    if (n > (size_t)(d->end - d->out))
        return false;
    memcpy(d->out, p, n);
    d->out += n;
    return true;
}

/* The next text of a column, without its newline. */
static inline bool put_text(Decoder *d, Column *col)
{
    const uint8_t *p = col->text;
    if (p == col->text_end)
        return false;
#ifdef __SSE2__
    /* Short ones, copied while their end is looked for: there is room behind both. */
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('\n')));
    if (found) {
        unsigned n = (unsigned)__builtin_ctz(found);
        _mm_storeu_si128((__m128i *)(void *)d->out, x);
        d->out += n;
        col->text += n + 1;
        return col->text <= col->text_end;
    }
#endif
    const uint8_t *newline = memchr(p, '\n', (size_t)(col->text_end - p));
    if (!newline)
        return false;
    col->text = newline + 1;
    return put_bytes(d, p, (size_t)(newline - p));
}

static inline bool put_word(Decoder *d, Column *col)
{
    const uint32_t *ends = (const uint32_t *)(const void *)d->c->words.data + col->words;
    size_t word = (size_t)*col->v++;
    return put_bytes(d, col->text + ends[word], ends[word + 1] - ends[word] - 1);
}

static inline bool put_number(Decoder *d, Column *col)
{
    if (col->marks) {
        uint8_t mark = *col->marks++;
        if (mark == MARK_NULL)
            return put_bytes(d, (const uint8_t *)"\\N", 2);
        if (mark == MARK_ODD)
            return put_text(d, col);
    }
    int64_t v = *col->v++;
    switch (col->how.kind) {
    case COLUMN_NUMBER:
        return number_print(&d->out, v, col->how.scale);
    case COLUMN_DATE:
        return date_print(&d->out, v);
    case COLUMN_TIMESTAMP:
        return timestamp_print(&d->out, col->how.zone, col->how.zone_n, v);
    default:
        return template_print(&col->how.shape, &d->out, v);
    }
}

static Error *put_rows(Decoder *d, size_t rows, size_t cols, Column *col)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < cols; i++) {
            bool put = col[i].how.kind == COLUMN_TEXT         ? put_text(d, &col[i])
                       : col[i].how.kind == COLUMN_DICTIONARY ? put_word(d, &col[i])
                                                              : put_number(d, &col[i]);
            if (!put || d->out >= d->end)
                FAIL(ERR_DAMAGED, "columns do not fit together, or not into their frame");
            *d->out++ = i + 1 < cols ? '\t' : '\n';
        }
    for (size_t i = 0; i < cols; i++)
        if (col[i].how.kind != COLUMN_DICTIONARY && col[i].text != col[i].text_end)
            FAIL(ERR_DAMAGED, "columns have text left over");
    return NULL;
}

static Error *decode_table(Decoder *d)
{
    uint64_t rows, cols, left = (uint64_t)(d->end - d->out);
    TRY(reader_varint_max(&d->form, left, &rows));
    TRY(reader_varint_max(&d->form, left, &cols));
    if (rows == 0 || cols == 0 || cols > left / rows || cols > reader_left(&d->form))
        FAIL(ERR_DAMAGED, "columns have more fields than their frame bytes");
    Columns *c = d->c;
    TRY(columns_room(&c->values, (size_t)(rows * cols), sizeof(int64_t)));
    TRY(columns_room(&c->marks, (size_t)(rows * cols), 1));
    TRY(columns_room(&c->columns, (size_t)cols, sizeof(Column)));
    c->words.len = 0;
    Column *col = (Column *)(void *)c->columns.data;
    for (size_t i = 0; i < cols; i++)
        TRY(read_column(d, (size_t)rows, i, &col[i]));
    return put_rows(d, (size_t)rows, (size_t)cols, col);
}

static Error *decode_block(Decoder *d)
{
    uint8_t kind;
    const uint8_t *p, *end;
    TRY(reader_u8(&d->form, &kind));
    if (kind == BLOCK_TABLE)
        return decode_table(d);
    if (kind != BLOCK_RAW)
        FAIL(ERR_DAMAGED, "columns are of a kind that is unknown");
    TRY(take_text(d, &p, &end));
    if (!put_bytes(d, p, (size_t)(end - p)))
        FAIL(ERR_DAMAGED, "columns are longer than their frame");
    return NULL;
}

Error *columns_decode(Columns *c, const void *form, size_t n, const Buf *text, size_t raw_len,
                      Buf *out)
{
    out->len = 0;
    if (raw_len > COLUMNS_RAW_MAX)
        FAIL(ERR_DAMAGED, "columns of %zu bytes are larger than %zu", raw_len, COLUMNS_RAW_MAX);
    TRY(buf_reserve(out, raw_len + PRINT_MAX, raw_len + PRINT_MAX));
    Decoder d = {.c = c,
                 .form = reader_over(form, n, "a frame in columns"),
                 .text = text->data,
                 .text_end = text->data + text->len,
                 .out = out->data,
                 .end = out->data + raw_len};
    while (reader_left(&d.form))
        TRY(decode_block(&d));
    if (d.text != d.text_end || d.out != d.end)
        FAIL(ERR_DAMAGED, "columns do not make the %zu bytes that they should", raw_len);
    out->len = raw_len;
    return NULL;
}
