#include "pg/relation.h"

#include <string.h>

#include "sql.h"

/* Rows that belong to one table after another are merged into the list, which is found by OID:
 * `at` stays with the table of the last row. */
static Relation *relation_of(RelationList *l, const Rows *rows, size_t row, Relation *at)
{
    uint32_t oid = rows_oid(rows, row, 0);
    if (at && at->oid == oid)
        return at;
    return (Relation *)relation_find_oid(l, oid);
}

static Error *read_tables(Conn *c, RelationList *l)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql_relations, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        mem_grow(l->items, l->count, l->cap);
        l->items[l->count++] = (Relation){.oid = rows_oid(rows, i, 0),
                                          .schema = mem_strdup(rows_text(rows, i, 1)),
                                          .name = mem_strdup(rows_text(rows, i, 2)),
                                          .kind = rows_text(rows, i, 3)[0],
                                          .extension = rows_bool(rows, i, 4),
                                          .root = rows_oid(rows, i, 5)};
    }
    relation_list_index(l);
    return NULL;
}

static Error *read_columns(Conn *c, RelationList *l)
{
    AUTO(Rows) rows = NULL;
    Relation *r = NULL;
    TRY(conn_query(c, sql_relation_columns, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        r = relation_of(l, rows, i, r);
        if (!r) /* made since we asked for the tables, where no snapshot holds */
            continue;
        mem_grow(r->columns, r->column_count, r->column_cap);
        r->columns[r->column_count++] = (RelationColumn){.number = (int)rows_int(rows, i, 1),
                                                         .name = mem_strdup(rows_text(rows, i, 2)),
                                                         .type = mem_strdup(rows_text(rows, i, 3)),
                                                         .base = mem_strdup(rows_text(rows, i, 4)),
                                                         .not_null = rows_bool(rows, i, 5),
                                                         .generated = rows_bool(rows, i, 6),
                                                         .identity = rows_text(rows, i, 7)[0],
                                                         .defaults = rows_bool(rows, i, 8)};
    }
    return NULL;
}

static Error *read_keys(Conn *c, RelationList *l)
{
    AUTO(Rows) rows = NULL;
    Relation *r = NULL;
    TRY(conn_query(c, sql_relation_keys, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        const char *name = rows_text(rows, i, 1), *column = rows_text(rows, i, 6);
        r = relation_of(l, rows, i, r);
        if (!r)
            continue;
        RelationKey *k = r->key_count ? &r->keys[r->key_count - 1] : NULL;
        if (!k || strcmp(k->name, name)) {
            mem_grow(r->keys, r->key_count, r->key_cap);
            k = &r->keys[r->key_count++];
            *k = (RelationKey){.name = mem_strdup(name),
                               .primary = rows_bool(rows, i, 2),
                               .constraint = rows_bool(rows, i, 3),
                               .deferrable = rows_bool(rows, i, 4),
                               .nulls_distinct = rows_bool(rows, i, 5),
                               .not_null = true};
        }
        const RelationColumn *a = relation_column(r, column);
        k->not_null = k->not_null && a && a->not_null;
        strlist_add(&k->columns, column);
    }
    return NULL;
}

static Error *read_foreign_keys(Conn *c, RelationList *l)
{
    AUTO(Rows) rows = NULL;
    Relation *r = NULL;
    TRY(conn_query(c, sql_relation_foreign_keys, 0, NULL, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        const char *name = rows_text(rows, i, 1);
        r = relation_of(l, rows, i, r);
        if (!r)
            continue;
        RelationForeign *f = r->foreign_count ? &r->foreigns[r->foreign_count - 1] : NULL;
        if (!f || strcmp(f->name, name)) {
            mem_grow(r->foreigns, r->foreign_count, r->foreign_cap);
            f = &r->foreigns[r->foreign_count++];
            *f = (RelationForeign){.name = mem_strdup(name),
                                   .target = rows_oid(rows, i, 2),
                                   .target_schema = mem_strdup(rows_text(rows, i, 3)),
                                   .target_name = mem_strdup(rows_text(rows, i, 4)),
                                   .validated = rows_bool(rows, i, 5),
                                   .deferrable = rows_bool(rows, i, 6),
                                   .match = rows_text(rows, i, 7)[0],
                                   .on_update = rows_text(rows, i, 8)[0],
                                   .on_delete = rows_text(rows, i, 9)[0]};
        }
        strlist_add(&f->columns, rows_text(rows, i, 10));
        strlist_add(&f->target_columns, rows_text(rows, i, 11));
    }
    return NULL;
}

Error *relation_list_read(Conn *c, RelationList *out)
{
    AUTO_VALUE(RelationList) l = {0};
    TRY(conn_use_utf8(c));
    TRY(read_tables(c, &l));
    TRY(read_columns(c, &l));
    TRY(read_keys(c, &l));
    TRY(read_foreign_keys(c, &l));
    *out = l;
    l = (RelationList){0};
    return NULL;
}
