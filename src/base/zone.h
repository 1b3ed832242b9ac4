/* Time zones: how far a place's clocks are from UTC at an instant, by the rules of tzdata.
 *
 * The C library knows one zone for the whole process, in its environment; a library must not touch
 * that, and threads may not. So the zone's file (RFC 8536) is read here. A Zone never changes once
 * it is open: threads may share it.
 */
#ifndef PGSTOW_BASE_ZONE_H
#define PGSTOW_BASE_ZONE_H

#include "base/clock.h"

typedef struct Zone Zone;
/* "Europe/Berlin", "UTC", a rule as TZ may have it ("CET-1CEST,M3.5.0,M10.5.0/3"); NULL or "" is
 * this machine's (TZ, else /etc/localtime, else UTC). ERR_CONFIG where there is no such zone. */
Error *zone_open(const char *name, Zone **out) MUST_CHECK;
void zone_free(Zone *z);
DEFINE_AUTO(Zone, zone_free)

/* Seconds east of UTC. */
int32_t zone_offset(const Zone *z, Instant t);
/* The instant at which the zone's clocks show this: milliseconds since 1970 as they would be if it
 * were UTC. Of two the earlier; where clocks jump over it, one just before the jump. */
Instant zone_instant(const Zone *z, int64_t local);
/* The same time of day, so many days (at least one) of the calendar before. Always earlier: where
 * clocks were set by a day or more in between, the days are of 24 hours. */
Instant zone_days_before(const Zone *z, Instant t, int64_t days);
/* The first instant after t, or the last at or before it, from which the offset is another than
 * just before. False where there is none. Rules without end are followed for two years from t. */
bool zone_next_change(const Zone *z, Instant t, Instant *out);
bool zone_last_change(const Zone *z, Instant t, Instant *out);

#endif
