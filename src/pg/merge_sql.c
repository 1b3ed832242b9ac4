#include "pg/merge_sql.h"

#include <string.h>

static void ident(Buf *b, const char *name)
{
    AUTO(char) quoted = text_sql_ident(name);
    buf_add_str(b, quoted);
}

static void column(Buf *b, const char *alias, const char *name)
{
    if (alias)
        buf_printf(b, "%s.", alias);
    ident(b, name);
}

void merge_sql_columns(Buf *b, const char *alias, const StrList *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (i)
            buf_add_str(b, ", ");
        column(b, alias, columns->items[i]);
    }
}

void merge_sql_row(Buf *b, const char *alias, const StrList *columns)
{
    buf_add_str(b, "ROW(");
    merge_sql_columns(b, alias, columns);
    buf_add_str(b, ")::pg_catalog.record");
}

void merge_sql_at(Buf *b, const MergeTable *t, const char *alias)
{
    buf_printf(b, "%s.ctid = d.t", alias);
    if (!*t->only) /* in a partitioned table several rows have one ctid */
        buf_printf(b, " AND %s.tableoid = d.o", alias);
}

/* -- scratch tables -------------------------------------------------------------------------- */

char merge_sql_letter(MergeInto which)
{
    return which == MERGE_INTO_BASE ? 'b' : which == MERGE_INTO_ADDED ? 'a' : 's';
}

char *merge_sql_stage(const MergeTable *t, MergeInto which, bool unlogged)
{
    bool base = which == MERGE_INTO_BASE;
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(StrList) all = {0};
    strlist_copy(&all, base ? &t->base_columns : &t->columns);
    if (!base)
        strlist_copy(&all, &t->extra_columns);
    const StrList *columns = &all;
    buf_printf(&b, "CREATE%s TABLE %s.%c%zu WITH (autovacuum_enabled = off) AS SELECT ",
               unlogged ? " UNLOGGED" : "", t->schema, merge_sql_letter(which), t->number);
    for (size_t i = 0; i < columns->count; i++) {
        const char *name = columns->items[i];
        bool there = relation_column(t->target, name) != NULL;
        buf_add_str(&b, i ? ", " : "");
        if (there) {
            column(&b, "t", name);
        } else {
            buf_add_str(&b, "NULL::pg_catalog.text AS ");
            ident(&b, name);
        }
    }
    buf_printf(&b, " FROM %s%s AS t WITH NO DATA", t->only, t->sql);
    return buf_steal_str(&b);
}

char *merge_sql_copy(const MergeTable *t, MergeInto into, const StrList *columns,
                     const char *encoding)
{
    AUTO_VALUE(Buf) b = {0};
    if (into == MERGE_INTO_TARGET)
        buf_printf(&b, "COPY %s", t->sql);
    else
        buf_printf(&b, "COPY %s.%c%zu", t->schema, merge_sql_letter(into), t->number);
    if (columns->count) {
        buf_add_str(&b, " (");
        merge_sql_columns(&b, NULL, columns);
        buf_u8(&b, ')');
    }
    buf_add_str(&b, " FROM STDIN WITH (FORMAT text");
    if (encoding) {
        AUTO(char) quoted = text_sql_literal(encoding);
        buf_printf(&b, ", ENCODING %s", quoted);
    }
    buf_add_str(&b, ")");
    return buf_steal_str(&b);
}

char *merge_sql_key_nulls(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "SELECT (SELECT count(*) FROM %s.s%zu AS s WHERE ", t->schema, t->number);
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < t->key->columns.count; i++) {
            buf_add_str(&b, i ? " OR " : "");
            column(&b, side ? "t" : "s", t->key->columns.items[i]);
            buf_add_str(&b, " IS NULL");
        }
        if (!side)
            buf_printf(&b, ") + (SELECT count(*) FROM %s%s AS t WHERE ", t->only, t->sql);
    }
    buf_u8(&b, ')');
    return buf_steal_str(&b);
}

