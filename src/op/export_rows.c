#include "op/export_rows.h"

#include <string.h>

#include "pg/encoding.h"

void export_tables_clear(ExportTables *t)
{
    for (size_t i = 0; i < t->count; i++) {
        strlist_free(&t->items[i].names);
        free(t->items[i].columns);
    }
    free(t->items);
    *t = (ExportTables){0};
}

/* As the rows have them: in an imported backup that need not be the table's order. In a SQL_ASCII
 * database a name may be no text, and not be found: then the order counts, generated ones left out,
 * as every server has it. */
static Error *take_columns(const BackupRead *b, ExportTable *t)
{
    const StrList *names = &t->names;
    const Relation *r = t->relation;
    size_t stored = 0;
    bool found = true;
    t->columns = mem_calloc(names->count + r->column_count + 1, sizeof(RelationColumn *));
    for (size_t i = 0; i < names->count; i++) {
        t->columns[i] = relation_column(r, names->items[i]);
        found = found && t->columns[i];
    }
    for (size_t i = 0; !found && i < r->column_count; i++)
        if (!r->columns[i].generated)
            t->columns[stored++] = &r->columns[i];
    if (!found && stored != names->count)
        FAIL(ERR_DAMAGED, "backup %s records other columns of %s.%s than its rows have", b->id,
             t->entry->schema, t->entry->tag);
    return NULL;
}

static Error *take_relation(ExportWork *w, ExportTable *t)
{
    const RelationList *relations = &w->backup.relations;
    t->relation = relation_find_oid(relations, t->stream->oid);
    if (!t->relation)
        FAIL(ERR_DAMAGED, "backup %s does not record the columns of %s.%s", w->backup.id,
             t->entry->schema, t->entry->tag);
    t->root = t->relation->root ? relation_find_oid(relations, t->relation->root) : NULL;
    t->root = t->root ? t->root : t->relation;
    return take_columns(&w->backup, t);
}

Error *export_tables(ExportWork *w, bool names_alone, ExportTables *out)
{
    bool recorded = manifest_find_stream(w->backup.manifest, STREAM_RELATIONS, 0) != NULL;
    if (recorded || !names_alone)
        TRY(backup_read_relations(&w->backup));
    for (size_t i = 0; i < w->toc->count; i++) {
        const TocEntry *e = &w->toc->entries[i];
        if (!toc_is_table_data(e) || !toc_has_block(e))
            continue;
        mem_grow(out->items, out->count, out->cap);
        ExportTable *t = &out->items[out->count++];
        *t = (ExportTable){.entry = e};
        TRY(export_stream(w, e, &t->stream));
        TRY(backup_read_columns(&w->backup, t->stream, &t->names));
        t->column_count = t->names.count;
        if (w->backup.relations_read)
            TRY(take_relation(w, t));
    }
    return NULL;
}

/* -- rows -------------------------------------------------------------------------------------- */

typedef struct RowReader {
    size_t columns;
    Encoding *encoding; /* NULL: handed on as they are */
    Buf utf8;
    CopyRow row;
    CopyLines lines;
    ExportRow take;
    void *ctx;
} RowReader;

static void row_reader_clear(RowReader *r)
{
    if (r->encoding)
        encoding_free(r->encoding);
    buf_free(&r->utf8);
    copy_row_clear(&r->row);
    copy_lines_clear(&r->lines);
}
DEFINE_AUTO_VALUE(RowReader, row_reader_clear)

static Error *open_encoding(const ExportWork *w, bool raw, Encoding **out)
{
    const char *name = w->backup.encoding ? w->backup.encoding : "UTF8";
    if (!strcmp(name, "UTF8") || (raw && !strcmp(name, "SQL_ASCII")))
        return NULL;
    return encoding_open(name, out);
}

static Error *take_line(void *ctx, const char *line, size_t n)
{
    RowReader *r = ctx;
    if (r->encoding) {
        TRY(encoding_to_utf8(r->encoding, line, n, &r->utf8));
        line = (const char *)r->utf8.data;
        n = r->utf8.len;
    }
    TRY(copy_row_split(line, n, r->columns, &r->row));
    return r->take(r->ctx, &r->row);
}

static Error *take_bytes(void *to, const void *p, size_t n)
{
    return copy_lines_feed(to, p, n);
}

Error *export_rows(ExportWork *w, const ExportTable *t, bool raw, ExportRow take, void *ctx)
{
    AUTO_VALUE(RowReader) r = {.columns = t->column_count, .take = take, .ctx = ctx};
    r.lines = (CopyLines){.take = take_line, .ctx = &r};
    TRY(open_encoding(w, raw, &r.encoding));
    TRY(export_entry_rows(w, t->entry, take_bytes, &r.lines));
    return copy_lines_end(&r.lines);
}

Error *export_words(ExportWork *w, const char *text, bool raw, char **out)
{
    AUTO(Encoding) encoding = NULL;
    AUTO_VALUE(Buf) utf8 = {0};
    TRY(open_encoding(w, raw, &encoding));
    if (encoding)
        TRY(encoding_to_utf8(encoding, text, strlen(text), &utf8));
    else
        buf_add_str(&utf8, text);
    *out = buf_steal_str(&utf8);
    return NULL;
}

const RelationKey *export_key(const Relation *r)
{
    for (size_t i = 0; i < r->key_count; i++)
        if (r->keys[i].not_null && r->keys[i].columns.count)
            return &r->keys[i];
    return NULL;
}

void export_warn_left_out(ExportWork *w)
{
    for (size_t i = 0; i < w->toc->count; i++) {
        const TocEntry *e = &w->toc->entries[i];
        if (toc_has_block(e) && !toc_is_table_data(e)) {
            export_warn(w,
                        "the backup's large objects are not in the export: the format %s has "
                        "rows of tables alone",
                        export_format_name(w->result.format));
            return;
        }
    }
}
