#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_free(Buf *b)
{
    free(b->data);
    *b = (Buf){0};
}

Error *buf_reserve(Buf *b, size_t n, size_t max)
{
    if (n > max || b->len > max - n)
        FAIL(ERR_LIMIT, "a buffer of %zu bytes would grow by %zu beyond its limit of %zu", b->len,
             n, max);
    if (b->len + n <= b->cap && b->data)
        return NULL;
    size_t cap = b->cap + b->cap / 2 + 1; /* never nothing: data is an address from here on */
    if (cap < b->len + n)
        cap = b->len + n;
    uint8_t *p = realloc(b->data, cap);
    if (!p)
        FAIL(ERR_MEMORY, "not enough memory for a buffer of %zu bytes", cap);
    b->data = p;
    b->cap = cap;
    return NULL;
}

static uint8_t *extend(Buf *b, size_t n)
{
    if (b->len + n > b->cap || !b->data) {
        size_t cap = b->cap + b->cap / 2 + 64;
        if (cap < b->len + n)
            cap = b->len + n;
        b->data = mem_realloc(b->data, cap, 1);
        b->cap = cap;
    }
    uint8_t *at = b->data + b->len;
    b->len += n;
    return at;
}

void buf_add(Buf *b, const void *p, size_t n)
{
    if (n)
        memcpy(extend(b, n), p, n);
}

void buf_add_str(Buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_printf(Buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n > 0) {
        /* One byte more for the NUL that vsnprintf insists on; it does not count. */
        char *at = (char *)extend(b, (size_t)n + 1);
        vsnprintf(at, (size_t)n + 1, fmt, again);
        b->len--;
    }
    va_end(again);
}

static void add_le(Buf *b, uint64_t v, size_t n)
{
    uint8_t *at = extend(b, n);
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

void buf_u8(Buf *b, uint8_t v)
{
    add_le(b, v, 1);
}

void buf_u16(Buf *b, uint16_t v)
{
    add_le(b, v, 2);
}

void buf_u32(Buf *b, uint32_t v)
{
    add_le(b, v, 4);
}

void buf_u64(Buf *b, uint64_t v)
{
    add_le(b, v, 8);
}

void buf_varint(Buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (uint8_t)(v & 0x7f);
        v >>= 7;
        if (v)
            bytes[n] |= 0x80;
        n++;
    } while (v);
    buf_add(b, bytes, n);
}

void buf_block(Buf *b, const void *p, size_t n)
{
    buf_varint(b, n);
    buf_add(b, p, n);
}

void buf_block_str(Buf *b, const char *s)
{
    buf_block(b, s, s ? strlen(s) : 0);
}

char *buf_steal_str(Buf *b)
{
    buf_u8(b, 0);
    char *s = (char *)b->data;
    *b = (Buf){0};
    return s;
}

Reader reader_over(const void *p, size_t n, const char *what)
{
    const uint8_t *at = p;
    return (Reader){at, n ? at + n : at, what};
}

size_t reader_left(const Reader *r)
{
    return (size_t)(r->end - r->at);
}

Error *reader_bytes(Reader *r, size_t n, const uint8_t **out)
{
    if (n > reader_left(r))
        FAIL(ERR_DAMAGED, "%s ends too early", r->what);
    *out = r->at;
    r->at += n;
    return NULL;
}

static Error *read_le(Reader *r, size_t n, uint64_t *out)
{
    const uint8_t *p;
    TRY(reader_bytes(r, n, &p));
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    *out = v;
    return NULL;
}

Error *reader_u8(Reader *r, uint8_t *out)
{
    uint64_t v;
    TRY(read_le(r, 1, &v));
    *out = (uint8_t)v;
    return NULL;
}

Error *reader_u16(Reader *r, uint16_t *out)
{
    uint64_t v;
    TRY(read_le(r, 2, &v));
    *out = (uint16_t)v;
    return NULL;
}

Error *reader_u32(Reader *r, uint32_t *out)
{
    uint64_t v;
    TRY(read_le(r, 4, &v));
    *out = (uint32_t)v;
    return NULL;
}

Error *reader_u64(Reader *r, uint64_t *out)
{
    return read_le(r, 8, out);
}

Error *reader_varint(Reader *r, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        const uint8_t *p;
        TRY(reader_bytes(r, 1, &p));
        if (shift == 63 && *p > 1)
            break;
        v |= (uint64_t)(*p & 0x7f) << shift;
        if (!(*p & 0x80)) {
            *out = v;
            return NULL;
        }
    }
    FAIL(ERR_DAMAGED, "%s holds a number that is too long", r->what);
}

Error *reader_varint_max(Reader *r, uint64_t max, uint64_t *out)
{
    uint64_t v;
    TRY(reader_varint(r, &v));
    if (v > max)
        FAIL(ERR_DAMAGED, "%s holds the number %llu where at most %llu can be", r->what,
             (unsigned long long)v, (unsigned long long)max);
    *out = v;
    return NULL;
}

Error *reader_block(Reader *r, const uint8_t **out, size_t *n)
{
    uint64_t len;
    TRY(reader_varint_max(r, reader_left(r), &len));
    TRY(reader_bytes(r, (size_t)len, out));
    *n = (size_t)len;
    return NULL;
}

Error *reader_block_str(Reader *r, char **out)
{
    const uint8_t *p;
    size_t n;
    TRY(reader_block(r, &p, &n));
    if (n && memchr(p, 0, n))
        FAIL(ERR_DAMAGED, "%s holds a name with a NUL in it", r->what);
    *out = mem_strndup((const char *)p, n);
    return NULL;
}

Error *reader_end(const Reader *r)
{
    if (reader_left(r))
        FAIL(ERR_DAMAGED, "%s has %zu bytes too many", r->what, reader_left(r));
    return NULL;
}
