/* Which tables of the backup go into which of the target, and whether they fit. */
#include <string.h>

#include "op/backup_facts.h"
#include "op/merge_work.h"
#include "pg/merge_scratch.h"
#include "pg/pattern.h"
#include "pg/source.h"
#include "sql.h"

#define SHOWN 30 /* problems that one error names */

void merge_sources_clear(MergeSources *l)
{
    for (size_t i = 0; i < l->count; i++)
        strlist_free(&l->items[i].columns);
    free(l->items);
    *l = (MergeSources){0};
}

MergeSource *merge_sources_add(MergeSources *l)
{
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count] = (MergeSource){0};
    return &l->items[l->count++];
}

/* -- which table ----------------------------------------------------------------------------- */

static bool wanted(const MergeWork *w, const Stream *s)
{
    if (s->kind != STREAM_TABLE || sync_base_is_table(s->schema, s->name) ||
        merge_scratch_is(s->schema))
        return false;
    const TocEntry *e = toc_find(w->backup.toc, (int)s->dump_id);
    return !w->selected || (e && selection_mark(&w->selection, e) == SELECTION_CHOSEN);
}

/* The name that a table, or the topmost one above it, is to have in the target; NULL: its own. */
static const SelectionRename *renamed(const MergeWork *w, const BackupRead *b, const Stream *s)
{
    const Relation *r = relation_find(&b->relations, s->schema, s->name);
    const Relation *root = r && r->root ? relation_find_oid(&b->relations, r->root) : NULL;
    for (size_t i = 0; w->selected && i < w->selection.rename_count; i++) {
        const SelectionRename *n = &w->selection.renames[i];
        if (!strcmp(n->entry->schema, root ? root->schema : s->schema) &&
            !strcmp(n->entry->tag, root ? root->name : s->name))
            return n;
    }
    return NULL;
}

const Relation *merge_find_target(const MergeWork *w, const BackupRead *b, const Stream *s)
{
    const SelectionRename *n = renamed(w, b, s);
    if (!n)
        return relation_counterpart(&b->relations, s->schema, s->name, &w->targets);
    const Relation *r = relation_find(&w->targets, n->schema, n->name);
    if (!r) /* partitioned there, and not here */
        r = relation_find(&w->targets, s->schema, s->name);
    return r && r->root ? relation_find_oid(&w->targets, r->root) : r;
}

/* -- whether it fits ------------------------------------------------------------------------- */

/* A column that the target has not is left out where that is wanted, and no rows become the same by
 * it. */
static void check_columns(const MergeWork *w, MergeTable *t, const MergeSource *s,
                          StrList *problems)
{
    const Relation *recorded =
        relation_find(&w->backup.relations, s->stream->schema, s->stream->name);
    for (size_t i = 0; i < s->columns.count; i++) {
        const char *name = s->columns.items[i];
        char *text = NULL;
        MergeFit fit = merge_column_fits(recorded, name, t->target, &text);
        bool extra = fit == MERGE_FIT_NO_COLUMN && w->o->ignore_extra_columns && recorded &&
                     !relation_is_in_key(recorded, name);
        if (extra && !strlist_has(&t->extra_columns, name))
            strlist_add(&t->extra_columns, name);
        if (extra)
            free(text);
        else if (fit != MERGE_FITS)
            strlist_own(problems, text);
    }
}

static void check_table(const MergeTable *t, StrList *problems)
{
    if (t->target->kind == 'f')
        strlist_own(problems, mem_printf("%s is a foreign table", t->name));
}

static bool same_columns(const MergeTable *t, const StrList *columns)
{
    for (size_t i = 0; i < columns->count; i++)
        if (!strlist_has(&t->columns, columns->items[i]) &&
            !strlist_has(&t->extra_columns, columns->items[i]))
            return false;
    return columns->count == t->columns.count + t->extra_columns.count;
}

/* All streams of one table of the target. */
static Error *add_table(MergeWork *w, const Relation *target, const Relation **targets,
                        StrList *problems)
{
    MergeTable *t = NULL;
    for (size_t i = 0; i < w->backup.manifest->stream_count; i++) {
        const Stream *stream = &w->backup.manifest->streams[i];
        if (targets[i] != target)
            continue;
        bool first = !t;
        if (first) {
            t = merge_tables_add(&w->tables, target, NULL);
            check_table(t, problems);
        }
        MergeSource *s = merge_sources_add(&w->sources);
        *s = (MergeSource){.backup = &w->backup, .stream = stream, .table = t->number};
        TRY(backup_read_columns(&w->backup, stream, &s->columns));
        check_columns(w, t, s, problems);
        for (size_t k = 0; first && k < s->columns.count; k++)
            if (!strlist_has(&t->extra_columns, s->columns.items[k]))
                strlist_add(&t->columns, s->columns.items[k]);
        if (!same_columns(t, &s->columns))
            strlist_own(problems, mem_printf("%s.%s has other columns than other partitions of %s",
                                             stream->schema, stream->name, t->name));
        t->source_rows += stream->rows;
    }
    return NULL;
}

