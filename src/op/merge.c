#include "op/merge.h"

#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "op/merge_work.h"
#include "pg/load.h"
#include "pg/merge_scratch.h"

void merge_result_clear(MergeResult *r)
{
    for (size_t i = 0; i < r->count; i++) {
        MergedTable *t = &r->tables[i];
        free(t->schema);
        free(t->name);
        free(t->key);
        free(t->base);
        free(t->full_for);
        strlist_free(&t->samples);
    }
    free(r->tables);
    free(r->backup_id);
    free(r->database);
    free(r->full_for);
    free(r->base);
    strlist_free(&r->left_out);
    strlist_free(&r->warnings);
    *r = (MergeResult){0};
}

void merge_work_clear(MergeWork *w)
{
    merge_foreigns_clear(&w->foreigns);
    merge_sources_clear(&w->sources);
    free(w->table_bases);
    for (size_t i = 0; w->sums && i < w->tables.count; i++)
        row_sum_clear(&w->sums[i]);
    free(w->sums);
    merge_tables_clear(&w->tables);
    for (size_t i = 0; i < w->base_count; i++) {
        backup_read_clear(w->bases[i]);
        free(w->bases[i]);
    }
    free(w->bases);
    sync_base_clear(&w->kept);
    free(w->stuck);
    free(w->full_for);
    relation_list_clear(&w->targets);
    selection_clear(&w->selection);
    backup_read_clear(&w->backup);
    free(w->schema);
    free(w->system);
    free(w->database_oid);
    strlist_free(&w->left_out);
    strlist_free(&w->warnings);
    if (w->conn)
        conn_free(w->conn);
    if (w->cancel)
        cancel_free(w->cancel);
    if (w->calm)
        cancel_free(w->calm);
    *w = (MergeWork){0};
}

/* -- before ---------------------------------------------------------------------------------- */

static Error *open_backup(MergeWork *w)
{
    const MergeOptions *o = w->o;
    if (!o->at_given)
        return backup_read_open(w->c, o->backup, "merge", &w->backup);
    AUTO(char) database = op_database_name(w->c);
    if (!database)
        return error_hint(ERROR_NEW(ERR_USAGE, "of which database is the backup to be?"),
                          "name it in --db");
    AUTO(Repo) repo = NULL;
    AUTO(char) id = NULL;
    TRY(op_open_repo(w->c, false, &repo));
    TRY(catalog_at(repo, database, o->at, &id));
    return backup_read_open_id(w->c, STEAL(repo), id, "merge", &w->backup);
}

static Error *session(MergeWork *w, Conn *c)
{
    TRY(load_session(c, NULL, w->o->role));
    TRY(conn_use_utf8(c));
    /* What a merge commits is as durable as anything else. Rows without a key are compared as text,
     * which must tell all that differs. */
    return conn_exec(c, "SET synchronous_commit TO DEFAULT; SET extra_float_digits = 3; SET "
                        "DateStyle = ISO; SET IntervalStyle = postgres; SET bytea_output = hex");
}

static Error *open_target(MergeWork *w)
{
    TRY(conn_open(&(ConnOptions){.url = w->c->db_url,
                                 .dbname = w->o->to_db ? w->o->to_db : w->c->db_name,
                                 .cancel = w->cancel,
                                 .silence_ms = w->c->silence_ms},
                  &w->conn));
    TRY(session(w, w->conn));
    TRY(merge_scratch_lock(w->conn, w->o->lock_wait_ms));
    return merge_scratch_sweep(w->conn);
}

static Error *find_empty(MergeWork *w)
{
    for (size_t i = 0; i < w->tables.count; i++) {
        MergeTable *t = &w->tables.items[i];
        AUTO(char) empty = NULL;
        AUTO(char) sql = mem_printf("SELECT NOT EXISTS (SELECT FROM %s%s)", t->only, t->sql);
        /* With a base rows may have been deleted there, which is a conflict; and COPY leaves no
         * column out. */
        if (t->base != MERGE_BASE_NONE || t->extra_columns.count)
            continue;
        TRY_CTX(conn_value(w->conn, sql, 0, NULL, &empty), "looking into %s", t->name);
        t->direct = *empty == 't';
    }
    return NULL;
}

static void warn(MergeWork *w)
{
    const BackupInfo *i = &w->backup.manifest->info;
    if (i->large_objects)
        strlist_add(&w->warnings, "large objects are not merged");
    for (size_t k = 0; k < w->tables.count; k++) {
        const MergeTable *t = &w->tables.items[k];
        for (size_t n = 0; n < t->extra_columns.count; n++)
            strlist_own(&w->warnings, mem_printf("%s has no column %s: it was left out", t->name,
                                                 t->extra_columns.items[n]));
    }
    if (i->masked.count)
        strlist_own(&w->warnings, mem_printf("the backup has masked values in %zu column%s, which "
                                             "were merged as they are",
                                             i->masked.count, i->masked.count == 1 ? "" : "s"));
}

