/* One table as COPY ... WITH (FORMAT csv, HEADER) writes it: NULL is nothing, "" the empty text. */
#include <string.h>

#include "op/export_rows.h"

typedef struct Csv {
    TextOut *out;
    size_t *places; /* of each column in the rows of the table at hand */
    size_t columns;
} Csv;
static void csv_clear(Csv *c)
{
    free(c->places);
}
DEFINE_AUTO_VALUE(Csv, csv_clear)

static bool needs_quotes(const Csv *c, const char *p, size_t n)
{
    if (!n || (c->columns == 1 && n == 2 && !memcmp(p, "\\.", 2)))
        return true;
    for (size_t i = 0; i < n; i++)
        if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r')
            return true;
    return false;
}

static Error *put_field(const Csv *c, const char *p, size_t n)
{
    if (!needs_quotes(c, p, n))
        return text_out_add(c->out, p, n);
    TRY(text_out_add(c->out, "\"", 1));
    for (const char *end = p + n, *quote; p < end; p = quote) {
        quote = memchr(p, '"', (size_t)(end - p));
        quote = quote ? quote + 1 : end;
        TRY(text_out_add(c->out, p, (size_t)(quote - p)));
        if (quote[-1] == '"')
            TRY(text_out_add(c->out, "\"", 1));
    }
    return text_out_add(c->out, "\"", 1);
}

static Error *put_row(void *ctx, const CopyRow *row)
{
    Csv *c = ctx;
    for (size_t i = 0; i < c->columns; i++) {
        const CopyField *f = &row->fields[c->places[i]];
        if (i)
            TRY(text_out_add(c->out, ",", 1));
        if (f->p)
            TRY(put_field(c, f->p, f->n));
    }
    return text_out_add(c->out, "\n", 1);
}

static Error *find_column(const ExportTable *t, const char *name, size_t *place)
{
    for (size_t i = 0; i < t->names.count; i++)
        if (!strcmp(t->names.items[i], name)) {
            *place = i;
            return NULL;
        }
    FAIL(ERR_DAMAGED, "%s.%s has no column %s, which the table that it is a part of has",
         t->entry->schema, t->entry->tag, name);
}

/* All that is exported must be one table, or partitions of one: then it has the root's columns. */
static Error *check_one(const ExportTables *tables)
{
    for (size_t i = 1; i < tables->count; i++)
        if (!tables->items[i].root || tables->items[i].root != tables->items[0].root)
            return error_hint(
                ERROR_NEW(ERR_USAGE, "csv holds one table, and these are %zu", tables->count),
                "--table schema.name says which");
    if (!tables->count)
        FAIL(ERR_NOT_FOUND, "there is no table with rows of its own to export");
    return NULL;
}

static void take_names(const ExportTables *tables, StrList *out)
{
    const Relation *root = tables->items[0].root;
    if (tables->count == 1)
        strlist_copy(out, &tables->items[0].names);
    for (size_t i = 0; tables->count > 1 && i < root->column_count; i++)
        if (!root->columns[i].generated)
            strlist_add(out, root->columns[i].name);
}

static Error *put_header(const Csv *c, const StrList *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (i)
            TRY(text_out_add(c->out, ",", 1));
        TRY(put_field(c, names->items[i], strlen(names->items[i])));
    }
    return text_out_add(c->out, "\n", 1);
}

Error *export_csv(ExportWork *w, TextOut *out)
{
    AUTO_VALUE(ExportTables) tables = {0};
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(Csv) c = {.out = out};
    TRY(export_tables(w, true, &tables));
    TRY(check_one(&tables));
    take_names(&tables, &names);
    c.columns = names.count;
    c.places = mem_calloc(names.count + 1, sizeof *c.places);
    TRY(put_header(&c, &names));
    for (size_t k = 0; k < tables.count; k++) {
        for (size_t i = 0; i < names.count; i++)
            TRY(find_column(&tables.items[k], names.items[i], &c.places[i]));
        TRY(export_rows(w, &tables.items[k], true, put_row, &c));
    }
    return NULL;
}
