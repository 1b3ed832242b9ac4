/* Rows as INSERT ... ON CONFLICT DO UPDATE: one transaction of SQL that brings the rows of a backup
 * into tables that exist and may hold rows already. */
#include <string.h>

#include "op/export_order.h"

#define NAMES_SHOWN 20
#define STATEMENT_ROWS 1000
#define STATEMENT_BYTES ((uint64_t)256 << 10)

typedef struct Upsert {
    TextOut *out;
    char *begin;          /* INSERT INTO ... VALUES, in front of the rows of a statement */
    char *end;            /* ON CONFLICT ..., behind them */
    uint64_t rows, bytes; /* of the statement */
} Upsert;

static void upsert_clear(Upsert *u)
{
    free(u->begin);
    free(u->end);
}
DEFINE_AUTO_VALUE(Upsert, upsert_clear)

/* -- one table --------------------------------------------------------------------------------- */

/* A key that ON CONFLICT can go by. */
static const RelationKey *arbiter(const Relation *r)
{
    for (size_t i = 0; i < r->key_count; i++) {
        const RelationKey *k = &r->keys[i];
        if ((k->not_null || !k->nulls_distinct) && k->columns.count && !k->deferrable)
            return k;
    }
    return NULL;
}

/* Rows of a partition go to the root; unless only the partition has a key. */
static const Relation *home_of(const ExportTable *t)
{
    return !arbiter(t->root) && arbiter(t->relation) ? t->relation : t->root;
}

static bool has_identity(const ExportTable *t)
{
    for (size_t i = 0; i < t->column_count; i++)
        if (t->columns[i]->identity)
            return true;
    return false;
}

static char *make_begin(const ExportTable *t, const Relation *home)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) name = relation_sql_name(home);
    buf_printf(&b, "INSERT INTO %s ", name);
    for (size_t i = 0; i < t->column_count; i++) {
        AUTO(char) column = text_sql_ident(t->columns[i]->name);
        buf_printf(&b, "%s%s", i ? ", " : "(", column);
    }
    if (!t->column_count)
        buf_add_str(&b, "DEFAULT VALUES");
    else
        buf_printf(&b, ")%s VALUES\n", has_identity(t) ? " OVERRIDING SYSTEM VALUE" : "");
    return buf_steal_str(&b);
}

/* What a row that is there already gets. Its key stays; an identity column that is GENERATED ALWAYS
 * may not be set by an UPDATE. */
static char *make_end(const ExportTable *t, const RelationKey *key)
{
    AUTO_VALUE(Buf) b = {0};
    if (!key)
        return mem_strdup(";\n");
    AUTO(char) columns = relation_sql_columns(&key->columns);
    buf_printf(&b, "\nON CONFLICT (%s) DO ", columns);
    bool any = false;
    for (size_t i = 0; i < t->column_count; i++) {
        const RelationColumn *c = t->columns[i];
        if (strlist_has(&key->columns, c->name) || c->identity == 'a')
            continue;
        AUTO(char) name = text_sql_ident(c->name);
        buf_printf(&b, "%s%s = EXCLUDED.%s", any ? ", " : "UPDATE SET ", name, name);
        any = true;
    }
    buf_printf(&b, "%s;\n", any ? "" : "NOTHING");
    return buf_steal_str(&b);
}

static Error *end_statement(Upsert *u)
{
    if (u->rows)
        TRY(text_out_str(u->out, u->end));
    u->rows = u->bytes = 0;
    return NULL;
}

/* As a string, whatever the type: the column says what it is read as. */
static Error *put_literal(Upsert *u, const CopyField *f)
{
    if (!f->p)
        return text_out_str(u->out, "NULL");
    TRY(text_out_add(u->out, "'", 1));
    for (const char *p = f->p, *end = p + f->n, *quote; p < end; p = quote) {
        quote = memchr(p, '\'', (size_t)(end - p));
        quote = quote ? quote + 1 : end;
        TRY(text_out_add(u->out, p, (size_t)(quote - p)));
        if (quote[-1] == '\'')
            TRY(text_out_add(u->out, "'", 1));
    }
    u->bytes += f->n;
    return text_out_add(u->out, "'", 1);
}

static Error *put_row(void *ctx, const CopyRow *row)
{
    Upsert *u = ctx;
    TRY(text_out_str(u->out, u->rows ? ",\n" : u->begin));
    u->rows++;
    for (size_t i = 0; i < row->count; i++) {
        TRY(text_out_str(u->out, i ? ", " : "("));
        TRY(put_literal(u, &row->fields[i]));
    }
    if (row->count)
        TRY(text_out_add(u->out, ")", 1));
    bool full = !row->count || u->rows >= STATEMENT_ROWS || u->bytes >= STATEMENT_BYTES;
    return full ? end_statement(u) : NULL;
}

