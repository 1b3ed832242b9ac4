#include "op/diff.h"

static const char *const change_names[] = {"added", "removed", "changed"};

static Doc *objects_doc(const DiffObject *items, size_t count)
{
    Doc *all = doc_array();
    for (size_t i = 0; i < count; i++) {
        Doc *d = doc_object();
        doc_set_str(d, "change", change_names[items[i].change]);
        doc_set_str(d, "kind", items[i].kind);
        doc_set_str(d, "schema", items[i].schema);
        doc_set_str(d, "name", items[i].name);
        if (*items[i].text)
            doc_set_str(d, "diff", items[i].text);
        doc_push(all, d);
    }
    return all;
}

/* {"change", "key": {...}, "before": {...}, "after": {...}}; what has no such side is left out. */
static Doc *row_doc(const DiffRow *r)
{
    Doc *d = doc_object(), *key = doc_object(), *before = doc_object(), *after = doc_object();
    doc_set_str(d, "change", change_names[r->change]);
    for (size_t i = 0; i < r->count; i++) {
        const DiffValue *v = &r->values[i];
        if (v->key)
            doc_set_str(key, v->column, r->change == DIFF_ADDED ? v->after : v->before);
        if (v->key && r->change == DIFF_CHANGED)
            continue;
        doc_set_str(before, v->column, v->before);
        doc_set_str(after, v->column, v->after);
    }
    doc_set(d, "key", key);
    if (r->change == DIFF_ADDED)
        doc_free(before);
    else
        doc_set(d, "before", before);
    if (r->change == DIFF_REMOVED)
        doc_free(after);
    else
        doc_set(d, "after", after);
    return d;
}

static Doc *table_doc(const DiffTable *t, bool rows)
{
    Doc *d = doc_object(), *in = doc_object();
    doc_set_str(d, "schema", t->schema);
    doc_set_str(d, "name", t->name);
    doc_set_bool(in, "a", !t->missing[0]);
    doc_set_bool(in, "b", !t->missing[1]);
    doc_set(d, "rowsIn", in);
    doc_set_int(d, "added", (int64_t)t->added);
    doc_set_int(d, "removed", (int64_t)t->removed);
    doc_set_int(d, "changed", (int64_t)t->changed);
    doc_set_int(d, "rowsA", (int64_t)t->rows[0]);
    doc_set_int(d, "rowsB", (int64_t)t->rows[1]);
    doc_set_int(d, "comparedBytes", (int64_t)t->compared);
    doc_set(d, "key", doc_texts(&t->key));
    doc_set(d, "columnsOnlyA", doc_texts(&t->only[0]));
    doc_set(d, "columnsOnlyB", doc_texts(&t->only[1]));
    if (rows) {
        Doc *all = doc_array();
        for (size_t i = 0; i < t->found_count; i++)
            doc_push(all, row_doc(&t->found[i]));
        doc_set(d, "rows", all);
    }
    return d;
}

Doc *diff_doc(const DiffResult *r, bool rows)
{
    Doc *d = doc_object(), *tables = doc_array(), *objects = doc_object();
    doc_set_str(d, "a", r->names[0]);
    doc_set_str(d, "b", r->names[1]);
    doc_set_bool(d, "different", diff_any(r));
    doc_set(d, "schema", objects_doc(r->objects, r->object_count));
    doc_set(d, "sequences", objects_doc(r->sequences, r->sequence_count));
    for (size_t i = 0; i < r->table_count; i++)
        doc_push(tables, table_doc(&r->tables[i], rows));
    doc_set(d, "tables", tables);
    doc_set_int(d, "sameTables", (int64_t)r->same_tables);
    doc_set_int(objects, "added", (int64_t)r->large_objects_added);
    doc_set_int(objects, "removed", (int64_t)r->large_objects_removed);
    doc_set_int(objects, "changed", (int64_t)r->large_objects_changed);
    doc_set(d, "largeObjects", objects);
    doc_set(d, "notes", doc_texts(&r->notes));
    doc_set_int(d, "fetchedBytes", (int64_t)r->fetched);
    doc_set_int(d, "spilledBytes", (int64_t)r->spilled);
    doc_set_int(d, "duration", r->ms);
    return d;
}
