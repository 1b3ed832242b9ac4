#include "op/restore_within.h"

#include <string.h>

#include "base/fault.h"
#include "pg/load.h"
#include "pg/load_objects.h"
#include "pg/part_target.h"
#include "pg/restore_script.h"

typedef struct Within {
    RestoreWork *w;
    const WithinSource *s;
    Conn *c;
    RestoreScript script;
    LoadPlan plan;
    bool committing; /* if the connection is lost then, nobody can say what the server did */
    bool *skipped;   /* entries that the database had already, and what belongs to them */
} Within;

static void within_clear(Within *x)
{
    if (x->c)
        conn_free(x->c);
    restore_script_clear(&x->script);
    load_plan_clear(&x->plan);
    free(x->skipped);
}
DEFINE_AUTO_VALUE(Within, within_clear)

static size_t place(const Within *x, const TocEntry *e)
{
    return (size_t)(e - x->s->toc->entries);
}

static char *label(const Within *x, const TocEntry *e)
{
    AUTO(char) text = mem_printf("%s %s%s%s", e->desc, e->schema, *e->schema ? "." : "", e->tag);
    AUTO(char) utf8 = part_text(x->w->backup.encoding, text);
    return text_printable(utf8);
}

static void warn(Within *x, const TocEntry *e, const char *what)
{
    AUTO(char) name = label(x, e);
    strlist_own(&x->w->warnings, mem_printf("%s %s", name, what));
}

/* -- definitions ------------------------------------------------------------------------------ */

static Error *exec_step(Within *x, const RestoreStep *step)
{
    AUTO(char) name = label(x, step->entry);
    job_object(x->w->c->job, name);
    TRY_CTX(conn_exec(x->c, step->sql), "making %s", name);
    job_add_items(x->w->c->job, 1);
    return NULL;
}

/* A step that may fail for what `tolerated` takes: then *why is the error, and nothing of it
 * stays. */
static Error *try_step(Within *x, const RestoreStep *step, bool (*tolerated)(const char *sqlstate),
                       Error **why)
{
    *why = NULL;
    TRY(conn_exec(x->c, "SAVEPOINT pgstow_step"));
    Error *e = exec_step(x, step);
    if (!e)
        return conn_exec(x->c, "RELEASE SAVEPOINT pgstow_step");
    if (conn_broken(x->c) || !tolerated(conn_last_sqlstate(x->c)))
        return e;
    Error *undone =
        conn_exec(x->c, "ROLLBACK TO SAVEPOINT pgstow_step; RELEASE SAVEPOINT pgstow_step");
    if (undone) {
        error_free(e);
        return undone;
    }
    *why = e;
    return NULL;
}

