/* The backup's rows into staging tables, by several connections: each table is made, and then
 * filled, by transactions of their own (why: pg/merge_sql.h, merge_sql_stage). */
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fault.h"
#include "flow/group.h"
#include "op/merge_work.h"
#include "pg/copy.h"
#include "pg/load.h"
#include "pg/merge_sql.h"

#define ANALYZE_FROM 1000 /* rows */

/* One staging table: the sources from `first` on that belong to the same table and side. */
typedef struct Unit {
    size_t first, count;
    uint64_t bytes, rows;
    bool delta; /* both sides of it: only what differs */
} Unit;
typedef struct Stage {
    MergeWork *w;
    Cancel *cancel;
    Unit *units; /* the largest first */
    size_t count, cap;
    atomic_size_t next;
    atomic_uint_fast64_t fetched;
} Stage;

typedef struct Take {
    Conn *conn;
    RowSum *sum; /* of the rows; or NULL */
} Take;

static Error *take_rows(void *to, const void *p, size_t n)
{
    Take *t = to;
    if (t->sum)
        TRY(row_sum_feed(t->sum, p, n));
    return copy_in_write(t->conn, p, n);
}

static Error *copy_stream(MergeWork *w, Conn *c, const MergeSource *s, MergeInto into, RowSum *sum,
                          Cancel *cancel, uint64_t *fetched)
{
    const MergeTable *t = &w->tables.items[s->table];
    Take take = {.conn = c, .sum = sum};
    AUTO(char)
    sql = merge_sql_copy(t, into, &s->columns, conn_send_encoding(c, s->backup->encoding));
    TRY(copy_in_begin(c, sql));
    Error *e = backup_read_stream(s->backup, s->stream, cancel, take_rows, &take, fetched);
    if (e) {
        if (!conn_broken(c))
            error_drop(copy_in_abort(c, "the merge was stopped"));
        return e;
    }
    uint64_t rows = 0;
    TRY(copy_in_end(c, &rows));
    if (rows != s->stream->rows)
        FAIL(ERR_MISMATCH, "the backup recorded %" PRIu64 " rows, the server took %" PRIu64,
             s->stream->rows, rows);
    return sum ? row_sum_end(sum) : NULL;
}

/* The staging table of the sources from `first` on. */
static Error *stage_table(MergeWork *w, Conn *c, const MergeSource *first, size_t count,
                          bool unlogged, Cancel *cancel, uint64_t *fetched)
{
    const MergeTable *t = &w->tables.items[first->table];
    MergeInto into = first->base ? MERGE_INTO_BASE : MERGE_INTO_SOURCE;
    AUTO(char) sql = merge_sql_stage(t, into, unlogged);
    TRY(conn_exec(c, sql));
    for (size_t i = 0; i < count; i++)
        TRY(copy_stream(w, c, &first[i], into, NULL, cancel, fetched));
    return NULL;
}

/* The planner wants to know how many rows there are, and that keys differ. Of a difference also
 * how few: it would read the whole target for them. */
static Error *analyze(Conn *c, const MergeTable *t, MergeInto which, uint64_t rows)
{
    if (rows < ANALYZE_FROM && !t->delta)
        return NULL;
    AUTO_VALUE(Buf) b = {0};
    buf_printf(&b, "ANALYZE %s.%c%zu", t->schema, merge_sql_letter(which), t->number);
    if (t->key) {
        buf_add_str(&b, " (");
        merge_sql_columns(&b, NULL, &t->key->columns);
        buf_u8(&b, ')');
    }
    AUTO(char) sql = buf_steal_str(&b);
    return conn_exec(c, sql);
}

static Error *stage_delta(Stage *s, Conn *c, Unit *u)
{
    const MergeSource *first = &s->w->sources.items[u->first];
    MergeTable *t = &s->w->tables.items[first->table];
    MergeDelta d = {0};
    TRY_CTX(merge_delta_stage(s->w, c, first, u->count, s->cancel, &d),
            "staging the difference of %s", t->name);
    u->bytes = d.bytes;
    atomic_fetch_add(&s->fetched, d.fetched);
    bool none = !d.rows[0] && !d.rows[1];
    if (t->delta) {
        t->compared = d.rows[1];
        t->idle = none;
    } else if (none) {
        t->base = MERGE_BASE_SAME;
    }
    if (none)
        return NULL;
    TRY(analyze(c, t, t->delta ? MERGE_INTO_SOURCE : MERGE_INTO_ADDED, d.rows[1]));
    return analyze(c, t, MERGE_INTO_BASE, d.rows[0]);
}

