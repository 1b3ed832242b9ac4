/* The statements of a filter. Names of ours begin with pgstow_; they stand for nothing outside of
 * the statement.
 *
 * Which rows of a table stay, children of filtered ones ask by common table expressions:
 * pgstow_k<n>, the keys of table n that stay. Within a cycle of foreign keys nobody can be asked
 * first; there pgstow_g<n> collects the rows that go, round after round: first those that their own
 * conditions leave out, then those that refer to them.
 */
#include "pg/filter_parts.h"

#include <string.h>

char *filter_from(const FilterTable *t)
{
    AUTO(char) name = relation_sql_name(t->relation);
    return mem_printf("ONLY %s%s%s", name, t->as ? " AS " : "", t->as ? t->as : "");
}

/* What its columns are called by in conditions. */
static char *prefix(const FilterTable *t)
{
    return t->as ? mem_strdup(t->as) : relation_sql_name(t->relation);
}

static bool inside_cycle(const Filter *f, const FilterEdge *e)
{
    size_t cycle = f->tables[e->child].cycle;
    return cycle != FILTER_NONE && cycle == f->tables[e->target].cycle;
}

/* -- conditions ------------------------------------------------------------------------------- */

static void add_and(Buf *b)
{
    if (b->len)
        buf_add_str(b, " AND ");
}

void filter_match(Buf *b, const FilterEdge *e, const char *keys, const char *values)
{
    for (size_t k = 0; k < e->foreign->columns.count; k++) {
        AUTO(char) key = text_sql_ident(e->foreign->target_columns.items[k]);
        AUTO(char) value = text_sql_ident(e->foreign->columns.items[k]);
        buf_printf(b, "%s%s.%s %s %s.%s", k ? " AND " : "", keys, key, e->operators.items[k],
                   values, value);
    }
}

/* The row that it refers to stays, or it refers to none. */
static void add_edge(Buf *b, const FilterEdge *e, const FilterTable *t)
{
    AUTO(char) own = prefix(t);
    buf_u8(b, '(');
    for (size_t k = 0; k < e->foreign->columns.count; k++) {
        const RelationColumn *a = relation_column(t->relation, e->foreign->columns.items[k]);
        AUTO(char) name = text_sql_ident(e->foreign->columns.items[k]);
        /* Without this, where it can be, the server may join instead of asking for each row. */
        if (!a || !a->not_null)
            buf_printf(b, "%s.%s IS NULL OR ", own, name);
    }
    buf_printf(b, "EXISTS (SELECT 1 FROM pgstow_k%zu AS pgstow_p WHERE ", e->target);
    filter_match(b, e, "pgstow_p", own);
    buf_add_str(b, "))");
}

static char *keep(const Filter *f, size_t i, bool with_cycle)
{
    const FilterTable *t = &f->tables[i];
    AUTO_VALUE(Buf) b = {0};
    if (!t->partial)
        return NULL;
    if (!t->rows && !t->relation->extension)
        return mem_strdup("false");
    if (t->condition)
        buf_printf(&b, "(\n%s\n)", t->condition);
    for (size_t e = 0; e < f->edge_count; e++) {
        const FilterEdge *edge = &f->edges[e];
        if (!edge->follows || inside_cycle(f, edge) || !filter_is_under(f, i, edge->child))
            continue;
        add_and(&b);
        add_edge(&b, edge, t);
    }
    if (with_cycle && t->cycle != FILTER_NONE) {
        AUTO(char) own = prefix(t);
        add_and(&b);
        buf_printf(&b,
                   "NOT EXISTS (SELECT 1 FROM pgstow_g%zu AS pgstow_p WHERE pgstow_p.t = "
                   "%s.tableoid AND pgstow_p.r = %s.ctid::pg_catalog.text)",
                   t->cycle, own, own);
    }
    return b.len ? buf_steal_str(&b) : NULL;
}

char *filter_keep(const Filter *f, size_t i)
{
    return keep(f, i, true);
}

/* -- common table expressions ----------------------------------------------------------------- */

typedef struct With {
    const Filter *f;
    bool *keys; /* by table */
    bool *gone; /* by cycle */
    bool recursive;
    Buf sql;
} With;

static void need_leaf(With *w, size_t i);

