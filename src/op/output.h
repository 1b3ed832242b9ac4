/* Where an export goes: standard output, or a file that gets its name when it is complete. */
#ifndef PGSTOW_OP_OUTPUT_H
#define PGSTOW_OP_OUTPUT_H

#include <stdint.h>
#include "base/file.h"

typedef struct Output {
    Fd file;
    int fd;
    const char *path; /* as given; borrowed */
    const char *name; /* for messages */
    char *temp;       /* NULL for standard output */
    bool overwrite;
    uint64_t bytes; /* written so far */
} Output;
void output_clear(Output *o); /* unfinished: nothing of it stays */
DEFINE_AUTO_VALUE(Output, output_clear)

/* path "-": standard output. ERR_EXISTS where it is there and not to be overwritten. */
Error *output_open(const char *path, bool overwrite, Output *out) MUST_CHECK;
/* ctx is an Output, so that these fit where a function is wanted. */
Error *output_write(void *ctx, const void *p, size_t n) MUST_CHECK;
/* Overwrites the first n bytes; only where output_can_seek. */
Error *output_rewrite(void *ctx, const void *p, size_t n) MUST_CHECK;
bool output_can_seek(const Output *o);
/* Durable, and under its name. */
Error *output_finish(Output *o) MUST_CHECK;

#endif