char *merge_sql_key_twice(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "SELECT count(*) FROM (SELECT FROM %s.s%zu AS s GROUP BY ", t->schema,
               t->number);
    merge_sql_columns(&b, "s", &t->key->columns);
    buf_add_str(&b, " HAVING count(*) > 1) AS twice");
    return buf_steal_str(&b);
}

/* -- the comparison -------------------------------------------------------------------------- */

void merge_sql_target_rows(Buf *b, const MergeTable *t, const char *alias)
{
    if (*t->condition)
        buf_printf(b, "(SELECT x.*, x.ctid, x.tableoid FROM %s%s AS x %s) AS %s", t->only, t->sql,
                   t->condition, alias);
    else
        buf_printf(b, "%s%s AS %s", t->only, t->sql, alias);
}

void merge_sql_keyless_rows(Buf *b, const MergeTable *t, bool source)
{
    buf_add_str(b, "(SELECT x.ctid, x.tableoid, x.r, row_number() OVER (PARTITION BY x.r) AS n "
                   "FROM (SELECT y.ctid, y.tableoid, ");
    merge_sql_row(b, "y", &t->columns);
    buf_add_str(b, "::pg_catalog.text AS r FROM ");
    if (source)
        buf_printf(b, "%s.s%zu AS y", t->schema, t->number);
    else
        merge_sql_target_rows(b, t, "y");
    buf_printf(b, ") AS x) AS %s", source ? "s" : "t");
}

void merge_sql_key_matches(Buf *b, const MergeTable *t, const char *left, const char *other,
                           const char *right)
{
    for (size_t i = 0; i < t->key->columns.count; i++) {
        const char *name = t->key->columns.items[i];
        buf_add_str(b, i ? " AND " : "");
        buf_add_str(b, other ? "COALESCE(" : "");
        column(b, left, name);
        if (other) {
            buf_add_str(b, ", ");
            column(b, other, name);
            buf_u8(b, ')');
        }
        buf_printf(b, " %s ", t->key->operators.items[i]);
        column(b, right, name);
    }
}

#define BOTH "(s.ctid IS NOT NULL AND t.ctid IS NOT NULL)"

/* Whether the target changed, created or deleted the row since the base. */
static void conflict(Buf *b, const MergeTable *t)
{
    if (!t->key || t->base == MERGE_BASE_NONE) {
        /* Nobody knows: rows that differ count, deletions and insertions don't. */
        buf_add_str(b, BOTH);
        return;
    }
    if (t->base == MERGE_BASE_SAME) {
        buf_add_str(b, "true");
        return;
    }
    AUTO_VALUE(StrList) common = {0};
    for (size_t i = 0; i < t->base_columns.count; i++)
        if (relation_column(t->target, t->base_columns.items[i]))
            strlist_add(&common, t->base_columns.items[i]);
    if (t->base == MERGE_BASE_CHANGES) {
        /* Not in b, and not new: the base's row is the source's, from which the target's differs.
         */
        buf_add_str(b, "CASE WHEN b.ctid IS NOT NULL THEN t.ctid IS NULL OR ");
        merge_sql_row(b, "b", &common);
        buf_add_str(b, MERGE_SQL_UNLIKE);
        merge_sql_row(b, "t", &common);
        buf_add_str(b, " WHEN a.ctid IS NOT NULL THEN t.ctid IS NOT NULL ELSE true END");
        return;
    }
    buf_add_str(b, "(b.ctid IS NULL) <> (t.ctid IS NULL) OR (b.ctid IS NOT NULL AND t.ctid IS NOT "
                   "NULL AND ");
    merge_sql_row(b, "b", &common);
    buf_add_str(b, MERGE_SQL_UNLIKE);
    merge_sql_row(b, "t", &common);
    buf_u8(b, ')');
}

