/* Time: instants in milliseconds since 1970 UTC, and how they are written. */
#ifndef PGSTOW_BASE_CLOCK_H
#define PGSTOW_BASE_CLOCK_H

#include <stdint.h>
#include "base/error.h"

typedef int64_t Instant; /* milliseconds since 1970-01-01T00:00:00Z */

Instant clock_now(void);
int64_t clock_mono_ms(void); /* for durations; never goes back */
void clock_sleep_ms(int64_t ms);

#define CLOCK_TEXT 32                      /* room that each of these needs; they return `out` */
char *clock_iso(Instant t, char *out);     /* 2024-01-15T10:30:00.000Z */
char *clock_compact(Instant t, char *out); /* 20240115T103000Z, as in backup ids */
char *clock_key(Instant t, char *out);     /* 20240115103000, as in backup keys */
char *clock_human(Instant t, char *out);   /* 2024-01-15 10:30:00 UTC */

/* Any of the forms above, a date alone, "YYYY-MM-DD HH:MM[:SS]" with Z, an offset (+02:00) or
 * nothing (UTC). ERR_USAGE, with the forms in the hint. */
Error *clock_parse(const char *s, Instant *out) MUST_CHECK;
/* "90s", "15m", "26h", "7d", "2w", or a bare number of seconds; to milliseconds. ERR_CONFIG. */
Error *clock_parse_duration(const char *s, int64_t *milliseconds) MUST_CHECK;

#endif
