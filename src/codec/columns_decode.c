#include "codec/columns_internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef struct Decoder {
    Columns *c;
    Reader form;
    const uint8_t *text, *text_end; /* what is not used yet */
    uint8_t *out, *end;         /* where the next byte goes; PRINT_MAX bytes more may be written */
    uint8_t *spelt, *spelt_end; /* where the next text made of words goes */
    uint8_t *keep;              /* where the next number that is kept goes */
    size_t kept;                /* room for all of them */
} Decoder;

#define KEPT_MAX 24 /* bytes of a number or a date */

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

static Error *add_known(Columns *c, size_t count, Cell **cells, Column *col)
{
    col->cells = c->known.len / sizeof(Cell);
    TRY(buf_reserve(&c->known, count * sizeof(Cell), SIZE_MAX));
    *cells = (Cell *)(void *)(c->known.data + c->known.len);
    c->known.len += count * sizeof(Cell);
    return NULL;
}

static Error *read_dictionary(Decoder *d, size_t rows, int64_t *v, Column *col)
{
    uint64_t count;
    Cell *word;
    TRY(reader_varint_max(&d->form, rows, &count));
    TRY(take_text(d, &col->text, &col->text_end));
    TRY(add_known(d->c, (size_t)count, &word, col));
    const uint8_t *p = col->text;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *end =
            p < col->text_end ? memchr(p, '\n', (size_t)(col->text_end - p)) : NULL;
        if (!end)
            FAIL(ERR_DAMAGED, "a dictionary in columns is too short");
        word[i] = (Cell){p, (size_t)(end - p)};
        p = end + 1;
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

/* Numbers that are few, each of which is then printed once. */
static Error *find_few(Decoder *d, size_t rows, uint64_t unit, Column *col)
{
    int64_t min = col->v[0], max = min;
    for (size_t i = 1; i < col->values; i++) {
        min = col->v[i] < min ? col->v[i] : min;
        max = col->v[i] > max ? col->v[i] : max;
    }
    uint64_t range = (uint64_t)max - (uint64_t)min;
    if (!unit || range / unit >= rows / 4)
        return NULL;
    Cell *cells;
    col->few = (size_t)(range / unit) + 1;
    TRY(add_known(d->c, col->few, &cells, col));
    memset(cells, 0, col->few * sizeof *cells);
    col->least = min;
    col->unit = divisor_of(unit);
    d->kept += col->few * KEPT_MAX;
    return NULL;
}

static Error *read_values(Decoder *d, size_t rows, size_t number, int64_t *v, Column *col)
{
    uint64_t back;
    TRY(reader_varint_max(&d->form, number, &back));
    TRY(numbers_decode(&d->c->numbers, &d->form, col->values, v));
    uint64_t unit = d->c->numbers.unit;
    bool few = d->c->numbers.few;
    bool short_one = col->how.kind == COLUMN_NUMBER || col->how.kind == COLUMN_TRIMMED ||
                     col->how.kind == COLUMN_DATE;
    col->v = v;
    col->all = col->marks ? NULL : v;
    if (!back)
        return short_one && few && col->values ? find_few(d, rows, unit, col) : NULL;
    const Column *other = col - back;
    if (!other->all || col->marks)
        FAIL(ERR_DAMAGED, "a column refers to one that has no numbers");
    for (size_t i = 0; i < rows; i++)
        v[i] = (int64_t)((uint64_t)v[i] + (uint64_t)other->all[i]);
    return NULL;
}

static Error *read_shape(Decoder *d, Shape *s)
{
    const uint8_t *p;
    size_t n;
    uint8_t scale;
    switch (s->kind) {
    case COLUMN_NUMBER:
    case COLUMN_TRIMMED:
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

#define SPELT_LOOK 16 /* bytes that next_text looks at */

static Error *read_words(Decoder *d, Column *col)
{
    const uint8_t *p, *end;
    TRY(take_text(d, &p, &end));
    col->text = d->spelt;
    TRY(words_decode(&d->c->words_of, &d->c->numbers, &d->form, p, (size_t)(end - p), &d->spelt,
                     d->spelt_end));
    memset(d->spelt, 0, SPELT_LOOK);
    col->text_end = d->spelt;
    col->how.kind = COLUMN_TEXT;
    return NULL;
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
    case COLUMN_WORDS:
        return read_words(d, col);
    case COLUMN_DICTIONARY:
        return read_dictionary(d, rows, v, col);
    case COLUMN_NUMBER:
    case COLUMN_TRIMMED:
    case COLUMN_DATE:
    case COLUMN_TIMESTAMP:
    case COLUMN_TEMPLATE:
        TRY(read_shape(d, &col->how));
        TRY(read_marks(d, rows, d->c->marks.data + number * rows, col));
        return read_values(d, rows, number, v, col);
    }
    FAIL(ERR_DAMAGED, "a column is of a kind that is unknown");
}

/* -- fields as text, some rows of a column at once --------------------------------------------- */

/* The next text of a column, without its newline. */
static inline bool next_text(Column *col, Cell *out)
{
    const uint8_t *p = col->text, *end;
    if (p == col->text_end)
        return false;
#ifdef __SSE2__
    /* Most are short: there is room behind the text. */
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('\n')));
    end = found ? p + __builtin_ctz(found) : NULL;
    if (!end)
#endif
        end = memchr(p, '\n', (size_t)(col->text_end - p));
    if (!end || end >= col->text_end)
        return false;
    *out = (Cell){p, (size_t)(end - p)};
    col->text = end + 1;
    return true;
}

