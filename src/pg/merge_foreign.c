#include "pg/merge_foreign.h"

#include <string.h>

#include "pg/merge_sql.h"
#include "sql.h"

#define BULK_ROWS 100000
#define BULK_SHARE 5 /* of the table's rows, one in so many */

void merge_foreigns_clear(MergeForeigns *l)
{
    for (size_t i = 0; i < l->count; i++) {
        MergeForeign *f = &l->items[i];
        free(f->name);
        free(f->child);
        free(f->parent);
        free(f->definition);
        free(f->comment);
        strlist_free(&f->columns);
        strlist_free(&f->target_columns);
        strlist_free(&f->operators);
        strlist_free(&f->set_columns);
    }
    free(l->items);
    *l = (MergeForeigns){0};
}

/* The table of the merge that this one is, or is a partition of. */
static MergeTable *table_of(const RelationList *relations, const MergeTables *tables, uint32_t oid)
{
    const Relation *r = relation_find_oid(relations, oid);
    return merge_tables_find(tables, r && r->root ? r->root : oid);
}

Error *merge_foreigns_read(Conn *c, const RelationList *relations, const MergeTables *tables,
                           MergeForeigns *out)
{
    AUTO(Rows) rows = NULL;
    TRY_CTX(conn_query(c, sql_merge_foreign_keys, 0, NULL, &rows), "looking up foreign keys");
    for (size_t r = 0; r < rows_count(rows); r++) {
        uint32_t oid = rows_oid(rows, r, 0);
        uint32_t child = rows_oid(rows, r, 2), parent = rows_oid(rows, r, 3);
        MergeTable *from = table_of(relations, tables, child);
        MergeTable *to = table_of(relations, tables, parent);
        if (!from && !to)
            continue;
        if (!out->count || out->items[out->count - 1].oid != oid) {
            mem_grow(out->items, out->count, out->cap);
            out->items[out->count] = (MergeForeign){
                .oid = oid,
                .name = text_sql_ident(rows_text(rows, r, 1)),
                .child = mem_strdup(rows_text(rows, r, 4)),
                .child_kind = rows_text(rows, r, 5)[0],
                .parent = mem_strdup(rows_text(rows, r, 6)),
                .parent_kind = rows_text(rows, r, 7)[0],
                .from = from,
                .to = to,
                .validated = rows_bool(rows, r, 8),
                .deferrable = rows_bool(rows, r, 9),
                .on_update = rows_text(rows, r, 10)[0],
                .on_delete = rows_text(rows, r, 11)[0],
                .definition = mem_strdup(rows_text(rows, r, 12)),
                .comment = mem_strdup(rows_text(rows, r, 13)),
                .owned = rows_bool(rows, r, 18),
                .number = out->count,
            };
            out->count++;
        }
        MergeForeign *f = &out->items[out->count - 1];
        strlist_add(&f->columns, rows_text(rows, r, 14));
        strlist_add(&f->target_columns, rows_text(rows, r, 15));
        strlist_add(&f->operators, rows_text(rows, r, 16));
        if (rows_bool(rows, r, 17))
            strlist_add(&f->set_columns, rows_text(rows, r, 14));
    }
    return NULL;
}

/* -- order ----------------------------------------------------------------------------------- */

/* A table that is not yet placed and that table i refers to; i itself where there is none. */
static size_t waits_for(const MergeForeigns *l, const MergeTables *tables, const bool *placed,
                        size_t i)
{
    const MergeTable *t = &tables->items[i];
    for (size_t k = 0; k < l->count; k++) {
        const MergeForeign *f = &l->items[k];
        if (f->from == t && f->to && f->to != t && !placed[f->to - tables->items])
            return (size_t)(f->to - tables->items);
    }
    return i;
}

