#include "crypto/hash_lanes.h"

#ifdef HASH_LANES
#include <cpuid.h>
#include <immintrin.h>
#include <openssl/crypto.h>
#include <string.h>

#define FOR_SHA __attribute__((target("sha,sse4.1,ssse3")))
#define FOR_SHA_INLINE FOR_SHA static inline __attribute__((always_inline))

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const uint32_t first_state[HASH_WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* -- blocks -------------------------------------------------------------------------------------
 */

/* A message within a block: its state as the instructions want it, and the last 16 words of its
 * schedule, four of them in each. */
typedef struct Rounds {
    __m128i abef, cdgh, words[4];
} Rounds;

FOR_SHA_INLINE Rounds state_load(const uint32_t *state)
{
    Rounds r;
    __m128i a =
        _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0xb1); /* cdab */
    __m128i e = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(state + 4)),
                                  0x1b); /* efgh */
    r.abef = _mm_alignr_epi8(a, e, 8);
    r.cdgh = _mm_blend_epi16(e, a, 0xf0);
    return r;
}

FOR_SHA_INLINE void state_store(const Rounds *r, uint32_t *state)
{
    __m128i feba = _mm_shuffle_epi32(r->abef, 0x1b), dchg = _mm_shuffle_epi32(r->cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

FOR_SHA_INLINE void block_load(Rounds *r, const uint8_t *p)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    for (int i = 0; i < 4; i++)
        r->words[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)),
                                       big_endian);
}

/* Rounds 4i to 4i + 3, and what they can do for the words of later ones. */
FOR_SHA_INLINE void four_rounds(Rounds *r, int i)
{
    __m128i *now = &r->words[i & 3], *next = &r->words[(i + 1) & 3], *last = &r->words[(i + 3) & 3];
    __m128i x =
        _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(const void *)(constants + 4 * i)));
    r->cdgh = _mm_sha256rnds2_epu32(r->cdgh, r->abef, x);
    r->abef = _mm_sha256rnds2_epu32(r->abef, r->cdgh, _mm_shuffle_epi32(x, 0x0e));
    if (i >= 3 && i < 15)
        *next = _mm_sha256msg2_epu32(_mm_add_epi32(*next, _mm_alignr_epi8(*now, *last, 4)), *now);
    if (i >= 1 && i < 13)
        *last = _mm_sha256msg1_epu32(*last, *now);
}

#define FOUR_TIMES(x, i) x((i)) x((i) + 1) x((i) + 2) x((i) + 3)
#define SIXTEEN_TIMES(x) FOUR_TIMES(x, 0) FOUR_TIMES(x, 4) FOUR_TIMES(x, 8) FOUR_TIMES(x, 12)

FOR_SHA static void one_message(uint32_t *state, const uint8_t *p, size_t blocks)
{
    Rounds r = state_load(state);
    for (; blocks; blocks--, p += HASH_BLOCK) {
        Rounds before = r;
        block_load(&r, p);
#define ROUNDS(i) four_rounds(&r, i);
        SIXTEEN_TIMES(ROUNDS)
#undef ROUNDS
        r.abef = _mm_add_epi32(r.abef, before.abef);
        r.cdgh = _mm_add_epi32(r.cdgh, before.cdgh);
    }
    state_store(&r, state);
}

/* So many blocks of each. */
FOR_SHA static void two_messages(uint32_t *state_a, const uint8_t *p, uint32_t *state_b,
                                 const uint8_t *q, size_t blocks)
{
    Rounds a = state_load(state_a), b = state_load(state_b);
    for (; blocks; blocks--, p += HASH_BLOCK, q += HASH_BLOCK) {
        __m128i abef_a = a.abef, cdgh_a = a.cdgh, abef_b = b.abef, cdgh_b = b.cdgh;
        block_load(&a, p);
        block_load(&b, q);
#define ROUNDS(i) four_rounds(&a, i), four_rounds(&b, i);
        SIXTEEN_TIMES(ROUNDS)
#undef ROUNDS
        a.abef = _mm_add_epi32(a.abef, abef_a);
        a.cdgh = _mm_add_epi32(a.cdgh, cdgh_a);
        b.abef = _mm_add_epi32(b.abef, abef_b);
        b.cdgh = _mm_add_epi32(b.cdgh, cdgh_b);
    }
    state_store(&a, state_a);
    state_store(&b, state_b);
}

