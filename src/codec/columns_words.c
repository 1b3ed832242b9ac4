/* Text as words. A word is at most 32 bytes that end where a letter or digit follows something that
 * is none, or behind a newline: so it takes along what separates it from the next. Words that occur
 * more than once stand in a list, the most frequent first; the text is then their numbers in it,
 * or 0 for the next of those that occur once, which follow the list.
 */
#include "codec/columns_internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SLOTS_MAX 65536u /* twice the words that may differ */
#define SLOTS_MIN 2048u

typedef struct Entry {
    uint64_t first, last; /* its first 8 bytes (fewer: as they are), its last 8 */
    uint32_t at, count;
    uint32_t code, n;
} Entry;

void words_free(Words *w)
{
    Buf *all[] = {&w->slots, &w->entries, &w->places, &w->numbers, &w->counts};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(all[i]);
}

/* Of 64 bytes: which begin a word. *letter: whether the byte before was one, *newline likewise. */
static inline uint64_t begins(const uint8_t *p, uint64_t *letter, uint64_t *newline)
{
    uint64_t letters = 0, newlines = 0;
#ifdef __SSE2__
    const __m128i low = _mm_set1_epi8(32);
    for (unsigned i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        /* Signed comparisons: shifted so that the range begins at -128. */
        __m128i a = _mm_add_epi8(_mm_or_si128(x, low), _mm_set1_epi8((char)(-128 - 'a')));
        __m128i d = _mm_add_epi8(x, _mm_set1_epi8((char)(-128 - '0')));
        __m128i is = _mm_or_si128(_mm_cmplt_epi8(a, _mm_set1_epi8(-128 + 26)),
                                  _mm_cmplt_epi8(d, _mm_set1_epi8(-128 + 10)));
        is = _mm_or_si128(is, x); /* the highest bit is what is looked at */
        letters |= (uint64_t)(unsigned)_mm_movemask_epi8(is) << 16 * i;
        newlines |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('\n')))
                    << 16 * i;
    }
#else
    for (unsigned i = 0; i < 64; i++) {
        bool letter_or_digit = (uint8_t)((p[i] | 32) - 'a') < 26 || (uint8_t)(p[i] - '0') < 10;
        letters |= (uint64_t)(letter_or_digit || p[i] >= 128) << i;
        newlines |= (uint64_t)(p[i] == '\n') << i;
    }
#endif
    uint64_t all = (letters & ~(letters << 1 | *letter)) | newlines << 1 | *newline;
    *letter = letters >> 63;
    *newline = newlines >> 63;
    return all;
}

static const uint64_t up_to[9] = {0,          0xff,         0xffff,         0xffffff,
                                  0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
                                  UINT64_MAX};

/* The n bytes of a word as two numbers (up to 16 bytes all of it, beyond that its ends); 8 bytes
 * behind it may be read. */
static inline void word_key(const uint8_t *p, unsigned n, uint64_t *first, uint64_t *last)
{
    uint64_t mask = up_to[n < 8 ? n : 8];
    *first = load64(p) & mask;
    *last = load64(p + (n < 8 ? 0 : n - 8)) & mask;
}

typedef struct Taking {
    Entry *entries;
    uint16_t *slots;
    uint16_t *places; /* of each word: its entry */
    size_t count, words;
    size_t mask; /* of slots */
} Taking;

/* False where there are too many that differ. */
static inline __attribute__((always_inline)) bool take_word(Taking *t, const uint8_t *text,
                                                            size_t at, unsigned n)
{
    uint64_t first, last;
    word_key(text + at, n, &first, &last);
    uint64_t hash = (first ^ (last << 23 | last >> 41) ^ n) * UINT64_C(0x9e3779b97f4a7c15);
    size_t slot = hash >> 48 & t->mask;
    for (; t->slots[slot]; slot = (slot + 1) & t->mask) {
        Entry *e = &t->entries[t->slots[slot] - 1];
        if (((e->first ^ first) | (e->last ^ last) | (e->n ^ n)) == 0 &&
            (n <= 16 || memcmp(text + e->at + 8, text + at + 8, n - 16) == 0)) {
            e->count++;
            t->places[t->words++] = (uint16_t)(t->slots[slot] - 1);
            return true;
        }
    }
    if (t->count > t->mask / 2 || (t->count > 1024 && t->count > t->words / 2))
        return false;
    t->entries[t->count] = (Entry){first, last, (uint32_t)at, 1, 0, n};
    t->places[t->words++] = (uint16_t)t->count++;
    t->slots[slot] = (uint16_t)t->count;
    return true;
}

/* From *start to the next beginning, in pieces where it is long. */
static inline __attribute__((always_inline)) bool take_up_to(Taking *t, const uint8_t *p,
                                                             size_t *start, size_t next)
{
    while (next - *start > WORD_MAX) {
        if (!take_word(t, p, *start, WORD_MAX))
            return false;
        *start += WORD_MAX;
    }
    unsigned n = (unsigned)(next - *start);
    if (n && !take_word(t, p, *start, n))
        return false;
    *start = next;
    return true;
}

static bool take_words(Taking *t, const uint8_t *p, size_t n)
{
    uint64_t letter = 0, newline = 0;
    size_t start = 0;
    for (size_t at = 0; at < n; at += 64) {
        uint64_t all = begins(p + at, &letter, &newline);
        if (n - at < 64)
            all &= ((uint64_t)1 << (n - at)) - 1;
        for (; all; all &= all - 1)
            if (!take_up_to(t, p, &start, at + (unsigned)__builtin_ctzll(all)))
                return false;
    }
    return take_up_to(t, p, &start, n);
}

