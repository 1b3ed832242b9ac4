#include "pg/source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sql.h"

static void source_clear(Source *s)
{
    free(s->schema);
    free(s->name);
    free(s->qualified);
    free(s->columns);
    free(s->condition);
    free(s->where);
    free(s->values);
    free(s->as);
    free(s->with);
}

void source_list_clear(SourceList *l)
{
    for (size_t i = 0; i < l->count; i++)
        source_clear(&l->items[i]);
    free(l->items);
    *l = (SourceList){0};
}

char *source_columns(const char *copy_stmt)
{
    const char *open = NULL;
    bool quoted = false;
    for (const char *p = copy_stmt ? copy_stmt : ""; *p; p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (!quoted && *p == '(' && !open)
            open = p + 1;
        else if (!quoted && *p == ')' && open)
            return mem_strndup(open, (size_t)(p - open));
    }
    return mem_strdup("");
}

/* The row of a table, in rows that come sorted by OID; or NO_ROW. */
#define NO_ROW SIZE_MAX
static size_t row_of(const Rows *rows, uint32_t oid)
{
    size_t low = 0, high = rows ? rows_count(rows) : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t there = rows_oid(rows, middle, 0);
        if (there == oid)
            return middle;
        if (there < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return NO_ROW;
}

/* Text of a column that holds it in hex. */
static char *hex_text(const Rows *rows, size_t row, size_t column)
{
    const char *hex = rows_text(rows, row, column);
    size_t n = strlen(hex) / 2;
    char *text = mem_zalloc(n + 1);
    if (!text_unhex(hex, text, n))
        abort(); /* it is the server's own encode() */
    return text;
}

/* A row of sql_table_sources; takes columns over. */
static void add_source(const Conn *c, const Rows *rows, size_t r, int dump_id, char *columns,
                       SourceList *out)
{
    mem_grow(out->items, out->count, out->cap);
    uint64_t heap = (uint64_t)rows_int(rows, r, 6), block = (uint64_t)rows_int(rows, r, 8);
    Source *s = &out->items[out->count++];
    *s = (Source){.dump_id = dump_id,
                  .oid = rows_oid(rows, r, 0),
                  .schema = hex_text(rows, r, 1),
                  .name = hex_text(rows, r, 2),
                  .qualified = mem_strdup(rows_text(rows, r, 3)),
                  .columns = columns,
                  .condition = mem_strdup(rows_text(rows, r, 5)),
                  .relkind = rows_text(rows, r, 4)[0],
                  .heap_bytes = heap,
                  .toast_bytes = (uint64_t)rows_int(rows, r, 7),
                  .pages = heap / block};
    if (!s->condition)
        s->condition = mem_strdup("");
    s->lockable = s->relkind == 'r';
    /* TID range scans came with 14; a table without columns would be read as one of another
     * shape. */
    s->splittable = s->relkind == 'r' && rows_bool(rows, r, 9) && s->columns[0] &&
                    !s->condition[0] && conn_server_major(c) >= 14;
}

Error *source_named(Conn *c, const char *schema, const char *name, const char *columns,
                    SourceList *out)
{
    const char *params[] = {schema, name};
    AUTO(Rows) found = NULL;
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c,
                   "SELECT ARRAY[c.oid] FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                   "ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
                   2, params, &found));
    if (!rows_count(found))
        return NULL;
    const char *oids[] = {rows_text(found, 0, 0)};
    TRY(conn_query(c, sql_table_sources, 1, oids, &rows));
    if (rows_count(rows))
        add_source(c, rows, 0, 0, mem_strdup(columns), out);
    return NULL;
}

Error *source_ask(Conn *c, const uint32_t *oids, size_t count, Rows **out)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < count; i++)
        buf_printf(&b, "%c%u", i ? ',' : '{', oids[i]);
    buf_add_str(&b, count ? "}" : "{}");
    AUTO(char) array = buf_steal_str(&b);
    const char *params[] = {array};
    return error_context(conn_query(c, sql_table_sources, 1, params, out), "looking up the tables");
}

/* Those of the TOC that nobody has asked for yet. */
static Error *ask_others(Conn *c, const Toc *toc, const Rows *asked, Rows **out)
{
    uint32_t *oids = mem_calloc(toc->count, sizeof *oids);
    size_t n = 0;
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *t = &toc->entries[i];
        if (toc_is_table_data(t) && row_of(asked, t->oid) == NO_ROW)
            oids[n++] = t->oid;
    }
    Error *e = n ? source_ask(c, oids, n, out) : NULL;
    free(oids);
    return e;
}

Error *source_resolve(Conn *c, const Toc *toc, const Rows *asked, SourceList *out)
{
    AUTO(Rows) others = NULL;
    TRY(ask_others(c, toc, asked, &others));
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *t = &toc->entries[i];
        if (!toc_is_table_data(t))
            continue;
        size_t known = row_of(asked, t->oid), row = known;
        if (known == NO_ROW)
            row = row_of(others, t->oid);
        if (row == NO_ROW)
            FAIL(ERR_DB_CHANGED, "table %s.%s (OID %u) of the TOC is not there any more", t->schema,
                 t->tag, t->oid);
        add_source(c, known == NO_ROW ? others : asked, row, t->dump_id,
                   source_columns(t->copy_stmt), out);
    }
    return NULL;
}

bool source_is_filtered(const Source *s)
{
    return s->where || s->values;
}

/* An extension's own condition is kept: what it leaves out the extension makes again. */
char *source_select_sql(const Source *s, uint64_t from, uint64_t to)
{
    AUTO_VALUE(Buf) b = {0};
    const char *columns = s->values ? s->values : s->columns, *glue = " WHERE ";
    buf_printf(&b, "%sSELECT %s FROM %s%s%s%s", s->with ? s->with : "", columns,
               s->relkind == 'r' ? "ONLY " : "", s->qualified, s->as ? " AS " : "",
               s->as ? s->as : "");
    if (s->condition[0]) {
        const char *condition = s->condition + strspn(s->condition, " \t\r\n");
        if (!strncasecmp(condition, "WHERE", 5))
            condition += 5;
        buf_printf(&b, "%s(%s\n)", glue, condition);
        glue = " AND ";
    }
    if (from || to) {
        buf_printf(&b, "%sctid >= '(%llu,0)'", glue, (unsigned long long)from);
        glue = " AND ";
        if (to)
            buf_printf(&b, " AND ctid < '(%llu,0)'", (unsigned long long)to);
    }
    if (s->where)
        buf_printf(&b, "%s%s", glue, s->where);
    return buf_steal_str(&b);
}

char *source_copy_sql(const Source *s, uint64_t from, uint64_t to)
{
    if (source_is_filtered(s)) {
        AUTO(char) select = source_select_sql(s, from, to);
        return mem_printf("COPY (%s) TO STDOUT", select);
    }
    const char *columns = s->columns;
    if (from || to) {
        AUTO(char)
        upper = to ? mem_printf(" AND ctid < '(%llu,0)'", (unsigned long long)to) : mem_strdup("");
        return mem_printf("COPY (SELECT %s FROM ONLY %s WHERE ctid >= '(%llu,0)'%s) TO STDOUT",
                          columns, s->qualified, (unsigned long long)from, upper);
    }
    if (s->condition[0] || s->relkind != 'r')
        return mem_printf("COPY (SELECT %s FROM %s %s) TO STDOUT", columns[0] ? columns : "*",
                          s->qualified, s->condition);
    return columns[0] ? mem_printf("COPY %s (%s) TO STDOUT", s->qualified, columns)
                      : mem_printf("COPY %s TO STDOUT", s->qualified);
}
