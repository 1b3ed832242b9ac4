/* Inside the merge's transaction, before anything is written: locks, the differences, and what
 * stands against writing them. */
#include <inttypes.h>
#include <string.h>

#include "base/fault.h"
#include "op/merge_work.h"
#include "pg/merge_sql.h"

#define SAMPLES 5
#define ROUNDS 20 /* a row left out can free no value, but keep one that others wanted */

/* -- locks ----------------------------------------------------------------------------------- */

/* Who holds the table, for the message. The transaction has failed already. */
static Error *blocked(MergeWork *w, const MergeTable *t, Error *e)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) oid = mem_printf("%u", t->target->oid);
    const char *params[] = {oid};
    AUTO(Error) bad = conn_exec(w->conn, "ROLLBACK");
    if (!bad)
        bad =
            conn_query(w->conn,
                       "SELECT DISTINCT a.pid, a.usename, a.application_name, a.state FROM "
                       "pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
                       "WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid() AND l.database = "
                       "(SELECT oid FROM pg_catalog.pg_database WHERE datname = "
                       "pg_catalog.current_database()) AND l.mode NOT IN ('AccessShareLock', "
                       "'RowShareLock') AND (l.relation = $1::pg_catalog.oid OR l.relation IN "
                       "(SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = "
                       "$1::pg_catalog.oid))",
                       1, params, &rows);
    AUTO_VALUE(Buf) who = {0};
    for (size_t i = 0; !bad && i < rows_count(rows); i++) {
        const char *user = rows_text(rows, i, 1), *app = rows_text(rows, i, 2);
        const char *state = rows_text(rows, i, 3);
        buf_printf(&who, "%s%s (user %s, %s, %s)", i ? ", " : "", rows_text(rows, i, 0),
                   user ? user : "?", app && *app ? app : "unnamed", state ? state : "?");
    }
    AUTO(char) text = buf_steal_str(&who);
    Error *told = ERROR_NEW(ERR_DB_IN_USE, "%s cannot be locked; process %s holds it: %s", t->name,
                            *text ? text : "?", error_message(e));
    error_free(e);
    return error_hint(told, "wait for it, end it, or give it longer by --lock-wait; nothing was "
                            "changed");
}

Error *merge_lock(MergeWork *w)
{
    TRY(conn_exec(w->conn, "BEGIN"));
    TRY(conn_execf(w->conn, "SET LOCAL lock_timeout = %" PRId64, w->o->lock_wait_ms));
    /* Hash tables of whole records; comparing them is worth a second process, whose rows are small;
     * compiling statements costs more than it brings. */
    TRY(conn_exec(w->conn, "SET LOCAL jit = off; SET LOCAL parallel_tuple_cost = 0.01; SELECT "
                           "pg_catalog.set_config('work_mem', "
                           "greatest(65536, setting::pg_catalog.int4)::pg_catalog.text, "
                           "true) FROM pg_catalog.pg_settings WHERE name = 'work_mem'"));
    for (size_t i = 0; i < w->tables.count; i++) {
        const MergeTable *t = &w->tables.items[i];
        if (t->idle) /* nothing is read or written */
            continue;
        /* Readers go on; nobody else writes, so that rows stay where they are. */
        Error *e =
            conn_execf(w->conn, "LOCK TABLE %s%s IN SHARE ROW EXCLUSIVE MODE", t->only, t->sql);
        if (e && !strcmp(conn_last_sqlstate(w->conn), "55P03"))
            return blocked(w, t, e);
        TRY_CTX(e, "locking %s", t->name);
    }
    return NULL;
}

/* -- differences ----------------------------------------------------------------------------- */

/* Was empty when it was looked at; somebody may have written into it before it was locked. */
static Error *check_direct(MergeWork *w, MergeTable *t)
{
    AUTO(char) any = NULL;
    AUTO(char) sql = mem_printf("SELECT EXISTS (SELECT FROM %s%s)", t->only, t->sql);
    TRY(conn_value(w->conn, sql, 0, NULL, &any));
    if (*any == 'f') {
        t->counts.inserted = t->source_rows;
        return NULL;
    }
    t->direct = false;
    return merge_load(w, t->number);
}

static Error *number(Conn *c, const char *sql, size_t column, uint64_t *out)
{
    AUTO(Rows) rows = NULL;
    TRY(conn_query(c, sql, 0, NULL, &rows));
    *out = (uint64_t)rows_int(rows, 0, column);
    return NULL;
}

