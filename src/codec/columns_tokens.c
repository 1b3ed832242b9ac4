/* Whole numbers of which small or frequent ones take few bits: u8 form; Huffman's code; length, the
 * first half of their tokens in that code; length, the other half; length, their low bits (absent
 * where every number is a token). Below 2^direct a token is the number itself; above, it stands for
 * the position of the highest bit and the two bits behind it, and the others are its low bits.
 */
#include "codec/columns_internal.h"

#define MANTISSA 2

static inline unsigned token_of(uint64_t u, unsigned direct, unsigned *low)
{
    if (u >> direct == 0) {
        *low = 0;
        return (unsigned)u;
    }
    unsigned top = bits_of(u) - 1;
    *low = top - MANTISSA;
    return (1u << direct) + ((top - direct) << MANTISSA) +
           (unsigned)(u >> *low & ((1u << MANTISSA) - 1));
}

/* log2(v) in 1/65536, by a parabola between the powers of two: no more than 0.01 bit off. */
static uint64_t log2_fixed(uint64_t v)
{
    unsigned top = bits_of(v) - 1;
    uint64_t x = top >= 16 ? v >> (top - 16) & 0xffff : v << (16 - top) & 0xffff;
    return ((uint64_t)top << 16) + x + (x * (65536 - x) >> 16) * 22544 / 65536;
}

/* Bits that a perfect code would take. */
uint64_t tokens_entropy(const uint32_t *counts, size_t n)
{
    uint64_t sum = 0, all = log2_fixed(n);
    for (unsigned i = 0; i < HUFFMAN_SYMBOLS; i++)
        if (counts[i])
            sum += counts[i] * (all - log2_fixed(counts[i]));
    return sum >> 16;
}

/* Tokens are written in two halves, each for itself, so that two are read at once; and their low
 * bits apart from them, so that neither waits for the other. */
static size_t first_half(size_t n)
{
    return (n + 1) / 2;
}

/* A writer for so many bits, behind their length in bytes. */
static Error *begin_bits(uint64_t bits, Buf *out, BitWriter *w)
{
    size_t bytes = (size_t)(bits + 7) / 8;
    buf_varint(out, bytes);
    TRY(buf_reserve(out, bytes + 16, SIZE_MAX));
    *w = (BitWriter){.at = out->data + out->len};
    out->len += bytes;
    return NULL;
}

/* Codes as they are written: the length above HUFFMAN_BITS bits of the code. */
typedef struct Codes {
    uint32_t of[HUFFMAN_SYMBOLS];
} Codes;

static void codes_of(const HuffmanCode *h, Codes *out)
{
    for (unsigned i = h->first; i < h->first + h->count; i++)
        out->of[i] = (uint32_t)h->length[i] << 16 | h->code[i];
}

static uint64_t codes_length(const Codes *c, const uint8_t *token, size_t n)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++)
        bits += c->of[token[i]] >> 16;
    return bits;
}

/* So many codes of 11 bits are written with one number, beside 7 bits left of the last one, and
 * seen with one look. */
#define AT_ONCE 5

/* Codes alone, which take so many bits. */
static Error *write_codes(const Codes *c, const uint8_t *token, size_t n, uint64_t bits, Buf *out)
{
    BitWriter w;
    TRY(begin_bits(bits, out, &w));
    size_t i = 0;
    for (; n - i >= AT_ONCE; i += AT_ONCE) {
        uint64_t all = 0;
        unsigned filled = 0;
        for (unsigned k = 0; k < AT_ONCE; k++) {
            uint32_t code = c->of[token[i + k]];
            all |= (uint64_t)(code & 0xffff) << filled;
            filled += code >> 16;
        }
        bits_put(&w, all, filled);
    }
    for (; i < n; i++)
        bits_put(&w, c->of[token[i]] & 0xffff, c->of[token[i]] >> 16);
    return NULL;
}

static Error *write_halves(const Codes *c, const uint8_t *token, size_t n, uint64_t bits, Buf *out)
{
    size_t half = first_half(n);
    uint64_t first = codes_length(c, token, half);
    TRY(write_codes(c, token, half, first, out));
    return write_codes(c, token + half, n - half, bits - first, out);
}

