#include "pg/merge_table.h"

#include <string.h>

#include "sql.h"

void merge_unique_clear(MergeUnique *u)
{
    free(u->name);
    free(u->predicate);
    strlist_free(&u->exprs);
    strlist_free(&u->operators);
    strlist_free(&u->columns);
    *u = (MergeUnique){0};
}

void merge_table_clear(MergeTable *t)
{
    for (size_t i = 0; i < t->unique_count; i++)
        merge_unique_clear(&t->uniques[i]);
    free(t->uniques);
    free(t->name);
    free(t->sql);
    free(t->condition);
    strlist_free(&t->columns);
    strlist_free(&t->extra_columns);
    strlist_free(&t->base_columns);
    free(t->full_for);
    strlist_free(&t->samples);
    *t = (MergeTable){0};
}

void merge_tables_clear(MergeTables *l)
{
    for (size_t i = 0; i < l->count; i++)
        merge_table_clear(&l->items[i]);
    free(l->items);
    *l = (MergeTables){0};
}

MergeTable *merge_tables_add(MergeTables *l, const Relation *target, const char *schema)
{
    mem_grow(l->items, l->count, l->cap);
    MergeTable *t = &l->items[l->count];
    *t = (MergeTable){
        .target = target,
        .name = mem_printf("%s.%s", target->schema, target->name),
        .sql = relation_sql_name(target),
        .only = target->kind == 'p' ? "" : "ONLY ",
        .condition = mem_strdup(""),
        .schema = schema,
        .number = l->count++,
    };
    return t;
}

MergeTable *merge_tables_find(const MergeTables *l, uint32_t oid)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].target->oid == oid)
            return &l->items[i];
    return NULL;
}

static MergeUnique *unique_of(MergeTable *t, const Rows *rows, size_t r)
{
    const char *name = rows_text(rows, r, 1);
    if (t->unique_count && !strcmp(t->uniques[t->unique_count - 1].name, name))
        return &t->uniques[t->unique_count - 1];
    mem_grow(t->uniques, t->unique_count, t->unique_cap);
    MergeUnique *u = &t->uniques[t->unique_count++];
    *u = (MergeUnique){
        .name = mem_strdup(name),
        .exclusion = rows_bool(rows, r, 2),
        .deferrable = rows_bool(rows, r, 3),
        .nulls_same = rows_bool(rows, r, 4),
        .plain = rows_bool(rows, r, 5),
        .predicate = mem_strdup(rows_text(rows, r, 6)),
    };
    return u;
}

Error *merge_tables_read_uniques(Conn *c, MergeTables *l)
{
    AUTO_VALUE(Buf) oids = {0};
    buf_u8(&oids, '{');
    for (size_t i = 0; i < l->count; i++)
        buf_printf(&oids, "%s%u", i ? "," : "", l->items[i].target->oid);
    buf_u8(&oids, '}');
    AUTO(char) text = buf_steal_str(&oids);
    const char *params[] = {text};
    AUTO(Rows) rows = NULL;
    TRY_CTX(conn_query(c, sql_merge_uniques, 1, params, &rows), "looking up unique indexes");
    MergeTable *t = NULL;
    for (size_t r = 0; r < rows_count(rows); r++) {
        uint32_t oid = rows_oid(rows, r, 0);
        if (!t || t->target->oid != oid)
            t = merge_tables_find(l, oid);
        MergeUnique *u = unique_of(t, rows, r);
        strlist_add(&u->exprs, rows_text(rows, r, 7));
        strlist_add(&u->operators, rows_text(rows, r, 8));
        if (!rows_null(rows, r, 9))
            strlist_add(&u->columns, rows_text(rows, r, 9));
    }
    return NULL;
}

const MergeUnique *merge_table_unique(const MergeTable *t, const char *name)
{
    for (size_t i = 0; i < t->unique_count; i++)
        if (!strcmp(t->uniques[i].name, name))
            return &t->uniques[i];
    return NULL;
}

bool merge_table_is_key(const MergeTable *t, const char *column)
{
    return t->key && strlist_has(&t->key->columns, column);
}

bool merge_table_assigns(const MergeTable *t, const char *column)
{
    return !merge_table_is_key(t, column) || relation_column(t->target, column)->identity != 'a';
}

/* Families within which every value on the left is one on the right. */
static bool widens(const char *from, const char *to)
{
    static const char *const wider[][2] = {
        {"int2", "int4"},    {"int2", "int8"},    {"int4", "int8"},     {"int2", "numeric"},
        {"int4", "numeric"}, {"int8", "numeric"}, {"float4", "float8"}, {"varchar", "text"},
        {"name", "text"},    {"json", "text"},    {"xml", "text"},      {"uuid", "text"},
        {"cidr", "inet"}};
    for (size_t i = 0; i < sizeof wider / sizeof *wider; i++)
        if (!strcmp(from, wider[i][0]) && !strcmp(to, wider[i][1]))
            return true;
    return false;
}

/* Types whose values are rounded, without a word, to what the parentheses behind them say. */
static bool rounds(const RelationColumn *c)
{
    static const char *const rounded[] = {"numeric",   "time",        "timetz",
                                          "timestamp", "timestamptz", "interval"};
    const char *base = c->base + (c->base[0] == '_');
    for (size_t i = 0; i < sizeof rounded / sizeof *rounded; i++)
        if (!strcmp(base, rounded[i]))
            return strchr(c->type, '(') != NULL;
    return false;
}

/* Whether `base` says which type it is, and not only of which kind. */
static bool names_type(const char *base)
{
    return *base && strcmp(base, "enum") != 0 && strcmp(base, "composite") != 0 &&
           strcmp(base, "range") != 0;
}

bool merge_type_fits(const RelationColumn *source, const RelationColumn *target)
{
    if (!strcmp(source->type, target->type))
        return true;
    if (rounds(target))
        return false;
    /* The same type with another length, or a domain over it: a value that does not fit is an error
     * when it is read, before anything is changed. */
    if (names_type(source->base) && !strcmp(source->base, target->base))
        return true;
    return widens(source->base, target->base);
}

MergeFit merge_column_fits(const Relation *source, const char *column, const Relation *target,
                           char **text)
{
    const RelationColumn *to = relation_column(target, column);
    const RelationColumn *from = source ? relation_column(source, column) : NULL;
    const char *schema = target->schema, *name = target->name;
    if (!to) {
        *text = mem_printf("%s.%s has no column %s", schema, name, column);
        return MERGE_FIT_NO_COLUMN;
    }
    if (to->generated) {
        *text =
            mem_printf("%s.%s.%s is generated there, and not in the backup", schema, name, column);
        return MERGE_FIT_GENERATED;
    }
    if (from && !merge_type_fits(from, to)) {
        *text = mem_printf("%s.%s.%s is %s there, and %s in the backup", schema, name, column,
                           to->type, from->type);
        return MERGE_FIT_TYPE;
    }
    return MERGE_FITS;
}
