/* Where an export goes: standard output, or a file that gets its name when it is complete. */
#ifndef PGSTOW_OP_EXPORT_FILE_H
#define PGSTOW_OP_EXPORT_FILE_H

#include <stdint.h>
#include "base/file.h"

typedef struct ExportFile {
    Fd file;
    int fd;
    const char *path; /* as given; borrowed */
    const char *name; /* for messages */
    char *temp;       /* NULL for standard output */
    bool overwrite;
    uint64_t bytes; /* written so far */
} ExportFile;
void export_file_clear(ExportFile *o); /* unfinished: nothing of it stays */
DEFINE_AUTO_VALUE(ExportFile, export_file_clear)

/* path "-": standard output. ERR_EXISTS where it is there and not to be overwritten. */
Error *export_file_open(const char *path, bool overwrite, ExportFile *out) MUST_CHECK;
/* ctx is an ExportFile, so that these fit where a function is wanted. */
Error *export_file_write(void *ctx, const void *p, size_t n) MUST_CHECK;
/* Overwrites the first n bytes; only where export_file_can_seek. */
Error *export_file_rewrite(void *ctx, const void *p, size_t n) MUST_CHECK;
bool export_file_can_seek(const ExportFile *o);
/* Durable, and under its name. */
Error *export_file_finish(ExportFile *o) MUST_CHECK;

#endif
