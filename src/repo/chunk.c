#include "repo/chunk.h"

#include <string.h>

/* The gear table: splitmix64 (Steele, Lea, Flood, OOPSLA 2014) over 1 to 256 from a fixed seed.
 * Its numbers decide where chunks end, so they never change: another table would make every
 * backup after it write everything anew. */
#define MIX0(i) (0x706773746f770001ull + 0x9e3779b97f4a7c15ull * ((i) + 1ull))
#define MIX1(z) (((z) ^ ((z) >> 30)) * 0xbf58476d1ce4e5b9ull)
#define MIX2(z) (((z) ^ ((z) >> 27)) * 0x94d049bb133111ebull)
#define MIX3(z) ((z) ^ ((z) >> 31))
#define GEAR1(i) MIX3(MIX2(MIX1(MIX0(i))))
#define GEAR4(i) GEAR1(i), GEAR1(i + 1), GEAR1(i + 2), GEAR1(i + 3)
#define GEAR16(i) GEAR4(i), GEAR4(i + 4), GEAR4(i + 8), GEAR4(i + 12)
#define GEAR64(i) GEAR16(i), GEAR16(i + 16), GEAR16(i + 32), GEAR16(i + 48)
static const uint64_t gear[256] = {GEAR64(0), GEAR64(64), GEAR64(128), GEAR64(192)};

/* The `bits` highest bits of a gear hash: those depend on the last 64 - bits bytes at least. */
static uint64_t high_bits(unsigned bits)
{
    return ~0ull << (64 - bits);
}

/* From `from`, the first place up to `to` where the hash is zero under the mask; `to` if none. Four
 * bytes at a time: what they add is summed up apart (`sum`), so that from one hash to the next
 * there is one shift and one addition for four bytes and not for each. */
static size_t gear_scan(const uint8_t *p, size_t from, size_t to, uint64_t mask, uint64_t *hash)
{
    uint64_t h = *hash, sum;
    size_t i = from;
    for (; to - i >= 4; i += 4) {
        sum = gear[p[i]];
        if (!(((h << 1) + sum) & mask))
            return i;
        sum = (sum << 1) + gear[p[i + 1]];
        if (!(((h << 2) + sum) & mask))
            return i + 1;
        sum = (sum << 1) + gear[p[i + 2]];
        if (!(((h << 3) + sum) & mask))
            return i + 2;
        sum = (sum << 1) + gear[p[i + 3]];
        h = (h << 4) + sum;
        if (!(h & mask))
            return i + 3;
    }
    for (; i < to; i++) {
        h = (h << 1) + gear[p[i]];
        if (!(h & mask))
            return i;
    }
    *hash = h;
    return to;
}

/* Where FastCDC alone would end the chunk: at least least, at most min(greatest, n) bytes. */
static size_t content_cut(const uint8_t *p, size_t n, unsigned mean_bits)
{
    size_t least = (size_t)1 << (mean_bits - 2), mean = (size_t)1 << mean_bits,
           greatest = (size_t)1 << (mean_bits + 2);
    size_t hard = mean - least * 3 / 4; /* see chunk.h */
    if (n <= least)
        return n;
    size_t end = n < greatest ? n : greatest, middle = hard < end ? hard : end;
    uint64_t hash = 0;
    size_t at = gear_scan(p, least, middle, high_bits(mean_bits + 2), &hash);
    if (at == middle)
        at = gear_scan(p, middle, end, high_bits(mean_bits - 2), &hash);
    return at < end ? at + 1 : end;
}

size_t chunk_cut(const uint8_t *p, size_t n, unsigned mean_bits, bool rows, bool last)
{
    size_t cut = content_cut(p, n, mean_bits);
    if (!rows || (last && cut == n) || p[cut - 1] == '\n')
        return cut;
    size_t greatest = (size_t)1 << (mean_bits + 2), end = n < greatest ? n : greatest;
    const uint8_t *row = memchr(p + cut, '\n', end - cut);
    if (!row)
        row = memrchr(p, '\n', cut);
    return row ? (size_t)(row - p) + 1 : cut;
}

static unsigned low_bits(const ChunkId *id, unsigned at, unsigned bits)
{
    return (id->b[at] | (unsigned)id->b[at + 1] << 8) & ((1u << bits) - 1);
}

/* Bytes of their own for each, so that the three events are independent of each other. */
bool chunk_is_sample(const ChunkId *id)
{
    return low_bits(id, 14, 6) == 0;
}

bool chunk_ends_page(const ChunkId *id)
{
    return low_bits(id, 16, 7) == 0;
}

bool chunk_ends_piece(const ChunkId *id)
{
    return low_bits(id, 18, 12) == 0;
}
