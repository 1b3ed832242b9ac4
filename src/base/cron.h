/* Cron expressions: when something is due, by the clocks of a place.
 *
 * Five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or JAN-DEC), day of
 * the week (0-7 or SUN-SAT; 0 and 7 are Sunday). Each is a list, by commas, of
 *   *  5  FRI                  any, one (names in any case)
 *   8-18  FRI-MON  22-4        from, to: both included, and around the end where it begins later
 *   10-50/20  22-4/2  5/15     every so many-th of these (the last is 5-59/15); also after *
 *   ?                          the same as *, for the two fields of days
 *   L  L5  5L  FRIL            the month's last day; its last Friday
 *   FRI#2                      its second Friday
 * or instead of all five @yearly, @annually, @monthly, @weekly, @daily, @midnight or @hourly.
 *
 * Where both fields of days are restricted, either is enough; one that begins with * or ? is not
 * restricted, and then both must fit, as cron has always had it: with every second day and MON it
 * is due on Mondays with an odd date.
 *
 * Where clocks are set: a schedule with fixed hours is due when the clocks first show or pass its
 * time. So a time that is skipped is due at the end of the jump, once however many of its times
 * were skipped, and one that comes twice is due the first time only. A schedule whose hour begins
 * with * is due whenever the clocks show one of its minutes: each real hour, nothing made up.
 *
 * A Cron never changes once it is parsed: threads may share it.
 */
#ifndef PGSTOW_BASE_CRON_H
#define PGSTOW_BASE_CRON_H

#include "base/zone.h"

typedef struct Cron Cron;
/* ERR_CONFIG, naming the field, what stands there and what is allowed; also where it would be due
 * on no day ("0 0 30 2 *") or may not be for eight years. */
Error *cron_parse(const char *text, Cron **out) MUST_CHECK;
void cron_free(Cron *c);
DEFINE_AUTO(Cron, cron_free)

#define CRON_NEVER INT64_MAX
/* The first instant after (the last before) the given one at which it is due: strictly. CRON_NEVER
 * only where the years 1 to 9998 are left. */
Instant cron_next(const Cron *c, const Zone *z, Instant after);
Instant cron_prev(const Cron *c, const Zone *z, Instant before);
/* How often it was due after the one and until the other (that included), counted up to `most`. */
int64_t cron_count(const Cron *c, const Zone *z, Instant after, Instant until, int64_t most);

#endif
