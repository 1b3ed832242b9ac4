/* Records sorted by their keys, as many as come: in memory up to a budget, beyond it in sorted runs
 * in a temporary file (base/file.h: nothing of it stays), which are merged on the way out.
 *
 * Memory: the budget, one record more, and while runs are merged 16 to 256 KiB for each. One
 * thread.
 */
#ifndef PGSTOW_BASE_SPILL_SORT_H
#define PGSTOW_BASE_SPILL_SORT_H

#include <stdint.h>
#include "base/error.h"

typedef struct SpillSort SpillSort;
SpillSort *spill_sort_new(size_t budget);
void spill_sort_free(SpillSort *s);
DEFINE_AUTO(SpillSort, spill_sort_free)

typedef struct SpillRecord {
    const uint8_t *key, *value; /* value: behind the key in memory */
    uint32_t key_n, value_n;
    uint8_t tag;
} SpillRecord;
/* Copied. A full temporary folder is ERR_IO. */
Error *spill_sort_add(SpillSort *s, const SpillRecord *r) MUST_CHECK;
/* By key (as bytes), then by tag. Nothing may be added after the first. *out is borrowed until the
 * next call. */
Error *spill_sort_next(SpillSort *s, SpillRecord *out, bool *end) MUST_CHECK;
uint64_t spill_sort_spilled(const SpillSort *s); /* bytes that went through the file */

#endif
