/* A schedule as `schedule list --json` and the API show it. */
#ifndef PGSTOW_SERVE_PLAN_DOC_H
#define PGSTOW_SERVE_PLAN_DOC_H

#include "base/doc.h"
#include "serve/plans.h"
#include "state/state_schedule.h"

/* When it runs next after this instant, jitter included; 0: never. */
Instant plan_next(const Plan *p, Instant after);
/* `row` is NULL where it never ran. */
Doc *plan_doc(const Plan *p, const StateSchedule *row, Instant now);

#endif
