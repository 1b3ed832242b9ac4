/* A dump as a file, read to its end: what compresses it is taken off, and what it is, is told by
 * its content, never by its name. */
#ifndef PGSTOW_OP_IMPORT_INPUT_H
#define PGSTOW_OP_IMPORT_INPUT_H

#include "base/file.h"
#include "codec/unpack.h"

typedef enum DumpForm {
    DUMP_UNKNOWN,
    DUMP_CUSTOM,    /* pg_dump -Fc */
    DUMP_DIRECTORY, /* pg_dump -Fd: a folder with a toc.dat */
    DUMP_TAR,       /* pg_dump -Ft */
    DUMP_PLAIN      /* SQL */
} DumpForm;
const char *dump_form_name(DumpForm form);

typedef struct ImportInput {
    Fd fd;
    const char *path;   /* borrowed */
    UnpackForm packing; /* NONE: as it is */
    Unpack *unpack;
    Buf buf; /* decompressed, not taken yet */
    size_t at;
    bool end;
} ImportInput;
void import_input_clear(ImportInput *in);
DEFINE_AUTO_VALUE(ImportInput, import_input_clear)

/* A regular file. */
Error *import_input_open(const char *path, ImportInput *out) MUST_CHECK;
/* A TocRead: ctx is an ImportInput. At the end, compressed bytes were found complete. */
Error *import_input_read(void *ctx, void *p, size_t n, size_t *got) MUST_CHECK;
/* Of the file's beginning, or of a folder's content; nothing is taken from the input. */
Error *import_input_form(ImportInput *in, DumpForm *form) MUST_CHECK;

#endif
