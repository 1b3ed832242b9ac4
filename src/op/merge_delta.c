/* Only what differs between a backup and the one that was merged last: out of the chunks that
 * differ, into staging tables. Neither backup's table is read as a whole, nor the target's. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/spill_sort.h"
#include "flow/group.h"
#include "op/diff_rows.h"
#include "op/merge_work.h"
#include "pg/copy.h"
#include "pg/copy_text.h"
#include "pg/merge_sql.h"
#include "repo/stream_diff.h"

#define MEMORY ((size_t)96 << 20) /* of all tables at work, beside 32 frames a thread */
#define THREAD_BYTES (16u << 20)  /* to be looked at, from which on another thread is worth it */

/* -- whether a table can be merged so ---------------------------------------------------------- */

static bool same_list(const StrList *a, const StrList *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return a->count == b->count;
}

static const MergeSource *base_of(const MergeWork *w, const MergeSource *s)
{
    for (size_t i = 0; i < w->sources.count; i++) {
        const MergeSource *b = &w->sources.items[i];
        if (b->base && b->table == s->table && !strcmp(b->stream->schema, s->stream->schema) &&
            !strcmp(b->stream->name, s->stream->name))
            return b;
    }
    return NULL;
}

static const Relation *recorded(const MergeSource *s)
{
    return relation_find(&s->backup->relations, s->stream->schema, s->stream->name);
}

static bool same_types(const MergeSource *a, const MergeSource *b)
{
    const Relation *x = recorded(a), *y = recorded(b);
    for (size_t i = 0; x && y && i < a->columns.count; i++) {
        const RelationColumn *c = relation_column(x, a->columns.items[i]);
        const RelationColumn *d = relation_column(y, a->columns.items[i]);
        if (!c || !d || strcmp(c->type, d->type) != 0)
            return false;
    }
    return x && y;
}

/* Whether no two rows of the stream can have one key. */
static bool proven(const MergeTable *t, const MergeSource *s)
{
    const Relation *r = recorded(s);
    for (size_t i = 0; r && i < r->key_count; i++) {
        const RelationKey *k = &r->keys[i];
        bool same = k->not_null && k->columns.count == t->key->columns.count;
        for (size_t n = 0; same && n < k->columns.count; n++)
            same = strlist_has(&t->key->columns, k->columns.items[n]);
        if (same)
            return true;
    }
    return false;
}

static const char *unfit_pair(const MergeTable *t, const MergeSource *s, const MergeSource *b)
{
    const char *x = s->backup->encoding, *y = b->backup->encoding;
    if (!same_list(&s->columns, &b->columns) || !same_types(s, b))
        return "its columns have changed since the base";
    if (strcmp(x ? x : "", y ? y : "") != 0)
        return "the encoding has changed since the base";
    if (!proven(t, s) || !proven(t, b))
        return "the backups do not say that its key is one there too";
    if (!s->stream->rows_framed || !b->stream->rows_framed)
        return "its rows are not kept as rows";
    return NULL;
}

const char *merge_delta_unfit(const MergeWork *w, const MergeTable *t)
{
    size_t sources = 0, bases = 0;
    for (size_t i = 0; i < t->key->columns.count; i++)
        if (!relation_column(t->target, t->key->columns.items[i])->not_null)
            return "its key takes NULL";
    if (!t->source_rows)
        return "it was emptied since the base";
    for (size_t i = 0; i < w->sources.count; i++) {
        const MergeSource *s = &w->sources.items[i];
        if (s->table != t->number)
            continue;
        bases += s->base;
        sources += !s->base;
        const MergeSource *b = s->base ? NULL : base_of(w, s);
        if (!s->base && !b)
            return "it has another partition since the base";
        const char *why = b ? unfit_pair(t, s, b) : NULL;
        if (why)
            return why;
    }
    return sources == bases ? NULL : "it has lost a partition since the base";
}

uint64_t merge_delta_bytes(const MergeWork *w, const MergeSource *s)
{
    uint64_t bytes = 0;
    const Stream *x = s->stream, *y = base_of(w, s)->stream;
    bool pieces = x->piece_pages && x->piece_pages == y->piece_pages;
    for (size_t i = 0; i < x->piece_count || i < y->piece_count; i++) {
        const Piece *p = i < x->piece_count ? &x->pieces[i] : NULL;
        const Piece *q = i < y->piece_count ? &y->pieces[i] : NULL;
        if (pieces && p && q && p->bytes == q->bytes && !memcmp(p->digest, q->digest, HASH_BYTES))
            continue;
        bytes += (p ? p->bytes : 0) + (q ? q->bytes : 0);
    }
    return bytes;
}

