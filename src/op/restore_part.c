/* What stands against restoring a part of a backup into a database. */
#include <string.h>

#include "op/restore_work.h"
#include "pg/part_target.h"

static void add(const RestoreWork *w, FindingList *f, const char *title, const char *what,
                const StrList *names, const char *remedy)
{
    AUTO_VALUE(StrList) texts = {0};
    for (size_t i = 0; i < names->count; i++)
        strlist_own(&texts, part_text(w->backup.encoding, names->items[i]));
    restore_add_names(f, FINDING_PROBLEM, title, what, &texts, remedy);
}

typedef struct Names {
    StrList schemas, names;
} Names;
static void names_clear(Names *n)
{
    strlist_free(&n->schemas);
    strlist_free(&n->names);
}
DEFINE_AUTO_VALUE(Names, names_clear)

/* Under which name an entry of the part comes to be. */
static void add_name(const Selection *s, const TocEntry *e, Names *out)
{
    const char *schema = e->schema, *name = e->tag;
    for (size_t i = 0; i < s->rename_count; i++)
        if (s->renames[i].entry == e) {
            schema = s->renames[i].schema;
            name = s->renames[i].name;
        }
    strlist_add(&out->schemas, schema);
    strlist_add(&out->names, name);
}

static bool is_renamed(const Selection *s, int place)
{
    for (size_t i = 0; place >= 0 && i < s->rename_count; i++)
        if (s->renames[i].entry == &s->toc->entries[place])
            return true;
    return false;
}

/* What belongs to a table that gets another name gets one that is free; its partitions too. */
static bool goes_with_renamed(const Selection *s, const int *parents, int place)
{
    if (is_renamed(s, s->homes[place]))
        return true;
    for (int up = parents[place]; up >= 0; up = parents[up])
        if (is_renamed(s, up))
            return true;
    return s->homes[place] >= 0 && goes_with_renamed(s, parents, s->homes[place]);
}

/* Tables that must have no rows; of_extensions: of those that CREATE EXTENSION makes alone. */
static Error *add_filled(RestoreWork *w, Conn *inside, bool of_extensions, FindingList *f)
{
    const Selection *s = &w->part.selection;
    AUTO_VALUE(StrList) filled = {0};
    for (size_t i = 0; i < s->toc->count; i++) {
        const TocEntry *e = &s->toc->entries[i];
        AUTO_VALUE(Names) one = {0};
        AUTO_VALUE(StrList) there = {0};
        bool has_rows = false;
        if (s->marks[i] != SELECTION_CHOSEN || !toc_is_table_data(e) ||
            (of_extensions && s->homes[i] >= 0))
            continue;
        add_name(s, e, &one);
        TRY(part_target_relations(inside, &one.schemas, &one.names, true, &there));
        if (there.count)
            TRY(part_target_filled(inside, one.schemas.items[0], one.names.items[0], &has_rows));
        if (has_rows)
            strlist_add(&filled, there.items[0]);
    }
    add(w, f, "tables", "these have rows already", &filled,
        "--merge upsert|mirror|insert brings rows into tables that have some");
    return NULL;
}

static Error *check_none_there(RestoreWork *w, Conn *inside, FindingList *f)
{
    const Selection *s = &w->part.selection;
    AUTO_VALUE(Names) names = {0};
    AUTO_VALUE(StrList) there = {0};
    int *parents = selection_parents(s->toc);
    for (size_t i = 0; i < s->toc->count; i++) {
        const TocEntry *e = &s->toc->entries[i];
        if (s->marks[i] == SELECTION_CHOSEN && selection_is_relation(e) &&
            !goes_with_renamed(s, parents, (int)i))
            add_name(s, e, &names);
    }
    free(parents);
    TRY(part_target_relations(inside, &names.schemas, &names.names, true, &there));
    TRY(add_filled(w, inside, true, f));
    add(w, f, "tables", "the database has these already", &there,
        "--merge upsert|mirror|insert brings rows into tables that are there; --table "
        "shop.orders=shop.orders_old restores one beside the one that is there");
    return NULL;
}

static Error *check_new_schemas(RestoreWork *w, Conn *inside, FindingList *f)
{
    const Selection *s = &w->part.selection;
    AUTO_VALUE(StrList) missing = {0};
    for (size_t i = 0; i < s->rename_count; i++) {
        const char *schema = s->renames[i].schema;
        bool there = false;
        for (size_t k = 0; k < w->backup.toc->count && !there; k++)
            there = toc_is(&w->backup.toc->entries[k], "SCHEMA") &&
                    !strcmp(w->backup.toc->entries[k].tag, schema);
        if (!there)
            TRY(part_target_has_schema(inside, schema, &there));
        if (!there && !strlist_has(&missing, schema))
            strlist_add(&missing, schema);
    }
    add(w, f, "schemas", "the database does not have", &missing,
        "CREATE SCHEMA; or name one it has");
    return NULL;
}

/* Rows alone go into tables that are there, and empty. */
static Error *check_all_empty(RestoreWork *w, Conn *inside, FindingList *f)
{
    const Selection *s = &w->part.selection;
    AUTO_VALUE(Names) names = {0};
    AUTO_VALUE(StrList) missing = {0};
    for (size_t i = 0; i < s->toc->count; i++) {
        const TocEntry *e = &s->toc->entries[i];
        if (s->marks[i] == SELECTION_CHOSEN && (toc_is_table_data(e) || toc_is(e, "SEQUENCE SET") ||
                                                toc_is(e, "MATERIALIZED VIEW DATA")))
            add_name(s, e, &names);
    }
    TRY(part_target_relations(inside, &names.schemas, &names.names, false, &missing));
    add(w, f, "tables", "the database does not have", &missing,
        "restore them with their definitions, without --data-only");
    if (missing.count)
        return NULL;
    return add_filled(w, inside, false, f);
}

static Error *check(RestoreWork *w, Conn *inside, FindingList *f)
{
    if (w->o->part.data_only)
        return check_all_empty(w, inside, f);
    TRY(check_none_there(w, inside, f));
    return check_new_schemas(w, inside, f);
}

static void add_size(const RestoreWork *w, FindingList *f)
{
    char size[32];
    AUTO(char)
    detail =
        mem_printf("%llu tables with %llu rows, %s as text", (unsigned long long)w->part.tables,
                   (unsigned long long)w->part.rows, text_size(w->part.bytes, size));
    finding_add(f, FINDING_OK, "part", detail, NULL);
}

Error *restore_check_part(RestoreWork *w, Conn *inside, FindingList *f)
{
    /* Names in the archive are in its encoding. */
    AUTO(char) encoding = w->backup.encoding ? text_sql_literal(w->backup.encoding) : NULL;
    if (encoding)
        TRY(conn_execf(inside, "SET client_encoding = %s", encoding));
    TRY(check(w, inside, f));
    add_size(w, f);
    return NULL;
}

void restore_check_part_alone(const RestoreWork *w, FindingList *f)
{
    if (!w->part.whole)
        return;
    if (w->o->part.data_only)
        finding_add(f, FINDING_PROBLEM, "tables",
                    "rows alone need tables to go into, and the database does not exist",
                    "restore without --data-only, or make the tables first");
    AUTO_VALUE(StrList) notes = {0};
    selection_notes(&w->part.selection, &notes);
    for (size_t i = 0; i < notes.count; i++)
        finding_add(f, FINDING_WARNING, "part", notes.items[i], NULL);
    add_size(w, f);
}
