#include "pg/merge_sequence.h"

#include <inttypes.h>
#include <string.h>

#include "pg/setval.h"
#include "sql.h"

/* Where a sequence stands: the last value, and whether it was given out. */
typedef struct Place {
    int64_t value;
    bool called;
} Place;

/* Whether a is further than b. */
static bool further(Place a, Place b, bool up)
{
    if (a.value != b.value)
        return up ? a.value > b.value : a.value < b.value;
    return a.called && !b.called;
}

/* The backup's place of a sequence, by its name as SQL has it. */
static bool recorded(const Toc *toc, const char *name, Place *out)
{
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        if (!toc_is(e, "SEQUENCE SET"))
            continue;
        AUTO(char) schema = text_sql_ident(e->schema);
        AUTO(char) tag = text_sql_ident(e->tag);
        AUTO(char) quoted = mem_printf("%s.%s", schema, tag);
        AUTO(char) plain = mem_printf("%s.%s", e->schema, e->tag);
        if ((!strcmp(quoted, name) || !strcmp(plain, name)) &&
            setval_read(e, &out->value, &out->called))
            return true;
    }
    return false;
}

static Error *column_end(Conn *c, const MergeTable *t, const char *column, bool up, Place *out,
                         bool *any)
{
    AUTO(char) value = NULL;
    AUTO(char)
    sql = mem_printf("SELECT pg_catalog.%s(%s)::pg_catalog.text FROM %s%s", up ? "max" : "min",
                     column, t->only, t->sql);
    TRY(conn_value(c, sql, 0, NULL, &value));
    *any = value != NULL;
    if (value)
        TRY(text_parse_int(value, INT64_MIN, INT64_MAX, &out->value));
    out->called = true;
    return NULL;
}

static Error *forward(Conn *c, const Toc *toc, const MergeTables *tables, const Rows *rows,
                      size_t r, bool *moved)
{
    const char *name = rows_text(rows, r, 0);
    bool up = rows_int(rows, r, 1) > 0;
    AUTO(Rows) now = NULL;
    AUTO(char) ask = mem_printf("SELECT last_value, is_called FROM %s", name);
    TRY(conn_query(c, ask, 0, NULL, &now));
    Place old = {rows_int(now, 0, 0), rows_bool(now, 0, 1)}, best = old, other = {0};
    if (recorded(toc, name, &other) && further(other, best, up))
        best = other;
    const MergeTable *owner = merge_tables_find(tables, rows_oid(rows, r, 4));
    bool any = false;
    if (owner && (owner->counts.inserted || owner->counts.updated))
        TRY(column_end(c, owner, rows_text(rows, r, 5), up, &other, &any));
    if (any && further(other, best, up))
        best = other;
    *moved = further(best, old, up) && best.value >= rows_int(rows, r, 2) &&
             best.value <= rows_int(rows, r, 3);
    if (!*moved)
        return NULL;
    AUTO(char) quoted = text_sql_literal(name);
    return conn_execf(c, "SELECT pg_catalog.setval(%s, %" PRId64 ", %s)", quoted, best.value,
                      best.called ? "true" : "false");
}

Error *merge_sequences_forward(Conn *c, const Toc *toc, const MergeTables *tables, bool all,
                               uint64_t *moved)
{
    AUTO_VALUE(Buf) oids = {0};
    buf_u8(&oids, '{');
    for (size_t i = 0; i < tables->count; i++)
        buf_printf(&oids, "%s%u", i ? "," : "", tables->items[i].target->oid);
    buf_u8(&oids, '}');
    AUTO(char) text = buf_steal_str(&oids);
    const char *params[] = {text, all ? "true" : "false"};
    AUTO(Rows) rows = NULL;
    TRY_CTX(conn_query(c, sql_merge_sequences, 2, params, &rows), "looking up sequences");
    for (size_t r = 0; r < rows_count(rows); r++) {
        bool set = false;
        TRY_CTX(forward(c, toc, tables, rows, r, &set), "setting the sequence %s forward",
                rows_text(rows, r, 0));
        *moved += set;
    }
    return NULL;
}
