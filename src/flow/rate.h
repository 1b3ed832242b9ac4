/* A shared speed limit (--max-rate): threads that take more bytes than the rate allows wait. */
#ifndef PGSTOW_FLOW_RATE_H
#define PGSTOW_FLOW_RATE_H

#include <stdint.h>
#include "flow/cancel.h"

typedef struct Rate Rate;
Rate *rate_new(uint64_t bytes_per_second); /* 0: no limit */
void rate_free(Rate *r);
DEFINE_AUTO(Rate, rate_free)
Error *rate_take(Rate *r, uint64_t bytes, const Cancel *c) MUST_CHECK; /* NULL Rate never waits */

#endif