/* -- staging --------------------------------------------------------------------------------- */

typedef struct Delta {
    MergeWork *w;
    Conn *conn;
    const MergeTable *table;
    const MergeSource *source;
    SpillSort *before; /* the base's rows, in the order in which they came */
    MergeInto into;    /* the backup's rows: source, or what it has more than the base */
    uint64_t rows[2];
    bool made;    /* the staging tables are there */
    bool copying; /* into one of them */
    DiffTable found;
} Delta;
static void delta_clear(Delta *d)
{
    if (d->before)
        spill_sort_free(d->before);
    diff_table_clear(&d->found);
}
DEFINE_AUTO_VALUE(Delta, delta_clear)

static Error *make_tables(Delta *d)
{
    AUTO(char) source = merge_sql_stage(d->table, d->into, true);
    AUTO(char) base = merge_sql_stage(d->table, MERGE_INTO_BASE, true);
    TRY(conn_exec(d->conn, source));
    TRY(conn_exec(d->conn, base));
    d->made = true;
    return NULL;
}

static Error *begin_copy(Delta *d, MergeInto into)
{
    AUTO(char)
    sql = merge_sql_copy(d->table, into, &d->source->columns,
                         conn_send_encoding(d->conn, d->source->backup->encoding));
    return copy_in_begin(d->conn, sql);
}

static Error *put_row(Delta *d, const void *row, size_t n)
{
    TRY(copy_in_write(d->conn, row, n));
    return copy_in_write(d->conn, "\n", 1);
}

/* Rows of the base wait: a connection copies into one table at a time. */
static Error *take_row(void *ctx, int side, const void *row, size_t n)
{
    Delta *d = ctx;
    uint64_t number = d->rows[side]++;
    if (side) {
        if (!d->made)
            TRY(make_tables(d));
        if (!d->copying)
            TRY(begin_copy(d, d->into));
        d->copying = true;
        return put_row(d, row, n);
    }
    uint8_t key[8];
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(number >> (56 - 8 * i));
    return spill_sort_add(
        d->before,
        &(SpillRecord){.key = key, .key_n = sizeof key, .value = row, .value_n = (uint32_t)n});
}

static Error *end_copy(Delta *d, uint64_t expected)
{
    uint64_t rows = 0;
    TRY(copy_in_end(d->conn, &rows));
    if (rows != expected)
        FAIL(ERR_MISMATCH, "%" PRIu64 " rows differ, the server took %" PRIu64, expected, rows);
    return NULL;
}

static Error *put_before(Delta *d)
{
    if (!d->rows[0])
        return NULL;
    if (!d->made)
        TRY(make_tables(d));
    TRY(begin_copy(d, MERGE_INTO_BASE));
    d->copying = true;
    for (;;) {
        SpillRecord r;
        bool end;
        TRY(spill_sort_next(d->before, &r, &end));
        if (end)
            break;
        TRY(put_row(d, r.value, r.value_n));
    }
    d->copying = false;
    return end_copy(d, d->rows[0]);
}

/* -- the rows of one pair of streams, by several threads --------------------------------------- */

typedef struct Pair {
    Delta *d;
    const MergeSource *base;
    DiffRows *rows;
    pthread_mutex_t lock; /* of rows, and of what is counted */
    atomic_size_t next;
    size_t parts;
    Cancel *cancel;
    uint64_t bytes, fetched;
} Pair;

/* What one thread has: where the rows of each side are cut. */
typedef struct Feed {
    Pair *pair;
    struct FeedSide {
        CopyLines lines;
        DiffRows *rows;
        int number;
    } sides[2];
} Feed;
static void feed_clear(Feed *f)
{
    copy_lines_clear(&f->sides[0].lines);
    copy_lines_clear(&f->sides[1].lines);
}
DEFINE_AUTO_VALUE(Feed, feed_clear)

static Error *feed_row(void *ctx, const char *row, size_t n)
{
    struct FeedSide *s = ctx;
    return diff_rows_add(s->rows, s->number, row, n);
}

static Error *feed(void *ctx, int side, const void *p, size_t n)
{
    Feed *f = ctx;
    pthread_mutex_lock(&f->pair->lock);
    Error *e = copy_lines_feed(&f->sides[side].lines, p, n);
    pthread_mutex_unlock(&f->pair->lock);
    return e;
}

