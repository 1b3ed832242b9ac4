#include "op/copy_rows.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "flow/group.h"
#include "pg/copy.h"
#include "pg/large_object.h"
#include "pg/snapshot.h"

/* How much larger or smaller than now fitting a parent's pieces may be and still be kept. */
#define PINNED_FACTOR 8

/* What one message asks for: so many tables, or about so many bytes of them. */
#define BATCH_TABLES 100
#define BATCH_BYTES (1u << 20)

/* One COPY, or the large objects of one entry. */
typedef struct Item {
    const Source *source;  /* NULL: large objects */
    const TocEntry *blobs; /* of large objects */
    uint32_t stream, piece;
    uint64_t from, to; /* pages; both 0: the whole */
    uint64_t weight;   /* about how many bytes: the heaviest go first */
} Item;

/* Items that are asked for at once. */
typedef struct Batch {
    size_t from, count;
} Batch;

typedef struct Run {
    CopyRows *c;
    SourceList sources;
    Item *items;
    size_t count, cap;
    Batch *batches;
    size_t batch_count, batch_cap;
    atomic_size_t next;  /* batch */
    Queue *blocked;      /* items to be read on the locking connection */
    atomic_uint working; /* readers that may still find one */
    atomic_ullong large_objects;
    Group *group;
} Run;

/* -- what is to be read ----------------------------------------------------------------------- */

static void add_item(Run *r, Item item)
{
    mem_grow(r->items, r->count, r->cap);
    r->items[r->count++] = item;
}

/* Pieces of a table with much TOAST are fewer pages, so that one piece is not most of the database.
 */
static uint32_t default_piece_pages(const Source *s)
{
    uint32_t pages = 8192;
    uint64_t all = s->heap_bytes + s->toast_bytes;
    while (pages > 1 && s->heap_bytes && (double)all / (double)s->heap_bytes * pages * 8192 > 128e6)
        pages /= 2;
    return pages;
}

/* The parent's, so that bounds stay where they are from backup to backup, unless the table has
 * become quite another: filled by TOAST since (a piece has a limit, and fits into memory), or
 * emptied of it (as many pieces as pages). */
static uint32_t piece_pages(const Run *r, const Source *s)
{
    uint32_t fit = default_piece_pages(s);
    uint32_t pinned = writer_piece_pages(r->c->writer, s->oid, s->schema, s->name, fit);
    return pinned / PINNED_FACTOR > fit || fit / PINNED_FACTOR > pinned ? fit : pinned;
}

static Error *plan_table(Run *r, const Source *s)
{
    uint32_t pages = 0, pieces = 1;
    if (s->splittable) {
        pages = piece_pages(r, s);
        if (s->pages > pages)
            pieces = (uint32_t)((s->pages + pages - 1) / pages);
    }
    uint32_t stream;
    TRY(writer_add_stream(r->c->writer,
                          &(StreamSpec){.kind = STREAM_TABLE,
                                        .dump_id = (uint32_t)s->dump_id,
                                        .oid = s->oid,
                                        .schema = s->schema,
                                        .name = s->name,
                                        .piece_pages = pages,
                                        .pieces = pieces,
                                        .rows_framed = true},
                          &stream));
    uint64_t weight = (s->heap_bytes + s->toast_bytes) / pieces;
    for (uint32_t i = 0; i < pieces; i++)
        add_item(r, (Item){.source = s,
                           .stream = stream,
                           .piece = i,
                           .from = pieces > 1 ? (uint64_t)i * pages : 0,
                           .to = i + 1 < pieces ? (uint64_t)(i + 1) * pages : 0,
                           .weight = weight});
    return NULL;
}

static int heavier_first(const void *a, const void *b)
{
    const Item *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    return x->piece < y->piece ? -1 : 1;
}

/* Whether locks and rows of it may be asked for in one message. What a filter's statement reads
 * besides is locked in its own way. */
