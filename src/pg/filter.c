#include "pg/filter_parts.h"

#include <ctype.h>
#include <string.h>

#include "pg/filter_spec.h"
#include "sql.h"

#define PG_CLASS 1259 /* the OID of pg_class itself, which never changes */

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
}

void filter_free(Filter *f)
{
    for (size_t i = 0; f->tables && i < f->relations->count; i++) {
        FilterTable *t = &f->tables[i];
        free(t->as);
        free(t->condition);
        strlist_free(&t->given);
        free_texts(t->masks, t->relation->column_count);
        free_texts(t->generated, t->relation->column_count);
    }
    for (size_t e = 0; e < f->edge_count; e++)
        strlist_free(&f->edges[e].operators);
    free(f->tables);
    free(f->edges);
    strlist_free(&f->masked);
    free(f);
}

bool filter_is_under(const Filter *f, size_t i, size_t j)
{
    while (i != FILTER_NONE && i != j)
        i = f->tables[i].above;
    return i == j;
}

bool filter_changes(const FilterTable *t, const char *column)
{
    for (size_t k = 0; t->masks && k < t->relation->column_count; k++)
        if (!strcmp(t->relation->columns[k].name, column))
            return t->masks[k] || t->generated[k];
    return false;
}

void filter_masked(const Filter *f, StrList *out)
{
    strlist_copy(out, &f->masked);
}

/* -- the tables, and the foreign keys between them -------------------------------------------- */

static size_t place(const Filter *f, uint32_t oid)
{
    const Relation *r = relation_find_oid(f->relations, oid);
    return r ? (size_t)(r - f->relations->items) : FILTER_NONE;
}

static Error *read_tables(Conn *c, Filter *f, const Toc *toc)
{
    AUTO(Rows) partitions = NULL;
    f->tables = mem_calloc(f->relations->count + 1, sizeof *f->tables);
    for (size_t i = 0; i < f->relations->count; i++)
        f->tables[i] = (FilterTable){.relation = &f->relations->items[i],
                                     .above = FILTER_NONE,
                                     .unit = i,
                                     .cycle = FILTER_NONE};
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        bool rows = toc_is_table_data(e), defined = toc_is(e, "TABLE") && e->table_oid == PG_CLASS;
        size_t at = rows || defined ? place(f, e->oid) : FILTER_NONE;
        if (at == FILTER_NONE)
            continue;
        f->tables[at].rows |= rows;
        f->tables[at].defined |= defined || rows; /* a backup of rows alone defines nothing */
    }
    TRY(conn_query(c, sql_filter_partitions, 0, NULL, &partitions));
    for (size_t r = 0; r < rows_count(partitions); r++) {
        size_t at = place(f, rows_oid(partitions, r, 0));
        if (at != FILTER_NONE)
            f->tables[at].above = place(f, rows_oid(partitions, r, 1));
    }
    for (size_t i = 0; i < f->relations->count; i++)
        for (size_t at = i; at != FILTER_NONE; at = f->tables[at].above)
            f->tables[i].unit = at;
    return NULL;
}

/* Operators come sorted as the relations' foreign keys are: by table, then by name. */
static Error *read_edges(Conn *c, Filter *f)
{
    AUTO(Rows) operators = NULL;
    TRY(conn_query(c, sql_filter_operators, 0, NULL, &operators));
    for (size_t i = 0; i < f->relations->count; i++) {
        const Relation *r = &f->relations->items[i];
        for (size_t k = 0; k < r->foreign_count; k++) {
            size_t target = place(f, r->foreigns[k].target);
            if (target == FILTER_NONE)
                continue;
            mem_grow(f->edges, f->edge_count, f->edge_cap);
            f->edges[f->edge_count++] =
                (FilterEdge){.child = i, .target = target, .foreign = &r->foreigns[k]};
        }
    }
    for (size_t e = 0; e < f->edge_count; e++) {
        FilterEdge *edge = &f->edges[e];
        uint32_t oid = f->tables[edge->child].relation->oid;
        size_t low = 0, high = rows_count(operators);
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            uint32_t other = rows_oid(operators, middle, 0);
            if (other < oid ||
                (other == oid && strcmp(rows_text(operators, middle, 1), edge->foreign->name) < 0))
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < rows_count(operators) && rows_oid(operators, low, 0) == oid &&
               !strcmp(rows_text(operators, low, 1), edge->foreign->name);
             low++) {
            {
                strlist_add(&edge->operators, rows_text(operators, low, 2));
                edge->period = rows_bool(operators, low, 3);
            }
            edge->period = rows_bool(operators, low, 3);
        }
        if (edge->operators.count != edge->foreign->columns.count)
            FAIL(ERR_DB_CHANGED, "foreign key %s changed while it was looked at",
                 edge->foreign->name);
    }
    return NULL;
}

