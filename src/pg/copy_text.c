#include "pg/copy_text.h"

#include <string.h>

#define ROW_MAX ((size_t)1 << 31) /* what the server itself allows is less */

void copy_lines_clear(CopyLines *l)
{
    buf_free(&l->partial);
}

Error *copy_lines_feed(CopyLines *l, const void *data, size_t n)
{
    const char *p = data, *end = n ? p + n : p; /* nothing may be NULL */
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t take = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (newline && !l->partial.len) {
            TRY(l->take(l->ctx, p, take));
        } else {
            TRY(buf_reserve(&l->partial, take, ROW_MAX));
            buf_add(&l->partial, p, take);
            if (newline) {
                TRY(l->take(l->ctx, (const char *)l->partial.data, l->partial.len));
                l->partial.len = 0;
            }
        }
        p += take + (newline != NULL);
    }
    return NULL;
}

Error *copy_lines_end(const CopyLines *l)
{
    if (l->partial.len)
        FAIL(ERR_DAMAGED, "the rows end inside a row");
    return NULL;
}

void copy_row_clear(CopyRow *r)
{
    free(r->fields);
    buf_free(&r->text);
    *r = (CopyRow){0};
}

/* Behind the backslash at *at. */
static Error *unescape(const char **at, const char *end, uint8_t *out)
{
    static const char letters[] = "bfnrtv", meanings[] = "\b\f\n\r\t\v";
    const char *p = *at;
    if (p == end)
        FAIL(ERR_DAMAGED, "a row ends with a lone backslash");
    const char *letter = *p ? strchr(letters, *p) : NULL;
    if (letter) {
        *out = (uint8_t)meanings[letter - letters];
    } else if (*p == '\\') {
        *out = '\\';
    } else {
        /* Other escapes exist for input; no server writes them. */
        FAIL(ERR_DAMAGED, "a row has an escape that no server writes: a backslash and byte 0x%02x",
             (unsigned char)*p);
    }
    *at = p + 1;
    return NULL;
}

static Error *take_field(const char *p, size_t n, Buf *text, CopyField *f)
{
    if (n == 2 && p[0] == '\\' && p[1] == 'N') {
        *f = (CopyField){0};
        return NULL;
    }
    *f = (CopyField){.p = p, .n = n};
    const char *slash = memchr(p, '\\', n), *end = p + n;
    if (!slash)
        return NULL;
    /* There is room for the whole row: what f points to does not move. */
    size_t start = text->len;
    while (slash) {
        uint8_t byte;
        buf_add(text, p, (size_t)(slash - p));
        p = slash + 1;
        TRY(unescape(&p, end, &byte));
        buf_u8(text, byte);
        slash = memchr(p, '\\', (size_t)(end - p));
    }
    buf_add(text, p, (size_t)(end - p));
    *f = (CopyField){.p = (const char *)text->data + start, .n = text->len - start};
    return NULL;
}

Error *copy_row_split(const char *row, size_t n, size_t columns, CopyRow *out)
{
    const char *p = n ? row : "", *end = p + n; /* an empty one may come as NULL */
    out->count = 0;
    out->text.len = 0;
    if (!columns && n)
        FAIL(ERR_DAMAGED, "a row of a table without columns is not empty");
    TRY(buf_reserve(&out->text, n, ROW_MAX));
    while (out->count < columns) {
        const char *tab = memchr(p, '\t', (size_t)(end - p));
        mem_grow(out->fields, out->count, out->cap);
        TRY(take_field(p, (size_t)((tab ? tab : end) - p), &out->text, &out->fields[out->count]));
        out->count++;
        if (!tab)
            break;
        if (out->count == columns)
            FAIL(ERR_DAMAGED, "a row has more than its %zu columns", columns);
        p = tab + 1;
    }
    if (out->count < columns)
        FAIL(ERR_DAMAGED, "a row has %zu of %zu columns", out->count, columns);
    return NULL;
}

void copy_text_field(Buf *out, const char *p, size_t n)
{
    if (!p) {
        buf_add(out, "\\N", 2);
        return;
    }
    static const char special[] = "\b\f\n\r\t\v\\", letters[] = "bfnrtv\\";
    for (const char *end = p + n; p < end;) {
        const char *plain = p;
        while (p < end && (!*p || !strchr(special, *p)))
            p++;
        buf_add(out, plain, (size_t)(p - plain));
        if (p < end) {
            buf_u8(out, '\\');
            buf_u8(out, (uint8_t)letters[strchr(special, *p++) - special]);
        }
    }
}
