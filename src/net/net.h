/* What requests to other hosts share. libcurl's one home is this room, and it has no face: what is
 * asked of whom is the caller's to know.
 *
 * Errors name the host and never show a path, a query, a login or what was sent: any of them may
 * be a secret (the address of a chat's hook is one). ERR_NETWORK (try again later): not found, not
 * reached, broken off. ERR_TIMEOUT: one of the limits below. ERR_REFUSED: it is not who it should
 * be (its certificate), or does not want this. ERR_CONFIG: it can never work so.
 */
#ifndef PGSTOW_NET_NET_H
#define PGSTOW_NET_NET_H

#include <stdint.h>
#include "base/error.h"

/* In milliseconds; 0 takes the default. */
typedef struct NetLimits {
    int64_t connect;   /* until connected, with TLS: 30 s */
    int64_t stall;     /* without a byte from or to the other side: 60 s */
    int64_t whole;     /* all of it: no limit */
    const char *proxy; /* NULL: as http_proxy, https_proxy, no_proxy, all_proxy say; "": none */
} NetLimits;

/* scheme://host[:port] of an address, for messages; "an address" where it has none. Caller frees.
 */
char *net_origin(const char *url);

#endif