static bool is_duplicate(const char *state)
{
    static const char *const states[] = {"42710", "42P07", "42P06", "42723"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (!strcmp(state, states[i]))
            return true;
    return false;
}

/* Rows without the ones that they refer to; a table that is not there, or is another one. */
static bool does_not_fit(const char *state)
{
    return text_starts(state, "23") || text_starts(state, "42");
}

static bool belongs_to_one(const TocEntry *e)
{
    return toc_is(e, "COMMENT") || toc_is(e, "ACL") || toc_is(e, "SECURITY LABEL");
}

/* Whether it is there, where its statement would not say so. */
static Error *is_there(Within *x, const TocEntry *e, bool *there)
{
    *there = false;
    if (toc_is(e, "EXTENSION"))
        return part_target_has_extension(x->c, e->tag, there);
    if (toc_is(e, "PROCEDURAL LANGUAGE"))
        return part_target_has_language(x->c, e->tag, there);
    return NULL;
}

/* What says something of a thing that was there already, or is not in the archive at all. */
static bool is_none_of_ours(const Within *x, const TocEntry *e)
{
    int home = x->s->homes[place(x, e)];
    if (home >= 0)
        return x->skipped[home];
    if (!toc_is(e, "DEFAULT ACL"))
        return belongs_to_one(e);
    const TocEntry *schema = e->dep_count ? toc_find(x->s->toc, e->deps[0]) : NULL;
    return !schema || x->skipped[place(x, schema)];
}

static Error *make_if_missing(Within *x, const RestoreStep *step)
{
    const TocEntry *e = step->entry;
    AUTO(Error) why = NULL;
    bool there, needed = x->s->marks[place(x, e)] == SELECTION_NEEDED;
    TRY(is_there(x, e, &there));
    if (!there)
        TRY(try_step(x, step, is_duplicate, &why));
    x->skipped[place(x, e)] = there || why;
    if (why && !needed && !toc_is(e, "SCHEMA"))
        warn(x, e, "is there already, and was left as it is");
    if (!there && !why && needed && toc_is(e, "TABLE"))
        warn(x, e, "was made without rows: what was chosen needs it");
    return NULL;
}

static Error *make_reference(Within *x, const RestoreStep *step)
{
    AUTO(Error) why = NULL;
    TRY(try_step(x, step, does_not_fit, &why));
    if (!why)
        return NULL;
    AUTO(char) what = mem_printf("is left out: %s", error_message(why));
    warn(x, step->entry, what);
    return NULL;
}

static Error *run_step(Within *x, const RestoreStep *step)
{
    const TocEntry *e = step->entry;
    SelectionMark mark = x->s->marks[place(x, e)];
    if (*step->settings)
        TRY(conn_exec(x->c, step->settings));
    if (is_none_of_ours(x, e)) {
        x->skipped[place(x, e)] = true;
        return NULL;
    }
    if (mark == SELECTION_REFERS)
        return make_reference(x, step);
    bool owned = x->s->homes[place(x, e)] >= 0;
    if (mark == SELECTION_NEEDED || (!owned && !selection_is_relation(e)))
        return make_if_missing(x, step);
    if (x->w->o->part.data_only && toc_is(e, "SEQUENCE SET"))
        TRY(part_target_own_sequence(x->c, e->schema, e->tag));
    return exec_step(x, step);
}

static bool is_last(const Within *x, const TocEntry *e)
{
    /* Only a table that is complete fits one that is. */
    return toc_is(e, "TABLE ATTACH") && x->s->marks[place(x, e)] == SELECTION_REFERS;
}

/* -- rows ------------------------------------------------------------------------------------- */

static Error *take_rows(void *to, const void *p, size_t n)
{
    return copy_in_write(to, p, n);
}

static Error *take_objects(void *to, const void *p, size_t n)
{
    return load_objects_feed(to, p, n);
}

/* The backup's own entry; NULL where its rows are not wanted. */
static const TocEntry *rows_of(const Within *x, const LoadTable *t)
{
    return x->s->rows[place(x, toc_find(x->s->toc, t->entry->dump_id))];
}

static const Stream *stream_of(const Within *x, const LoadTable *t)
{
    const TocEntry *rows = rows_of(x, t);
    return rows ? manifest_find_stream(x->w->backup.manifest, STREAM_TABLE, (uint32_t)rows->dump_id)
                : NULL;
}

static Error *load_table(Within *x, const LoadTable *t, bool *again)
{
    const Stream *s = stream_of(x, t);
    *again = false;
    job_object(x->w->c->job, t->name);
    Error *e = load_within_begin(x->c, t, x->w->o->part.data_only);
    if (!e)
        e = backup_read_stream(&x->w->backup, s, x->w->cancel, take_rows, x->c, NULL);
    if (!e)
        e = fault_reach("restore.within.table");
    if (!e)
        e = load_within_end(x->c, t, s->rows);
    if (e) {
        *again = load_failed_on_rows(x->c);
        load_within_abort(x->c);
        return error_context(e, "loading table %s", t->name);
    }
    x->w->rows += s->rows;
    x->w->bytes += s->bytes;
    job_add_items(x->w->c->job, 1);
    return NULL;
}

/* Some rows are refused until others are there (a CHECK may ask another table): again, as long as
 * that brings at least one more table in. */
static Error *load_tables(Within *x, const LoadTable **tables, size_t count)
{
    for (size_t before = SIZE_MAX; count && count < before;) {
        size_t left = 0;
        AUTO(Error) first = NULL;
        before = count;
        for (size_t i = 0; i < count; i++) {
            bool again;
            Error *e = load_table(x, tables[i], &again);
            if (e && !again)
                return e;
            if (e)
                tables[left++] = tables[i];
            first = error_first(STEAL(first), e);
        }
        count = left;
        if (count == before)
            return STEAL(first);
    }
    return NULL;
}

static Error *load_large_objects(Within *x)
{
    const Manifest *m = x->w->backup.manifest;
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        if (s->kind != STREAM_LARGE_OBJECTS || !toc_find(x->w->backup.toc, (int)s->dump_id))
            continue;
        AUTO(LoadObjects) lo = load_objects_within(x->c);
        uint64_t count;
        job_object(x->w->c->job, "large objects");
        TRY_CTX(backup_read_stream(&x->w->backup, s, x->w->cancel, take_objects, lo, NULL),
                "loading large objects");
        TRY_CTX(load_objects_end(lo, &count), "loading large objects");
        x->w->bytes += s->bytes;
    }
    return NULL;
}

