/* Unique values that a row is to get while another one has them. */
#include "pg/merge_sql.h"

bool merge_sql_can_compare(const MergeTable *t, const MergeUnique *u)
{
    if (u->exclusion)
        return false;
    for (size_t i = 0; i < u->columns.count; i++)
        if (!strlist_has(&t->columns, u->columns.items[i]))
            return false;
    return true;
}

static void values(Buf *b, const MergeUnique *u)
{
    for (size_t i = 0; i < u->exprs.count; i++)
        buf_printf(b, ", (%s) AS u%zu", u->exprs.items[i], i);
}

char *merge_sql_taken(const MergeTable *t, const MergeUnique *u)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(Buf) where = {0};
    if (u->predicate)
        buf_printf(&where, " WHERE (%s)", u->predicate);
    buf_u8(&where, 0);
    const char *only_some = (const char *)where.data;
    buf_printf(
        &b,
        "DROP TABLE IF EXISTS %s.q%zu; CREATE TABLE %s.q%zu AS SELECT d.ctid AS d, "
        "d.action, v.o, v.t, x.ctid AS x, x.action AS xaction FROM %s.d%zu AS d JOIN (SELECT "
        "ctid AS c",
        t->schema, t->number, t->schema, t->number, t->schema, t->number);
    values(&b, u);
    buf_printf(&b, " FROM %s.s%zu%s) AS n ON n.c = d.s JOIN (SELECT tableoid AS o, ctid AS t",
               t->schema, t->number, only_some);
    values(&b, u);
    buf_printf(&b, " FROM %s%s%s) AS v ON ", t->only, t->sql, only_some);
    for (size_t i = 0; i < u->exprs.count; i++) {
        buf_add_str(&b, i ? " AND " : "");
        if (u->nulls_same)
            buf_printf(&b, "(v.u%zu IS NULL AND n.u%zu IS NULL OR v.u%zu %s n.u%zu)", i, i, i,
                       u->operators.items[i], i);
        else
            buf_printf(&b, "v.u%zu %s n.u%zu", i, u->operators.items[i], i);
    }
    buf_printf(&b,
               " LEFT JOIN %s.d%zu AS x ON x.t = v.t AND x.o = v.o AND NOT x.kept WHERE NOT d.kept "
               "AND (d.action = 'i' OR d.action = 'u' AND d.uq) AND (d.t, d.o) IS DISTINCT FROM "
               "(v.t, v.o) AND (x.ctid IS NULL OR x.action = 'u' AND d.action = 'u')",
               t->schema, t->number);
    return buf_steal_str(&b);
}

char *merge_sql_taken_rewrite(const MergeTable *t)
{
    return mem_printf(
        "UPDATE %s.d%zu AS d SET rewrite = true FROM (SELECT d AS c FROM %s.q%zu WHERE "
        "x IS NOT NULL UNION SELECT x FROM %s.q%zu WHERE x IS NOT NULL) AS q WHERE "
        "d.ctid = q.c AND NOT d.rewrite",
        t->schema, t->number, t->schema, t->number, t->schema, t->number);
}

/* Whether the source has a row of the key of the target's row v. */
static void own_row(Buf *b, const MergeTable *t)
{
    buf_printf(b, "EXISTS (SELECT FROM %s.s%zu AS s WHERE ", t->schema, t->number);
    for (size_t i = 0; i < t->key->columns.count; i++) {
        AUTO(char) name = text_sql_ident(t->key->columns.items[i]);
        buf_printf(b, "%ss.%s %s v.%s", i ? " AND " : "", name, t->key->operators.items[i], name);
    }
    buf_u8(b, ')');
}

static void others(Buf *b, const MergeTable *t)
{
    buf_printf(
        b,
        " FROM %s.q%zu AS q JOIN %s%s AS v ON v.ctid = q.t AND v.tableoid = q.o WHERE q.x IS "
        "NULL",
        t->schema, t->number, t->only, t->sql);
}

char *merge_sql_taken_count(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    buf_add_str(&b, "SELECT count(*), count(*) FILTER (WHERE ");
    if (t->key)
        own_row(&b, t);
    else
        buf_add_str(&b, "true");
    buf_u8(&b, ')');
    others(&b, t);
    return buf_steal_str(&b);
}

static void pairs(Buf *b, const char *alias, const StrList *columns)
{
    buf_add_str(b, "concat_ws(', '");
    for (size_t i = 0; i < columns->count; i++) {
        AUTO(char) name = text_sql_ident(columns->items[i]);
        AUTO(char) label = mem_printf("%s=", columns->items[i]);
        AUTO(char) quoted = text_sql_literal(label);
        buf_printf(b, ", %s || COALESCE(%s.%s::pg_catalog.text, 'NULL')", quoted, alias, name);
    }
    buf_u8(b, ')');
}

char *merge_sql_taken_shown(const MergeTable *t, const MergeUnique *u, unsigned limit)
{
    AUTO_VALUE(Buf) b = {0};
    const StrList *key = t->key ? &t->key->columns : &u->columns;
    buf_add_str(&b, "SELECT ");
    pairs(&b, "s", key);
    buf_add_str(&b, ", ");
    pairs(&b, "v", key);
    buf_add_str(&b, ", ");
    pairs(&b, "v", &u->columns);
    buf_printf(&b,
               " FROM %s.q%zu AS q JOIN %s.d%zu AS d ON d.ctid = q.d JOIN %s.s%zu AS s ON s.ctid = "
               "d.s JOIN %s%s AS v ON v.ctid = q.t AND v.tableoid = q.o WHERE q.x IS NULL LIMIT %u",
               t->schema, t->number, t->schema, t->number, t->schema, t->number, t->only, t->sql,
               limit);
    return buf_steal_str(&b);
}

char *merge_sql_taken_replace(const MergeTable *t)
{
    return mem_printf(
        "INSERT INTO %s.d%zu (action, s, o, t, conflict, kept, uq, rewrite, note) "
        "SELECT DISTINCT 'd'::pg_catalog.\"char\", NULL::pg_catalog.tid, q.o, q.t, "
        "false, false, false, false, 'r'::pg_catalog.\"char\" FROM %s.q%zu AS q WHERE "
        "q.x IS NULL",
        t->schema, t->number, t->schema, t->number);
}

char *merge_sql_taken_skip(const MergeTable *t)
{
    return mem_printf(
        "UPDATE %s.d%zu AS d SET kept = true, rewrite = false, note = 's' FROM %s.q%zu "
        "AS q WHERE d.ctid = q.d AND q.x IS NULL AND NOT d.kept",
        t->schema, t->number, t->schema, t->number);
}

char *merge_sql_rewrite_all(const MergeTable *t)
{
    return mem_printf("UPDATE %s.d%zu SET rewrite = true WHERE action = 'u' AND NOT kept",
                      t->schema, t->number);
}
