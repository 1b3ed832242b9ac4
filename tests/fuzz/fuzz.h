/* What the fuzz targets share. Each target is one libFuzzer program, fuzz_<thing>.c, with its seeds
 * in corpus/<thing>/. What a target calls may return any error but a fault of pgstow itself, and
 * what it accepts must survive being written and read again. */
#ifndef PGSTOW_TESTS_FUZZ_H
#define PGSTOW_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Like assert, but never compiled away. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Frees the error; whether there was none. */
static inline bool succeeded(Error *e)
{
    if (!e)
        return true;
    if (error_kind(e) == ERR_INTERNAL) {
        fprintf(stderr, "%s (%s)\n", error_message(e), error_place(e));
        abort();
    }
    MUST(*error_message(e));
    error_free(e);
    return false;
}

/* The same, where foreign bytes may only be damaged or too new. */
static inline bool sound(Error *e)
{
    MUST(!e || error_kind(e) == ERR_DAMAGED || error_kind(e) == ERR_REPO_UNSUPPORTED ||
         error_kind(e) == ERR_FENCED || error_kind(e) == ERR_LIMIT);
    return succeeded(e);
}

/* The input as a C string of its own, which ends at its first NUL. Caller frees. */
static inline char *input_text(const uint8_t *data, size_t size)
{
    return mem_strndup((const char *)data, size);
}

#endif