static Error *read_parts(void *arg)
{
    Pair *p = arg;
    AUTO_VALUE(Feed) f = {.pair = p};
    AUTO(ChunkReader) chunks = chunk_reader_new(p->d->w->backup.repo);
    StreamDiff diff = {.chunks = chunks, .take = feed, .ctx = &f, .cancel = p->cancel};
    for (int i = 0; i < 2; i++) {
        f.sides[i].rows = p->rows;
        f.sides[i].number = i;
        f.sides[i].lines.take = feed_row;
        f.sides[i].lines.ctx = &f.sides[i];
    }
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->parts;) {
        TRY(stream_diff_part(&diff, p->base->stream, p->d->source->stream, i));
        TRY(copy_lines_end(&f.sides[0].lines));
        TRY(copy_lines_end(&f.sides[1].lines));
    }
    pthread_mutex_lock(&p->lock);
    p->bytes += diff.bytes[0] + diff.bytes[1];
    p->fetched += chunk_reader_fetched(chunks);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static Error *read_all(Pair *p)
{
    uint64_t most = merge_delta_bytes(p->d->w, p->d->source) / THREAD_BYTES;
    unsigned threads = op_jobs(p->d->w->c);
    p->parts = stream_diff_parts(p->base->stream, p->d->source->stream);
    if (threads > p->parts || most < 2)
        threads = 1;
    if (threads == 1)
        return read_parts(p);
    AUTO(Group) group = NULL;
    TRY(group_new(p->cancel, &group));
    p->cancel = group_cancel(group);
    Error *e = NULL;
    for (unsigned i = 0; !e && i < threads; i++)
        e = group_start(group, read_parts, p);
    group_fail(group, e);
    return group_join(group);
}

static Error *diff_pair(Delta *d, const MergeSource *base, size_t memory, Cancel *cancel,
                        MergeDelta *out)
{
    const MergeSource *s = d->source;
    DiffRowsSpec spec = {.columns = {&base->columns, &s->columns},
                         .key = &d->table->key->columns,
                         .memory = memory,
                         .take = take_row,
                         .ctx = d};
    AUTO(DiffRows) rows = diff_rows_new(&spec, &d->found);
    Pair pair = {
        .d = d, .base = base, .rows = rows, .lock = PTHREAD_MUTEX_INITIALIZER, .cancel = cancel};
    uint64_t spilled = 0;
    TRY(read_all(&pair));
    out->bytes += pair.bytes;
    out->fetched += pair.fetched;
    job_add_bytes(d->w->c->job, pair.bytes);
    TRY(diff_rows_end(rows, &spilled));
    if (d->copying)
        TRY(end_copy(d, d->rows[1]));
    d->copying = false;
    TRY(put_before(d));
    /* Both backups say how many rows they have. */
    if (base->stream->rows + d->found.added != s->stream->rows + d->found.removed)
        FAIL(ERR_MISMATCH,
             "of %" PRIu64 " rows %" PRIu64 " went and %" PRIu64 " came, but there are %" PRIu64,
             base->stream->rows, d->found.removed, d->found.added, s->stream->rows);
    return NULL;
}

static Error *stage_pair(Delta *d, size_t memory, Cancel *cancel, MergeDelta *out)
{
    const MergeSource *base = base_of(d->w, d->source);
    d->rows[0] = d->rows[1] = 0;
    d->before = spill_sort_new(memory / 4);
    Error *e = diff_pair(d, base, memory - memory / 4, cancel, out);
    if (e && d->copying && !conn_broken(d->conn))
        error_drop(copy_in_abort(d->conn, "the merge was stopped"));
    d->copying = false;
    spill_sort_free(d->before);
    d->before = NULL;
    diff_table_clear(&d->found);
    d->found = (DiffTable){0};
    out->rows[0] += d->rows[0];
    out->rows[1] += d->rows[1];
    return e;
}

Error *merge_delta_stage(MergeWork *w, Conn *c, const MergeSource *first, size_t count,
                         Cancel *cancel, MergeDelta *out)
{
    AUTO_VALUE(Delta) d = {.w = w, .conn = c, .table = &w->tables.items[first->table]};
    d.into = d.table->delta ? MERGE_INTO_SOURCE : MERGE_INTO_ADDED;
    size_t memory = MEMORY / op_jobs(w->c);
    for (size_t i = 0; i < count; i++) {
        d.source = &first[i];
        TRY(stage_pair(&d, memory, cancel, out));
    }
    return NULL;
}