static Error *put_table(ExportWork *w, const ExportTable *t, TextOut *out, StrList *keyless)
{
    const Relation *home = home_of(t);
    const RelationKey *key = arbiter(home);
    AUTO_VALUE(Upsert) u = {.out = out, .begin = make_begin(t, home), .end = make_end(t, key)};
    AUTO(char) name = mem_printf("%s.%s", t->relation->schema, t->relation->name);
    AUTO(char) shown = text_printable(name); /* a name may hold a line break */
    TRY(text_out_printf(out, "\n-- %s\n", shown));
    if (!key && t->stream->rows) {
        TRY(text_out_str(out, "-- It has no key: these rows are added to those that are there.\n"));
        strlist_add(keyless, shown);
    }
    TRY(export_rows(w, t, true, put_row, &u));
    return end_statement(&u);
}

/* -- around the tables ------------------------------------------------------------------------- */

static Error *put_begin(ExportWork *w, TextOut *out)
{
    bool bytes = w->backup.encoding && !strcmp(w->backup.encoding, "SQL_ASCII");
    TRY(text_out_printf(out, "-- The rows of backup %s, for psql -v ON_ERROR_STOP=1\n\n",
                        w->backup.id));
    TRY(text_out_str(out, "BEGIN;\n"));
    TRY(text_out_printf(out, "SET LOCAL client_encoding = '%s';\n", bytes ? "SQL_ASCII" : "UTF8"));
    return text_out_str(out, "SET LOCAL standard_conforming_strings = on;\n"
                             "SET LOCAL DateStyle = 'ISO, MDY';\n"
                             "SET LOCAL IntervalStyle = 'postgres';\n"
                             "SET LOCAL TimeZone = 'UTC';\n"
                             "SET LOCAL xmloption = content;\n"
                             "SET LOCAL row_security = off;\n"
                             "SET LOCAL search_path = '';\n"
                             "SET LOCAL client_min_messages = warning;\n");
}

static Error *put_constraint(TextOut *out, const ExportLoop *l, const char *how)
{
    AUTO(char) table = relation_sql_name(l->table);
    AUTO(char) name = text_sql_ident(l->foreign->name);
    return text_out_printf(out, "ALTER TABLE %s ALTER CONSTRAINT %s %s;\n", table, name, how);
}

/* Foreign keys that go in circles are looked at when all rows are there. Those that cannot wait are
 * made to, as long as the transaction lasts. */
static Error *put_loops(ExportWork *w, const ExportOrder *order, bool before, TextOut *out)
{
    for (size_t i = 0; i < order->loop_count; i++) {
        const ExportLoop *l = &order->loops[i];
        if (l->foreign->deferrable)
            continue;
        TRY(put_constraint(out, l, before ? "DEFERRABLE" : "NOT DEFERRABLE"));
        if (before)
            export_warn(w,
                        "the foreign key %s of %s.%s is part of a circle: the SQL makes it "
                        "deferrable for its transaction, which needs the table's owner",
                        l->foreign->name, l->table->schema, l->table->name);
    }
    return NULL;
}

static Error *put_sequences(ExportWork *w, TextOut *out)
{
    bool any = false;
    for (size_t i = 0; i < w->toc->count; i++) {
        const TocEntry *e = &w->toc->entries[i];
        if (!toc_is(e, "SEQUENCE SET"))
            continue;
        AUTO(char) statement = NULL;
        TRY(export_words(w, e->defn, true, &statement));
        TRY(text_out_str(out, any ? "" : "\n"));
        TRY(text_out_str(out, statement));
        any = true;
    }
    return NULL;
}

static void warn_keyless(ExportWork *w, const StrList *tables)
{
    AUTO_VALUE(Buf) names = {0};
    if (!tables->count)
        return;
    for (size_t i = 0; i < tables->count && i < NAMES_SHOWN; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", tables->items[i]);
    if (tables->count > NAMES_SHOWN)
        buf_printf(&names, " and %zu more", tables->count - NAMES_SHOWN);
    AUTO(char) shown = buf_steal_str(&names);
    export_warn(w,
                "tables without a primary key, or another that rows are known by: their rows are "
                "added to those that are there: %s",
                shown);
}

Error *export_upsert(ExportWork *w, TextOut *out)
{
    AUTO_VALUE(ExportTables) tables = {0};
    AUTO_VALUE(ExportOrder) order = {0};
    AUTO_VALUE(StrList) keyless = {0};
    TRY(export_tables(w, false, &tables));
    export_warn_left_out(w);
    export_order_make(&w->backup.relations, &tables, &order);
    TRY(put_begin(w, out));
    TRY(put_loops(w, &order, true, out));
    if (order.loop_count)
        TRY(text_out_str(out, "SET CONSTRAINTS ALL DEFERRED;\n"));
    for (size_t i = 0; i < order.count; i++)
        TRY(put_table(w, order.tables[i], out, &keyless));
    if (order.loop_count)
        TRY(text_out_str(out, "\nSET CONSTRAINTS ALL IMMEDIATE;\n"));
    TRY(put_loops(w, &order, false, out));
    TRY(put_sequences(w, out));
    warn_keyless(w, &keyless);
    return text_out_str(out, "\nCOMMIT;\n");
}