static bool is_plain(const Item *item)
{
    return item->source && item->source->lockable && !source_is_filtered(item->source);
}

/* Of many small tables each would cost more by its questions and answers than by its rows. */
static void plan_batches(Run *r)
{
    for (size_t i = 0, end; i < r->count; i = end) {
        uint64_t bytes = r->items[i].weight;
        for (end = i + 1; end < r->count && end - i < BATCH_TABLES; end++) {
            const Item *next = &r->items[end];
            if (!is_plain(&r->items[i]) || !is_plain(next) || bytes + next->weight > BATCH_BYTES)
                break;
            bytes += next->weight;
        }
        mem_grow(r->batches, r->batch_count, r->batch_cap);
        r->batches[r->batch_count++] = (Batch){.from = i, .count = end - i};
    }
}

/* The entry of the same table; both lists are sorted alike, mostly: `from` is where the last one
 * was found. */
static const TocEntry *same_table(const Toc *toc, const TocEntry *e, size_t *from)
{
    for (size_t n = 0; n < toc->count; n++) {
        size_t i = (*from + n) % toc->count;
        const TocEntry *other = &toc->entries[i];
        if (toc_is_table_data(other) && !strcmp(other->tag, e->tag) &&
            !strcmp(other->schema, e->schema)) {
            *from = i + 1;
            return other;
        }
    }
    return NULL;
}

/* A table that was made anew may have its columns in another order: one that inherits, say. */
static Error *order_columns(Run *r)
{
    const Toc *like = r->c->columns_like;
    size_t from = 0, at = 0;
    for (size_t i = 0; like && i < r->c->toc->count; i++) {
        const TocEntry *e = &r->c->toc->entries[i];
        if (!toc_is_table_data(e))
            continue;
        Source *s = &r->sources.items[at++];
        const TocEntry *other = same_table(like, e, &from);
        AUTO(char) columns = other ? source_columns(other->copy_stmt) : NULL;
        if (!columns || !strcmp(columns, s->columns))
            continue;
        if (s->values)
            FAIL(ERR_PREFLIGHT,
                 "columns of %s.%s cannot be masked here: a table made anew has them in another "
                 "order",
                 s->schema, s->name);
        free(s->columns);
        s->columns = STEAL(columns);
    }
    return NULL;
}

static Error *plan(Run *r)
{
    TRY(source_resolve(r->c->lock, r->c->toc, r->c->asked, &r->sources));
    if (r->c->filter)
        TRY(filter_apply(r->c->filter, r->c->lock, &r->sources));
    TRY(order_columns(r));
    uint64_t bytes = 0;
    size_t at = 0;
    for (size_t i = 0; i < r->c->toc->count; i++) {
        const TocEntry *e = &r->c->toc->entries[i];
        if (toc_is_table_data(e)) {
            const Source *s = &r->sources.items[at++];
            bytes += s->heap_bytes + s->toast_bytes;
            TRY(plan_table(r, s));
        } else if (toc_has_block(e)) {
            Item item = {.blobs = e, .weight = UINT64_MAX};
            TRY(writer_add_stream(r->c->writer,
                                  &(StreamSpec){.kind = STREAM_LARGE_OBJECTS,
                                                .dump_id = (uint32_t)e->dump_id,
                                                .schema = "",
                                                .name = "large objects",
                                                .pieces = 1},
                                  &item.stream));
            add_item(r, item);
        }
    }
    r->c->tables = r->sources.count;
    mem_sort(r->items, r->count, sizeof *r->items, heavier_first);
    plan_batches(r);
    job_phase(r->c->job, "copying", bytes, r->count);
    return NULL;
}

/* -- reading ---------------------------------------------------------------------------------- */

static Error *sink_piece(void *ctx, const void *p, size_t n)
{
    return piece_write(ctx, p, n);
}

