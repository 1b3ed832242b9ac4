/* What of a repository is in use: the chunks of each kept backup, held in memory. */
#ifndef PGSTOW_BENCH_SIMULATE_MEASURE_H
#define PGSTOW_BENCH_SIMULATE_MEASURE_H

#include "repo/catalog.h"
#include "repo/reader.h"

typedef struct Kept {
    char *id;
    Instant when;
    ChunkRef *chunks; /* sorted by place, each once */
    size_t count, cap;
    uint64_t text_bytes; /* of the rows */
    uint64_t file_bytes; /* of what zlib makes of them, as pg_dump -Fc does */
} Kept;
void kept_clear(Kept *k);
/* Fills chunks of a committed backup. */
Error *kept_load(Repo *r, Kept *k) MUST_CHECK;

typedef struct Usage {
    uint64_t repository;          /* bytes of all objects */
    uint64_t packs, packs_stored; /* data packs; their bytes */
    double dead;                  /* part of the data packs' bytes that no kept backup uses */
} Usage;
Error *usage_measure(Repo *r, const Kept *kept, size_t count, Usage *out) MUST_CHECK;

/* Reads the whole backup as a restore does: stored bytes read of packs to the bytes of them that
 * it uses. */
Error *usage_restore(Repo *r, const char *id, uint64_t text_bytes,
                     double *amplification) MUST_CHECK;

#endif
