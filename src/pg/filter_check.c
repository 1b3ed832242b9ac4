/* What a filter must fulfil, asked of the server before anything is written. */
#include <inttypes.h>
#include <string.h>

#include "pg/filter_parts.h"
#include "pg/filter_spec.h"
#include "sql.h"

#define LISTED 10 /* problems told of a longer list */

typedef struct Check {
    Conn *c;
    const Filter *f;
    StrList problems;
    bool dangling, undefined, masked; /* of which kinds there are some, for the hint */
} Check;

static char *name_of(const Filter *f, size_t i)
{
    const Relation *r = f->tables[i].relation;
    return mem_printf("%s.%s", r->schema, r->name);
}

/* -- expressions ------------------------------------------------------------------------------ */

/* In a WHERE neither aggregates nor functions that give several rows are taken, so that a mask is
 * one value for one row. The extended protocol takes one statement only. */
static Error *explain(Conn *c, const char *sql, const char *option, const char *what)
{
    AUTO(Rows) rows = NULL;
    Error *e = conn_query(c, sql, 0, NULL, &rows);
    if (!e || conn_broken(c))
        return e;
    return error_hint(
        error_rekind(error_context(e, "%s %s", option, what), ERR_USAGE),
        "functions, types and tables outside of pg_catalog need their schema: public.digest(...)");
}

static Error *explain_expression(Conn *c, const FilterTable *t, const char *expression,
                                 const char *option, const char *what)
{
    AUTO(char) from = filter_from(t);
    AUTO(char) sql = mem_printf("EXPLAIN SELECT 1 FROM %s WHERE (\n%s\n)", from, expression);
    return explain(c, sql, option, what);
}

/* That what a stranger gave is one expression is proven by the server's own reading of it: what
 * closes a parenthesis of ours, or does not end, does not fit between these words. filter_spec
 * has looked already, but by another reader. */
static Error *prove_expression(Conn *c, const FilterTable *t, const char *given, const char *option,
                               const char *what)
{
    AUTO(char) from = filter_from(t);
    AUTO(char) sql = mem_printf("EXPLAIN SELECT CASE WHEN true THEN\n%s\nEND FROM %s", given, from);
    return explain(c, sql, option, what);
}

Error *filter_check_expressions(Conn *c, const Filter *f)
{
    for (size_t i = 0; i < f->relations->count; i++) {
        const FilterTable *t = &f->tables[i];
        AUTO(char) name = name_of(f, i);
        if (t->condition)
            TRY(explain_expression(c, t, t->condition, "--where", name));
        for (size_t k = 0; k < t->given.count; k++)
            TRY(prove_expression(c, t, t->given.items[k], "--where", name));
        for (size_t k = 0; t->masks && k < t->relation->column_count; k++) {
            if (!t->masks[k])
                continue;
            AUTO(char) value = filter_value(t, k);
            AUTO(char) test = mem_printf("%s IS NULL", value);
            AUTO(char) column = mem_printf("%s.%s", name, t->relation->columns[k].name);
            TRY(explain_expression(c, t, test, "--mask", column));
            TRY(prove_expression(c, t, t->masks[k], "--mask", column));
        }
    }
    return NULL;
}

/* The whole statements, as far as they go beyond what was looked at. */
static Error *explain_statements(Conn *c, const Filter *f)
{
    for (size_t i = 0; i < f->relations->count; i++) {
        AUTO(char) keep = filter_is_leaf(&f->tables[i]) ? filter_keep(f, i) : NULL;
        if (!keep || !f->tables[i].rows)
            continue;
        AUTO(char) from = filter_from(&f->tables[i]);
        AUTO(char) with = filter_with(f, &i, 1, NULL);
        AUTO(char) sql = mem_printf("EXPLAIN %sSELECT 1 FROM %s WHERE %s", with, from, keep);
        AUTO(char) name = name_of(f, i);
        AUTO(Rows) rows = NULL;
        TRY_CTX(conn_query(c, sql, 0, NULL, &rows), "the filter on %s", name);
    }
    return NULL;
}

/* -- foreign keys ----------------------------------------------------------------------------- */

static bool any_rows(const Filter *f, size_t table)
{
    for (size_t i = 0; i < f->relations->count; i++)
        if (f->tables[i].rows && filter_is_leaf(&f->tables[i]) && filter_is_under(f, i, table))
            return true;
    return false;
}

