/* What the formats of an export share. The entries that are exported are chosen in one place
 * (export.c): a format writes what `toc` holds, and nothing else. */
#ifndef PGSTOW_OP_EXPORT_WORK_H
#define PGSTOW_OP_EXPORT_WORK_H

#include "base/text_out.h"
#include "op/backup_read.h"
#include "op/export.h"
#include "pg/archive_write.h"

typedef struct ExportWork {
    const OpContext *c;
    const ExportOptions *o;
    BackupRead backup;
    Toc *reduced;   /* where only a part is exported */
    const Toc *toc; /* the entries to export, as the backup has them */
    int gzip;       /* 1 to 9: compress; 0: don't */
    ExportResult result;
} ExportWork;

void export_warn(ExportWork *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The stream of an entry that has a block; ERR_DAMAGED where the backup has none. */
Error *export_stream(const ExportWork *w, const TocEntry *e, const Stream **out) MUST_CHECK;
/* The stream that is read for it, and of which backup: of a filtered copy, where there is one. */
Error *export_source(const ExportWork *w, const TocEntry *e, const BackupRead **from,
                     const Stream **out) MUST_CHECK;
/* For progress and messages: "schema.table", or "large objects"; caller frees. */
char *export_entry_name(const TocEntry *e);

/* Each writes everything there is. */
Error *export_custom(ExportWork *w, const Toc *shaped, const ArchiveOutput *output) MUST_CHECK;
Error *export_directory(ExportWork *w, const Toc *shaped) MUST_CHECK;
Error *export_plain(ExportWork *w, const Toc *shaped, TextOut *out) MUST_CHECK;
Error *export_upsert(ExportWork *w, TextOut *out) MUST_CHECK;
Error *export_json(ExportWork *w, TextOut *out) MUST_CHECK;
Error *export_csv(ExportWork *w, TextOut *out) MUST_CHECK;

/* The table of contents in the version that is wanted: `shaped` above. */
Error *export_shape(const ExportWork *w, Toc **out) MUST_CHECK;
/* One table's rows, or the objects of a BLOBS entry of `shaped` (which may be those of several
 * entries of the backup). */
Error *export_entry_rows(ExportWork *w, const TocEntry *e, StreamTake take, void *to) MUST_CHECK;
Error *export_entry_objects(ExportWork *w, const Toc *shaped, const TocEntry *e, StreamTake take,
                            void *to) MUST_CHECK;

#endif
