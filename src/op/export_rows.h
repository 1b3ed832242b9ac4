/* The rows of exported tables, field by field, in UTF-8: what the formats of rows start from. */
#ifndef PGSTOW_OP_EXPORT_ROWS_H
#define PGSTOW_OP_EXPORT_ROWS_H

#include "op/export_work.h"
#include "pg/copy_text.h"

typedef struct ExportTable {
    const TocEntry *entry;
    const Stream *stream;
    StrList names;                  /* of the columns that its rows have, in their order */
    const Relation *relation;       /* of the rows: a partition, where it is one */
    const Relation *root;           /* the partitioned table above it, or the same */
    const RelationColumn **columns; /* what is known of these columns */
    size_t column_count;
} ExportTable;
typedef struct ExportTables { /* in the order of the archive */
    ExportTable *items;
    size_t count, cap;
} ExportTables;
void export_tables_clear(ExportTables *t);
DEFINE_AUTO_VALUE(ExportTables, export_tables_clear)

/* ERR_NOT_FOUND where the backup does not record its tables' columns; names_alone: then relation,
 * root and columns are NULL. */
Error *export_tables(ExportWork *w, bool names_alone, ExportTables *out) MUST_CHECK;

typedef Error *(*ExportRow)(void *ctx, const CopyRow *row);
/* In SQL_ASCII databases the bytes are handed on as they are where `raw`, else as encoding.h says
 * it. */
Error *export_rows(ExportWork *w, const ExportTable *t, bool raw, ExportRow take,
                   void *ctx) MUST_CHECK;
/* A name or statement out of the table of contents, as the rows are; caller frees. */
Error *export_words(ExportWork *w, const char *text, bool raw, char **out) MUST_CHECK;

/* By which a row is known: columns that are never NULL. The primary key where there is one. */
const RelationKey *export_key(const Relation *r); /* or NULL */
/* What a format of rows leaves out of the backup is said as a warning. */
void export_warn_left_out(ExportWork *w);

#endif