static bool any_partial(const Filter *f, size_t table)
{
    for (size_t i = 0; i < f->relations->count; i++)
        if (f->tables[i].partial && filter_is_under(f, i, table))
            return true;
    return false;
}

static bool any_change(const Filter *f, size_t table, const StrList *columns)
{
    for (size_t i = 0; i < f->relations->count; i++)
        for (size_t k = 0; f->tables[i].masks && k < columns->count; k++)
            if (filter_is_under(f, i, table) && filter_changes(&f->tables[i], columns->items[k]))
                return true;
    return false;
}

static Error *refuse_volatile(Check *k, size_t i, const char *expression, const char *what)
{
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(Buf) array = {0};
    AUTO(Rows) rows = NULL;
    filter_functions(expression, &names);
    for (size_t n = 0; n < names.count; n++) {
        AUTO(char) quoted = text_sql_ident(names.items[n]);
        buf_printf(&array, "%s%s", n ? "," : "", quoted);
    }
    AUTO(char) list = buf_steal_str(&array);
    AUTO(char) param = mem_printf("{%s}", list);
    const char *params[] = {param};
    if (!names.count)
        return NULL;
    TRY(conn_query(k->c, sql_filter_volatile, 1, params, &rows));
    if (!rows_count(rows))
        return NULL;
    AUTO(char) name = name_of(k->f, i);
    return error_hint(
        ERROR_NEW(ERR_USAGE,
                  "%s %s calls %s, which answers anew at every call: rows that foreign keys join "
                  "would no longer fit together",
                  what, name, rows_text(rows, 0, 0)),
        "take something that the row itself decides, such as a hash of its key");
}

/* Conditions on tables that others refer to, and masks of columns that refer or are referred to. */
static Error *check_volatile(Check *k)
{
    const Filter *f = k->f;
    for (size_t i = 0; i < f->relations->count; i++) {
        const FilterTable *t = &f->tables[i];
        bool referred = false;
        bool *joined = mem_calloc(t->relation->column_count + 1, sizeof *joined);
        for (size_t e = 0; (t->condition || t->masks) && e < f->edge_count; e++) {
            const FilterEdge *edge = &f->edges[e];
            bool target = filter_is_under(f, i, edge->target),
                 child = filter_is_under(f, i, edge->child);
            referred = referred || (target && any_rows(f, edge->child));
            for (size_t a = 0; a < t->relation->column_count; a++) {
                const char *column = t->relation->columns[a].name;
                joined[a] = joined[a] ||
                            (target && strlist_has(&edge->foreign->target_columns, column)) ||
                            (child && strlist_has(&edge->foreign->columns, column));
            }
        }
        Error *e = referred && t->condition
                       ? refuse_volatile(k, i, t->condition, "the condition on")
                       : NULL;
        for (size_t a = 0; !e && t->masks && a < t->relation->column_count; a++)
            if (joined[a] && t->masks[a])
                e = refuse_volatile(k, i, t->masks[a], "a mask in");
        free(joined);
        TRY(e);
    }
    return NULL;
}

static Error *count_rows(Check *k, const char *sql, const char *what, int64_t *count)
{
    AUTO(char) text = NULL;
    TRY_CTX(conn_value(k->c, sql, 0, NULL, &text), "%s", what);
    *count = text ? strtoll(text, NULL, 10) : 0;
    return NULL;
}