/* Codes by falling frequency, for those that occur more than once; how many these are. */
static size_t rank(Entry *e, size_t count)
{
    uint32_t of[256] = {0}, listed = 0;
    for (size_t i = 0; i < count; i++)
        of[e[i].count < 256 ? 255 - e[i].count : 0]++;
    for (unsigned i = 0; i < 254; i++) { /* 254: those that occur once */
        uint32_t n = of[i];
        of[i] = listed;
        listed += n;
    }
    for (size_t i = 0; i < count; i++)
        e[i].code = e[i].count == 1 ? 0 : ++of[e[i].count < 256 ? 255 - e[i].count : 0];
    return listed;
}

Error *words_encode(Words *w, Numbers *numbers, const Buf *column, Buf *form, Buf *text, bool *done)
{
    size_t n = column->len;
    size_t slots = SLOTS_MIN;
    while (slots < SLOTS_MAX && slots < n / 16)
        slots *= 2;
    TRY(columns_room(&w->slots, slots, sizeof(uint16_t)));
    TRY(columns_room(&w->entries, slots / 2, sizeof(Entry)));
    TRY(columns_room(&w->places, n, sizeof(uint16_t)));
    TRY(columns_room(&w->numbers, slots, sizeof(int64_t)));
    TRY(columns_room(&w->counts, slots, sizeof(uint32_t)));
    Taking t = {.entries = (Entry *)(void *)w->entries.data,
                .slots = (uint16_t *)(void *)w->slots.data,
                .places = (uint16_t *)(void *)w->places.data,
                .mask = slots - 1};
    memset(t.slots, 0, slots * sizeof *t.slots);
    *done = take_words(&t, column->data, n);
    if (!*done)
        return NULL;
    size_t listed = rank(t.entries, t.count);
    int64_t *v = (int64_t *)(void *)w->numbers.data;
    /* The list by code, then those that occur once. */
    size_t single = listed;
    for (size_t i = 0; i < t.count; i++) {
        size_t place = t.entries[i].code ? t.entries[i].code - 1 : single++;
        v[place] = (int64_t)i;
    }
    size_t start = text->len;
    for (size_t i = 0; i < t.count; i++) {
        const Entry *e = &t.entries[v[i]];
        memcpy(text->data + text->len, column->data + e->at, e->n);
        text->len += e->n;
        v[i] = e->n;
    }
    buf_u8(form, COLUMN_WORDS);
    buf_varint(form, text->len - start);
    buf_varint(form, listed);
    buf_varint(form, t.count - listed);
    buf_varint(form, t.words);
    TRY(numbers_encode(numbers, v, t.count, form));
    uint32_t *counts = (uint32_t *)(void *)w->counts.data;
    memset(counts, 0, (listed + 1) * sizeof *counts);
    for (size_t i = 0; i < t.count; i++)
        counts[t.entries[i].code] += t.entries[i].count;
    for (size_t i = 0; i < t.words; i++)
        t.places[i] = (uint16_t)t.entries[t.places[i]].code;
    return tokens_write_ranked(numbers, t.places, t.words, counts, listed + 1, form);
}

/* -- the way back ------------------------------------------------------------------------------ */

static Error *copy_words(const uint64_t *code, size_t words, const Cell *list, size_t listed,
                         size_t singles, uint8_t **out, const uint8_t *end)
{
    uint8_t *to = *out;
    const Cell *single = list + listed, *last = single + singles;
    for (size_t i = 0; i < words; i++) {
        const Cell *word = single;
        if (code[i])
            word = list + (code[i] <= listed ? code[i] - 1 : listed + singles);
        else
            single++;
        if (word >= last || word->n > (size_t)(end - to))
            FAIL(ERR_DAMAGED, "words in columns are not in their list, or too long");
        memcpy(to, word->p, WORD_MAX);
        to += word->n;
    }
    if (single != last)
        FAIL(ERR_DAMAGED, "words in columns are left over");
    *out = to;
    return NULL;
}

Error *words_decode(Words *w, Numbers *numbers, Reader *form, const uint8_t *text, size_t n,
                    uint8_t **out, const uint8_t *end)
{
    uint64_t listed, singles, words;
    TRY(reader_varint_max(form, n, &listed));
    TRY(reader_varint_max(form, n - listed, &singles));
    TRY(reader_varint_max(form, (uint64_t)(end - *out), &words));
    size_t count = (size_t)(listed + singles), at = 0;
    TRY(columns_room(&w->numbers, count > words ? count : (size_t)words, sizeof(int64_t)));
    TRY(columns_room(&w->entries, count, sizeof(Cell)));
    int64_t *v = (int64_t *)(void *)w->numbers.data;
    Cell *list = (Cell *)(void *)w->entries.data;
    TRY(numbers_decode(numbers, form, count, v));
    for (size_t i = 0; i < count; i++) {
        if (v[i] < 1 || v[i] > WORD_MAX || (uint64_t)v[i] > n - at)
            FAIL(ERR_DAMAGED, "a word in columns has another length than there are bytes");
        list[i] = (Cell){text + at, (size_t)v[i]};
        at += (size_t)v[i];
    }
    if (at != n)
        FAIL(ERR_DAMAGED, "a list of words in columns is too long");
    uint64_t *code = (uint64_t *)v;
    TRY(tokens_read_ranked(numbers, form, (size_t)words, code));
    return copy_words(code, (size_t)words, list, (size_t)listed, (size_t)singles, out, end);
}