Error *tokens_write(Numbers *s, const uint64_t *u, size_t n, unsigned form, const HuffmanCode *h,
                    uint64_t bits, uint64_t lows, Buf *out)
{
    unsigned direct = form & FORM_DIRECT, low;
    Codes codes;
    TRY(columns_room(&s->tokens, n, 1));
    uint8_t *token = s->tokens.data;
    if (direct == 8)
        for (size_t i = 0; i < n; i++)
            token[i] = (uint8_t)u[i];
    else
        for (size_t i = 0; i < n; i++)
            token[i] = (uint8_t)token_of(u[i], direct, &low);
    buf_u8(out, (uint8_t)form);
    huffman_write(h, out);
    codes_of(h, &codes);
    TRY(write_halves(&codes, token, n, bits, out));
    if (direct == 8)
        return NULL;
    BitWriter w;
    TRY(begin_bits(lows, out, &w));
    for (size_t i = 0; i < n; i++) {
        token_of(u[i], direct, &low);
        bits_put_long(&w, u[i] & (((uint64_t)1 << low) - 1), low);
    }
    return NULL;
}

/* How often tokens occur among every `step`th number; how many low bits these have. */
uint64_t tokens_count(const uint64_t *u, size_t n, size_t step, unsigned direct, uint32_t *counts)
{
    uint64_t lows = 0;
    unsigned low;
    memset(counts, 0, HUFFMAN_SYMBOLS * sizeof *counts);
    if (direct == 8)
        for (size_t i = 0; i < n; i += step)
            counts[u[i] & 255]++;
    else
        for (size_t i = 0; i < n; i += step) {
            counts[token_of(u[i], direct, &low)]++;
            lows += low;
        }
    return lows;
}

/* -- ranked numbers -----------------------------------------------------------------------------
 */

Error *tokens_write_ranked(Numbers *s, const uint16_t *v, size_t n, const uint32_t *counts,
                           size_t different, Buf *out)
{
    unsigned direct = different <= 256 ? 8 : 7, low;
    uint32_t tokens[HUFFMAN_SYMBOLS] = {0};
    uint64_t bits, lows = 0;
    HuffmanCode h;
    Codes codes;
    TRY(columns_room(&s->tokens, n, 1));
    TRY(columns_room(&s->spelling, different, 1));
    uint8_t *token = s->tokens.data, *token_by_rank = s->spelling.data;
    for (size_t i = 0; i < different; i++) {
        token_by_rank[i] = (uint8_t)token_of(i, direct, &low);
        tokens[token_by_rank[i]] += counts[i];
        lows += (uint64_t)counts[i] * low;
    }
    huffman_make(tokens, &h, &bits);
    for (size_t i = 0; i < n; i++)
        token[i] = token_by_rank[v[i]];
    buf_u8(out, (uint8_t)direct);
    huffman_write(&h, out);
    codes_of(&h, &codes);
    TRY(write_halves(&codes, token, n, bits, out));
    if (direct == 8)
        return NULL;
    BitWriter w;
    TRY(begin_bits(lows, out, &w));
    for (size_t i = 0; i < n; i++) {
        low = v[i] >> direct ? bits_of(v[i]) - 1 - MANTISSA : 0;
        bits_put(&w, v[i] & ((1u << low) - 1), low);
    }
    return NULL;
}

/* -- the way back ------------------------------------------------------------------------------ */

static Error *too_long(void)
{
    return ERROR_NEW(ERR_DAMAGED, "numbers in columns take another space than they say");
}

typedef struct Half { /* of the codes */
    const uint8_t *p;
    uint64_t bytes, at; /* at: bits */
    uint8_t *token;     /* where the next one goes */
    uint8_t *end;
} Half;

static Error *open_half(Reader *r, uint8_t *token, size_t n, Half *out)
{
    *out = (Half){.token = token, .end = token + n};
    TRY(reader_varint_max(r, reader_left(r), &out->bytes));
    return reader_bytes(r, (size_t)out->bytes, &out->p);
}

/* Those that are left over. */
static Error *finish_half(const HuffmanTable *t, Half *h)
{
    uint64_t mask = ((uint64_t)1 << t->bits) - 1;
    while (h->token < h->end && h->at <= 8 * h->bytes) {
        unsigned entry = t->entries[bits_peek(h->p, h->at) & mask];
        h->at += entry >> 8;
        *h->token++ = (uint8_t)entry;
    }
    return h->token < h->end || (h->at + 7) / 8 != h->bytes ? too_long() : NULL;
}