static void need_keys(With *w, size_t target)
{
    const Filter *f = w->f;
    if (w->keys[target])
        return;
    w->keys[target] = true;
    for (size_t i = 0; i < f->relations->count; i++)
        if (filter_is_leaf(&f->tables[i]) && filter_is_under(f, i, target))
            need_leaf(w, i);
}

static void need_edges(With *w, size_t i)
{
    const Filter *f = w->f;
    for (size_t e = 0; e < f->edge_count; e++)
        if (f->edges[e].follows && !inside_cycle(f, &f->edges[e]) &&
            filter_is_under(f, i, f->edges[e].child))
            need_keys(w, f->edges[e].target);
}

static void need_leaf(With *w, size_t i)
{
    const Filter *f = w->f;
    size_t cycle = f->tables[i].cycle;
    if (!f->tables[i].partial)
        return;
    need_edges(w, i);
    if (cycle == FILTER_NONE || w->gone[cycle])
        return;
    w->gone[cycle] = w->recursive = true;
    for (size_t k = 0; k < f->relations->count; k++)
        if (f->tables[k].cycle == cycle && filter_is_leaf(&f->tables[k]))
            need_edges(w, k);
}

static void begin_cte(With *w)
{
    buf_add_str(&w->sql, w->sql.len ? ",\n" : "WITH RECURSIVE ");
}

static void add_keys(With *w, size_t target)
{
    const Filter *f = w->f;
    AUTO_VALUE(StrList) columns = {0};
    for (size_t e = 0; e < f->edge_count; e++)
        if (f->edges[e].follows && f->edges[e].target == target)
            for (size_t k = 0; k < f->edges[e].foreign->target_columns.count; k++)
                if (!strlist_has(&columns, f->edges[e].foreign->target_columns.items[k]))
                    strlist_add(&columns, f->edges[e].foreign->target_columns.items[k]);
    AUTO(char) list = relation_sql_columns(&columns);
    bool first = true;
    begin_cte(w);
    buf_printf(&w->sql, "pgstow_k%zu AS (", target);
    for (size_t i = 0; i < f->relations->count; i++) {
        if (!filter_is_leaf(&f->tables[i]) || !filter_is_under(f, i, target))
            continue;
        AUTO(char) from = filter_from(&f->tables[i]);
        AUTO(char) condition = keep(f, i, true);
        buf_printf(&w->sql, "%sSELECT %s FROM %s%s%s", first ? "" : " UNION ALL ", list, from,
                   condition ? " WHERE " : "", condition ? condition : "");
        first = false;
    }
    if (first) { /* without partitions */
        AUTO(char) name = relation_sql_name(f->tables[target].relation);
        buf_printf(&w->sql, "SELECT %s FROM %s", list, name);
    }
    buf_add_str(&w->sql, ")");
}

/* A table with its partitions. */
static char *whole_from(const FilterTable *t)
{
    AUTO(char) name = relation_sql_name(t->relation);
    return mem_printf("%s%s", filter_is_leaf(t) ? "ONLY " : "", name);
}

static void add_gone(With *w, size_t cycle)
{
    const Filter *f = w->f;
    bool first = true;
    begin_cte(w);
    buf_printf(&w->sql, "pgstow_g%zu (t, r) AS ((", cycle);
    for (size_t i = 0; i < f->relations->count; i++) {
        const FilterTable *t = &f->tables[i];
        if (t->cycle != cycle || !filter_is_leaf(t))
            continue;
        AUTO(char) from = filter_from(t);
        AUTO(char) own = prefix(t);
        AUTO(char) condition = keep(f, i, false);
        buf_printf(&w->sql,
                   "%sSELECT %s.tableoid, %s.ctid::pg_catalog.text FROM %s WHERE (%s) IS NOT TRUE",
                   first ? "" : " UNION ALL ", own, own, from, condition ? condition : "true");
        first = false;
    }
    buf_add_str(&w->sql, ") UNION SELECT pgstow_e.t, pgstow_e.r FROM (");
    first = true;
    for (size_t e = 0; e < f->edge_count; e++) {
        const FilterEdge *edge = &f->edges[e];
        if (!edge->follows || !inside_cycle(f, edge) || f->tables[edge->child].cycle != cycle)
            continue;
        AUTO(char) child = whole_from(&f->tables[edge->child]);
        AUTO(char) target = whole_from(&f->tables[edge->target]);
        buf_printf(&w->sql,
                   "%sSELECT pgstow_c.tableoid AS t, pgstow_c.ctid::pg_catalog.text AS r, "
                   "pgstow_p.tableoid AS pt, pgstow_p.ctid::pg_catalog.text AS pr "
                   "FROM %s AS pgstow_c JOIN %s AS pgstow_p ON ",
                   first ? "" : " UNION ALL ", child, target);
        filter_match(&w->sql, edge, "pgstow_p", "pgstow_c");
        first = false;
    }
    buf_printf(&w->sql,
               ") AS pgstow_e JOIN pgstow_g%zu AS pgstow_q ON pgstow_q.t = pgstow_e.pt AND "
               "pgstow_q.r = pgstow_e.pr)",
               cycle);
}