/* Nobody gets the real values back whose place a mask has taken. */
static Error *refuse_masked(const MergeWork *w)
{
    const StrList *masked = &w->backup.manifest->info.masked;
    if (!masked->count || w->o->masked_too || w->o->dry_run)
        return NULL;
    AUTO(char) first = text_printable(masked->items[0]);
    return error_hint(ERROR_NEW(ERR_CONFIRM,
                                "backup %s has masked values (%s%s), and a merge would put them in "
                                "the place of the target's",
                                w->backup.id, first, masked->count > 1 ? ", ..." : ""),
                      "--yes does it; pgstow show tells which columns are masked");
}

static Error *prepare(MergeWork *w)
{
    job_phase(w->c->job, "preflight", 0, 0);
    TRY(cancel_new(NULL, &w->calm));
    TRY(cancel_new(job_cancel(w->c->job), &w->cancel));
    if (w->o->timeout_ms)
        cancel_deadline(w->cancel, w->o->timeout_ms);
    TRY(open_backup(w));
    TRY(refuse_masked(w));
    w->fetched += w->backup.fetched;
    if (selection_wanted(&w->o->part)) {
        TRY(selection_make(w->backup.toc, &w->o->part, &w->selection));
        w->selected = true;
    }
    TRY(open_target(w));
    TRY(merge_read_kept(w));
    TRY(merge_plan(w));
    TRY(merge_find_bases(w));
    TRY(find_empty(w));
    w->sums = mem_calloc(w->tables.count + 1, sizeof *w->sums);
    warn(w);
    return NULL;
}

/* -- the whole ------------------------------------------------------------------------------- */

/* Rows outside of the difference stand against it: with all rows at hand it may go. */
static Error *mark_stuck(MergeWork *w, Error *e)
{
    static const char *const states[] = {"23503", "23505", "23P01"};
    const char *state = conn_last_sqlstate(w->conn);
    for (size_t i = 0; e && w->delta_used && !w->stuck && i < sizeof states / sizeof *states; i++)
        if (!strcmp(state, states[i]))
            w->stuck = mem_strdup(error_message(e));
    return e;
}

/* A row that the backup has, and that the target made refer to one which goes, must not go along.
 */
static Error *check_cascades(MergeWork *w)
{
    for (size_t i = 0; i < w->tables.count; i++) {
        const MergeTable *t = &w->tables.items[i];
        if (!t->delta || !t->counts.cascaded)
            continue;
        w->stuck = mem_printf("rows of %s outside of the difference would go along by a foreign "
                              "key",
                              t->name);
        FAIL(ERR_CONFLICT, "%s", w->stuck);
    }
    return NULL;
}

static Error *in_transaction(MergeWork *w)
{
    TRY(merge_lock(w));
    FAULT_POINT("merge.locked");
    TRY(merge_compare(w));
    TRY(mark_stuck(w, merge_write(w)));
    TRY(check_cascades(w));
    FAULT_POINT("merge.written");
    TRY(merge_verify(w));
    if (w->o->dry_run)
        return conn_exec(w->conn, "ROLLBACK");
    TRY(merge_keep_base(w));
    FAULT_POINT("merge.based");
    TRY(conn_exec(w->conn, "COMMIT"));
    return fault_reach("merge.committed");
}

/* The scratch schema goes on a connection that no cancellation touches; where it cannot, the next
 * merge drops it. */
static void drop_schema(MergeWork *w, bool failed)
{
    AUTO(Conn) c = NULL;
    if (failed && !conn_broken(w->conn))
        error_drop(conn_exec(w->conn, "ROLLBACK"));
    Error *e = conn_open_like(w->conn, NULL, w->calm, &c);
    if (!e)
        e = load_session(c, NULL, w->o->role);
    if (!e)
        e = conn_exec(c, "SET lock_timeout = '10s'");
    if (!e)
        e = merge_scratch_drop(c, w->schema);
    if (e)
        log_warning("the scratch schema %s stays until the next merge: %s", w->schema,
                    error_message(e));
    error_drop(e);
}

static Error *merge(MergeWork *w)
{
    TRY(merge_scratch_create(w->conn, &w->schema));
    for (size_t i = 0; i < w->tables.count; i++)
        w->tables.items[i].schema = w->schema;
    Error *e = fault_reach("merge.created");
    if (!e)
        e = merge_stage(w);
    if (!e)
        e = fault_reach("merge.staged");
    if (!e)
        e = in_transaction(w);
    drop_schema(w, e != NULL);
    return e;
}