static Error *map_streams(MergeWork *w, StrList *problems)
{
    const Manifest *m = w->backup.manifest;
    const Relation **targets = mem_calloc(m->stream_count + 1, sizeof *targets);
    bool *used = mem_calloc(w->targets.count + 1, sizeof *used);
    Error *e = NULL;
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        if (!wanted(w, s))
            continue;
        targets[i] = merge_find_target(w, &w->backup, s);
        if (targets[i])
            used[targets[i] - w->targets.items] = true;
        else
            strlist_own(problems, mem_printf("%s.%s is not there", s->schema, s->name));
    }
    for (size_t i = 0; i < w->targets.count && !e; i++)
        if (used[i])
            e = add_table(w, &w->targets.items[i], targets, problems);
    free(targets);
    free(used);
    return e;
}

/* A mirror deletes what the backup has not: it must have all there was. */
static void check_mirror(const MergeWork *w, StrList *problems)
{
    const RelationList *l = &w->backup.relations;
    const char *filter = w->backup.manifest->info.filter;
    if (w->o->rules.mode != MERGE_MIRROR)
        return;
    if (filter && backup_filter_leaves_rows(filter))
        strlist_own(problems, mem_printf("the backup has only some of the rows (%s), and a mirror "
                                         "would delete the others",
                                         filter));
    for (size_t i = 0; i < l->count; i++) {
        const Relation *r = &l->items[i];
        if (!r->root || r->kind == 'p' || backup_read_table(&w->backup, r->schema, r->name))
            continue;
        const Stream like = {.schema = r->schema, .name = r->name};
        const Relation *target = merge_find_target(w, &w->backup, &like);
        if (target && merge_tables_find(&w->tables, target->oid))
            strlist_own(problems, mem_printf("the backup has no rows of %s.%s, and a mirror of the "
                                             "whole table would delete them",
                                             r->schema, r->name));
    }
}

/* -- what belongs to extensions, and rules ---------------------------------------------------- */

static char *table_oids(const MergeWork *w)
{
    AUTO_VALUE(Buf) b = {0};
    buf_u8(&b, '{');
    for (size_t i = 0; i < w->tables.count; i++)
        buf_printf(&b, "%s%u", i ? "," : "", w->tables.items[i].target->oid);
    buf_u8(&b, '}');
    return buf_steal_str(&b);
}

static Error *ask_conditions(MergeWork *w, StrList *problems)
{
    AUTO(char) oids = table_oids(w);
    const char *params[] = {oids};
    AUTO(Rows) rows = NULL;
    TRY(conn_query(w->conn, sql_merge_conditions, 1, params, &rows));
    for (size_t r = 0; r < rows_count(rows); r++) {
        MergeTable *t = merge_tables_find(&w->tables, rows_oid(rows, r, 0));
        if (rows_bool(rows, r, 2)) {
            strlist_own(problems,
                        mem_printf("%s has rules (CREATE RULE), which would change what is "
                                   "written",
                                   t->name));
            continue;
        }
        free(t->condition);
        t->condition = mem_strdup(rows_text(rows, r, 1));
    }
    return NULL;
}

/* -- keys ------------------------------------------------------------------------------------ */

static bool usable(const MergeTable *t, const MergeUnique *u)
{
    if (u->exclusion || !u->plain || u->predicate)
        return false;
    for (size_t i = 0; i < u->columns.count; i++)
        if (!strlist_has(&t->columns, u->columns.items[i]))
            return false;
    return true;
}