/* Whether the target's side wins a conflict. */
static void loses(Buf *b, const MergeTable *t, const MergeRules *rules)
{
    if (rules->conflict == MERGE_CONFLICT_TARGET) {
        buf_add_str(b, "true");
        return;
    }
    if (rules->conflict != MERGE_CONFLICT_NEWEST || !strlist_has(&t->columns, rules->newest)) {
        buf_add_str(b, "false");
        return;
    }
    /* A deletion has no time: the row that is there wins. */
    buf_add_str(b, "CASE WHEN s.ctid IS NULL THEN true WHEN t.ctid IS NULL THEN false ELSE ");
    column(b, "t", rules->newest);
    buf_add_str(b, " IS NOT NULL AND (");
    column(b, "s", rules->newest);
    buf_add_str(b, " IS NULL OR ");
    column(b, "t", rules->newest);
    buf_add_str(b, " > ");
    column(b, "s", rules->newest);
    buf_add_str(b, ") END");
}

/* Whether an update changes a value that must be unique and is not the key's. */
static void unique_changes(Buf *b, const MergeTable *t)
{
    AUTO_VALUE(StrList) columns = {0};
    bool any = false;
    for (size_t i = 0; i < t->unique_count; i++) {
        const MergeUnique *u = &t->uniques[i];
        if (u == t->key || u->exclusion)
            continue;
        any = any || !u->plain || u->predicate;
        for (size_t k = 0; k < u->columns.count; k++)
            if (strlist_has(&t->columns, u->columns.items[k]) &&
                !strlist_has(&columns, u->columns.items[k]))
                strlist_add(&columns, u->columns.items[k]);
    }
    if (any || !columns.count || !t->key) {
        buf_add_str(b, any && t->key ? BOTH : "false");
        return;
    }
    buf_add_str(b, BOTH " AND ");
    merge_sql_row(b, "s", &columns);
    buf_add_str(b, MERGE_SQL_UNLIKE);
    merge_sql_row(b, "t", &columns);
}

/* What differs between source and base, with the target's row of its key. */
static void joined_delta(Buf *b, const MergeTable *t, const MergeRules *rules)
{
    bool mirror = rules->mode == MERGE_MIRROR;
    buf_printf(b, " FROM %s.s%zu AS s %s JOIN %s.b%zu AS b ON ", t->schema, t->number,
               mirror ? "FULL" : "LEFT", t->schema, t->number);
    merge_sql_key_matches(b, t, "s", NULL, "b");
    buf_add_str(b, " LEFT JOIN ");
    merge_sql_target_rows(b, t, "t");
    buf_add_str(b, " ON ");
    merge_sql_key_matches(b, t, "s", mirror ? "b" : NULL, "t");
    buf_add_str(b, " WHERE s.ctid IS NOT NULL AND t.ctid IS NULL");
    if (mirror)
        buf_add_str(b, " OR s.ctid IS NULL AND t.ctid IS NOT NULL");
    if (rules->mode == MERGE_INSERT)
        return;
    buf_add_str(b, " OR " BOTH " AND ");
    merge_sql_row(b, "s", &t->columns);
    buf_add_str(b, MERGE_SQL_UNLIKE);
    merge_sql_row(b, "t", &t->columns);
}

static void joined(Buf *b, const MergeTable *t, const MergeRules *rules)
{
    if (t->delta) {
        joined_delta(b, t, rules);
        return;
    }
    bool all = rules->mode == MERGE_MIRROR || !t->key;
    buf_add_str(b, " FROM ");
    if (t->key)
        buf_printf(b, "%s.s%zu AS s", t->schema, t->number);
    else
        merge_sql_keyless_rows(b, t, true);
    buf_add_str(b, all ? " FULL JOIN " : " LEFT JOIN ");
    if (t->key)
        merge_sql_target_rows(b, t, "t");
    else
        merge_sql_keyless_rows(b, t, false);
    buf_add_str(b, " ON ");
    if (t->key)
        merge_sql_key_matches(b, t, "s", NULL, "t");
    else
        buf_add_str(b, "s.r = t.r AND s.n = t.n");
    bool changes = t->base == MERGE_BASE_CHANGES;
    if (t->key && (t->base == MERGE_BASE_STAGED || changes)) {
        buf_printf(b, " LEFT JOIN %s.b%zu AS b ON ", t->schema, t->number);
        merge_sql_key_matches(b, t, "s", "t", "b");
    }
    if (t->key && changes) {
        buf_printf(b, " LEFT JOIN %s.a%zu AS a ON ", t->schema, t->number);
        merge_sql_key_matches(b, t, "s", NULL, "a");
    }
    buf_add_str(b, all ? " WHERE s.ctid IS NULL OR t.ctid IS NULL" : " WHERE t.ctid IS NULL");
    if (t->key && rules->mode != MERGE_INSERT) {
        buf_add_str(b, " OR ");
        merge_sql_row(b, "s", &t->columns);
        buf_add_str(b, MERGE_SQL_UNLIKE);
        merge_sql_row(b, "t", &t->columns);
    }
}