static Error *check_streams(const Within *x, const LoadTable *const *tables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!stream_of(x, tables[i]))
            FAIL(ERR_DAMAGED, "backup %s has no data for its entry %d (%s %s)", x->w->backup.id,
                 tables[i]->entry->dump_id, tables[i]->entry->desc, tables[i]->entry->tag);
    return NULL;
}

/* They were empty when that was looked at; somebody may have written since. */
static Error *hold_empty(Within *x, const LoadTable *t)
{
    bool filled = false;
    TRY(part_target_hold(x->c, t->entry->schema, t->entry->tag, &filled));
    if (!filled)
        return NULL;
    AUTO(char) name = label(x, t->entry);
    return error_hint(ERROR_NEW(ERR_PREFLIGHT, "%s: others brought rows into the table", name),
                      "--merge upsert|mirror|insert brings rows into tables that have some");
}

static Error *load_in_order(Within *x, const LoadTable **tables)
{
    size_t count = 0;
    for (int late = 0; late < 2; late++)
        for (size_t i = 0; i < x->plan.count; i++)
            if (x->plan.tables[i].late == late && rows_of(x, &x->plan.tables[i]))
                tables[count++] = &x->plan.tables[i];
    TRY(check_streams(x, tables, count));
    job_phase(x->w->c->job, "copying", x->w->part.bytes, count);
    AUTO_VALUE(StrList) schemas = {0};
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(StrList) before = {0};
    for (size_t i = 0; x->w->o->part.data_only && i < count; i++) {
        TRY(hold_empty(x, tables[i]));
        strlist_add(&schemas, tables[i]->entry->schema);
        strlist_add(&names, tables[i]->entry->tag);
    }
    if (names.count)
        TRY(part_target_open_tables(x->c, &schemas, &names, &before));
    TRY(load_tables(x, tables, count));
    if (names.count)
        TRY(part_target_as_before(x->c, &before));
    return load_large_objects(x);
}

static Error *load_all(Within *x)
{
    FAULT_POINT("restore.within.defined");
    TRY(load_plan_make(x->c, x->s->tables, &x->plan));
    const LoadTable **tables = mem_calloc(x->plan.count + 1, sizeof(LoadTable *));
    Error *e = load_in_order(x, tables);
    free(tables);
    TRY(e);
    FAULT_POINT("restore.within.copied");
    job_phase(x->w->c->job, "indexes and constraints", 0, 0);
    return NULL;
}

/* -- all of it -------------------------------------------------------------------------------- */

static Error *analyze_each(Within *x, const TocEntry **at)
{
    for (size_t i = 0; i < x->plan.count; i++) {
        const TocEntry *e = x->plan.tables[i].entry;
        if (!rows_of(x, &x->plan.tables[i]))
            continue;
        AUTO(char) schema = text_sql_ident(e->schema);
        AUTO(char) name = text_sql_ident(e->tag);
        *at = e;
        TRY(conn_execf(x->c, "ANALYZE %s.%s", schema, name));
    }
    return NULL;
}

/* One part of the transaction for all tables: each such part costs the more, the more tables the
 * transaction has made. */
