#include "op/sync_schema.h"

#include <string.h>

#include "pg/merge_scratch.h"
#include "pg/merge_table.h"
#include "pg/pattern.h"
#include "pg/sync_base.h"
#include "sql.h"

#define VERSION 1
#define SHOWN 10 /* differences that one error names */

/* -- the document ---------------------------------------------------------------------------- */

static const char *key_of(const Relation *r)
{
    return r->key_count && r->keys[0].primary ? r->keys[0].name : NULL;
}

static Doc *table_doc(const Relation *r, const Rows *sizes, size_t row)
{
    Doc *d = relation_doc(r), *defaults = doc_array();
    bool rules = rows_bool(sizes, row, 3);
    for (size_t i = 0; i < r->column_count; i++)
        if (r->columns[i].defaults)
            doc_push_str(defaults, r->columns[i].name);
    doc_set(d, "defaults", defaults);
    doc_set_int(d, "rows", rows_int(sizes, row, 1));
    doc_set_int(d, "bytes", rows_int(sizes, row, 2));
    doc_set_str(d, "key", key_of(r));
    doc_set_bool(d, "rules", rules);
    doc_set_bool(d, "mergeable", r->kind != 'f' && !rules);
    return d;
}

/* What pgstow keeps in a database, also what a killed merge has left there. */
static bool is_own(const Relation *r)
{
    return !strcmp(r->schema, SYNC_BASE_SCHEMA) || merge_scratch_is(r->schema);
}

static Error *add_tables(Conn *c, Doc *out)
{
    AUTO_VALUE(RelationList) l = {0};
    AUTO(Rows) sizes = NULL;
    Doc *tables = doc_array();
    doc_set(out, "tables", tables);
    TRY(relation_list_read(c, &l));
    TRY(conn_query(c, sql_sync_tables, 0, NULL, &sizes));
    for (size_t i = 0; i < rows_count(sizes); i++) {
        const Relation *r = relation_find_oid(&l, rows_oid(sizes, i, 0));
        if (r && !is_own(r))
            doc_push(tables, table_doc(r, sizes, i));
    }
    return NULL;
}

static Error *facts(Conn *c, Doc *d)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) system = NULL;
    TRY(conn_query(c,
                   "SELECT datname, oid, pg_catalog.pg_encoding_to_char(encoding), "
                   "pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datname = "
                   "pg_catalog.current_database()",
                   0, NULL, &rows));
    /* Not everybody may ask for it. */
    Error *e = conn_value(c, "SELECT system_identifier FROM pg_catalog.pg_control_system()", 0,
                          NULL, &system);
    if (e && conn_broken(c))
        return e;
    error_free(e);
    doc_set_int(d, "schemaVersion", VERSION);
    doc_set_str(d, "database", rows_text(rows, 0, 0));
    doc_set_str(d, "systemIdentifier", system);
    doc_set_str(d, "databaseOid", rows_text(rows, 0, 1));
    doc_set_str(d, "serverVersion", conn_server_version_text(c));
    doc_set_str(d, "encoding", rows_text(rows, 0, 2));
    doc_set_int(d, "bytes", rows_int(rows, 0, 3));
    return NULL;
}

Error *op_sync_schema(const OpContext *c, const char *database, Doc **out)
{
    AUTO(Conn) conn = NULL;
    AUTO(Doc) d = doc_object();
    TRY(op_connect(c, database, &conn));
    TRY(facts(conn, d));
    TRY_CTX(add_tables(conn, d), "describing the tables of %s", conn_describe(conn));
    AUTO(char) text = doc_print(d, false);
    if (strlen(text) > SYNC_SCHEMA_MAX)
        FAIL(ERR_LIMIT, "%s has too many tables to be described in %zu MiB", conn_describe(conn),
             SYNC_SCHEMA_MAX >> 20);
    *out = STEAL(d);
    return NULL;
}

/* -- one side -------------------------------------------------------------------------------- */

typedef struct Side {
    RelationList tables;
    bool *rules;  /* by place in tables */
    char **named; /* schema.name */
    const char *encoding;
} Side;
static void side_clear(Side *s)
{
    for (size_t i = 0; s->named && i < s->tables.count; i++)
        free(s->named[i]);
    free(s->named);
    free(s->rules);
    relation_list_clear(&s->tables);
}
DEFINE_AUTO_VALUE(Side, side_clear)