char *merge_sql_differences(const MergeTable *t, const MergeRules *rules)
{
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b,
               "CREATE TABLE %s.d%zu WITH (autovacuum_enabled = off) AS "
               "SELECT q.action, q.s, q.o, q.t, q.conflict, q.conflict AND q.loses AS kept, q.uq, "
               "false AS rewrite, NULL::pg_catalog.\"char\" AS note FROM (SELECT CASE WHEN t.ctid "
               "IS NULL THEN 'i' WHEN s.ctid IS NULL THEN 'd' ELSE 'u' END::pg_catalog.\"char\" AS "
               "action, s.ctid AS s, t.tableoid AS o, t.ctid AS t, COALESCE(",
               t->schema, t->number);
    conflict(&b, t);
    buf_add_str(&b, ", false) AS conflict, COALESCE(");
    loses(&b, t, rules);
    buf_add_str(&b, ", false) AS loses, COALESCE(");
    unique_changes(&b, t);
    buf_add_str(&b, ", false) AS uq");
    joined(&b, t, rules);
    buf_add_str(&b, ") AS q");
    return buf_steal_str(&b);
}

char *merge_sql_count(const MergeTable *t)
{
    return mem_printf("SELECT action, kept, rewrite, note, uq, conflict, count(*) FROM %s.d%zu "
                      "GROUP BY 1, 2, 3, 4, 5, 6",
                      t->schema, t->number);
}

void merge_sql_shown(Buf *b, const StrList *columns, const char *first, const char *second)
{
    buf_add_str(b, "concat_ws(', '");
    for (size_t i = 0; i < columns->count; i++) {
        AUTO(char) label = mem_printf("%s=", columns->items[i]);
        AUTO(char) quoted = text_sql_literal(label);
        buf_printf(b, ", %s || COALESCE(", quoted);
        column(b, first, columns->items[i]);
        buf_add_str(b, "::pg_catalog.text");
        if (second) {
            buf_add_str(b, ", ");
            column(b, second, columns->items[i]);
            buf_add_str(b, "::pg_catalog.text");
        }
        buf_add_str(b, ", 'NULL')");
    }
    buf_u8(b, ')');
}

char *merge_sql_conflicts(const MergeTable *t, unsigned limit)
{
    AUTO_VALUE(Buf) b = {0};
    buf_add_str(&b, "SELECT d.action, ");
    merge_sql_shown(&b, &t->key->columns, "s", "t");
    buf_printf(&b,
               " FROM (SELECT * FROM %s.d%zu WHERE conflict LIMIT %u) AS d LEFT JOIN %s.s%zu AS s "
               "ON s.ctid = d.s LEFT JOIN %s%s AS t ON ",
               t->schema, t->number, limit, t->schema, t->number, t->only, t->sql);
    merge_sql_at(&b, t, "t");
    return buf_steal_str(&b);
}

/* -- writing --------------------------------------------------------------------------------- */

