#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "flow/group.h"
#include "op/drill_work.h"
#include "op/part.h"
#include "pg/copy.h"
#include "pg/load_statement.h"
#include "pg/row_sum.h"
#include "pg/source.h"

/* The streams whose rows go into one table; several, where they go in through the root of its
 * partitions and may lie in any of them. */
typedef struct Target {
    char *schema, *table; /* in the archive's encoding */
    char *columns;
    bool root, mixed; /* mixed: the streams have their columns in different orders */
    const Stream **streams;
    size_t count, cap;
    uint64_t bytes;
} Target;

typedef struct Compare {
    DrillWork *w;
    Target *targets;
    size_t count, cap;
    atomic_size_t next;
    pthread_mutex_t lock; /* of the result */
    Cancel *cancel;
    Conn *like;
} Compare;

static void compare_clear(Compare *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->targets[i].schema);
        free(c->targets[i].table);
        free(c->targets[i].columns);
        free(c->targets[i].streams);
    }
    free(c->targets);
    if (c->like)
        conn_free(c->like);
}
DEFINE_AUTO_VALUE(Compare, compare_clear)

/* -- what goes where -------------------------------------------------------------------------- */

/* Tables that get rows by themselves are not looked for: there are many. */
static Target *find_root(Compare *c, const LoadTarget *t)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->targets[i].root && !strcmp(c->targets[i].table, t->table) &&
            !strcmp(c->targets[i].schema, t->schema))
            return &c->targets[i];
    return NULL;
}

static Error *add_stream(Compare *c, const Stream *s)
{
    AUTO_VALUE(LoadTarget) t = {0};
    const TocEntry *e = toc_find(c->w->backup->toc, (int)s->dump_id);
    if (!e || !e->copy_stmt)
        FAIL(ERR_DAMAGED, "backup %s: the rows of %s.%s have no place in its archive",
             c->w->backup->id, s->schema, s->name);
    TRY(load_target_parse(e->copy_stmt, &t));
    bool root = load_via_root(e, &t);
    Target *to = root ? find_root(c, &t) : NULL;
    AUTO(char) columns = source_columns(e->copy_stmt);
    if (!to) {
        mem_grow(c->targets, c->count, c->cap);
        to = &c->targets[c->count++];
        *to = (Target){.schema = mem_strdup(t.schema),
                       .table = mem_strdup(t.table),
                       .columns = mem_strdup(columns),
                       .root = root};
    }
    to->mixed = to->mixed || strcmp(to->columns, columns) != 0;
    to->bytes += s->bytes;
    mem_grow(to->streams, to->count, to->cap);
    to->streams[to->count++] = s;
    return NULL;
}

static int larger_first(const void *a, const void *b)
{
    const Target *x = a, *y = b;
    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

/* -- one table -------------------------------------------------------------------------------- */

static Error *feed(void *to, const void *p, size_t n)
{
    return row_sum_feed(to, p, n);
}

static Error *sum_backup(Compare *c, const Target *t, RowSum *sum)
{
    for (size_t i = 0; i < t->count; i++) {
        TRY(backup_read_stream(c->w->backup, t->streams[i], c->cancel, feed, sum, NULL));
        TRY(row_sum_end(sum));
    }
    return NULL;
}

static Error *sum_restored(Conn *conn, const Source *s, RowSum *sum)
{
    AUTO(char) sql = source_copy_sql(s, 0, 0);
    TRY(copy_out_begin(conn, sql));
    for (;;) {
        const char *row;
        size_t n;
        bool end;
        TRY(copy_out_row(conn, &row, &n, &end));
        if (end)
            return NULL;
        row_sum_add(sum, row, n && row[n - 1] == '\n' ? n - 1 : n);
    }
}

static Error *compare_one(Compare *c, Conn *conn, const Target *t, DrillTable *out)
{
    AUTO_VALUE(RowSum) stored = {0};
    AUTO_VALUE(RowSum) restored = {0};
    AUTO_VALUE(SourceList) found = {0};
    row_sum_begin(&stored);
    row_sum_begin(&restored);
    TRY(sum_backup(c, t, &stored));
    TRY(source_named(conn, t->schema, t->table, t->columns, &found));
    if (found.count)
        TRY(sum_restored(conn, &found.items[0], &restored));
    else
        out->note = mem_strdup("the restored database does not have it");
    out->rows[0] = stored.rows;
    out->rows[1] = restored.rows;
    row_sum_text(&stored, out->sum[0]);
    row_sum_text(&restored, out->sum[1]);
    if (t->mixed && found.count) {
        out->note =
            mem_strdup("its partitions have their columns in different orders: only counted");
        out->same = stored.rows == restored.rows;
    } else {
        out->same = found.count && row_sum_equal(&stored, &restored);
    }
    return NULL;
}

static Error *work(void *arg)
{
    Compare *c = arg;
    const char *encoding = c->w->backup->encoding;
    AUTO(Conn) conn = NULL;
    TRY(conn_open_like(c->like, NULL, c->cancel, &conn));
    TRY(conn_prepare_dump(conn, encoding));
    for (size_t i; (i = atomic_fetch_add(&c->next, 1)) < c->count;) {
        const Target *t = &c->targets[i];
        AUTO(char)
        plain = mem_printf("%s.%s%s", t->schema, t->table, t->root ? " (with partitions)" : "");
        DrillTable one = {.name = part_text(encoding, plain)};
        job_object(c->w->c->job, one.name);
        Error *e = compare_one(c, conn, t, &one);
        if (e) { /* not compared to its end: nothing is known of it */
            e = error_context(e, "comparing %s", one.name);
            free(one.name);
            free(one.note);
            return e;
        }
        pthread_mutex_lock(&c->lock);
        DrillResult *r = c->w->result;
        mem_grow(r->tables, r->table_count, r->table_cap);
        r->tables[r->table_count++] = one;
        r->different += !one.same;
        pthread_mutex_unlock(&c->lock);
        job_add_items(c->w->c->job, 1);
    }
    return NULL;
}

/* -- all -------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const DrillTable *)a)->name, ((const DrillTable *)b)->name);
}

static Error *compare_tables(Compare *c)
{
    unsigned jobs = op_jobs(c->w->c);
    AUTO(Group) group = NULL;
    TRY(group_new(job_cancel(c->w->c->job), &group));
    c->cancel = group_cancel(group);
    Error *e = NULL;
    for (size_t i = 0; !e && i < jobs && i < c->count; i++)
        e = group_start(group, work, c);
    group_fail(group, e);
    return group_join(group);
}

Error *drill_compare(DrillWork *w)
{
    AUTO_VALUE(Compare) c = {.w = w, .lock = PTHREAD_MUTEX_INITIALIZER};
    const Manifest *m = w->backup->manifest;
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->stream_count; i++)
        if (m->streams[i].kind == STREAM_TABLE) {
            TRY(add_stream(&c, &m->streams[i]));
            bytes += m->streams[i].bytes;
        }
    mem_sort(c.targets, c.count, sizeof *c.targets, larger_first);
    job_phase(w->c->job, "comparing", bytes, c.count);
    TRY(op_connect(w->c, NULL, &c.like));
    Error *e = compare_tables(&c);
    mem_sort(w->result->tables, w->result->table_count, sizeof *w->result->tables, by_name);
    TRY(e);
    TRY(conn_prepare_dump(c.like, w->backup->encoding));
    TRY(drill_compare_objects(w, c.like));
    TRY(drill_compare_sequences(w, c.like));
    w->result->compared = true;
    return NULL;
}
