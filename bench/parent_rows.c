#include "parent_rows.h"

#include <stdio.h>
#include <string.h>

#define CHUNK_LEAST 6000u /* as many more at most: 8,192 in the mean */
#define PER_GB 15         /* pieces of 64 MiB */

uint64_t rows_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

Rows rows_of(uint64_t gigabytes)
{
    static const uint32_t percent[ROWS_TABLES] = {70, 20, 8, 2};
    Rows r = {0};
    for (uint32_t i = 0; i < ROWS_TABLES; i++) {
        uint64_t pieces = gigabytes * PER_GB * percent[i] / 100;
        snprintf(r.tables[i].name, sizeof r.tables[i].name, "table_%u", i);
        r.tables[i].oid = 20000 + i;
        r.tables[i].pieces = pieces > 1 ? (uint32_t)pieces : 1;
        r.pieces += r.tables[i].pieces;
    }
    return r;
}

void rows_chunk(uint32_t table, uint64_t number, uint64_t version, ChunkId *id, uint32_t *length)
{
    uint64_t words[3] = {rows_mix(number ^ (uint64_t)table << 56 ^ version << 48)};
    words[1] = rows_mix(words[0]);
    words[2] = rows_mix(words[1]);
    memcpy(id->b, words, sizeof id->b);
    *length = CHUNK_LEAST + (uint32_t)(words[2] >> 32) % (2 * (8192 - CHUNK_LEAST) + 1);
}

unsigned rows_layer(const ChunkId *id)
{
    unsigned at = (id->b[8] | (unsigned)id->b[9] << 8) % 100;
    return at < LAYERS ? at : 0;
}