char *merge_sql_delete(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b,
               "DELETE FROM %s%s AS t USING %s.d%zu AS d WHERE d.action = 'd' AND NOT d.kept AND ",
               t->only, t->sql, t->schema, t->number);
    merge_sql_at(&b, t, "t");
    return buf_steal_str(&b);
}

char *merge_sql_update(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    bool any = false;
    buf_printf(&b, "UPDATE %s%s AS t SET ", t->only, t->sql);
    for (size_t i = 0; i < t->columns.count; i++) {
        if (!merge_table_assigns(t, t->columns.items[i]))
            continue;
        buf_add_str(&b, any ? ", " : "");
        column(&b, NULL, t->columns.items[i]);
        buf_add_str(&b, " = ");
        column(&b, "s", t->columns.items[i]);
        any = true;
    }
    buf_printf(&b,
               " FROM %s.d%zu AS d JOIN %s.s%zu AS s ON s.ctid = d.s WHERE d.action = 'u' AND NOT "
               "d.kept AND NOT d.rewrite AND ",
               t->schema, t->number, t->schema, t->number);
    merge_sql_at(&b, t, "t");
    return buf_steal_str(&b);
}

static void insert_into(Buf *b, const MergeTable *t, const StrList *more)
{
    buf_printf(b, "INSERT INTO %s", t->sql);
    if (t->columns.count || (more && more->count)) {
        buf_add_str(b, " (");
        merge_sql_columns(b, NULL, &t->columns);
        if (more && more->count) {
            buf_add_str(b, t->columns.count ? ", " : "");
            merge_sql_columns(b, NULL, more);
        }
        buf_u8(b, ')');
    }
    buf_add_str(b, " OVERRIDING SYSTEM VALUE SELECT ");
    merge_sql_columns(b, "s", &t->columns);
}

char *merge_sql_insert(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    insert_into(&b, t, NULL);
    buf_printf(&b,
               " FROM %s.d%zu AS d JOIN %s.s%zu AS s ON s.ctid = d.s WHERE d.action = 'i' AND NOT "
               "d.kept ORDER BY d.s",
               t->schema, t->number, t->schema, t->number);
    return buf_steal_str(&b);
}

/* What the target has beyond the source and an INSERT may give. */
static void beyond(const MergeTable *t, StrList *out)
{
    for (size_t i = 0; i < t->target->column_count; i++) {
        const RelationColumn *c = &t->target->columns[i];
        if (!c->generated && !strlist_has(&t->columns, c->name))
            strlist_add(out, c->name);
    }
}

char *merge_sql_rewrite_keep(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(StrList) more = {0};
    beyond(t, &more);
    buf_printf(&b, "CREATE TABLE %s.r%zu AS SELECT d.s", t->schema, t->number);
    for (size_t i = 0; i < more.count; i++) {
        buf_add_str(&b, ", ");
        column(&b, "t", more.items[i]);
        buf_printf(&b, " AS e%zu", i);
    }
    buf_printf(&b, " FROM %s.d%zu AS d JOIN %s%s AS t ON ", t->schema, t->number, t->only, t->sql);
    merge_sql_at(&b, t, "t");
    buf_add_str(&b, " WHERE d.rewrite AND NOT d.kept");
    return buf_steal_str(&b);
}

char *merge_sql_rewrite_delete(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "DELETE FROM %s%s AS t USING %s.d%zu AS d WHERE d.rewrite AND NOT d.kept AND ",
               t->only, t->sql, t->schema, t->number);
    merge_sql_at(&b, t, "t");
    return buf_steal_str(&b);
}

char *merge_sql_rewrite_insert(const MergeTable *t)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO_VALUE(StrList) more = {0};
    beyond(t, &more);
    insert_into(&b, t, &more);
    for (size_t i = 0; i < more.count; i++)
        buf_printf(&b, "%sr.e%zu", t->columns.count || i ? ", " : "", i);
    buf_printf(&b, " FROM %s.r%zu AS r JOIN %s.s%zu AS s ON s.ctid = r.s", t->schema, t->number,
               t->schema, t->number);
    return buf_steal_str(&b);
}