/* -- what was asked for ----------------------------------------------------------------------- */

static char *folded(const char *name)
{
    char *text = mem_strdup(name);
    for (char *c = text; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

static Error *no_table(const Filter *f, const FilterSpec *s, const char *name)
{
    AUTO_VALUE(StrList) names = {0};
    bool qualified = strchr(name, '.');
    for (size_t i = 0; i < f->relations->count; i++) {
        const Relation *r = &f->relations->items[i];
        strlist_own(&names,
                    qualified ? mem_printf("%s.%s", r->schema, r->name) : mem_strdup(r->name));
    }
    const char *near = text_nearest(name, (const char *const *)names.items, names.count);
    Error *e = ERROR_NEW(ERR_USAGE, "%s: there is no table %s", s->option, name);
    return near ? error_hint(e, "near to it: %s", near)
                : error_hint(e, "write schema.table, as \\dt in psql shows them");
}

/* The table that the first `parts` parts of the name mean: as they are written, else in lower case.
 */
static Error *find_table(const Filter *f, const FilterSpec *s, size_t parts, size_t *at)
{
    const RelationList *l = f->relations;
    AUTO(char)
    name = parts == 2 ? mem_printf("%s.%s", s->name.items[0], s->name.items[1])
                      : mem_strdup(s->name.items[0]);
    const Relation *found = NULL, *other = NULL;
    for (int round = 0; round < 2 && !found; round++) {
        AUTO(char)
        last = round ? folded(s->name.items[parts - 1]) : mem_strdup(s->name.items[parts - 1]);
        AUTO(char) schema = round ? folded(s->name.items[0]) : mem_strdup(s->name.items[0]);
        if (parts == 2)
            found = relation_find(l, schema, last);
        for (size_t i = 0; parts == 1 && i < l->count; i++)
            if (!strcmp(l->items[i].name, last)) {
                other = found ? found : other;
                found = &l->items[i];
            }
    }
    if (!found)
        return no_table(f, s, name);
    if (other)
        return error_hint(ERROR_NEW(ERR_USAGE, "%s: %s could be %s.%s or %s.%s", s->option, name,
                                    other->schema, other->name, found->schema, found->name),
                          "write the schema too");
    if (found->kind == 'f')
        FAIL(ERR_USAGE, "%s: %s is a foreign table, whose rows are not backed up", s->option, name);
    *at = (size_t)(found - l->items);
    return NULL;
}

/* Hands each leaf under a table that has rows to `put`. */
typedef Error *(*PutLeaf)(const FilterSpec *s, FilterTable *t, const char *column);

static Error *put_leaves(Filter *f, const FilterSpec *s, size_t at, const char *column, PutLeaf put)
{
    const Relation *r = f->tables[at].relation;
    bool any = false;
    for (size_t i = 0; i < f->relations->count; i++) {
        FilterTable *t = &f->tables[i];
        if (!filter_is_leaf(t) || !t->rows || !filter_is_under(f, i, at))
            continue;
        any = true;
        TRY(put(s, t, column));
        if (i != at && !t->as)
            t->as = text_sql_ident(r->name);
    }
    if (!any)
        FAIL(ERR_USAGE, "%s: this backup has no rows of %s.%s that could be chosen from", s->option,
             r->schema, r->name);
    return NULL;
}

static Error *put_condition(const FilterSpec *s, FilterTable *t, const char *column)
{
    (void)column;
    char *both =
        t->condition ? mem_printf("%s\n) AND (\n%s", t->condition, s->text) : mem_strdup(s->text);
    free(t->condition);
    t->condition = both;
    strlist_add(&t->given, s->text);
    return NULL;
}

static Error *put_mask(const FilterSpec *s, FilterTable *t, const char *column)
{
    const Relation *r = t->relation;
    if (!t->masks) {
        t->masks = mem_calloc(r->column_count + 1, sizeof *t->masks);
        t->generated = mem_calloc(r->column_count + 1, sizeof *t->generated);
    }
    for (size_t k = 0; k < r->column_count; k++) {
        if (strcmp(r->columns[k].name, column))
            continue;
        if (t->masks[k])
            FAIL(ERR_USAGE, "%s: column %s of %s.%s is masked twice", s->option, column, r->schema,
                 r->name);
        t->masks[k] = mem_strdup(s->text);
    }
    return NULL;
}

static Error *find_column(const FilterSpec *s, const Relation *r, const char **name)
{
    const char *given = s->name.items[s->name.count - 1];
    AUTO(char) lower = folded(given);
    const RelationColumn *a = relation_column(r, given);
    if (!a)
        a = relation_column(r, lower);
    if (a && a->generated)
        return error_hint(ERROR_NEW(ERR_USAGE,
                                    "%s: %s.%s.%s is a generated column: a restore computes it "
                                    "anew",
                                    s->option, r->schema, r->name, a->name),
                          "mask the columns that it is computed from");
    if (a) {
        *name = a->name;
        return NULL;
    }
    AUTO_VALUE(StrList) names = {0};
    for (size_t k = 0; k < r->column_count; k++)
        strlist_add(&names, r->columns[k].name);
    const char *near = text_nearest(given, (const char *const *)names.items, names.count);
    Error *e = ERROR_NEW(ERR_USAGE, "%s: table %s.%s has no column %s", s->option, r->schema,
                         r->name, given);
    return near ? error_hint(e, "near to it: %s", near) : e;
}

static Error *take_where(Filter *f, const char *given, const char *now)
{
    AUTO_VALUE(FilterSpec) s = {0};
    size_t at;
    TRY(filter_spec_parse("--where", given, 1, 2, &s));
    TRY(find_table(f, &s, s.name.count, &at));
    char *fixed = filter_fix_time(s.text, now);
    free(s.text);
    s.text = fixed;
    return put_leaves(f, &s, at, NULL, put_condition);
}

static Error *take_mask(Filter *f, const char *given, const char *now)
{
    AUTO_VALUE(FilterSpec) s = {0};
    const char *column = NULL;
    size_t at;
    TRY(filter_spec_parse("--mask", given, 2, 3, &s));
    TRY(find_table(f, &s, s.name.count - 1, &at));
    const Relation *r = f->tables[at].relation;
    TRY(find_column(&s, r, &column));
    char *fixed = filter_fix_time(s.text, now);
    free(s.text);
    s.text = fixed;
    strlist_own(&f->masked, mem_printf("%s.%s.%s", r->schema, r->name, column));
    return put_leaves(f, &s, at, column, put_mask);
}

static Error *read_generated(Conn *c, FilterTable *t)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) oid = mem_printf("%u", t->relation->oid);
    const char *params[] = {oid};
    TRY(conn_query(c, sql_filter_generated, 1, params, &rows));
    for (size_t r = 0; r < rows_count(rows); r++)
        for (size_t k = 0; k < t->relation->column_count; k++)
            if (t->relation->columns[k].number == rows_int(rows, r, 0))
                t->generated[k] = mem_strdup(rows_text(rows, r, 1));
    return NULL;
}