/* The merge is done: that it cannot be noted is no reason to say otherwise. */
static Error *remember(MergeWork *w)
{
    Error *e = merge_remember(w);
    if (!e)
        return NULL;
    strlist_own(&w->warnings, mem_printf("that %s was merged could not be noted in the repository, "
                                         "so the next merge will not know of it: %s",
                                         w->backup.id, error_message(e)));
    error_drop(e);
    return NULL;
}

/* -- result ---------------------------------------------------------------------------------- */

static void add_counts(MergeCounts *to, const MergeCounts *n)
{
    to->inserted += n->inserted;
    to->updated += n->updated;
    to->deleted += n->deleted;
    to->unchanged += n->unchanged;
    to->conflicts += n->conflicts;
    to->kept += n->kept;
    to->replaced += n->replaced;
    to->skipped += n->skipped;
    to->cascaded += n->cascaded;
}

static void report(MergeWork *w, MergeResult *out)
{
    out->backup_id = mem_strdup(w->backup.id);
    out->database = mem_strdup(conn_dbname(w->conn));
    out->dry_run = w->o->dry_run;
    for (size_t i = 0; i < w->tables.count; i++) {
        MergeTable *t = &w->tables.items[i];
        mem_grow(out->tables, out->count, out->cap);
        MergedTable *m = &out->tables[out->count++];
        *m = (MergedTable){.schema = mem_strdup(t->target->schema),
                           .name = mem_strdup(t->target->name),
                           .key = t->key ? mem_strdup(t->key->name) : NULL,
                           .base = mem_strdup(w->table_bases[i]),
                           .direct = t->direct,
                           .delta = t->delta,
                           .full_for = t->full_for,
                           .compared = t->compared,
                           .verified = t->verified,
                           .counts = t->counts,
                           .samples = t->samples};
        t->samples = (StrList){0};
        t->full_for = NULL;
        out->compared += t->compared;
        out->verified += t->verified;
        add_counts(&out->sums, &t->counts);
        out->rows += t->source_rows;
    }
    out->base = w->kept_found ? mem_strdup(w->kept.backup) : NULL;
    out->base_kept = w->base_kept;
    out->delta = w->delta_used;
    if (w->o->delta && !w->delta_used && w->full_for)
        out->full_for = mem_strdup(w->full_for);
    out->left_out = w->left_out;
    w->left_out = (StrList){0};
    out->warnings = w->warnings;
    w->warnings = (StrList){0};
    out->sequences = w->sequences;
    out->bytes = w->bytes;
    out->fetched = w->fetched;
}

static Error *check_options(const MergeOptions *o)
{
    if (!o->backup && !o->at_given)
        FAIL(ERR_USAGE, "which backup is to be merged?");
    if (o->rules.conflict == MERGE_CONFLICT_NEWEST && (!o->rules.newest || !*o->rules.newest))
        FAIL(ERR_USAGE, "newest: of which column?");
    if (o->part.schema_only)
        FAIL(ERR_USAGE, "a merge is of rows: there is none of definitions only");
    if (o->delta && o->base && !strcmp(o->base, "none"))
        FAIL(ERR_USAGE, "a difference is one from a base: --delta and --base none exclude each "
                        "other");
    return NULL;
}

/* *stuck: what stood against merging the differences alone, where everything is to be tried; the
 * target is as it was. */
static Error *run(const OpContext *c, const MergeOptions *o, MergeResult *out, char **stuck)
{
    AUTO_VALUE(MergeWork) w = {.c = c, .o = o};
    TRY(prepare(&w));
    Error *e = w.tables.count ? merge(&w) : NULL;
    if (e && w.stuck && !conn_broken(w.conn)) {
        log_warning("%s: merging in full: %s", conn_describe(w.conn), w.stuck);
        *stuck = w.stuck;
        w.stuck = NULL;
        error_free(e);
        return merge_scratch_unlock(w.conn);
    }
    TRY(e);
    if (!o->dry_run)
        TRY(remember(&w));
    report(&w, out);
    return NULL;
}

Error *op_merge(const OpContext *c, const MergeOptions *o, MergeResult *out)
{
    int64_t started = clock_mono_ms();
    AUTO(char) stuck = NULL;
    TRY(check_options(o));
    TRY(run(c, o, out, &stuck));
    if (stuck) {
        MergeOptions full = *o;
        full.delta = false;
        TRY(run(c, &full, out, &stuck));
        out->full_for = STEAL(stuck);
    }
    out->duration_ms = clock_mono_ms() - started;
    return NULL;
}
