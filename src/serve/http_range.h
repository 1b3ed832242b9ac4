/* A request for a part: the Range header (RFC 9110, 14.2). Every byte of it comes from strangers.
 */
#ifndef PGSTOW_SERVE_HTTP_RANGE_H
#define PGSTOW_SERVE_HTTP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct HttpRange {
    bool suffix; /* the last `first` bytes */
    uint64_t first,
        last; /* last: inclusive; UINT64_MAX: to the end. What is larger counts as that */
} HttpRange;
/* False where it is no range of bytes, or several: then it is as if there were none. */
bool http_range_parse(const char *header, HttpRange *out);
/* The part of `total` bytes that it means: [from, to). False: there is none. */
bool http_range_within(const HttpRange *r, uint64_t total, uint64_t *from, uint64_t *to);

#endif