size_t *merge_foreigns_order(const MergeForeigns *l, const MergeTables *tables)
{
    size_t n = tables->count, done = 0;
    size_t *order = mem_calloc(n + 1, sizeof *order);
    bool *placed = mem_calloc(n + 1, sizeof *placed);
    while (done < n) {
        size_t before = done, stuck = n;
        for (size_t i = 0; i < n; i++) {
            if (placed[i])
                continue;
            if (waits_for(l, tables, placed, i) != i) {
                stuck = i;
                continue;
            }
            placed[i] = true;
            order[done++] = i;
        }
        if (done > before)
            continue;
        /* All wait: whoever follows that for long is in a cycle, which is begun anywhere. */
        for (size_t step = 0; step < n; step++)
            stuck = waits_for(l, tables, placed, stuck);
        placed[stuck] = true;
        order[done++] = stuck;
    }
    free(placed);
    return order;
}

/* -- plan ------------------------------------------------------------------------------------ */

static bool refers_to_key(const MergeForeign *f)
{
    for (size_t i = 0; i < f->target_columns.count; i++)
        if (!merge_table_is_key(f->to, f->target_columns.items[i]))
            return false;
    return true;
}

/* So many rows that one join is cheaper than a look-up for each. */
static bool is_bulk(const MergeForeign *f)
{
    const MergeTable *t = f->from;
    return f->owned && f->validated && t->counts.inserted >= BULK_ROWS &&
           t->counts.inserted >= t->source_rows / BULK_SHARE;
}

static ForeignWay way_of(MergeForeign *f, bool in_order)
{
    const MergeTable *from = f->from, *to = f->to;
    if (!to) /* what is referred to does not change */
        return FOREIGN_AS_IS;
    bool rewrites = to->rewritten > 0;
    bool removes = to->counts.deleted || to->counts.replaced || rewrites;
    bool rekeys = to->counts.updated && to->rekeyed && !refers_to_key(f);
    f->moves = removes || rekeys;
    if (!from) {
        /* Others refer to it: their key acts, as it does for anybody. Rows that only seem to go
         * must not set that off. */
        if (rewrites)
            return f->on_delete != 'a' ? FOREIGN_SUSPEND
                   : f->deferrable     ? FOREIGN_AS_IS
                                       : FOREIGN_DEFER;
        return FOREIGN_AS_IS;
    }
    if ((removes && f->on_delete != 'a') || (rekeys && f->on_update != 'a') || is_bulk(f))
        return FOREIGN_SUSPEND;
    if (f->deferrable)
        return FOREIGN_AS_IS; /* SET CONSTRAINTS defers it */
    bool moves = from->counts.updated || from->rewritten;
    bool adds = from->counts.inserted || moves;
    if (rewrites || rekeys || (removes && (moves || !in_order)) || (!in_order && adds))
        return FOREIGN_DEFER;
    return FOREIGN_AS_IS;
}

void merge_foreigns_plan(MergeForeigns *l, const MergeTables *tables, const size_t *order)
{
    size_t *place = mem_calloc(tables->count + 1, sizeof *place);
    for (size_t i = 0; i < tables->count; i++)
        place[order[i]] = i;
    for (size_t i = 0; i < l->count; i++) {
        MergeForeign *f = &l->items[i];
        bool in_order =
            f->from && f->to && place[f->to - tables->items] < place[f->from - tables->items];
        f->way = way_of(f, in_order);
    }
    free(place);
}

/* -- before ---------------------------------------------------------------------------------- */

/* Keys of the table referred to that go or change: o0, o1 ... the old, n0 ... the new values. */
static char *moved_sql(const MergeForeign *f, const char *schema)
{
    AUTO_VALUE(Buf) b = {0};
    const MergeTable *t = f->to;
    bool rekeys = true;
    for (size_t i = 0; i < f->target_columns.count; i++)
        rekeys = rekeys && strlist_has(&t->columns, f->target_columns.items[i]);
    buf_printf(&b, "CREATE TABLE %s.m%zu AS SELECT d.action", schema, f->number);
    for (size_t i = 0; i < f->target_columns.count; i++) {
        AUTO(char) name = text_sql_ident(f->target_columns.items[i]);
        buf_printf(&b, ", t.%s AS o%zu, %s%s AS n%zu", name, i, rekeys ? "s." : "t.", name, i);
    }
    buf_printf(&b, " FROM %s.d%zu AS d JOIN %s%s AS t ON ", schema, t->number, t->only, t->sql);
    merge_sql_at(&b, t, "t");
    buf_printf(&b,
               " LEFT JOIN %s.s%zu AS s ON s.ctid = d.s WHERE NOT d.kept AND (d.action = 'd' OR "
               "d.action = 'u' AND d.uq)",
               schema, t->number);
    return buf_steal_str(&b);
}