/* "schema.table: index" */
static Error *choose_key(MergeWork *w, const char *text)
{
    const char *colon = NULL;
    bool quoted = false;
    for (const char *p = text; *p && !colon; p++) {
        quoted = *p == '"' ? !quoted : quoted;
        if (*p == ':' && !quoted)
            colon = p;
    }
    if (!colon)
        return error_hint(ERROR_NEW(ERR_USAGE, "\"%s\" chooses no key", text),
                          "--key 'schema.table: index'");
    AUTO(char) table = mem_strndup(text, (size_t)(colon - text));
    AUTO(char) schema = NULL;
    AUTO(char) name = NULL;
    AUTO(char) index_schema = NULL;
    AUTO(char) index = NULL;
    TRY_CTX(pattern_name(table, &schema, &name), "--key %s", text);
    TRY_CTX(pattern_name(colon + 1 + strspn(colon + 1, " "), &index_schema, &index), "--key %s",
            text);
    const Relation *r = relation_find(&w->targets, schema ? schema : "public", name);
    MergeTable *t = r ? merge_tables_find(&w->tables, r->oid) : NULL;
    if (!t)
        FAIL(ERR_USAGE, "--key %s: no such table is merged", text);
    const MergeUnique *u = merge_table_unique(t, index);
    if (u && usable(t, u)) {
        t->key = u;
        return NULL;
    }
    AUTO_VALUE(Buf) could = {0};
    for (size_t i = 0; i < t->unique_count; i++)
        if (usable(t, &t->uniques[i]))
            buf_printf(&could, "%s%s", could.len ? ", " : "", t->uniques[i].name);
    AUTO(char) list = buf_steal_str(&could);
    return error_hint(ERROR_NEW(ERR_USAGE,
                                "--key %s: %s has no unique index of this name over columns alone "
                                "that the backup has",
                                text, t->name),
                      "it could be: %s", *list ? list : "none");
}

static Error *choose_keys(MergeWork *w)
{
    for (size_t i = 0; i < w->tables.count; i++) {
        MergeTable *t = &w->tables.items[i];
        const Relation *r = t->target;
        if (r->key_count && r->keys[0].primary) {
            const MergeUnique *u = merge_table_unique(t, r->keys[0].name);
            t->key = u && usable(t, u) ? u : NULL;
        }
    }
    for (size_t i = 0; w->o->keys && i < w->o->keys->count; i++)
        TRY(choose_key(w, w->o->keys->items[i]));
    return NULL;
}

static void drop_table(MergeWork *w, size_t number)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->sources.count; i++) {
        MergeSource *s = &w->sources.items[i];
        if (s->table == number) {
            strlist_free(&s->columns);
            continue;
        }
        s->table -= s->table > number;
        w->sources.items[kept++] = *s;
    }
    w->sources.count = kept;
    merge_table_clear(&w->tables.items[number]);
    w->tables.count--;
    memmove(&w->tables.items[number], &w->tables.items[number + 1],
            (w->tables.count - number) * sizeof *w->tables.items);
    for (size_t i = number; i < w->tables.count; i++)
        w->tables.items[i].number = i;
}

static Error *joined(ErrorKind kind, const char *lead, const StrList *list)
{
    AUTO_VALUE(Buf) text = {0};
    for (size_t i = 0; i < list->count && i < SHOWN; i++)
        buf_printf(&text, "%s%s", i ? "; " : "", list->items[i]);
    if (list->count > SHOWN)
        buf_printf(&text, "; and %zu more", list->count - SHOWN);
    AUTO(char) shown = buf_steal_str(&text);
    FAIL(kind, "%s: %s", lead, shown);
}

static Error *without_key(MergeWork *w)
{
    AUTO_VALUE(StrList) names = {0};
    for (size_t i = w->tables.count; i-- > 0;) {
        if (w->tables.items[i].key || w->o->keyless == MERGE_KEYLESS_REPLACE)
            continue;
        strlist_add(&names, w->tables.items[i].name);
        if (w->o->keyless == MERGE_KEYLESS_SKIP)
            drop_table(w, i);
    }
    if (w->o->keyless == MERGE_KEYLESS_SKIP) {
        for (size_t i = names.count; i-- > 0;)
            strlist_add(&w->left_out, names.items[i]);
        return NULL;
    }
    if (!names.count)
        return NULL;
    return error_hint(joined(ERR_PREFLIGHT,
                             "these tables have no primary key by which rows could be matched",
                             &names),
                      "choose a unique index by --key 'schema.table: index', or --keyless replace "
                      "(the table's rows become the backup's) or skip (leave such tables alone)");
}

/* -- all of it ------------------------------------------------------------------------------- */

Error *merge_plan(MergeWork *w)
{
    AUTO_VALUE(StrList) problems = {0};
    TRY(relation_list_read(w->conn, &w->targets));
    Error *e = backup_read_relations(&w->backup);
    if (e && error_kind(e) != ERR_NOT_FOUND)
        return e;
    error_free(e); /* then types are seen only when values are read */
    TRY(map_streams(w, &problems));
    check_mirror(w, &problems);
    if (w->tables.count)
        TRY(ask_conditions(w, &problems));
    if (problems.count)
        return error_hint(joined(ERR_PREFLIGHT, "the backup does not fit the tables", &problems),
                          "merge only what fits (--table), or make the tables fit; nothing was "
                          "touched");
    if (w->tables.count)
        TRY(merge_tables_read_uniques(w->conn, &w->tables));
    TRY(choose_keys(w));
    return without_key(w);
}