static Error *side_read(const Doc *d, const char *which, Side *out)
{
    AUTO_VALUE(Side) s = {0};
    const Doc *tables = d ? doc_get(d, "tables") : NULL;
    if (!tables || doc_type(tables) != DOC_ARRAY || doc_int(d, "schemaVersion", 0) != VERSION)
        FAIL(ERR_DAMAGED, "the description of the %s's tables is none of version %d", which,
             VERSION);
    TRY(relation_list_from(tables, &s.tables));
    s.rules = mem_calloc(s.tables.count + 1, sizeof *s.rules);
    s.named = mem_calloc(s.tables.count + 1, sizeof *s.named);
    for (size_t i = 0; i < s.tables.count; i++)
        s.named[i] = mem_printf("%s.%s", s.tables.items[i].schema, s.tables.items[i].name);
    for (size_t i = 0; i < doc_count(tables); i++) {
        const Doc *t = doc_at(tables, i), *defaults = doc_get(t, "defaults");
        const Relation *r =
            relation_find(&s.tables, doc_str(t, "schema", ""), doc_str(t, "name", ""));
        if (!r)
            continue;
        s.rules[r - s.tables.items] = doc_bool(t, "rules", false);
        for (size_t k = 0; k < doc_count(defaults); k++) {
            const char *name = doc_text(doc_at(defaults, k));
            RelationColumn *a = name ? (RelationColumn *)relation_column(r, name) : NULL;
            if (a)
                a->defaults = true;
        }
    }
    s.encoding = doc_str(d, "encoding", "");
    *out = s;
    s = (Side){0};
    return NULL;
}

/* -- the comparison -------------------------------------------------------------------------- */

typedef struct Compare {
    const SyncCompareOptions *o;
    Side source, target;
    Pattern *excluded;
    size_t excluded_count;
    SyncDifferences *out;
} Compare;
static void compare_clear(Compare *c)
{
    for (size_t i = 0; i < c->excluded_count; i++)
        pattern_clear(&c->excluded[i]);
    free(c->excluded);
    side_clear(&c->source);
    side_clear(&c->target);
}
DEFINE_AUTO_VALUE(Compare, compare_clear)

/* Takes text over. */
static void differ(SyncDifferences *l, SyncDifferenceKind kind, const char *table,
                   const char *column, bool harmless, char *text, const char *hint)
{
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count++] = (SyncDifference){.kind = kind,
                                            .table = table ? mem_strdup(table) : NULL,
                                            .column = column ? mem_strdup(column) : NULL,
                                            .harmless = harmless,
                                            .text = text,
                                            .hint = hint ? mem_strdup(hint) : NULL};
    l->harmful += !harmless;
}

static bool excluded(const Compare *c, const Relation *r)
{
    for (size_t i = 0; i < c->excluded_count; i++)
        if (pattern_matches(&c->excluded[i], r->schema, r->name))
            return true;
    return false;
}

static void compare_source_columns(Compare *c, const Relation *from, const Relation *to)
{
    const char *name = c->target.named[to - c->target.tables.items];
    for (size_t i = 0; i < from->column_count; i++) {
        const RelationColumn *a = &from->columns[i];
        char *text = NULL;
        if (a->generated)
            continue;
        switch (merge_column_fits(from, a->name, to, &text)) {
        case MERGE_FITS:
            break;
        case MERGE_FIT_NO_COLUMN: {
            bool key = relation_is_in_key(from, a->name);
            differ(c->out, SYNC_NO_COLUMN, name, a->name, c->o->ignore_extra_columns && !key, text,
                   key ? "it belongs to a key there: add it to the target"
                       : "--ignore-extra-columns leaves it out; or add it to the target");
            break;
        }
        case MERGE_FIT_GENERATED:
            differ(c->out, SYNC_GENERATED, name, a->name, false, text,
                   "make it an ordinary column in the target, or a generated one in the source");
            break;
        case MERGE_FIT_TYPE:
            differ(c->out, SYNC_TYPE, name, a->name, false, text,
                   "give it the source's type in the target");
            break;
        }
    }
}

