/* Whether the rows that a merge has written are there. */
#include "pg/merge_sql.h"

static void written(Buf *b, const MergeTable *t, bool all)
{
    buf_printf(b, " FROM %s.s%zu AS s %s JOIN %s.d%zu AS d ON d.s = s.ctid LEFT JOIN ", t->schema,
               t->number, all ? "LEFT" : "", t->schema, t->number);
    merge_sql_target_rows(b, t, "t");
    buf_add_str(b, " ON ");
    merge_sql_key_matches(b, t, "s", NULL, "t");
    buf_add_str(b, " WHERE d.kept IS NOT TRUE");
}

static void wrong(Buf *b, const MergeTable *t)
{
    buf_add_str(b, "(t.ctid IS NULL OR ");
    merge_sql_row(b, "s", &t->columns);
    buf_add_str(b, MERGE_SQL_UNLIKE);
    merge_sql_row(b, "t", &t->columns);
    buf_u8(b, ')');
}

char *merge_sql_verify(const MergeTable *t, bool all)
{
    AUTO_VALUE(Buf) b = {0};
    buf_add_str(&b, "SELECT count(*), count(*) FILTER (WHERE ");
    wrong(&b, t);
    buf_u8(&b, ')');
    written(&b, t, all);
    return buf_steal_str(&b);
}

char *merge_sql_verify_shown(const MergeTable *t, bool all, unsigned limit)
{
    AUTO_VALUE(Buf) b = {0};
    buf_add_str(&b, "SELECT ");
    merge_sql_shown(&b, &t->key->columns, "s", NULL);
    written(&b, t, all);
    buf_add_str(&b, " AND ");
    wrong(&b, t);
    buf_printf(&b, " LIMIT %u", limit);
    return buf_steal_str(&b);
}

char *merge_sql_verify_deleted(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "SELECT count(*) FROM %s.d%zu AS d JOIN %s%s AS t ON ", t->schema, t->number,
               t->only, t->sql);
    merge_sql_at(&b, t, "t");
    buf_add_str(&b, " WHERE d.action = 'd' AND NOT d.kept");
    return buf_steal_str(&b);
}

char *merge_sql_verify_keyless(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    buf_add_str(&b, "SELECT count(*) FROM ");
    merge_sql_keyless_rows(&b, t, true);
    buf_add_str(&b, " FULL JOIN ");
    merge_sql_keyless_rows(&b, t, false);
    buf_add_str(&b, " ON s.r = t.r AND s.n = t.n WHERE s.ctid IS NULL OR t.ctid IS NULL");
    return buf_steal_str(&b);
}

char *merge_sql_verify_copy(const MergeTable *t, const StrList *columns, const char *encoding)
{
    AUTO_VALUE(Buf) b = {0};
    buf_add_str(&b, "COPY (SELECT ");
    merge_sql_columns(&b, "t", columns);
    buf_add_str(&b, " FROM ");
    merge_sql_target_rows(&b, t, "t");
    buf_add_str(&b, ") TO STDOUT WITH (FORMAT text");
    if (encoding) {
        AUTO(char) quoted = text_sql_literal(encoding);
        buf_printf(&b, ", ENCODING %s", quoted);
    }
    buf_u8(&b, ')');
    return buf_steal_str(&b);
}