/* A key that is no key of the backup's. */
static Error *check_key(MergeWork *w, const MergeTable *t)
{
    bool nullable = false, proven = false;
    for (size_t i = 0; i < t->key->columns.count; i++)
        nullable = nullable || !relation_column(t->target, t->key->columns.items[i])->not_null;
    const Relation *r = relation_find(&w->backup.relations, t->target->schema, t->target->name);
    for (size_t i = 0; r && i < r->key_count && !proven; i++) {
        const RelationKey *k = &r->keys[i];
        proven = k->not_null && k->columns.count == t->key->columns.count;
        for (size_t n = 0; proven && n < k->columns.count; n++)
            proven = strlist_has(&t->key->columns, k->columns.items[n]);
    }
    uint64_t bad = 0;
    if (nullable) {
        AUTO(char) sql = merge_sql_key_nulls(t);
        TRY(number(w->conn, sql, 0, &bad));
        if (bad)
            FAIL(ERR_CONFLICT, "%s: %" PRIu64 " rows have NULL in the key %s", t->name, bad,
                 t->key->name);
    }
    if (!proven) {
        AUTO(char) sql = merge_sql_key_twice(t);
        TRY(number(w->conn, sql, 0, &bad));
        if (bad)
            FAIL(ERR_CONFLICT,
                 "%s: %" PRIu64 " values of the key %s are in the backup more than "
                 "once",
                 t->name, bad, t->key->name);
    }
    return NULL;
}

static Error *count(MergeWork *w, MergeTable *t)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) sql = merge_sql_count(t);
    TRY(conn_query(w->conn, sql, 0, NULL, &rows));
    MergeCounts n = {0};
    uint64_t differing = 0;
    t->rewritten = 0;
    t->rekeyed = false;
    for (size_t r = 0; r < rows_count(rows); r++) {
        char action = rows_text(rows, r, 0)[0];
        const char *note = rows_text(rows, r, 3);
        bool kept = rows_bool(rows, r, 1), rewrite = rows_bool(rows, r, 2);
        uint64_t count = (uint64_t)rows_int(rows, r, 6);
        if (note && *note == 'r')
            n.replaced += count;
        else if (note && *note == 's')
            n.skipped += count;
        else if (kept)
            n.kept += count;
        else if (action == 'i')
            n.inserted += count;
        else if (action == 'u')
            n.updated += count;
        else
            n.deleted += count;
        if (rows_bool(rows, r, 5))
            n.conflicts += count;
        if (action != 'd')
            differing += count;
        if (action == 'u' && !kept) {
            t->rewritten += rewrite ? count : 0;
            t->rekeyed = t->rekeyed || rows_bool(rows, r, 4);
        }
    }
    n.unchanged = t->source_rows - differing;
    t->counts = n;
    return NULL;
}

static const char *did(char action)
{
    return action == 'i' ? "deleted" : action == 'd' ? "created or changed" : "changed";
}

static Error *show_conflicts(MergeWork *w, MergeTable *t)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) sql = merge_sql_conflicts(t, SAMPLES);
    TRY(conn_query(w->conn, sql, 0, NULL, &rows));
    for (size_t r = 0; r < rows_count(rows); r++) {
        bool known = t->base != MERGE_BASE_NONE;
        strlist_own(&t->samples, mem_printf("%s %s", rows_text(rows, r, 1),
                                            known ? did(rows_text(rows, r, 0)[0]) : "differs"));
    }
    return NULL;
}

/* -- unique values --------------------------------------------------------------------------- */

static Error *show_taken(MergeWork *w, MergeTable *t, const MergeUnique *u)
{
    AUTO(Rows) rows = NULL;
    AUTO(char) sql = merge_sql_taken_shown(t, u, SAMPLES);
    TRY(conn_query(w->conn, sql, 0, NULL, &rows));
    for (size_t r = 0; r < rows_count(rows); r++) {
        const char *value = rows_text(rows, r, 2);
        strlist_own(&t->samples,
                    mem_printf("%s: %s%s of the backup's row %s belongs to the target's row %s",
                               u->name, *value ? "the value " : "a value", value,
                               rows_text(rows, r, 0), rows_text(rows, r, 1)));
    }
    return NULL;
}

static Error *taken_error(const MergeTable *t, const MergeUnique *u, uint64_t rows, bool own)
{
    AUTO_VALUE(Buf) text = {0};
    for (size_t i = 0; i < t->samples.count; i++)
        buf_printf(&text, "%s%s", i ? "; " : "", t->samples.items[i]);
    AUTO(char) shown = buf_steal_str(&text);
    Error *e =
        ERROR_NEW(ERR_CONFLICT,
                  "%s: %" PRIu64 " rows of the backup want unique values (%s) that other rows "
                  "of the target have: %s",
                  t->name, rows, u->name, shown);
    if (own)
        return error_hint(e,
                          "the backup has those rows too, with other values, but they stay as the "
                          "target has them: nothing was changed");
    return error_hint(e, "--on-unique-conflict replace deletes the target's rows, skip leaves the "
                         "backup's out; nothing was changed");
}