/* What only the target has: rows that are inserted must do without. */
static void compare_target_columns(Compare *c, const Relation *from, const Relation *to)
{
    const char *name = c->target.named[to - c->target.tables.items];
    for (size_t i = 0; i < to->column_count; i++) {
        const RelationColumn *a = &to->columns[i];
        const RelationColumn *b = relation_column(from, a->name);
        if (a->generated || (b && !b->generated))
            continue;
        bool empty = !a->not_null || a->defaults || a->identity;
        differ(c->out, SYNC_EXTRA_COLUMN, name, a->name, empty,
               mem_printf("%s has the column %s, the source has not%s", name, a->name,
                          empty ? "" : "; it is NOT NULL and has no default"),
               empty ? NULL : "give it a default in the target");
    }
}

static void compare_key(Compare *c, const Relation *from, const Relation *to)
{
    const char *name = c->target.named[to - c->target.tables.items];
    const RelationKey *k = key_of(to) ? &to->keys[0] : NULL;
    bool usable = k != NULL;
    for (size_t i = 0; k && i < k->columns.count; i++) {
        const RelationColumn *a = relation_column(from, k->columns.items[i]);
        usable = usable && a && !a->generated;
    }
    if (!usable)
        differ(c->out, SYNC_NO_KEY, name, NULL, c->o->keyless_too,
               k ? mem_printf("%s has the primary key %s over columns that the source has not",
                              name, k->name)
                 : mem_printf("%s has no primary key by which rows could be matched", name),
               "--key chooses a unique index; --keyless replace or skip says what to do with "
               "such tables");
}

static void compare_table(Compare *c, const Relation *from, const char *name, bool *met)
{
    const Relation *to =
        relation_counterpart(&c->source.tables, from->schema, from->name, &c->target.tables);
    if (!to) {
        if (from->extension)
            differ(c->out, SYNC_NO_TABLE, name, NULL, true,
                   mem_printf("%s belongs to an extension that the target has not", name), NULL);
        else
            differ(c->out, SYNC_NO_TABLE, name, NULL, false,
                   mem_printf("%s is not in the target", name),
                   "make it there, as the source has it, or leave it out by --exclude-table");
        return;
    }
    size_t place = (size_t)(to - c->target.tables.items);
    if (met[place]) /* another partition of it */
        return;
    met[place] = true;
    c->out->no_tables = false;
    if (to->kind == 'f' || c->target.rules[place])
        differ(c->out, SYNC_NOT_MERGEABLE, c->target.named[place], NULL, false,
               mem_printf("%s %s", c->target.named[place],
                          to->kind == 'f' ? "is a foreign table"
                                          : "has rules (CREATE RULE), which would change what is "
                                            "written"),
               "leave it out by --exclude-table");
    compare_source_columns(c, from, to);
    compare_target_columns(c, from, to);
    compare_key(c, from, to);
}

/* Partitions that are left out, of tables that are not. */
static void compare_partial(Compare *c, const bool *met)
{
    const RelationList *from = &c->source.tables, *to = &c->target.tables;
    for (size_t i = 0; i < from->count; i++) {
        const Relation *r = &from->items[i], *target;
        if (r->kind != 'r' || !r->root || !excluded(c, r))
            continue;
        target = relation_counterpart(from, r->schema, r->name, to);
        if (target && met[target - to->items])
            differ(c->out, SYNC_PARTIAL, c->source.named[i], NULL, false,
                   mem_printf("%s is left out, and a mirror would delete its rows",
                              c->source.named[i]),
                   "leave out the whole table or nothing of it; --merge upsert deletes nothing");
    }
}

static void compare_tables(Compare *c)
{
    const RelationList *from = &c->source.tables, *to = &c->target.tables;
    bool *met = mem_calloc(to->count + 1, sizeof *met);
    bool any = false;
    c->out->no_tables = true;
    for (size_t i = 0; i < from->count; i++) {
        const Relation *r = &from->items[i];
        if (r->kind != 'r' || excluded(c, r) || is_own(r))
            continue;
        any = true;
        compare_table(c, r, c->source.named[i], met);
    }
    c->out->no_tables = c->out->no_tables && any;
    if (c->o->mirror)
        compare_partial(c, met);
    for (size_t i = 0; i < to->count; i++) {
        const Relation *r = &to->items[i];
        if (!met[i] && !r->root && !r->extension && r->kind != 'f' &&
            !relation_find(from, r->schema, r->name) && !is_own(r))
            differ(c->out, SYNC_EXTRA_TABLE, c->target.named[i], NULL, true,
                   mem_printf("only the target has %s: it is left alone", c->target.named[i]),
                   NULL);
    }
    free(met);
}