static bool suspends(const MergeForeigns *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].way == FOREIGN_SUSPEND)
            return true;
    return false;
}

Error *merge_foreigns_begin(Conn *c, const MergeForeigns *l, const char *schema)
{
    for (size_t i = 0; i < l->count; i++) {
        const MergeForeign *f = &l->items[i];
        if (f->way == FOREIGN_SUSPEND) {
            AUTO(char) moved = f->moves ? moved_sql(f, schema) : NULL;
            if (moved)
                TRY_CTX(conn_exec(c, moved), "foreign key %s of %s", f->name, f->child);
            TRY_CTX(conn_execf(c, "ALTER TABLE %s DROP CONSTRAINT %s", f->child, f->name),
                    "taking the foreign key %s of %s away for a while", f->name, f->child);
        } else if (f->way == FOREIGN_DEFER) {
            TRY_CTX(conn_execf(c,
                               "ALTER TABLE %s ALTER CONSTRAINT %s DEFERRABLE INITIALLY DEFERRED",
                               f->child, f->name),
                    "deferring the foreign key %s of %s", f->name, f->child);
        }
    }
    return conn_exec(c, "SET CONSTRAINTS ALL DEFERRED");
}

/* -- after ----------------------------------------------------------------------------------- */

static Error *add_again(Conn *c, const MergeForeign *f, bool check)
{
    bool says = strstr(f->definition, " NOT VALID") != NULL;
    TRY_CTX(conn_execf(c, "ALTER TABLE %s ADD CONSTRAINT %s %s%s", f->child, f->name, f->definition,
                       check || says ? "" : " NOT VALID"),
            "making the foreign key %s of %s again", f->name, f->child);
    if (!f->comment)
        return NULL;
    AUTO(char) comment = text_sql_literal(f->comment);
    return conn_execf(c, "COMMENT ON CONSTRAINT %s ON %s IS %s", f->name, f->child, comment);
}

/* A partitioned table takes no foreign key that is not checked at once; and one that refers to a
 * partitioned table keeps parts that count as unchecked when it is checked later. */
static bool added_late(const MergeForeign *f)
{
    return (f->child_kind == 'p' || f->parent_kind == 'p') && f->validated;
}

/* The child's rows c that refer to what is no more: by mN, so that rows of a key that is NOT VALID,
 * which never referred to anything, stay. Where all of them did (a valid key), those count too that
 * lost their row only now, on the way. */
static void orphans(Buf *b, const MergeForeign *f, const char *schema, const char *lead,
                    char action)
{
    bool all = action == 'd' && added_late(f);
    if (all)
        buf_add_str(b, " WHERE ");
    else
        buf_printf(b, " %s %s.m%zu AS m WHERE m.action = '%c' AND ", lead, schema, f->number,
                   action);
    for (size_t i = 0; i < f->columns.count; i++) {
        AUTO(char) own = text_sql_ident(f->columns.items[i]);
        if (all)
            buf_printf(b, "c.%s IS NOT NULL AND ", own);
        else
            buf_printf(b, "m.o%zu %s c.%s AND ", i, f->operators.items[i], own);
    }
    buf_printf(b, "NOT EXISTS (SELECT FROM %s AS p WHERE ", f->parent);
    for (size_t i = 0; i < f->columns.count; i++) {
        AUTO(char) own = text_sql_ident(f->columns.items[i]);
        AUTO(char) other = text_sql_ident(f->target_columns.items[i]);
        buf_printf(b, "%sp.%s %s c.%s", i ? " AND " : "", other, f->operators.items[i], own);
    }
    buf_u8(b, ')');
}

/* What the key does to such rows; NULL: nothing, and the check will say what is left. moved: what
 * has become of the row that they refer to. Caller frees. */