static Error *check_edge(Check *k, const FilterEdge *edge)
{
    const Filter *f = k->f;
    const StrList *columns = &edge->foreign->columns, *keys = &edge->foreign->target_columns;
    bool left_out = !edge->follows && any_partial(f, edge->target);
    bool changed = any_change(f, edge->child, columns) || any_change(f, edge->target, keys);
    if (!edge->foreign->validated || (!left_out && !changed) || !any_rows(f, edge->child))
        return NULL;
    if (edge->period) {
        AUTO(char) name = name_of(f, edge->child);
        strlist_own(&k->problems,
                    mem_printf("foreign key %s of %s is about periods, of which several rows may "
                               "be needed: what it refers to cannot be left out or masked",
                               edge->foreign->name, name));
        return NULL;
    }
    size_t both[] = {edge->child, edge->target};
    AUTO(char) with = filter_with(f, both, 2, NULL);
    AUTO(char) child = filter_rows(f, edge->child, columns);
    AUTO(char) target = filter_rows(f, edge->target, keys);
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "%sSELECT count(*) FROM (%s) AS pgstow_c WHERE ", with, child);
    for (size_t i = 0; i < columns->count; i++) {
        AUTO(char) name = text_sql_ident(columns->items[i]);
        buf_printf(&b, "pgstow_c.%s IS NOT NULL AND ", name);
    }
    buf_printf(&b, "NOT EXISTS (SELECT 1 FROM (%s) AS pgstow_p WHERE ", target);
    filter_match(&b, edge, "pgstow_p", "pgstow_c");
    buf_u8(&b, ')');
    AUTO(char) sql = buf_steal_str(&b);
    AUTO(char) from = name_of(f, edge->child);
    AUTO(char) to = name_of(f, edge->target);
    int64_t count;
    TRY(count_rows(k, sql, edge->foreign->name, &count));
    if (!count)
        return NULL;
    *(left_out ? &k->dangling : &k->masked) = true;
    strlist_own(&k->problems,
                mem_printf("%" PRId64 " %s of %s would refer to %s of %s (foreign key %s)", count,
                           count == 1 ? "row" : "rows", from,
                           left_out ? "rows that are left out" : "masked values that are not those",
                           to, edge->foreign->name));
    return NULL;
}

static Error *check_edges(Check *k, bool schemas_chosen, StrList *warnings)
{
    const Filter *f = k->f;
    for (size_t e = 0; e < f->edge_count; e++) {
        const FilterEdge *edge = &f->edges[e];
        const FilterTable *child = &f->tables[edge->child], *target = &f->tables[edge->target];
        if (!child->defined)
            continue;
        if (target->defined || target->relation->extension) {
            TRY(check_edge(k, edge));
            continue;
        }
        AUTO(char) from = name_of(f, edge->child);
        AUTO(char) to = name_of(f, edge->target);
        k->undefined = k->undefined || !schemas_chosen;
        strlist_own(schemas_chosen ? warnings : &k->problems,
                    mem_printf("foreign key %s of %s refers to %s, which is left out altogether: "
                               "no restore could make it",
                               edge->foreign->name, from, to));
    }
    return NULL;
}

/* -- masked values ---------------------------------------------------------------------------- */

/* That none is NULL where it may not be, and that all can be computed and are of the column's type.
 */
static Error *check_values(Check *k, size_t i)
{
    const FilterTable *t = &k->f->tables[i];
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) with = filter_with(k->f, &i, 1, NULL);
    AUTO(char) from = filter_from(t);
    AUTO(char) keep = filter_keep(k->f, i);
    AUTO(char) name = name_of(k->f, i);
    AUTO(Rows) rows = NULL;
    buf_printf(&b, "%sSELECT 0", with);
    for (size_t a = 0; a < t->relation->column_count; a++) {
        AUTO(char) value = t->masks[a] ? filter_value(t, a) : NULL;
        if (value)
            buf_printf(&b, ", count(*) - count(%s)", value);
    }
    buf_printf(&b, " FROM %s%s%s", from, keep ? " WHERE " : "", keep ? keep : "");
    AUTO(char) sql = buf_steal_str(&b);
    TRY_CTX(conn_query(k->c, sql, 0, NULL, &rows), "masking %s", name);
    for (size_t a = 0, at = 1; a < t->relation->column_count; a++) {
        if (!t->masks[a])
            continue;
        int64_t nulls = rows_int(rows, 0, at++);
        if (!nulls || !t->relation->columns[a].not_null)
            continue;
        k->masked = true;
        strlist_own(&k->problems, mem_printf("the mask of %s.%s gives NULL for %" PRId64
                                             " rows, and the column is NOT NULL",
                                             name, t->relation->columns[a].name, nulls));
    }
    return NULL;
}

/* A rule's statement: how many groups or rows break it. */
static char *rule_sql(const Filter *f, size_t i, const Rows *rules, size_t r)
{
    AUTO_VALUE(StrList) columns = {0};
    const Relation *relation = f->tables[i].relation;
    for (size_t a = 0; a < relation->column_count; a++)
        strlist_add(&columns, relation->columns[a].name);
    AUTO(char) with = filter_with(f, &i, 1, NULL);
    AUTO(char) rows = filter_rows(f, i, &columns);
    const char *what = rows_text(rules, r, 2), *filled = rows_text(rules, r, 3),
               *where = rows_text(rules, r, 4);
    if (strcmp(rows_text(rules, r, 0), "unique") != 0)
        return mem_printf("%sSELECT count(*) FROM (%s) AS pgstow_r WHERE NOT (%s)", with, rows,
                          what);
    return mem_printf("%sSELECT count(*) FROM (SELECT 1 FROM (%s) AS pgstow_r WHERE (%s) AND (%s) "
                      "GROUP BY %s HAVING count(*) > 1) AS pgstow_d",
                      with, rows, filled ? filled : "true", where ? where : "true", what);
}

