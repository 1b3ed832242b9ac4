/* How often an address has come with something wrong of late. An address of IPv6 is all of its
 * network (a /64). Thread-safe. */
#ifndef PGSTOW_SERVE_FAILURES_H
#define PGSTOW_SERVE_FAILURES_H

#include <stdbool.h>

#include "base/mem.h"

typedef struct Failures Failures;
/* `most` of them within `window_ms` are too many; further ones for the rest of it. */
Failures *failures_new(unsigned most, int window_ms);
void failures_free(Failures *f);
DEFINE_AUTO(Failures, failures_free)
bool failures_too_often(Failures *f, const char *address);
void failures_count(Failures *f, const char *address);

#endif
