/* A run held against those before it. */
#ifndef PGSTOW_OP_NOTIFY_SAMPLE_H
#define PGSTOW_OP_NOTIFY_SAMPLE_H

#include "base/text.h"
#include "state/state_job.h"

/* What is unusual of the job `id`, one line for each, the most telling first; nothing where it, or
 * enough others, are not among the samples. The limits stand in op/notify.h. */
void notify_sample_judge(const StateSamples *samples, int64_t id, StrList *out);

#endif
