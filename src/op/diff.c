#include "op/diff.h"

#include <string.h>

#include "base/clock.h"
#include "op/diff_schema.h"
#include "op/diff_work.h"

void diff_options_clear(DiffOptions *o)
{
    strlist_free(&o->tables);
    strlist_free(&o->schemas);
}

void diff_table_clear(DiffTable *t)
{
    for (size_t i = 0; i < t->found_count; i++) {
        DiffRow *row = &t->found[i];
        for (size_t k = 0; k < row->count; k++) {
            free(row->values[k].column);
            free(row->values[k].before);
            free(row->values[k].after);
        }
        free(row->values);
    }
    free(t->found);
    strlist_free(&t->key);
    strlist_free(&t->only[0]);
    strlist_free(&t->only[1]);
    free(t->schema);
    free(t->name);
}

static void objects_clear(DiffObject *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i].kind);
        free(items[i].schema);
        free(items[i].name);
        free(items[i].text);
    }
    free(items);
}

void diff_result_clear(DiffResult *r)
{
    objects_clear(r->objects, r->object_count);
    objects_clear(r->sequences, r->sequence_count);
    for (size_t i = 0; i < r->table_count; i++)
        diff_table_clear(&r->tables[i]);
    free(r->tables);
    free(r->names[0]);
    free(r->names[1]);
    strlist_free(&r->notes);
    *r = (DiffResult){0};
}

bool diff_any(const DiffResult *r)
{
    return r->object_count || r->sequence_count || r->table_count || r->large_objects_added ||
           r->large_objects_removed || r->large_objects_changed;
}

/* -- the two sides ---------------------------------------------------------------------------- */

/* What a backup says of itself that a reader of the comparison should know. */
static void add_notes(DiffWork *w, const BackupRead *b)
{
    const BackupInfo *i = &b->manifest->info;
    if (*i->filter)
        strlist_own(&w->result->notes, mem_printf("%s is not whole: %s", b->id, i->filter));
    if (!b->relations_read)
        strlist_own(&w->result->notes,
                    mem_printf("%s does not record the keys of its tables", b->id));
}

static Error *open_backup(DiffWork *w, int side, const char *name)
{
    BackupRead *b = &w->sides[side].backup;
    TRY(backup_read_open(w->c, name, "diff", b));
    w->result->names[side] = mem_strdup(b->id);
    Error *e = backup_read_relations(b);
    if (e && error_kind(e) != ERR_NOT_FOUND)
        return e;
    error_free(e);
    add_notes(w, b);
    return NULL;
}

static Error *open_sides(DiffWork *w)
{
    const char *b = w->o->b;
    TRY(open_backup(w, 0, w->o->a));
    w->sides[1].is_live = !b || !strcmp(b, "live");
    if (!w->sides[1].is_live)
        return open_backup(w, 1, b);
    w->result->names[1] = mem_strdup("live");
    TRY(live_read_open(w->c, &w->sides[1].live));
    strlist_copy(&w->result->notes, &w->sides[1].live.warnings);
    return NULL;
}

static const char *encoding_of(const DiffSide *s)
{
    const char *e = s->is_live ? s->live.encoding : s->backup.encoding;
    return e ? e : "";
}

/* The parts that were asked for; they need not be there on both sides. */
static Error *choose(DiffWork *w)
{
    SelectionOptions o = {.tables = &w->o->tables, .schemas = &w->o->schemas};
    Error *missing[2] = {0};
    if (!selection_wanted(&o))
        return NULL;
    for (int side = 0; side < 2; side++) {
        DiffSide *s = &w->sides[side];
        Error *e = selection_make(diff_side_toc(s), &o, &s->chosen);
        s->choosing = !e;
        if (e && error_kind(e) != ERR_NOT_FOUND) {
            error_free(missing[0]);
            return e;
        }
        missing[side] = e;
    }
    if (missing[0] && missing[1])
        return error_first(missing[0], missing[1]);
    for (int side = 0; side < 2; side++) {
        /* Nothing of this side is wanted then. */
        if (missing[side]) {
            w->sides[side].none = true;
            error_free(missing[side]);
        }
    }
    return NULL;
}

static Error *compare(DiffWork *w)
{
    const Toc *tocs[] = {diff_side_toc(&w->sides[0]), diff_side_toc(&w->sides[1])};
    const DiffSide *a = &w->sides[0], *b = &w->sides[1];
    if (strcmp(encoding_of(a), encoding_of(b)) && !b->is_live)
        strlist_own(&w->result->notes,
                    mem_printf("the encodings are different (%s, %s): text is compared byte by "
                               "byte",
                               encoding_of(a), encoding_of(b)));
    TRY(choose(w));
    const Selection *chosen[] = {a->choosing ? &a->chosen : NULL, b->choosing ? &b->chosen : NULL};
    diff_schema(tocs, chosen, (const bool[]){a->none, b->none}, w->result);
    TRY(diff_pairs(w));
    TRY(diff_tables(w));
    return a->choosing || b->choosing ? NULL : diff_large_objects(w);
}

Error *op_diff(const OpContext *c, const DiffOptions *o, DiffResult *out)
{
    int64_t started = clock_mono_ms();
    AUTO_VALUE(DiffResult) result = {0};
    AUTO_VALUE(DiffWork) w = {.c = c, .o = o, .result = &result};
    TRY(open_sides(&w));
    TRY(compare(&w));
    for (int side = 0; side < 2; side++)
        if (w.sides[side].backup.repo)
            result.fetched += store_fetched(repo_store(w.sides[side].backup.repo));
    result.ms = clock_mono_ms() - started;
    *out = result;
    result = (DiffResult){0};
    return NULL;
}
