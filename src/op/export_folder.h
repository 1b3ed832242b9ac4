/* A folder that an export writes: it gets its name when everything is in it. */
#ifndef PGSTOW_OP_EXPORT_FOLDER_H
#define PGSTOW_OP_EXPORT_FOLDER_H

#include <stdint.h>
#include "base/file.h"

typedef struct ExportFolder {
    char *path; /* as given, without slashes at its end */
    char *temp; /* NULL when it has its name */
    bool overwrite;
    Fd file; /* the one that is being written */
    char *file_name;
    uint64_t bytes; /* written so far, over all files */
} ExportFolder;
void export_folder_clear(ExportFolder *f); /* unfinished: nothing of it stays */
DEFINE_AUTO_VALUE(ExportFolder, export_folder_clear)

/* ERR_EXISTS where there is anything but an empty folder; overwrite: or an earlier export. */
Error *export_folder_open(const char *path, bool overwrite, ExportFolder *out) MUST_CHECK;
/* One file after the other; ctx is an ExportFolder. */
Error *export_folder_begin(ExportFolder *f, const char *name) MUST_CHECK;
Error *export_folder_write(void *ctx, const void *p, size_t n) MUST_CHECK;
Error *export_folder_end(ExportFolder *f) MUST_CHECK; /* the file is durable */
Error *export_folder_finish(ExportFolder *f) MUST_CHECK;

#endif