static Error *read_codes(const HuffmanTable *t, Reader *r, size_t n, uint8_t *token)
{
    uint64_t mask = ((uint64_t)1 << t->bits) - 1;
    size_t first = first_half(n);
    Half a, b;
    TRY(open_half(r, token, first, &a));
    TRY(open_half(r, token + first, n - first, &b));
    while (b.end - b.token >= AT_ONCE && a.at <= 8 * a.bytes && b.at <= 8 * b.bytes) {
        uint64_t x = bits_peek(a.p, a.at), y = bits_peek(b.p, b.at);
        for (unsigned i = 0; i < AT_ONCE; i++) {
            unsigned e = t->entries[x & mask], f = t->entries[y & mask];
            x >>= e >> 8;
            y >>= f >> 8;
            a.at += e >> 8;
            b.at += f >> 8;
            a.token[i] = (uint8_t)e;
            b.token[i] = (uint8_t)f;
        }
        a.token += AT_ONCE;
        b.token += AT_ONCE;
    }
    TRY(finish_half(t, &a));
    return finish_half(t, &b);
}

/* The numbers that tokens stand for, with the low bits that begin where r stands. */
static Error *read_lows(Reader *r, size_t n, unsigned direct, const uint8_t *token, uint64_t *u)
{
    uint64_t least[HUFFMAN_SYMBOLS], bytes, at = 0; /* of each token */
    uint8_t low[HUFFMAN_SYMBOLS], most = 0;
    const uint8_t *p;
    for (unsigned i = 0; i < HUFFMAN_SYMBOLS; i++) {
        unsigned above = i >> direct ? i - (1u << direct) : 0, top = direct + (above >> MANTISSA);
        bool plain = i >> direct == 0 || top > 63;
        uint64_t high = (1u << MANTISSA) | (above & ((1u << MANTISSA) - 1));
        low[i] = (uint8_t)(plain ? 0 : top - MANTISSA);
        least[i] = plain ? i : high << low[i];
    }
    TRY(reader_varint_max(r, reader_left(r), &bytes));
    TRY(reader_bytes(r, (size_t)bytes, &p));
    for (size_t i = 0; i < n; i++) {
        unsigned bits = low[token[i]];
        most = bits > most ? (uint8_t)bits : most;
        if (at > 8 * bytes)
            return too_long();
        u[i] = least[token[i]] | (bits_peek(p, at) & (((uint64_t)1 << bits) - 1));
        at += bits;
    }
    if ((at + 7) / 8 != bytes)
        return too_long();
    if (most <= 57)
        return NULL;
    at = 0;
    for (size_t i = 0; i < n; i++) { /* once more, for those that a look is too short for */
        unsigned bits = low[token[i]];
        uint64_t seen = (bits_peek(p, at) & 0xffffffff) | bits_peek(p, at + 32) << 32;
        u[i] = least[token[i]] | (seen & (((uint64_t)1 << bits) - 1));
        at += bits;
    }
    return NULL;
}

Error *tokens_read(Numbers *s, Reader *r, size_t n, uint8_t *form, uint64_t *u)
{
    TRY(reader_u8(r, form));
    unsigned direct = *form & FORM_DIRECT;
    if (direct < MANTISSA || direct > 8 || *form & ~(FORM_DIRECT | FORM_SIGNED))
        FAIL(ERR_DAMAGED, "numbers in columns are of an unknown form");
    TRY(huffman_read(r, &s->table));
    TRY(columns_room(&s->tokens, n, 1));
    uint8_t *token = s->tokens.data;
    TRY(read_codes(&s->table, r, n, token));
    if (direct < 8)
        return read_lows(r, n, direct, token, u);
    for (size_t i = 0; i < n; i++)
        u[i] = token[i];
    return NULL;
}

Error *tokens_read_ranked(Numbers *s, Reader *r, size_t n, uint64_t *v)
{
    uint8_t form;
    TRY(tokens_read(s, r, n, &form, v));
    if (form & FORM_SIGNED)
        FAIL(ERR_DAMAGED, "numbers in columns are of an unknown form");
    return NULL;
}
