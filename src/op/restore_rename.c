#include <string.h>

#include "op/restore_within.h"
#include "op/scratch.h"
#include "pg/dump.h"
#include "pg/load.h"
#include "pg/source.h"

Error *restore_rename(RestoreWork *w, Conn *c, Conn *target, PartNames *names)
{
    const Selection *s = &w->part.selection;
    for (size_t i = 0; i < s->rename_count; i++) {
        const SelectionRename *r = &s->renames[i];
        TRY(part_rename(c, target, r->entry->schema, r->entry->tag, r->schema, r->name, names));
    }
    return NULL;
}

/* -- what of the scratch database is chosen --------------------------------------------------- */

static const TocEntry *find_entry(const Toc *t, const char *desc, const char *schema,
                                  const char *tag)
{
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        if (!strcmp(e->tag, tag) && !strcmp(e->schema, schema) && toc_is(e, desc))
            return e;
    }
    return NULL;
}

/* The backup's rows for a table of the scratch database; NULL where they are not wanted. */
static Error *rows_for(const RestoreWork *w, const PartNames *names, const TocEntry *e,
                       const TocEntry **out)
{
    const PartName *n = part_names_find_new(names, e->schema, e->tag);
    const TocEntry *rows =
        find_entry(w->backup.toc, "TABLE DATA", n ? n->schema : e->schema, n ? n->name : e->tag);
    *out = NULL;
    if (!rows)
        return NULL;
    AUTO(char) here = source_columns(e->copy_stmt);
    AUTO(char) there = source_columns(rows->copy_stmt);
    if (strcmp(here, there))
        FAIL(ERR_INTERNAL, "the columns of %s.%s, made again, are not those of the backup",
             rows->schema, rows->tag);
    *out = rows;
    return NULL;
}

static Error *judge(const RestoreWork *w, const PartNames *names, const Toc *toc,
                    SelectionMark *marks, const TocEntry **rows)
{
    const Selection *s = &w->part.selection;
    for (size_t i = 0; i < toc->count; i++) {
        const TocEntry *e = &toc->entries[i];
        const TocEntry *same = find_entry(w->backup.toc, e->desc, e->schema, e->tag);
        bool needed =
            same && selection_mark(s, toc_find(s->toc, same->dump_id)) == SELECTION_NEEDED;
        marks[i] = needed ? SELECTION_NEEDED : SELECTION_CHOSEN;
        if (toc_is_table_data(e))
            TRY(rows_for(w, names, e, &rows[i]));
    }
    return NULL;
}

static Error *run(RestoreWork *w, const PartNames *names, const Toc *toc)
{
    SelectionMark *marks = mem_calloc(toc->count + 1, sizeof *marks);
    const TocEntry **rows = mem_calloc(toc->count + 1, sizeof(TocEntry *));
    int *homes = selection_homes(toc);
    Error *e = judge(w, names, toc, marks, rows);
    if (!e)
        e = restore_within_run(
            w, &(WithinSource){
                   .toc = toc, .tables = toc, .marks = marks, .homes = homes, .rows = rows});
    free(homes);
    free(marks);
    free(rows);
    return e;
}

/* -- the scratch database --------------------------------------------------------------------- */

/* Definitions alone: the rows go from the repository to where they belong. */
static Error *fill(RestoreWork *w, const char *scratch, PartNames *names, Conn **out)
{
    AUTO(Conn) c = NULL;
    AUTO(Conn) target = NULL;
    TRY(restore_pass(w, scratch, RESTORE_BEFORE, NULL));
    TRY(restore_pass(w, scratch, RESTORE_BEHIND, NULL));
    TRY(conn_open_like(w->admin, scratch, w->cancel, &c));
    TRY(conn_open_like(w->admin, w->database, w->cancel, &target));
    TRY(load_session(c, w->backup.encoding, NULL));
    TRY(load_session(target, w->backup.encoding, NULL));
    TRY(restore_rename(w, c, target, names));
    *out = STEAL(c);
    return NULL;
}

static Error *dump(RestoreWork *w, Conn *c, const Tool *tool, Dump **out)
{
    AUTO(char) snapshot = NULL;
    AUTO(Dump) d = NULL;
    TRY(conn_exec(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    TRY(conn_value(c, "SELECT pg_catalog.pg_export_snapshot()", 0, NULL, &snapshot));
    DumpOptions o = {
        .tool = tool,
        .conn = c,
        .snapshot = snapshot,
        .encoding = w->backup.encoding ? w->backup.encoding : "UTF8",
        .lock_wait_ms = 60000,
        .cancel = w->cancel,
    };
    TRY(dump_start(&o, &d));
    TRY(dump_end(d, &w->warnings));
    TRY(conn_exec(c, "COMMIT"));
    *out = STEAL(d);
    return NULL;
}

static void warn_of_references(RestoreWork *w)
{
    const Selection *s = &w->part.selection;
    for (size_t i = 0; i < s->toc->count; i++) {
        const TocEntry *e = &s->toc->entries[i];
        if (s->marks[i] == SELECTION_REFERS)
            strlist_own(&w->warnings, mem_printf("%s %s.%s is left out: the table has another name",
                                                 e->desc, e->schema, e->tag));
    }
}

Error *restore_renamed(RestoreWork *w)
{
    AUTO(Tool) tool = NULL;
    AUTO_VALUE(Scratch) scratch = {0};
    AUTO_VALUE(PartNames) names = {0};
    AUTO(Conn) c = NULL;
    AUTO(Dump) d = NULL;
    TRY(tools_find(&w->c->tools, TOOL_PG_DUMP, conn_server_version(w->admin), 0, &tool));
    job_phase(w->c->job, "scratch database", 0, 0);
    TRY(scratch_create(w->c, w->database, w->backup.toc, &scratch));
    TRY_CTX(fill(w, scratch.name, &names, &c), "in a scratch database");
    TRY_CTX(dump(w, c, tool, &d), "in a scratch database");
    conn_free(STEAL(c));
    Error *e = scratch_drop(&scratch);
    if (e) {
        strlist_add(&w->warnings, error_message(e));
        error_drop(e);
    }
    warn_of_references(w);
    return run(w, &names, dump_toc(d));
}