static bool text_cells(Column *col, size_t rows, size_t cols, Cell *out)
{
    for (size_t i = 0; i < rows; i++, out += cols)
        if (!next_text(col, out))
            return false;
    return true;
}

static bool word_cells(const Cell *words, Column *col, size_t rows, size_t cols, Cell *out)
{
    for (size_t i = 0; i < rows; i++, out += cols)
        *out = words[col->v[i]];
    col->v += rows;
    return true;
}

/* Fields of few different numbers; those without a value are left to marked_cells. */
static bool few_cells(Decoder *d, Column *col, size_t rows, size_t cols, Cell *out)
{
    Cell *known = (Cell *)(void *)d->c->known.data + col->cells;
    for (size_t i = 0; i < rows; i++, out += cols) {
        if (col->marks && col->marks[i] != MARK_VALUE)
            continue;
        int64_t v = *col->v++;
        uint64_t place = divide_exactly(&col->unit, (uint64_t)v - (uint64_t)col->least);
        if (place >= col->few)
            return false;
        Cell *cell = &known[place];
        if (!cell->n) {
            cell->p = d->keep;
            if (!field_print(&col->how, v, &d->keep))
                return false;
            cell->n = (size_t)(d->keep - cell->p);
        }
        *out = *cell;
    }
    return true;
}

static bool marked_cells(Column *col, size_t rows, size_t cols, Cell *out)
{
    static const uint8_t null[16] = "\\N";
    for (size_t i = 0; i < rows; i++, out += cols) {
        if (col->marks[i] == MARK_NULL)
            *out = (Cell){null, 2};
        else if (col->marks[i] == MARK_ODD && !next_text(col, out))
            return false;
    }
    col->marks += rows;
    return true;
}

/* out[0], out[cols] ... become the fields of a column's next rows. */
static bool column_cells(Decoder *d, Column *col, size_t rows, size_t cols, uint8_t **at, Cell *out)
{
    bool done;
    if (col->how.kind == COLUMN_TEXT)
        return text_cells(col, rows, cols, out);
    if (col->how.kind == COLUMN_DICTIONARY)
        return word_cells((const Cell *)(const void *)d->c->known.data + col->cells, col, rows,
                          cols, out);
    done = col->few ? few_cells(d, col, rows, cols, out) : fields_print(col, rows, cols, at, out);
    return done && (!col->marks || marked_cells(col, rows, cols, out));
}

/* -- rows -------------------------------------------------------------------------------------- */

static inline bool put_bytes(Decoder *d, const uint8_t *p, size_t n)
{
    if (n > (size_t)(d->end - d->out))
        return false;
    memcpy(d->out, p, n);
    d->out += n;
    return true;
}

/* Each cell and what separates it from the next. */
static bool put_cells(Decoder *d, const Cell *cell, size_t rows, size_t cols)
{
    uint8_t *to = d->out, *end = d->end;
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < cols; i++, cell++) {
            if (cell->n >= (size_t)(end - to))
                return false;
            memcpy(to, cell->p, 16);
            if (cell->n > 16) {
                memcpy(to + 16, cell->p + 16, 32);
                if (cell->n > 48)
                    memcpy(to + 48, cell->p + 48, cell->n - 48);
            }
            to += cell->n;
            *to++ = '\t';
        }
        to[-1] = '\n';
    }
    d->out = to;
    return true;
}

#define CELLS_AT_ONCE 2048

static Error *put_rows(Decoder *d, size_t rows, size_t cols, Column *col)
{
    Columns *c = d->c;
    size_t at_once = CELLS_AT_ONCE / cols ? CELLS_AT_ONCE / cols : 1;
    at_once = at_once < rows ? at_once : rows;
    TRY(columns_room(&c->cells, at_once * cols, sizeof(Cell)));
    TRY(columns_room(&c->printed, at_once * cols + 1, PRINT_MAX));
    TRY(columns_room(&c->kept, d->kept + PRINT_MAX, 1));
    Cell *cells = (Cell *)(void *)c->cells.data;
    d->keep = c->kept.data;
    for (size_t row = 0; row < rows; row += at_once) {
        size_t n = rows - row < at_once ? rows - row : at_once;
        uint8_t *at = c->printed.data;
        bool fits = true;
        for (size_t i = 0; i < cols && fits; i++)
            fits = column_cells(d, &col[i], n, cols, &at, cells + i);
        if (!fits || !put_cells(d, cells, n, cols))
            FAIL(ERR_DAMAGED, "columns do not fit together, or not into their frame");
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
    c->known.len = 0;
    d->kept = 0;
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
    TRY(columns_room(&c->column, raw_len + TEXT_SLACK, 1));
    TRY(columns_room(&c->form, n + FORM_SLACK, 1));
    buf_add(&c->form, form, n);
    memset(c->form.data + n, 0, FORM_SLACK); /* a look for the last codes goes into it */
    Decoder d = {.c = c,
                 .form = reader_over(c->form.data, n, "a frame in columns"),
                 .text = text->data,
                 .text_end = text->data + text->len,
                 .out = out->data,
                 .spelt = c->column.data,
                 .spelt_end = c->column.data + raw_len,
                 .end = out->data + raw_len};
    while (reader_left(&d.form))
        TRY(decode_block(&d));
    if (d.text != d.text_end || d.out != d.end)
        FAIL(ERR_DAMAGED, "columns do not make the %zu bytes that they should", raw_len);
    out->len = raw_len;
    return NULL;
}