static Error *analyze(Within *x)
{
    const TocEntry *at = NULL;
    if (x->w->o->no_analyze)
        return NULL;
    job_phase(x->w->c->job, "analyzing", 0, 0);
    TRY(conn_exec(x->c, "SAVEPOINT pgstow_analyze"));
    AUTO(Error) e = analyze_each(x, &at);
    if (!e)
        return conn_exec(x->c, "RELEASE SAVEPOINT pgstow_analyze");
    if (conn_broken(x->c) || cancel_requested(x->w->cancel))
        return STEAL(e);
    /* The data are there and right: a plan may be slow, nothing is wrong. */
    AUTO(char) what = mem_printf("was not analyzed (run ANALYZE): %s", error_message(e));
    warn(x, at, what);
    return conn_exec(x->c, "ROLLBACK TO SAVEPOINT pgstow_analyze");
}

/* What comes behind the rows; privileges are pg_restore's last, also those of tables. */
static bool is_behind(const TocEntry *e)
{
    return e->section == TOC_POST_DATA || toc_is(e, "ACL") || toc_is(e, "DEFAULT ACL");
}

static Error *run_all(Within *x)
{
    bool loaded = x->w->o->part.schema_only;
    job_phase(x->w->c->job, "definitions", 0, x->script.count);
    for (size_t i = 0; i < x->script.count; i++) {
        const RestoreStep *step = &x->script.steps[i];
        if (!loaded && is_behind(step->entry)) {
            TRY(load_all(x));
            loaded = true;
        }
        if (!is_last(x, step->entry))
            TRY(run_step(x, step));
    }
    if (!loaded)
        TRY(load_all(x));
    for (size_t i = 0; i < x->script.count; i++)
        if (is_last(x, x->script.steps[i].entry))
            TRY(run_step(x, &x->script.steps[i]));
    TRY(analyze(x));
    FAULT_POINT("restore.within.commit");
    TRY(conn_exec(x->c, "SET LOCAL synchronous_commit = on"));
    x->committing = true;
    return conn_exec(x->c, "COMMIT");
}

static bool wants(void *ctx, const TocEntry *e)
{
    const Within *x = ctx;
    return x->s->marks[place(x, e)] != SELECTION_OUT && !toc_has_block(e) &&
           restore_server_has(conn_server_major(x->w->admin), e);
}

Error *restore_within_run(RestoreWork *w, const WithinSource *source)
{
    AUTO_VALUE(Within) x = {.w = w, .s = source};
    RestorePassOptions o = {
        .tool = w->tool,
        .toc = source->toc,
        .no_owner = w->o->no_owner,
        .no_privileges = w->o->no_privileges,
        .no_tablespaces = w->o->no_tablespaces,
        .cancel = w->cancel,
    };
    x.skipped = mem_calloc(source->toc->count + 1, sizeof *x.skipped);
    TRY(restore_script_make(&o, wants, &x, &x.script));
    TRY(conn_open_like(w->admin, w->database, w->cancel, &x.c));
    TRY(load_session(x.c, w->backup.encoding, w->o->role));
    TRY(load_search_path(x.c, w->o->search_path));
    TRY(conn_exec(x.c, "BEGIN"));
    Error *e = run_all(&x);
    if (!e)
        return NULL;
    if (conn_broken(x.c) && x.committing)
        return error_context(e,
                             "database \"%s\" has either all of it or nothing: the server did not "
                             "answer to the COMMIT",
                             w->database);
    if (!conn_broken(x.c))
        error_drop(conn_exec(x.c, "ROLLBACK"));
    return error_context(e, "database \"%s\" is as it was", w->database);
}

/* Each TABLE DATA's rows are its own. */
static Error *as_it_is(RestoreWork *w)
{
    const Selection *s = &w->part.selection;
    const TocEntry **rows = mem_calloc(s->toc->count + 1, sizeof(TocEntry *));
    for (size_t i = 0; i < s->toc->count; i++)
        if (s->marks[i] == SELECTION_CHOSEN && toc_is_table_data(&s->toc->entries[i]))
            rows[i] = &s->toc->entries[i];
    Error *e = restore_within_run(
        w, &(WithinSource){.toc = s->toc,
                           .tables = w->o->part.data_only ? s->toc : w->backup.toc,
                           .marks = s->marks,
                           .homes = s->homes,
                           .rows = rows});
    free(rows);
    return e;
}

Error *restore_within(RestoreWork *w)
{
    strlist_copy(&w->warnings, &w->part.selection.left_out);
    return w->part.selection.rename_count ? restore_renamed(w) : as_it_is(w);
}