static Error *take_all(Conn *c, Filter *f, const FilterOptions *o)
{
    AUTO(char) now = NULL;
    TRY(conn_value(c, "SELECT pg_catalog.now()", 0, NULL, &now));
    for (size_t i = 0; i < o->where->count; i++)
        TRY(take_where(f, o->where->items[i], now));
    for (size_t i = 0; i < o->masks->count; i++)
        TRY(take_mask(f, o->masks->items[i], now));
    for (size_t i = 0; i < f->relations->count; i++)
        if (f->tables[i].masks)
            TRY(read_generated(c, &f->tables[i]));
    return NULL;
}

static bool masks_column(const FilterTable *t, const char *column)
{
    for (size_t k = 0; t->masks && k < t->relation->column_count; k++)
        if (t->masks[k] && !strcmp(t->relation->columns[k].name, column))
            return true;
    return false;
}

/* SELECT from a table shows the rows of those that inherit from it too; a mask means itself alone.
 */
static Error *warn_inheriting(Conn *c, const Filter *f, StrList *warnings)
{
    AUTO(Rows) rows = NULL;
    if (!f->masked.count)
        return NULL;
    TRY(conn_query(c, sql_filter_inheriting, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        size_t child = place(f, rows_oid(rows, i, 0)), parent = place(f, rows_oid(rows, i, 1));
        const char *column = rows_text(rows, i, 2);
        if (child == FILTER_NONE || parent == FILTER_NONE || !f->tables[child].rows ||
            !masks_column(&f->tables[parent], column) || masks_column(&f->tables[child], column))
            continue;
        const Relation *r = f->tables[child].relation, *from = f->tables[parent].relation;
        strlist_own(warnings, mem_printf("column %s of %s.%s is not masked: it inherits from "
                                         "%s.%s, whose mask means that table alone",
                                         column, r->schema, r->name, from->schema, from->name));
    }
    return NULL;
}

Error *filter_make(Conn *c, const RelationList *relations, const Toc *toc, const FilterOptions *o,
                   StrList *warnings, Filter **out)
{
    AUTO(Filter) f = mem_new(Filter);
    f->relations = relations;
    f->cascade = o->cascade;
    TRY(read_tables(c, f, toc));
    TRY(read_edges(c, f));
    TRY(take_all(c, f, o));
    TRY(filter_check_expressions(c, f));
    filter_spread(f);
    TRY(filter_check(c, f, o->schemas_chosen, warnings));
    TRY(warn_inheriting(c, f, warnings));
    *out = STEAL(f);
    return NULL;
}

/* -- the statements --------------------------------------------------------------------------- */

/* What was written in UTF-8, in the encoding of the connection. */
static Error *encoded(Conn *c, char *text, char **out)
{
    AUTO(char) own = text;
    return conn_encoded(c, own, out);
}

static Error *apply_one(const Filter *f, Conn *c, size_t i, Source *s)
{
    const FilterTable *t = &f->tables[i];
    bool recursive = false;
    char *keep = filter_keep(f, i);
    if (!keep && !t->masks)
        return NULL;
    if (keep)
        TRY(encoded(c, keep, &s->where));
    TRY(encoded(c, filter_with(f, &i, 1, &recursive), &s->with));
    if (t->as)
        TRY(encoded(c, mem_strdup(t->as), &s->as));
    if (t->masks) {
        AUTO_VALUE(Buf) values = {0};
        for (size_t k = 0; k < t->relation->column_count; k++) {
            if (t->relation->columns[k].generated)
                continue;
            AUTO(char) value = filter_value(t, k);
            buf_printf(&values, "%s%s", values.len ? ", " : "", value);
        }
        TRY(encoded(c, buf_steal_str(&values), &s->values));
    }
    /* Each piece would go the whole cycle round again. */
    s->splittable = s->splittable && !recursive;
    return NULL;
}

Error *filter_apply(const Filter *f, Conn *c, SourceList *sources)
{
    for (size_t k = 0; k < sources->count; k++) {
        size_t i = place(f, sources->items[k].oid);
        if (i != FILTER_NONE)
            TRY(apply_one(f, c, i, &sources->items[k]));
    }
    return NULL;
}
