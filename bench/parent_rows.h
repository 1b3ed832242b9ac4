/* The rows of a database that is too large to be there: its tables, pieces and chunks as numbers.
 * What a chunk's bytes would be nobody asks; its id and its length are always the same. */
#ifndef PGSTOW_BENCH_PARENT_ROWS_H
#define PGSTOW_BENCH_PARENT_ROWS_H

#include "repo/manifest.h"

#define ROWS_DATABASE "huge"
#define ROWS_DATABASE_OID 16384
#define ROWS_SERVER "db:5432"
#define ROWS_SYSTEM "7300000000000000001"
#define PIECE_CHUNKS 8192u /* 64 MiB at a mean of 8 KiB */
#define ROWS_TABLES 4
#define LAYERS 5 /* the first backup, and later ones, of which each renewed one chunk in 100 */

typedef struct Rows {
    struct {
        char name[16];
        uint32_t oid, pieces;
    } tables[ROWS_TABLES];
    uint64_t pieces;
} Rows;
/* So many GB (10^9): one table has 70 % of them. */
Rows rows_of(uint64_t gigabytes);
/* Numbers of another database from other numbers: `version` 0 is the parent's. */
void rows_chunk(uint32_t table, uint64_t number, uint64_t version, ChunkId *id, uint32_t *length);
/* In which layer the parent's chunk lies. */
unsigned rows_layer(const ChunkId *id);
uint64_t rows_mix(uint64_t x);

#endif
