#include <stdio.h>
#include <string.h>

#include "pg/relation.h"

void relation_list_clear(RelationList *l)
{
    for (size_t i = 0; i < l->count; i++) {
        Relation *r = &l->items[i];
        for (size_t k = 0; k < r->column_count; k++) {
            free(r->columns[k].name);
            free(r->columns[k].type);
            free(r->columns[k].base);
        }
        for (size_t k = 0; k < r->key_count; k++) {
            free(r->keys[k].name);
            strlist_free(&r->keys[k].columns);
        }
        for (size_t k = 0; k < r->foreign_count; k++) {
            free(r->foreigns[k].name);
            free(r->foreigns[k].target_schema);
            free(r->foreigns[k].target_name);
            strlist_free(&r->foreigns[k].columns);
            strlist_free(&r->foreigns[k].target_columns);
        }
        free(r->columns);
        free(r->keys);
        free(r->foreigns);
        free(r->schema);
        free(r->name);
    }
    free(l->items);
    free(l->by_oid);
    *l = (RelationList){0};
}

/* -- looking up ------------------------------------------------------------------------------- */

typedef struct Place {
    uint32_t oid, at;
} Place;

static int compare_places(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

void relation_list_index(RelationList *l)
{
    Place *places = mem_calloc(l->count, sizeof *places);
    for (size_t i = 0; i < l->count; i++)
        places[i] = (Place){.oid = l->items[i].oid, .at = (uint32_t)i};
    mem_sort(places, l->count, sizeof *places, compare_places);
    free(l->by_oid);
    l->by_oid = mem_calloc(l->count, sizeof *l->by_oid);
    for (size_t i = 0; i < l->count; i++)
        l->by_oid[i] = places[i].at;
    free(places);
}

const Relation *relation_find_oid(const RelationList *l, uint32_t oid)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const Relation *r = &l->items[l->by_oid[middle]];
        if (r->oid == oid)
            return r;
        if (r->oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const Relation *relation_find(const RelationList *l, const char *schema, const char *name)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const Relation *r = &l->items[middle];
        int order = strcmp(r->schema, schema);
        if (!order)
            order = strcmp(r->name, name);
        if (!order)
            return r;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const RelationColumn *relation_column(const Relation *r, const char *name)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (!strcmp(r->columns[i].name, name))
            return &r->columns[i];
    return NULL;
}

bool relation_is_in_key(const Relation *r, const char *column)
{
    return r->key_count && r->keys[0].primary && strlist_has(&r->keys[0].columns, column);
}

const Relation *relation_counterpart(const RelationList *from, const char *schema, const char *name,
                                     const RelationList *to)
{
    const Relation *own = relation_find(from, schema, name);
    const Relation *root = own && own->root ? relation_find_oid(from, own->root) : NULL;
    const Relation *r = root ? relation_find(to, root->schema, root->name) : NULL;
    if (!r)
        r = relation_find(to, schema, name);
    return r && r->root ? relation_find_oid(to, r->root) : r;
}

char *relation_sql_name(const Relation *r)
{
    AUTO(char) schema = text_sql_ident(r->schema);
    AUTO(char) name = text_sql_ident(r->name);
    return mem_printf("%s.%s", schema, name);
}

char *relation_sql_columns(const StrList *columns)
{
    Buf text = {0};
    for (size_t i = 0; i < columns->count; i++) {
        AUTO(char) name = text_sql_ident(columns->items[i]);
        buf_printf(&text, "%s%s", i ? ", " : "", name);
    }
    return buf_steal_str(&text);
}

/* -- as a stream ------------------------------------------------------------------------------ */

static void set_char(Doc *d, const char *key, char c)
{
    char text[2] = {c, 0};
    doc_set_str(d, key, text);
}

static Doc *column_doc(const RelationColumn *a)
{
    Doc *d = doc_object();
    doc_set_str(d, "name", a->name);
    doc_set_str(d, "type", a->type);
    doc_set_str(d, "base", a->base);
    doc_set_int(d, "number", a->number);
    doc_set_bool(d, "notNull", a->not_null);
    doc_set_bool(d, "generated", a->generated);
    set_char(d, "identity", a->identity);
    return d;
}

static Doc *key_doc(const RelationKey *k)
{
    Doc *d = doc_object();
    doc_set_str(d, "name", k->name);
    doc_set_bool(d, "primary", k->primary);
    doc_set_bool(d, "constraint", k->constraint);
    doc_set_bool(d, "deferrable", k->deferrable);
    doc_set_bool(d, "nullsDistinct", k->nulls_distinct);
    doc_set_bool(d, "notNull", k->not_null);
    doc_set(d, "columns", doc_texts(&k->columns));
    return d;
}

static Doc *foreign_doc(const RelationForeign *f)
{
    Doc *d = doc_object();
    doc_set_str(d, "name", f->name);
    doc_set(d, "columns", doc_texts(&f->columns));
    doc_set_int(d, "target", f->target);
    doc_set_str(d, "targetSchema", f->target_schema);
    doc_set_str(d, "targetName", f->target_name);
    doc_set(d, "targetColumns", doc_texts(&f->target_columns));
    doc_set_bool(d, "validated", f->validated);
    doc_set_bool(d, "deferrable", f->deferrable);
    set_char(d, "match", f->match);
    set_char(d, "onUpdate", f->on_update);
    set_char(d, "onDelete", f->on_delete);
    return d;
}

Doc *relation_doc(const Relation *r)
{
    Doc *d = doc_object(), *columns = doc_array(), *keys = doc_array(), *foreigns = doc_array();
    doc_set_str(d, "schema", r->schema);
    doc_set_str(d, "name", r->name);
    doc_set_int(d, "oid", r->oid);
    doc_set_int(d, "root", r->root);
    set_char(d, "kind", r->kind);
    doc_set_bool(d, "extension", r->extension);
    for (size_t k = 0; k < r->column_count; k++)
        doc_push(columns, column_doc(&r->columns[k]));
    for (size_t k = 0; k < r->key_count; k++)
        doc_push(keys, key_doc(&r->keys[k]));
    for (size_t k = 0; k < r->foreign_count; k++)
        doc_push(foreigns, foreign_doc(&r->foreigns[k]));
    doc_set(d, "columns", columns);
    doc_set(d, "keys", keys);
    doc_set(d, "foreignKeys", foreigns);
    return d;
}

void relation_list_encode(const RelationList *l, Buf *out)
{
    for (size_t i = 0; i < l->count; i++) {
        AUTO(Doc) d = relation_doc(&l->items[i]);
        AUTO(char) line = doc_print(d, false);
        buf_add_str(out, line);
        buf_u8(out, '\n');
    }
}

static void get_texts(const Doc *d, const char *key, StrList *out)
{
    const Doc *list = doc_get(d, key);
    for (size_t i = 0; i < doc_count(list); i++) {
        const char *text = doc_text(doc_at(list, i));
        strlist_add(out, text ? text : "");
    }
}

static char get_char(const Doc *d, const char *key)
{
    return doc_str(d, key, "")[0];
}

static char *get_text(const Doc *d, const char *key)
{
    return mem_strdup(doc_str(d, key, ""));
}

static void get_columns(const Doc *list, Relation *r)
{
    for (size_t i = 0; i < doc_count(list); i++) {
        const Doc *d = doc_at(list, i);
        mem_grow(r->columns, r->column_count, r->column_cap);
        r->columns[r->column_count++] =
            (RelationColumn){.name = get_text(d, "name"),
                             .type = get_text(d, "type"),
                             .base = get_text(d, "base"),
                             .number = (int)doc_int(d, "number", 0),
                             .not_null = doc_bool(d, "notNull", false),
                             .generated = doc_bool(d, "generated", false),
                             .identity = get_char(d, "identity")};
    }
}

static void get_keys(const Doc *list, Relation *r)
{
    for (size_t i = 0; i < doc_count(list); i++) {
        const Doc *d = doc_at(list, i);
        mem_grow(r->keys, r->key_count, r->key_cap);
        RelationKey *k = &r->keys[r->key_count++];
        *k = (RelationKey){.name = get_text(d, "name"),
                           .primary = doc_bool(d, "primary", false),
                           .constraint = doc_bool(d, "constraint", false),
                           .deferrable = doc_bool(d, "deferrable", false),
                           .nulls_distinct = doc_bool(d, "nullsDistinct", true),
                           .not_null = doc_bool(d, "notNull", false)};
        get_texts(d, "columns", &k->columns);
    }
}

static Error *get_foreigns(const Doc *list, Relation *r)
{
    for (size_t i = 0; i < doc_count(list); i++) {
        const Doc *d = doc_at(list, i);
        mem_grow(r->foreigns, r->foreign_count, r->foreign_cap);
        RelationForeign *f = &r->foreigns[r->foreign_count++];
        *f = (RelationForeign){.name = get_text(d, "name"),
                               .target = (uint32_t)doc_int(d, "target", 0),
                               .target_schema = get_text(d, "targetSchema"),
                               .target_name = get_text(d, "targetName"),
                               .validated = doc_bool(d, "validated", true),
                               .deferrable = doc_bool(d, "deferrable", false),
                               .match = get_char(d, "match"),
                               .on_update = get_char(d, "onUpdate"),
                               .on_delete = get_char(d, "onDelete")};
        get_texts(d, "columns", &f->columns);
        get_texts(d, "targetColumns", &f->target_columns);
        if (f->columns.count != f->target_columns.count)
            FAIL(ERR_DAMAGED, "foreign key %s of %s.%s refers from %zu columns to %zu", f->name,
                 r->schema, r->name, f->columns.count, f->target_columns.count);
    }
    return NULL;
}

static Error *take_doc(const Doc *d, Relation *r)
{
    r->schema = get_text(d, "schema");
    r->name = get_text(d, "name");
    r->oid = (uint32_t)doc_int(d, "oid", 0);
    r->root = (uint32_t)doc_int(d, "root", 0);
    r->kind = get_char(d, "kind");
    r->extension = doc_bool(d, "extension", false);
    get_columns(doc_get(d, "columns"), r);
    get_keys(doc_get(d, "keys"), r);
    return get_foreigns(doc_get(d, "foreignKeys"), r);
}

static Error *decode_line(const char *line, size_t n, Relation *r)
{
    AUTO(Doc) d = NULL;
    TRY(doc_parse(line, n, "the columns and keys of a table", &d));
    return take_doc(d, r);
}

static int compare_relations(const void *a, const void *b)
{
    const Relation *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

static void finish(RelationList *l, RelationList *out)
{
    mem_sort(l->items, l->count, sizeof *l->items, compare_relations);
    relation_list_index(l);
    *out = *l;
    *l = (RelationList){0};
}

static Relation *add_one(RelationList *l)
{
    mem_grow(l->items, l->count, l->cap);
    l->items[l->count] = (Relation){0};
    return &l->items[l->count++];
}

Error *relation_list_decode(const void *p, size_t n, RelationList *out)
{
    AUTO_VALUE(RelationList) l = {0};
    for (const char *at = p, *end = n ? at + n : at; at < end;) { /* nothing may be NULL */
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            FAIL(ERR_DAMAGED, "the columns and keys of the tables end inside a line");
        TRY(decode_line(at, (size_t)(newline - at), add_one(&l)));
        at = newline + 1;
    }
    finish(&l, out);
    return NULL;
}

Error *relation_list_from(const Doc *docs, RelationList *out)
{
    AUTO_VALUE(RelationList) l = {0};
    for (size_t i = 0; i < doc_count(docs); i++)
        TRY(take_doc(doc_at(docs, i), add_one(&l)));
    finish(&l, out);
    return NULL;
}