/* Unique indexes, CHECK constraints, bounds of partitions: of one table, above whose masked rows it
 * may stand. */
static Error *check_rules(Check *k, size_t i)
{
    const Filter *f = k->f;
    const Relation *r = f->tables[i].relation;
    AUTO_VALUE(Buf) numbers = {0};
    for (size_t a = 0; a < r->column_count; a++) {
        AUTO_VALUE(StrList) one = {0};
        strlist_add(&one, r->columns[a].name);
        if (any_change(f, i, &one))
            buf_printf(&numbers, "%s%d", numbers.len ? "," : "", r->columns[a].number);
    }
    AUTO(char) list = buf_steal_str(&numbers);
    AUTO(char) array = mem_printf("{%s}", list);
    AUTO(char) oid = mem_printf("%u", r->oid);
    const char *params[] = {oid, array};
    AUTO(Rows) rules = NULL;
    AUTO(char) name = name_of(f, i);
    TRY(conn_query(k->c, sql_filter_rules, 2, params, &rules));
    for (size_t n = 0; n < rows_count(rules); n++) {
        const char *kind = rows_text(rules, n, 0), *rule = rows_text(rules, n, 1);
        bool unique = !strcmp(kind, "unique");
        int64_t count;
        if (!unique && r->kind != 'r')
            continue; /* the partitions have it too */
        AUTO(char) sql = rule_sql(f, i, rules, n);
        AUTO(char) what = mem_printf("masking %s: %s %s", name, kind, rule);
        TRY(count_rows(k, sql, what, &count));
        if (!count)
            continue;
        k->masked = true;
        strlist_own(&k->problems,
                    unique
                        ? mem_printf("masked, %" PRId64 " values of %s are there more than "
                                     "once, against its unique index %s",
                                     count, name, rule)
                        : mem_printf("masked, %" PRId64 " rows of %s break its %s%s", count, name,
                                     *rule ? "constraint " : "bounds as a partition", rule));
    }
    return NULL;
}

static Error *check_masks(Check *k)
{
    const Filter *f = k->f;
    bool *looked = mem_calloc(f->relations->count + 1, sizeof *looked);
    Error *e = NULL;
    for (size_t i = 0; !e && i < f->relations->count; i++) {
        if (!f->tables[i].masks)
            continue;
        e = check_values(k, i);
        for (size_t at = i; !e && at != FILTER_NONE && !looked[at]; at = f->tables[at].above) {
            looked[at] = true;
            e = check_rules(k, at);
        }
    }
    free(looked);
    return e;
}

/* -- all of it -------------------------------------------------------------------------------- */

static Error *refusal(const Check *k)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < k->problems.count && i < LISTED; i++)
        buf_printf(&b, "%s%s", i ? "; " : "", k->problems.items[i]);
    if (k->problems.count > LISTED)
        buf_printf(&b, "; and %zu more", k->problems.count - LISTED);
    AUTO(char) text = buf_steal_str(&b);
    Error *e = ERROR_NEW(ERR_PREFLIGHT, "what is left would not fit together: %s", text);
    if (k->dangling)
        return error_hint(e, "--cascade leaves out the rows that refer to them too");
    if (k->undefined)
        return error_hint(e, "--exclude-table-data keeps the definition of a table; or leave out "
                             "those that refer to it too");
    return error_hint(e,
                      "a mask must give what the column may hold: other values for other rows "
                      "where it is unique (md5 of the old one, say), the same on both sides of a "
                      "foreign key");
}

Error *filter_check(Conn *c, Filter *f, bool schemas_chosen, StrList *warnings)
{
    Check k = {.c = c, .f = f};
    Error *e = check_volatile(&k);
    if (!e)
        e = explain_statements(c, f);
    if (!e)
        e = check_masks(&k);
    if (!e)
        e = check_edges(&k, schemas_chosen, warnings);
    if (!e && k.problems.count)
        e = refusal(&k);
    strlist_free(&k.problems);
    return e;
}
