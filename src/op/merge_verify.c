/* Before the commit: whether what was merged is there as the backup has it. */
#include <inttypes.h>
#include <string.h>

#include "base/fault.h"
#include "op/merge_work.h"
#include "pg/copy.h"
#include "pg/merge_sql.h"

#define SHOWN 3 /* keys that the error names */

static Error *ask(MergeWork *w, char *sql_owned, uint64_t *first, uint64_t *second)
{
    AUTO(char) sql = sql_owned;
    AUTO(Rows) rows = NULL;
    TRY(conn_query(w->conn, sql, 0, NULL, &rows));
    *first = (uint64_t)rows_int(rows, 0, 0);
    if (second)
        *second = (uint64_t)rows_int(rows, 0, 1);
    return NULL;
}

static Error *differs(const MergeWork *w, Error *e)
{
    return error_hint(e, "%s; nothing was changed",
                      w->o->triggers
                          ? "a trigger changed rows on their way: without --triggers they "
                            "are off in a merge, and without the verification their work "
                            "stands"
                          : "something in the target changes rows on their way");
}

static Error *wrong_rows(MergeWork *w, const MergeTable *t, bool all, uint64_t rows, uint64_t wrong)
{
    AUTO_VALUE(Buf) keys = {0};
    AUTO(Rows) found = NULL;
    AUTO(char) sql = merge_sql_verify_shown(t, all, SHOWN);
    TRY(conn_query(w->conn, sql, 0, NULL, &found));
    for (size_t r = 0; r < rows_count(found); r++)
        buf_printf(&keys, "%s%s", r ? "; " : "", rows_text(found, r, 0));
    AUTO(char) text = buf_steal_str(&keys);
    AUTO(char) shown = text_printable(text);
    return differs(w, ERROR_NEW(ERR_MISMATCH,
                                "%s: %" PRIu64 " of %" PRIu64
                                " rows are not as the backup has them: %s",
                                t->name, wrong, rows, shown));
}

static Error *check_deleted(MergeWork *w, MergeTable *t)
{
    uint64_t there = 0, gone = t->counts.deleted + t->counts.replaced;
    if (!gone)
        return NULL;
    TRY(ask(w, merge_sql_verify_deleted(t), &there, NULL));
    if (there)
        return differs(w,
                       ERROR_NEW(ERR_MISMATCH,
                                 "%s: %" PRIu64 " of %" PRIu64 " rows that were deleted are there",
                                 t->name, there, gone));
    t->verified += gone;
    return NULL;
}

static Error *check_keyed(MergeWork *w, MergeTable *t)
{
    /* Triggers may have been at rows that nobody wrote. */
    bool all = w->o->triggers && w->o->rules.mode != MERGE_INSERT;
    uint64_t rows = 0, wrong = 0, written = t->counts.inserted + t->counts.updated;
    if (all || written) {
        TRY(ask(w, merge_sql_verify(t, all), &rows, &wrong));
        if (wrong)
            return wrong_rows(w, t, all, rows, wrong);
        if (!all && rows != written)
            FAIL(ERR_MISMATCH,
                 "%s: %" PRIu64 " rows were written, %" PRIu64 " are to be looked at again",
                 t->name, written, rows);
        t->verified += rows;
    }
    return check_deleted(w, t);
}

static Error *check_keyless(MergeWork *w, MergeTable *t)
{
    uint64_t wrong = 0;
    TRY(ask(w, merge_sql_verify_keyless(t), &wrong, NULL));
    /* What was left out for a unique value is on one side alone. */
    if (wrong != t->counts.skipped)
        return differs(w, ERROR_NEW(ERR_MISMATCH,
                                    "%s: %" PRIu64
                                    " rows are only in the backup, or only in the target",
                                    t->name, wrong));
    t->verified += t->source_rows;
    return NULL;
}

/* -- loaded right into it --------------------------------------------------------------------- */

static Error *sum_target(MergeWork *w, const MergeTable *t, const MergeSource *s, RowSum *sum)
{
    AUTO(char) sql = merge_sql_verify_copy(t, &s->columns, s->backup->encoding);
    TRY(copy_out_begin(w->conn, sql));
    for (bool end = false; !end;) {
        const char *row;
        size_t n;
        TRY(copy_out_row(w->conn, &row, &n, &end));
        if (!end)
            row_sum_add(sum, row, n - 1);
    }
    return NULL;
}

bool merge_can_sum(const MergeWork *w, const MergeTable *t)
{
    const StrList *order = NULL;
    for (size_t i = 0; i < w->sources.count; i++) {
        const MergeSource *s = &w->sources.items[i];
        if (s->base || s->table != t->number)
            continue;
        const Relation *r =
            relation_find(&s->backup->relations, s->stream->schema, s->stream->name);
        for (size_t k = 0; k < s->columns.count; k++) {
            const char *name = s->columns.items[k];
            const RelationColumn *from = r ? relation_column(r, name) : NULL;
            if (!from || strcmp(from->type, relation_column(t->target, name)->type) != 0)
                return false;
            if (order && strcmp(order->items[k], name) != 0)
                return false;
        }
        order = &s->columns;
    }
    return order && order->count;
}

static Error *check_loaded(MergeWork *w, MergeTable *t)
{
    AUTO_VALUE(RowSum) there = {0};
    RowSum *sum = &w->sums[t->number];
    const MergeSource *s = w->sources.items;
    if (!sum->hash) { /* values are written otherwise there: only the number can be the same */
        uint64_t rows = 0;
        TRY(ask(w, mem_printf("SELECT count(*) FROM %s%s", t->only, t->sql), &rows, NULL));
        if (rows != t->source_rows)
            return differs(w,
                           ERROR_NEW(ERR_MISMATCH,
                                     "%s: the backup has %" PRIu64 " rows, %" PRIu64 " are there",
                                     t->name, t->source_rows, rows));
        t->verified += rows;
        return NULL;
    }
    while (s->table != t->number || s->base)
        s++;
    row_sum_begin(&there);
    TRY(sum_target(w, t, s, &there));
    if (!row_sum_equal(sum, &there))
        return differs(w, ERROR_NEW(ERR_MISMATCH,
                                    "%s: %" PRIu64 " rows were loaded, and %" PRIu64
                                    " are there that are not the same",
                                    t->name, sum->rows, there.rows));
    t->verified += there.rows;
    return NULL;
}

/* -- all of them ----------------------------------------------------------------------------- */

Error *merge_verify(MergeWork *w)
{
    if (!w->o->verify)
        return NULL;
    job_phase(w->c->job, "verifying", 0, w->tables.count);
    /* As backups are read (conn_prepare_dump). */
    TRY(conn_exec(w->conn, "SET LOCAL TimeZone = 'UTC'"));
    for (size_t i = 0; i < w->tables.count; i++) {
        MergeTable *t = &w->tables.items[i];
        const MergeCounts *n = &t->counts;
        bool any = n->inserted || n->updated || n->deleted || n->replaced;
        job_object(w->c->job, t->name);
        Error *e = t->idle || (!any && !w->o->triggers) ? NULL
                   : t->direct                          ? check_loaded(w, t)
                   : t->key                             ? check_keyed(w, t)
                                                        : check_keyless(w, t);
        TRY_CTX(e, "verifying %s", t->name);
        job_add_items(w->c->job, 1);
    }
    return fault_reach("merge.verified");
}
