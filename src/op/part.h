/* A part of a backup: what --table, --schema, --exclude-table, --data-only and --schema-only
 * choose. From then on the opened backup shows a smaller archive, so that whatever reads it reads
 * the chunks of that part alone. */
#ifndef PGSTOW_OP_PART_H
#define PGSTOW_OP_PART_H

#include "op/backup_read.h"
#include "pg/selection.h"

typedef struct Part {
    Toc *whole;           /* what the backup's table of contents was; NULL: no part was asked for */
    Selection selection;  /* of `whole` */
    uint64_t rows, bytes; /* of the chosen tables and large objects */
    uint64_t tables;
} Part;
void part_clear(Part *p);
DEFINE_AUTO_VALUE(Part, part_clear)

/* Puts an archive of the chosen and needed entries in the place of b->toc. Where nothing less than
 * the whole is asked for it does nothing. The errors of selection_make. */
Error *part_choose(BackupRead *b, const SelectionOptions *o, Part *out) MUST_CHECK;
/* The entry whose data the stream is, in b->toc; NULL where it is not in the part. ERR_DAMAGED
 * where the backup has no such entry at all. */
Error *part_entry(const Part *p, const BackupRead *b, const Stream *s,
                  const TocEntry **out) MUST_CHECK;
/* A text of the archive in UTF-8, for people. Caller frees. */
char *part_text(const char *archive_encoding_or_null, const char *text);
/* "TABLE shop.orders" of all things with this mark that have a definition of their own, and (rows
 * alone) "TABLE DATA shop.orders"; adds nothing where there is no part. */
void part_list(const Part *p, const BackupRead *b, SelectionMark mark, StrList *out);
/* Whether the stream holds data of an archive's entry at all. */
bool part_is_data(const Stream *s);

#endif
