/* Inside the merge's transaction: the rows, and what is around them. */
#include <inttypes.h>

#include "base/fault.h"
#include "op/merge_work.h"
#include "pg/merge_sequence.h"
#include "pg/merge_sql.h"
#include "pg/merge_switch.h"

/* With triggers, which may leave a row out or write others, nobody can know the number before. */
static Error *run(MergeWork *w, const MergeTable *t, const char *what, char *sql_owned,
                  uint64_t expected)
{
    AUTO(char) sql = sql_owned;
    uint64_t rows = 0;
    TRY_CTX(conn_exec_rows(w->conn, sql, &rows), "%s rows of %s", what, t->name);
    if (rows != expected && !w->o->triggers)
        FAIL(ERR_MISMATCH,
             "%s rows of %s: %" PRIu64 " were to be written, the server wrote %" PRIu64, what,
             t->name, expected, rows);
    return NULL;
}

static Error *delete_rows(MergeWork *w, const MergeTable *t)
{
    uint64_t gone = t->counts.deleted + t->counts.replaced;
    job_object(w->c->job, t->name);
    if (gone)
        TRY(run(w, t, "deleting", merge_sql_delete(t), gone));
    if (!t->rewritten)
        return NULL;
    AUTO(char) keep = merge_sql_rewrite_keep(t);
    TRY_CTX(conn_exec(w->conn, keep), "rewriting rows of %s", t->name);
    return run(w, t, "rewriting", merge_sql_rewrite_delete(t), t->rewritten);
}

static Error *write_rows(MergeWork *w, const MergeTable *t)
{
    job_object(w->c->job, t->name);
    uint64_t updated = t->counts.updated - t->rewritten;
    if (updated)
        TRY(run(w, t, "updating", merge_sql_update(t), updated));
    if (t->rewritten)
        TRY(run(w, t, "rewriting", merge_sql_rewrite_insert(t), t->rewritten));
    if (t->direct)
        TRY_CTX(merge_load(w, t->number), "loading %s", t->name);
    else if (t->counts.inserted)
        TRY(run(w, t, "inserting", merge_sql_insert(t), t->counts.inserted));
    FAULT_POINT("merge.write.table");
    job_add_items(w->c->job, 1);
    return NULL;
}

static Error *write_all(MergeWork *w, const size_t *order)
{
    job_phase(w->c->job, "writing", 0, w->tables.count);
    for (size_t i = w->tables.count; i-- > 0;)
        TRY(delete_rows(w, &w->tables.items[order[i]]));
    FAULT_POINT("merge.deleted");
    for (size_t i = 0; i < w->tables.count; i++)
        TRY(write_rows(w, &w->tables.items[order[i]]));
    return NULL;
}

static Error *write_around(MergeWork *w, const size_t *order)
{
    AUTO_VALUE(MergeSwitch) switched = {0};
    merge_foreigns_plan(&w->foreigns, &w->tables, order);
    if (!w->o->triggers)
        TRY(merge_switch_triggers_off(&switched, w->conn, &w->tables));
    TRY(merge_switch_identities(&switched, w->conn, &w->tables));
    TRY(merge_foreigns_begin(w->conn, &w->foreigns, w->schema));
    TRY(write_all(w, order));
    job_phase(w->c->job, "checking", 0, 0);
    TRY(merge_foreigns_end(w->conn, &w->foreigns, w->schema));
    FAULT_POINT("merge.checked");
    TRY(merge_switch_back(&switched, w->conn));
    if (!w->o->dry_run)
        TRY(merge_sequences_forward(w->conn, w->backup.toc, &w->tables, !w->selected,
                                    &w->sequences));
    return NULL;
}

static bool anything(const MergeWork *w)
{
    for (size_t i = 0; i < w->tables.count; i++) {
        const MergeCounts *n = &w->tables.items[i].counts;
        if (n->inserted || n->updated || n->deleted || n->replaced)
            return true;
    }
    return false;
}

Error *merge_write(MergeWork *w)
{
    /* Nothing differs: nothing is locked further, not even looked at. */
    if (!anything(w))
        return w->o->dry_run ? NULL
                             : merge_sequences_forward(w->conn, w->backup.toc, &w->tables,
                                                       !w->selected, &w->sequences);
    TRY(merge_foreigns_read(w->conn, &w->targets, &w->tables, &w->foreigns));
    size_t *order = merge_foreigns_order(&w->foreigns, &w->tables);
    Error *e = write_around(w, order);
    free(order);
    return e;
}