char *filter_with(const Filter *f, const size_t *tables, size_t count, bool *recursive)
{
    size_t n = f->relations->count;
    With w = {.f = f,
              .keys = mem_calloc(n + 1, sizeof *w.keys),
              .gone = mem_calloc(f->cycles + 1, sizeof *w.gone)};
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < n; i++)
            if (filter_is_leaf(&f->tables[i]) && filter_is_under(f, i, tables[k]))
                need_leaf(&w, i);
    for (size_t cycle = 0; cycle < f->cycles; cycle++)
        if (w.gone[cycle])
            add_gone(&w, cycle);
    for (size_t i = 0; i < n; i++)
        if (w.keys[i])
            add_keys(&w, i);
    free(w.keys);
    free(w.gone);
    if (recursive)
        *recursive = w.recursive;
    if (w.sql.len)
        buf_u8(&w.sql, '\n');
    return buf_steal_str(&w.sql);
}

/* -- rows as the backup has them -------------------------------------------------------------- */

char *filter_value(const FilterTable *t, size_t column)
{
    const RelationColumn *a = &t->relation->columns[column];
    if (t->masks && t->masks[column])
        return mem_printf("CAST((\n%s\n) AS %s)", t->masks[column], a->type);
    return text_sql_ident(a->name);
}

/* Values, the masked ones under the columns' names, so that generated ones can be computed. */
static void add_masked(Buf *b, const Filter *f, size_t i, const char *list)
{
    const FilterTable *t = &f->tables[i];
    AUTO(char) from = filter_from(t);
    AUTO(char) condition = filter_keep(f, i);
    buf_printf(b, "SELECT %s FROM (SELECT pgstow_m.*", list);
    for (size_t k = 0; k < t->relation->column_count; k++) {
        AUTO(char) name = text_sql_ident(t->relation->columns[k].name);
        if (t->generated && t->generated[k])
            buf_printf(b, ", (%s) AS %s", t->generated[k], name);
    }
    buf_add_str(b, " FROM (SELECT ");
    bool first = true;
    for (size_t k = 0; k < t->relation->column_count; k++) {
        if (t->relation->columns[k].generated)
            continue;
        AUTO(char) value = filter_value(t, k);
        AUTO(char) name = text_sql_ident(t->relation->columns[k].name);
        buf_printf(b, "%s%s AS %s", first ? "" : ", ", value, name);
        first = false;
    }
    buf_printf(b, " FROM %s%s%s) AS pgstow_m) AS pgstow_n", from, condition ? " WHERE " : "",
               condition ? condition : "");
}

char *filter_rows(const Filter *f, size_t table, const StrList *columns)
{
    AUTO(char) list = relation_sql_columns(columns);
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < f->relations->count; i++) {
        const FilterTable *t = &f->tables[i];
        if (!filter_is_leaf(t) || !filter_is_under(f, i, table))
            continue;
        if (b.len)
            buf_add_str(&b, " UNION ALL ");
        if (t->masks) {
            add_masked(&b, f, i, list);
            continue;
        }
        AUTO(char) from = filter_from(t);
        AUTO(char) condition = filter_keep(f, i);
        buf_printf(&b, "SELECT %s FROM %s%s%s", list, from, condition ? " WHERE " : "",
                   condition ? condition : "");
    }
    if (!b.len) { /* without partitions */
        AUTO(char) name = relation_sql_name(f->tables[table].relation);
        buf_printf(&b, "SELECT %s FROM %s", list, name);
    }
    return buf_steal_str(&b);
}