static void compare_encodings(Compare *c)
{
    const char *from = c->source.encoding, *to = c->target.encoding;
    if (!strcmp(from, to) || !strcmp(to, "UTF8"))
        return;
    bool bytes = !strcmp(to, "SQL_ASCII") || !strcmp(from, "SQL_ASCII");
    differ(c->out, SYNC_ENCODING, NULL, NULL, true,
           mem_printf("the source is in %s, the target in %s: %s", from, to,
                      bytes ? "bytes go over as they are"
                            : "a character that is not in it makes the merge fail"),
           NULL);
}

static int by_table(const void *a, const void *b)
{
    const SyncDifference *x = a, *y = b;
    int order = strcmp(x->table ? x->table : "", y->table ? y->table : "");
    if (!order)
        order = strcmp(x->column ? x->column : "", y->column ? y->column : "");
    return order ? order : (int)x->kind - (int)y->kind;
}

Error *sync_schema_compare(const Doc *source, const Doc *target, const SyncCompareOptions *o,
                           SyncDifferences *out)
{
    AUTO_VALUE(Compare) c = {.o = o, .out = out};
    TRY(side_read(source, "source", &c.source));
    TRY(side_read(target, "target", &c.target));
    size_t count = o->exclude_tables ? o->exclude_tables->count : 0;
    c.excluded = mem_calloc(count + 1, sizeof *c.excluded);
    for (; c.excluded_count < count; c.excluded_count++)
        TRY(pattern_parse(o->exclude_tables->items[c.excluded_count],
                          &c.excluded[c.excluded_count]));
    compare_encodings(&c);
    compare_tables(&c);
    mem_sort(out->items, out->count, sizeof *out->items, by_table);
    return NULL;
}

/* -- what was found -------------------------------------------------------------------------- */

void sync_differences_clear(SyncDifferences *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].table);
        free(l->items[i].column);
        free(l->items[i].text);
        free(l->items[i].hint);
    }
    free(l->items);
    *l = (SyncDifferences){0};
}

const char *sync_difference_word(SyncDifferenceKind kind)
{
    static const char *const words[] = {[SYNC_NO_TABLE] = "noTable",
                                        [SYNC_NO_COLUMN] = "noColumn",
                                        [SYNC_TYPE] = "type",
                                        [SYNC_GENERATED] = "generated",
                                        [SYNC_EXTRA_COLUMN] = "extraColumn",
                                        [SYNC_EXTRA_TABLE] = "extraTable",
                                        [SYNC_NO_KEY] = "noKey",
                                        [SYNC_NOT_MERGEABLE] = "notMergeable",
                                        [SYNC_PARTIAL] = "partial",
                                        [SYNC_ENCODING] = "encoding"};
    return words[kind];
}

Doc *sync_differences_doc(const SyncDifferences *l)
{
    Doc *list = doc_array();
    for (size_t i = 0; i < l->count; i++) {
        const SyncDifference *x = &l->items[i];
        Doc *d = doc_object();
        doc_set_str(d, "kind", sync_difference_word(x->kind));
        doc_set_str(d, "table", x->table);
        doc_set_str(d, "column", x->column);
        doc_set_bool(d, "harmless", x->harmless);
        doc_set_str(d, "text", x->text);
        doc_set_str(d, "hint", x->hint);
        doc_push(list, d);
    }
    return list;
}

Error *sync_differences_error(const SyncDifferences *l)
{
    AUTO_VALUE(Buf) text = {0};
    size_t shown = 0;
    const char *hint = NULL;
    if (!l->harmful)
        return NULL;
    for (size_t i = 0; i < l->count && shown < SHOWN; i++) {
        if (l->items[i].harmless)
            continue;
        buf_printf(&text, "%s%s", shown++ ? "; " : "", l->items[i].text);
        hint = hint ? hint : l->items[i].hint;
    }
    if (shown < l->harmful)
        buf_printf(&text, "; and %zu more", l->harmful - shown);
    AUTO(char) list = buf_steal_str(&text);
    Error *e = ERROR_NEW(ERR_PREFLIGHT, "the source's tables do not fit the target's: %s", list);
    return hint ? error_hint(e, "%s; nothing was touched", hint) : e;
}