static Error *resolve_taken(MergeWork *w, MergeTable *t, const MergeUnique *u, bool *again)
{
    AUTO(char) find = merge_sql_taken(t, u);
    TRY(conn_exec(w->conn, find));
    AUTO(Rows) rows = NULL;
    AUTO(char) counting = merge_sql_taken_count(t);
    TRY(conn_query(w->conn, counting, 0, NULL, &rows));
    uint64_t all = (uint64_t)rows_int(rows, 0, 0), own = (uint64_t)rows_int(rows, 0, 1);
    MergeTaken taken = w->o->rules.taken;
    if (all && t->delta) {
        /* Whether the backup has those rows too, only a look at all of them could tell. */
        w->stuck = mem_printf("rows of %s outside of the difference have unique values (%s) that "
                              "others are to get",
                              t->name, u->name);
        FAIL(ERR_CONFLICT, "%s", w->stuck);
    }
    if (all) {
        TRY(show_taken(w, t, u));
        if (taken == MERGE_TAKEN_FAIL || (taken == MERGE_TAKEN_REPLACE && own))
            return taken_error(t, u, all, own && taken == MERGE_TAKEN_REPLACE);
        AUTO(char)
        sql = taken == MERGE_TAKEN_REPLACE ? merge_sql_taken_replace(t) : merge_sql_taken_skip(t);
        *again = true;
        return conn_exec(w->conn, sql);
    }
    AUTO(char) rewrite = merge_sql_taken_rewrite(t);
    return conn_exec(w->conn, rewrite);
}

static Error *check_uniques(MergeWork *w, MergeTable *t)
{
    bool exclusion = false, again = true;
    for (size_t round = 0; again; round++) {
        again = false;
        if (round == ROUNDS)
            FAIL(ERR_CONFLICT, "%s: unique values stand against each other in too long a chain",
                 t->name);
        for (size_t i = 0; i < t->unique_count; i++) {
            const MergeUnique *u = &t->uniques[i];
            exclusion = exclusion || (u->exclusion && !u->deferrable);
            if (u != t->key && merge_sql_can_compare(t, u))
                TRY_CTX(resolve_taken(w, t, u, &again), "unique values of %s", t->name);
        }
    }
    if (exclusion) {
        AUTO(char) sql = merge_sql_rewrite_all(t);
        TRY(conn_exec(w->conn, sql));
    }
    return count(w, t);
}

/* -- one table ------------------------------------------------------------------------------- */

static Error *compare_table(MergeWork *w, MergeTable *t)
{
    job_object(w->c->job, t->name);
    if (t->idle) {
        t->counts.unchanged = t->source_rows;
        return NULL;
    }
    if (t->direct)
        TRY(check_direct(w, t));
    if (t->direct)
        return NULL;
    if (t->key && !t->delta) /* there it was made sure before */
        TRY(check_key(w, t));
    AUTO(char) sql = merge_sql_differences(t, &w->o->rules);
    uint64_t differing = 0;
    TRY(conn_exec_rows(w->conn, sql, &differing));
    if (!differing) {
        t->counts.unchanged = t->source_rows;
        return NULL;
    }
    TRY(conn_execf(w->conn, "ANALYZE %s.d%zu", t->schema, t->number));
    TRY(count(w, t));
    if (t->counts.conflicts)
        TRY(show_conflicts(w, t));
    if (t->unique_count > (t->key ? 1u : 0u) && (t->counts.inserted || t->counts.updated))
        TRY(check_uniques(w, t));
    return NULL;
}

/* Conflicts that --on-conflict cannot decide. */
static Error *undecided(const MergeWork *w)
{
    AUTO_VALUE(Buf) text = {0};
    const MergeRules *rules = &w->o->rules;
    uint64_t rows = 0;
    for (size_t i = 0; i < w->tables.count; i++) {
        const MergeTable *t = &w->tables.items[i];
        bool stands =
            rules->conflict == MERGE_CONFLICT_FAIL ||
            (rules->conflict == MERGE_CONFLICT_NEWEST && !strlist_has(&t->columns, rules->newest));
        if (!t->counts.conflicts || !stands)
            continue;
        rows += t->counts.conflicts;
        buf_printf(&text, "%s%s (%" PRIu64 " rows: ", text.len ? "; " : "", t->name,
                   t->counts.conflicts);
        for (size_t k = 0; k < t->samples.count && k < SAMPLES; k++)
            buf_printf(&text, "%s%s", k ? ", " : "", t->samples.items[k]);
        buf_u8(&text, ')');
    }
    if (!rows)
        return NULL;
    AUTO(char) shown = buf_steal_str(&text);
    if (rules->conflict == MERGE_CONFLICT_NEWEST)
        return error_hint(ERROR_NEW(ERR_CONFLICT,
                                    "the target changed rows too, and these tables have no column "
                                    "%s to say which is newest: %s",
                                    rules->newest, shown),
                          "merge them by themselves (--table) with another --on-conflict; nothing "
                          "was changed");
    return error_hint(ERROR_NEW(ERR_CONFLICT, "the target changed rows too: %s", shown),
                      "--on-conflict source, target or newest:COLUMN decides; nothing was changed");
}

Error *merge_compare(MergeWork *w)
{
    job_phase(w->c->job, "comparing", 0, w->tables.count);
    for (size_t i = 0; i < w->tables.count; i++) {
        TRY_CTX(compare_table(w, &w->tables.items[i]), "comparing %s", w->tables.items[i].name);
        job_add_items(w->c->job, 1);
    }
    FAULT_POINT("merge.compared");
    return undecided(w);
}