static Error *read_large_objects(Run *r, Conn *c, PieceWriter *w, const Item *item)
{
    uint32_t *oids;
    size_t count;
    TRY(piece_begin(w, item->stream, item->piece));
    job_object(r->c->job, "large objects");
    TRY(large_object_list(c, r->c->toc, item->blobs, &oids, &count));
    Error *e = large_object_read(c, oids, count, sink_piece, w);
    free(oids);
    atomic_fetch_add(&r->large_objects, count);
    return e ? e : piece_end(w, count);
}

/* The rows of the COPY that has begun. */
static Error *take_rows(Run *r, Conn *c, PieceWriter *w, const Item *item)
{
    TRY(piece_begin(w, item->stream, item->piece));
    job_object(r->c->job, item->source->qualified);
    for (;;) {
        const char *row;
        size_t n;
        bool end;
        TRY(copy_out_row(c, &row, &n, &end));
        if (end)
            break;
        TRY(piece_write(w, row, n));
    }
    return piece_end(w, copy_row_count(c));
}

static Error *read_table(Run *r, Conn *c, PieceWriter *w, const Item *item)
{
    AUTO(char) sql = source_copy_sql(item->source, item->from, item->to);
    TRY(copy_out_begin(c, sql));
    return take_rows(r, c, w, item);
}

static Error *item_done(Run *r)
{
    job_add_items(r->c->job, 1);
    FAULT_POINT("backup.copied");
    return NULL;
}

static Error *read_item(Run *r, Conn *c, PieceWriter *w, const Item *item)
{
    if (item->source)
        TRY_CTX(read_table(r, c, w, item), "table %s", item->source->qualified);
    else
        TRY(read_large_objects(r, c, w, item));
    return item_done(r);
}

/* All tables that a filter's statement reads: they are locked as soon as it is planned, and stay
 * so.
 */
static Error *lock_filtered(Conn *c, const Item *item)
{
    AUTO(char) sql = source_select_sql(item->source, item->from, item->to);
    TRY(conn_exec(c, "SET LOCAL lock_timeout = 1"));
    TRY(conn_execf(c, "EXPLAIN %s", sql));
    return conn_exec(c, "SET LOCAL lock_timeout = 0");
}

static Error *join(Run *r, Conn *c)
{
    TRY(snapshot_join(r->c->snapshot, c));
    return r->c->utf8 ? conn_use_utf8(c) : NULL;
}

/* A lock was not to be had: those that this connection has go too, and the snapshot is joined anew.
 */
static Error *join_again(Run *r, Conn *c)
{
    TRY(conn_exec(c, "ROLLBACK"));
    return join(r, c);
}

/* Takes the table's lock for this connection too, without waiting. *held: false where somebody
 * waits for a stronger one. */
static Error *lock_here(Run *r, Conn *c, const Item *item, bool *held)
{
    const Source *s = item->source;
    *held = true;
    if (!s || !s->lockable)
        return NULL;
    Error *e = conn_execf(c, "LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT", s->qualified);
    if (!e && source_is_filtered(s))
        e = lock_filtered(c, item);
    if (!e)
        return NULL;
    if (conn_broken(c) || error_kind(e) != ERR_DB_IN_USE)
        return e;
    error_free(e);
    *held = false;
    return join_again(r, c);
}

/* The locks of all, then their rows, for the price of one question. *held: false where one of the
 * locks was not to be had; nothing was read. */