static Error *stage_unit(Stage *s, Conn *c, Unit *u)
{
    const MergeSource *first = &s->w->sources.items[u->first];
    MergeTable *t = &s->w->tables.items[first->table];
    uint64_t fetched = 0;
    job_object(s->w->c->job, t->name);
    if (u->delta) {
        TRY(stage_delta(s, c, u));
        FAULT_POINT("merge.stage.table");
        job_add_items(s->w->c->job, 1);
        return NULL;
    }
    TRY_CTX(stage_table(s->w, c, first, u->count, true, s->cancel, &fetched),
            "staging the rows of %s", t->name);
    TRY(analyze(c, t, first->base ? MERGE_INTO_BASE : MERGE_INTO_SOURCE, u->rows));
    if (!first->base)
        t->compared = u->rows;
    FAULT_POINT("merge.stage.table");
    atomic_fetch_add(&s->fetched, fetched);
    job_add_items(s->w->c->job, 1);
    return NULL;
}

static Error *worker(void *arg)
{
    Stage *s = arg;
    AUTO(Conn) c = NULL;
    TRY(conn_open_like(s->w->conn, NULL, s->cancel, &c));
    TRY(load_session(c, NULL, s->w->o->role));
    TRY(conn_use_utf8(c));
    for (size_t i; (i = atomic_fetch_add(&s->next, 1)) < s->count;)
        TRY(stage_unit(s, c, &s->units[i]));
    return NULL;
}

static int larger_first(const void *a, const void *b)
{
    const Unit *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Also to the last unit, where the source before was of the same. */
static uint64_t add_to_unit(Stage *s, size_t source, bool delta)
{
    const MergeSource *x = &s->w->sources.items[source];
    Unit *u = NULL;
    for (size_t i = s->count; !u && i-- > 0 && i + 2 >= s->count;)
        if (s->units[i].delta == delta && s->units[i].first + s->units[i].count == source &&
            s->w->sources.items[s->units[i].first].table == x->table &&
            s->w->sources.items[s->units[i].first].base == x->base)
            u = &s->units[i];
    if (!u) {
        mem_grow(s->units, s->count, s->cap);
        u = &s->units[s->count++];
        *u = (Unit){.first = source, .delta = delta};
    }
    uint64_t bytes = delta ? merge_delta_bytes(s->w, x) : x->stream->bytes;
    u->count++;
    u->bytes += bytes;
    u->rows += x->stream->rows;
    return bytes;
}

static uint64_t find_units(Stage *s)
{
    const MergeSources *l = &s->w->sources;
    uint64_t bytes = 0;
    for (size_t i = 0; i < l->count; i++) {
        const MergeSource *x = &l->items[i];
        const MergeTable *t = &s->w->tables.items[x->table];
        bool changes = t->base == MERGE_BASE_CHANGES;
        if (t->idle || (t->direct && !x->base))
            continue;
        if (x->base ? !t->delta && !changes : !t->delta)
            bytes += add_to_unit(s, i, false);
        if (!x->base && (t->delta || changes))
            bytes += add_to_unit(s, i, true);
    }
    mem_sort(s->units, s->count, sizeof *s->units, larger_first);
    return bytes;
}

static Error *run(Stage *s)
{
    uint64_t bytes = find_units(s);
    unsigned jobs = op_jobs(s->w->c);
    job_phase(s->w->c->job, "staging", bytes, s->count);
    AUTO(Group) group = NULL;
    TRY(group_new(s->w->cancel, &group));
    s->cancel = group_cancel(group);
    Error *e = NULL;
    for (unsigned i = 0; !e && i < jobs && i < s->count; i++)
        e = group_start(group, worker, s);
    group_fail(group, e);
    return group_join(group);
}

Error *merge_stage(MergeWork *w)
{
    Stage s = {.w = w};
    Error *e = run(&s);
    for (size_t i = 0; i < s.count; i++)
        w->bytes += s.units[i].bytes;
    w->fetched += atomic_load(&s.fetched);
    free(s.units);
    return e;
}

Error *merge_load(MergeWork *w, size_t table)
{
    MergeTable *t = &w->tables.items[table];
    t->compared = t->source_rows;
    for (size_t i = 0; i < w->sources.count; i++) {
        const MergeSource *s = &w->sources.items[i];
        size_t count = 0;
        while (i + count < w->sources.count && s[count].table == table && !s[count].base)
            count++;
        if (!count)
            continue;
        uint64_t bytes = 0;
        for (size_t k = 0; k < count; k++)
            bytes += s[k].stream->bytes;
        w->bytes += bytes;
        job_object(w->c->job, t->name);
        if (!t->direct)
            return stage_table(w, w->conn, s, count, false, w->cancel, &w->fetched);
        RowSum *sum = w->o->verify && merge_can_sum(w, t) ? &w->sums[table] : NULL;
        if (sum)
            row_sum_begin(sum);
        for (size_t k = 0; k < count; k++)
            TRY(copy_stream(w, w->conn, &s[k], MERGE_INTO_TARGET, sum, w->cancel, &w->fetched));
        return NULL;
    }
    return NULL;
}