/* -- messages ------------------------------------------------------------------------------------
 */

/* Whose blocks a lane goes through: the message's, its end with the padding, and in HMAC one more
 * with the inner hash. */
typedef enum Phase { BODY, END, OUTER } Phase;

typedef struct Lane {
    const HashItem *item; /* NULL: idle */
    Phase phase;
    const uint8_t *p;
    size_t blocks; /* left in this phase */
    uint32_t state[HASH_WORDS];
    uint8_t end[2 * HASH_BLOCK];
} Lane;

static void put_big_endian(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static void put_state(const uint32_t *state, uint8_t *p)
{
    for (unsigned i = 0; i < HASH_WORDS; i++)
        put_big_endian(p + 4 * i, state[i], 4);
}

/* What stands in `end`, n bytes, is padded: the last bytes of a message of so many in all. */
static void pad(Lane *l, size_t n, uint64_t all)
{
    l->blocks = n + 9 > HASH_BLOCK ? 2 : 1;
    l->p = l->end;
    memset(l->end + n, 0, l->blocks * HASH_BLOCK - n);
    l->end[n] = 0x80;
    put_big_endian(l->end + l->blocks * HASH_BLOCK - 8, all * 8, 8);
}

static void begin(Lane *l, const HashItem *item, const LaneKey *key)
{
    l->item = item;
    l->phase = BODY;
    l->p = item->p;
    l->blocks = item->n / HASH_BLOCK;
    memcpy(l->state, key ? key->inner : first_state, sizeof l->state);
}

/* All blocks of a phase are done. */
static void next_phase(Lane *l, const LaneKey *key)
{
    if (l->phase == BODY) {
        size_t n = l->item->n % HASH_BLOCK;
        if (n)
            memcpy(l->end, l->p, n);
        pad(l, n, l->item->n + (key ? HASH_BLOCK : 0));
        l->phase = END;
    } else if (l->phase == END && key) {
        put_state(l->state, l->end);
        memcpy(l->state, key->outer, sizeof l->state);
        pad(l, HASH_BYTES, HASH_BLOCK + HASH_BYTES);
        l->phase = OUTER;
    } else {
        put_state(l->state, l->item->out);
        l->item = NULL;
    }
}

void hash_lanes(const HashItem *items, size_t count, const LaneKey *key)
{
    Lane lane[2] = {{0}};
    const HashItem *next = items, *last = items + count;
    for (;;) {
        for (int i = 0; i < 2; i++)
            while (lane[i].blocks == 0 && (lane[i].item || next < last)) {
                if (lane[i].item)
                    next_phase(&lane[i], key);
                else
                    begin(&lane[i], next++, key);
            }
        Lane *a = lane[0].item ? &lane[0] : &lane[1], *b = &lane[1];
        if (!a->item)
            break;
        size_t blocks = b->blocks < a->blocks && b->item ? b->blocks : a->blocks;
        if (a == b || !b->item) {
            one_message(a->state, a->p, blocks);
        } else {
            two_messages(a->state, a->p, b->state, b->p, blocks);
            b->p += blocks * HASH_BLOCK;
            b->blocks -= blocks;
        }
        a->p += blocks * HASH_BLOCK;
        a->blocks -= blocks;
    }
    if (key)
        OPENSSL_cleanse(lane, sizeof lane);
}

void hash_lanes_start(const uint8_t block[HASH_BLOCK], uint32_t out[HASH_WORDS])
{
    memcpy(out, first_state, sizeof first_state);
    one_message(out, block, 1);
}

bool hash_lanes_here(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

#endif
