/* What the files of this room share. */
#ifndef PGSTOW_CRYPTO_INTERNAL_H
#define PGSTOW_CRYPTO_INTERNAL_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* What only fails when the library is broken or memory is gone: going on would not be safe. */
static inline void must(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "pgstow: OpenSSL failed: %s\n", what);
    abort();
}

#endif