static char *action_sql(const MergeForeign *f, const char *schema, char moved)
{
    char action = moved == 'd' ? f->on_delete : f->on_update;
    const char *only = f->child_kind == 'p' ? "" : "ONLY ";
    AUTO_VALUE(Buf) b = {0};
    if (action == 'a' || action == 'r')
        return NULL;
    if (action == 'c' && moved == 'd') {
        buf_printf(&b, "DELETE FROM %s%s AS c", only, f->child);
        orphans(&b, f, schema, "USING", moved);
        return buf_steal_str(&b);
    }
    const StrList *set = moved == 'u' ? &f->columns : &f->set_columns;
    buf_printf(&b, "UPDATE %s%s AS c SET ", only, f->child);
    for (size_t i = 0; i < set->count; i++) {
        AUTO(char) own = text_sql_ident(set->items[i]);
        buf_printf(&b, "%s%s = ", i ? ", " : "", own);
        if (action == 'c')
            buf_printf(&b, "m.n%zu", i);
        else
            buf_add_str(&b, action == 'n' ? "NULL" : "DEFAULT");
    }
    orphans(&b, f, schema, "FROM", moved);
    return buf_steal_str(&b);
}

/* The key's own action, for the rows that only the target has. */
static Error *act(Conn *c, const MergeForeign *f, const char *schema, char moved, uint64_t *rows)
{
    AUTO(char) sql = action_sql(f, schema, moved);
    if (sql)
        TRY_CTX(conn_exec_rows(c, sql, rows), "what the foreign key %s of %s does", f->name,
                f->child);
    return NULL;
}

static Error *act_both(Conn *c, const MergeForeign *f, const char *schema, uint64_t *rows)
{
    uint64_t moved = 0, gone = 0;
    TRY(act(c, f, schema, 'u', &moved));
    TRY(act(c, f, schema, 'd', &gone));
    if (f->from)
        f->from->counts.cascaded += moved + gone;
    *rows += moved + gone;
    return NULL;
}

static Error *act_all(Conn *c, const MergeForeigns *l, const char *schema)
{
    /* What one key deletes the others may still refer to. A row set to its default may refer to
     * nothing again and again: the check will say so. */
    uint64_t rows = 1;
    for (size_t round = 0; rows && round <= l->count; round++) {
        rows = 0;
        for (size_t i = 0; i < l->count; i++)
            if (l->items[i].way == FOREIGN_SUSPEND && l->items[i].moves)
                TRY(act_both(c, &l->items[i], schema, &rows));
    }
    return NULL;
}

static Error *restore_suspended(Conn *c, const MergeForeigns *l, const char *schema)
{
    /* First they are there again, unchecked: then what one deletes goes on down the others. */
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].way == FOREIGN_SUSPEND && !added_late(&l->items[i]))
            TRY(add_again(c, &l->items[i], false));
    TRY(act_all(c, l, schema));
    TRY(conn_exec(c, "SET CONSTRAINTS ALL IMMEDIATE"));
    for (size_t i = 0; i < l->count; i++) {
        const MergeForeign *f = &l->items[i];
        if (f->way != FOREIGN_SUSPEND)
            continue;
        if (added_late(f))
            TRY(add_again(c, f, true));
        else if (f->validated)
            TRY_CTX(conn_execf(c, "ALTER TABLE %s VALIDATE CONSTRAINT %s", f->child, f->name),
                    "making the foreign key %s of %s again", f->name, f->child);
    }
    return NULL;
}

Error *merge_foreigns_end(Conn *c, const MergeForeigns *l, const char *schema)
{
    TRY_CTX(conn_exec(c, "SET CONSTRAINTS ALL IMMEDIATE"), "checking what was deferred");
    if (suspends(l))
        TRY(restore_suspended(c, l, schema));
    for (size_t i = 0; i < l->count; i++) {
        const MergeForeign *f = &l->items[i];
        if (f->way == FOREIGN_DEFER)
            TRY_CTX(conn_execf(c, "ALTER TABLE %s ALTER CONSTRAINT %s NOT DEFERRABLE", f->child,
                               f->name),
                    "the foreign key %s of %s", f->name, f->child);
    }
    return NULL;
}
