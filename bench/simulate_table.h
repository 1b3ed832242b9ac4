/* A table that changes from day to day, as COPY's text: always the same for the same plan. */
#ifndef PGSTOW_BENCH_SIMULATE_TABLE_H
#define PGSTOW_BENCH_SIMULATE_TABLE_H

#include "base/buf.h"

/* What happens in a day, in rows of 100,000. */
typedef struct Plan {
    const char *name;
    unsigned updated, appended, deleted;
} Plan;

/* Rows lie in slots. A deleted row's slot is given to a later one, as VACUUM does; an updated row
 * stays where it is (a HOT update). */
typedef struct Table {
    uint32_t *version; /* by slot; 0: free */
    uint64_t *id;
    size_t count, cap;
    size_t *free_slots;
    size_t free_count, free_cap;
    uint64_t next_id, live, random;
} Table;
void table_fill(Table *t, size_t rows);
void table_day(Table *t, const Plan *p);
/* The rows of the slots [from, to), appended. Returns how many. */
uint64_t table_text(const Table *t, size_t from, size_t to, Buf *out);
void table_clear(Table *t);

#endif