static Error *read_series(Run *r, Conn *c, PieceWriter *w, const Item *items, size_t n, bool *held)
{
    AUTO_VALUE(Buf) sql = {0};
    for (size_t i = 0; i < n; i++)
        buf_printf(&sql, "%s ONLY %s", i ? "," : "LOCK TABLE", items[i].source->qualified);
    buf_add_str(&sql, " IN ACCESS SHARE MODE NOWAIT");
    for (size_t i = 0; i < n; i++) {
        AUTO(char) copy = source_copy_sql(items[i].source, items[i].from, items[i].to);
        buf_printf(&sql, "; %s", copy);
    }
    buf_u8(&sql, 0);
    Error *e = copy_out_series(c, (const char *)sql.data, n, held);
    if (e) /* of a lock that is refused the server says itself which one */
        return *held || n == 1 ? error_context(e, "table %s", items[0].source->qualified) : e;
    if (!*held)
        return join_again(r, c);
    for (size_t i = 0; i < n; i++) {
        if (i)
            TRY_CTX(copy_out_next(c), "table %s", items[i].source->qualified);
        TRY_CTX(take_rows(r, c, w, &items[i]), "table %s", items[i].source->qualified);
        TRY(item_done(r));
    }
    return NULL;
}

static Error *read_alone(Run *r, Conn *c, PieceWriter *w, Item *item)
{
    bool held;
    if (is_plain(item)) {
        TRY(read_series(r, c, w, item, 1, &held));
    } else {
        TRY(lock_here(r, c, item, &held));
        if (held)
            TRY(read_item(r, c, w, item));
    }
    if (!held && !queue_push(r->blocked, item, 1))
        FAIL(ERR_CANCELLED, "stopped");
    return NULL;
}

static Error *read_loop(Run *r, Conn *c, PieceWriter *w)
{
    for (size_t i; (i = atomic_fetch_add(&r->next, 1)) < r->batch_count;) {
        const Batch *b = &r->batches[i];
        bool held = false;
        if (b->count > 1)
            TRY(read_series(r, c, w, &r->items[b->from], b->count, &held));
        for (size_t k = 0; k < b->count && !held; k++) {
            TRY(cancel_check(group_cancel(r->group)));
            TRY(read_alone(r, c, w, &r->items[b->from + k]));
        }
    }
    return piece_writer_finish(w);
}

static Error *reader(void *arg)
{
    Run *r = arg;
    AUTO(Conn) c = NULL;
    AUTO(PieceWriter) w = NULL;
    TRY(conn_open_like(r->c->lock, NULL, group_cancel(r->group), &c));
    TRY(join(r, c));
    TRY(piece_writer_new(r->c->writer, &w));
    TRY(read_loop(r, c, w));
    TRY(conn_exec(c, "COMMIT"));
    if (atomic_fetch_sub(&r->working, 1) == 1)
        queue_close(r->blocked);
    return NULL;
}

/* On the locking connection: what the readers could not lock. */
static Error *blocked_reader(void *arg)
{
    Run *r = arg;
    AUTO(PieceWriter) w = NULL;
    void *item;
    while (queue_pop(r->blocked, &item)) {
        log_debug("somebody waits for a lock on %s: reading it on the locking connection",
                  ((Item *)item)->source->qualified);
        if (!w)
            TRY(piece_writer_new(r->c->writer, &w));
        TRY(read_item(r, r->c->lock, w, item));
    }
    return w ? piece_writer_finish(w) : NULL;
}

static Error *run(Run *r)
{
    TRY(plan(r));
    unsigned jobs = r->c->jobs < r->batch_count ? r->c->jobs : (unsigned)r->batch_count;
    if (!jobs)
        return NULL;
    r->blocked = queue_new(SIZE_MAX / 2, NULL);
    TRY(group_new(r->c->cancel, &r->group));
    group_watch(r->group, r->blocked);
    atomic_store(&r->working, jobs);
    for (unsigned i = 0; i < jobs; i++)
        TRY(group_start(r->group, reader, r));
    TRY(group_start(r->group, blocked_reader, r));
    return group_join(r->group);
}

Error *copy_rows(CopyRows *c)
{
    Run r = {.c = c};
    Error *e = run(&r);
    if (r.group)
        group_free(r.group);
    if (r.blocked)
        queue_free(r.blocked);
    c->large_objects = atomic_load(&r.large_objects);
    source_list_clear(&r.sources);
    free(r.items);
    free(r.batches);
    return e;
}
