/* The schedules that the settings ask for: of each entry its backups (backup.enabled and
 * backup.schedule), drills (drill.schedule), and verifies (verify.schedule), these once for each
 * repository and schedule, since a verify is of a whole repository.
 */
#ifndef PGSTOW_SERVE_PLANS_H
#define PGSTOW_SERVE_PLANS_H

#include "op/schedule.h"
#include "serve/service.h"

typedef struct Plan {
    char *name; /* "backup/shop", "drill/shop", "verify"; without the entry where it has no name */
    const char *kind; /* "backup", "verify", "drill" */
    const ServiceEntry *entry;
    const char *text; /* the expression; borrowed */
    StrList words;    /* the command line */
    bool all;         /* it is of all databases of a server */
    int64_t timeout_ms;
    int retries; /* at most so many after a failure that may pass */
    int64_t retry_after_ms;
    ScheduleRule rule;
    Cron *cron;
    Zone *zone;
} Plan;

typedef struct Plans {
    ServiceConfig *config; /* owned: what the plans point into */
    Plan *items;
    size_t count, cap;
} Plans;
void plans_clear(Plans *l);
DEFINE_AUTO_VALUE(Plans, plans_clear)

/* Takes `config` over. */
Error *plans_make(ServiceConfig *config, Plans *out) MUST_CHECK;
/* NULL where there is none of this name; ERR_USAGE instead, with the nearest, by plans_need. */
const Plan *plans_find(const Plans *l, const char *name);
Error *plans_need(const Plans *l, const char *name, const Plan **out) MUST_CHECK;

/* The time by which schedules go: the clock's, which tests may shift. */
Instant plans_now(void);

#endif
