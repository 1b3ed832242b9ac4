/* JSON Lines (docs/json.md): a header, then each table with its columns and its rows, one object a
 * row, then the values of sequences, and an end by which a file that was cut short is known. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "op/export_rows.h"
#include "pg/json_value.h"

#define FORMAT_VERSION 1

static Error *put_line(TextOut *out, const char *key, Doc *value)
{
    AUTO(Doc) line = doc_object();
    doc_set(line, key, value);
    AUTO(char) text = doc_print(line, false);
    TRY(text_out_str(out, text));
    return text_out_add(out, "\n", 1);
}

static Error *put_header(const ExportWork *w, TextOut *out)
{
    char time[CLOCK_TEXT];
    const BackupInfo *i = &w->backup.manifest->info;
    const char *further = w->o->rows ? w->o->rows->manifest->info.filter : "";
    AUTO(char)
    filter = mem_printf("%s%s%s", i->filter, *i->filter && *further ? " " : "", further);
    Doc *d = doc_object();
    doc_set_str(d, "format", "pgstow rows");
    doc_set_int(d, "version", FORMAT_VERSION);
    doc_set_str(d, "backup", w->backup.id);
    doc_set_str(d, "database", i->database);
    doc_set_str(d, "timestamp", clock_iso(i->timestamp, time));
    doc_set_str(d, "databaseVersion", i->database_version);
    doc_set_str(d, "encoding", w->backup.encoding);
    doc_set_str(d, "filter", filter);
    return put_line(out, "header", d);
}

/* -- a table ----------------------------------------------------------------------------------- */

static Doc *column_doc(const RelationColumn *c)
{
    Doc *d = doc_object();
    doc_set_str(d, "name", c->name);
    doc_set_str(d, "type", c->type);
    doc_set_str(d, "as", json_value_type_name(json_value_type(c->base)));
    if (c->not_null)
        doc_set_bool(d, "notNull", true);
    if (c->identity)
        doc_set_str(d, "identity", c->identity == 'a' ? "always" : "by default");
    return d;
}

static Doc *table_doc(const ExportTable *t)
{
    const RelationKey *k = export_key(t->relation);
    Doc *d = doc_object(), *columns = doc_array(), *key = doc_array();
    doc_set_str(d, "schema", t->relation->schema);
    doc_set_str(d, "name", t->relation->name);
    if (t->root != t->relation) {
        Doc *root = doc_object();
        doc_set_str(root, "schema", t->root->schema);
        doc_set_str(root, "name", t->root->name);
        doc_set(d, "partitionOf", root);
    }
    for (size_t i = 0; i < t->column_count; i++)
        doc_push(columns, column_doc(t->columns[i]));
    for (size_t i = 0; k && i < k->columns.count; i++)
        doc_push_str(key, k->columns.items[i]);
    doc_set(d, "columns", columns);
    doc_set(d, "key", key);
    return d;
}

typedef struct JsonTable {
    TextOut *out;
    const ExportTable *table;
    JsonType *types;
    StrList names; /* ,"name": as they stand in front of each value */
    uint64_t rows;
} JsonTable;

static void json_table_clear(JsonTable *t)
{
    strlist_free(&t->names);
    free(t->types);
}
DEFINE_AUTO_VALUE(JsonTable, json_table_clear)

static Error *to_buf(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
    return NULL;
}

static Error *prepare(JsonTable *t)
{
    t->types = mem_calloc(t->table->column_count + 1, sizeof *t->types);
    for (size_t i = 0; i < t->table->column_count; i++) {
        const RelationColumn *c = t->table->columns[i];
        AUTO_VALUE(Buf) name = {0};
        AUTO_VALUE(TextOut) out = {.take = to_buf, .ctx = &name};
        t->types[i] = json_value_type(c->base);
        TRY(json_text_string(&out, c->name, strlen(c->name)));
        TRY(text_out_str(&out, ":"));
        TRY(text_out_flush(&out));
        strlist_own(&t->names, buf_steal_str(&name));
    }
    return NULL;
}

static Error *put_row(void *ctx, const CopyRow *row)
{
    JsonTable *t = ctx;
    bool first = true;
    TRY(text_out_str(t->out, "{\"row\":{"));
    for (size_t i = 0; i < row->count; i++) {
        const CopyField *f = &row->fields[i];
        /* null is JSON's own there: a column that is NULL is not in the row. */
        if (!f->p && t->types[i].kind == JSON_DOCUMENT)
            continue;
        if (!first)
            TRY(text_out_add(t->out, ",", 1));
        first = false;
        TRY(text_out_str(t->out, t->names.items[i]));
        if (f->p)
            TRY_CTX(json_value(t->out, t->types[i], f->p, f->n), "column %s",
                    t->table->columns[i]->name);
        else
            TRY(text_out_str(t->out, "null"));
    }
    t->rows++;
    return text_out_str(t->out, "}}\n");
}

static Error *put_table(ExportWork *w, const ExportTable *table, TextOut *out, uint64_t *rows)
{
    AUTO_VALUE(JsonTable) t = {.out = out, .table = table};
    TRY(prepare(&t));
    TRY(put_line(out, "table", table_doc(table)));
    TRY(export_rows(w, table, false, put_row, &t));
    *rows += t.rows;
    return NULL;
}

/* -- sequences --------------------------------------------------------------------------------- */

/* "SELECT pg_catalog.setval('app.counter', 12345, true);" */
static Error *put_sequence(ExportWork *w, const TocEntry *e, TextOut *out)
{
    const char *end = strrchr(e->defn, '\'');
    int64_t value;
    char called[6];
    if (!end || sscanf(end, "', %" SCNd64 ", %5[a-z]", &value, called) != 2)
        FAIL(ERR_DAMAGED, "the value of sequence %s.%s cannot be read in the table of contents",
             e->schema, e->tag);
    AUTO(char) schema = NULL;
    AUTO(char) name = NULL;
    TRY(export_words(w, e->schema, false, &schema));
    TRY(export_words(w, e->tag, false, &name));
    Doc *d = doc_object();
    doc_set_str(d, "schema", schema);
    doc_set_str(d, "name", name);
    doc_set_int(d, "value", value);
    doc_set_bool(d, "called", !strcmp(called, "true"));
    return put_line(out, "sequence", d);
}

Error *export_json(ExportWork *w, TextOut *out)
{
    AUTO_VALUE(ExportTables) tables = {0};
    uint64_t rows = 0;
    TRY(export_tables(w, false, &tables));
    export_warn_left_out(w);
    TRY(put_header(w, out));
    for (size_t i = 0; i < tables.count; i++)
        TRY(put_table(w, &tables.items[i], out, &rows));
    for (size_t i = 0; i < w->toc->count; i++)
        if (toc_is(&w->toc->entries[i], "SEQUENCE SET"))
            TRY(put_sequence(w, &w->toc->entries[i], out));
    Doc *end = doc_object();
    doc_set_int(end, "tables", (int64_t)tables.count);
    doc_set_int(end, "rows", (int64_t)rows);
    return put_line(out, "end", end);
}
