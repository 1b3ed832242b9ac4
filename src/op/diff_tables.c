#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "flow/group.h"
#include "op/diff_rows.h"
#include "op/diff_work.h"
#include "pg/copy.h"
#include "pg/sql_words.h"
#include "repo/stream_diff.h"

#define MEMORY ((size_t)128 << 20)
#define LIMIT 100

typedef struct Run {
    DiffWork *w;
    atomic_size_t next;
    pthread_mutex_t lock; /* of the result */
    Group *group;
    size_t memory; /* of one thread */
} Run;

/* What one thread has. */
typedef struct Hand {
    Run *r;
    ChunkReader *chunks;
    Conn *conn; /* to the live side; NULL where there is none */
    uint64_t spilled;
} Hand;
static void hand_clear(Hand *h)
{
    chunk_reader_free(h->chunks);
    if (h->conn)
        conn_free(h->conn);
}
DEFINE_AUTO_VALUE(Hand, hand_clear)

/* -- columns and keys ------------------------------------------------------------------------- */

/* The columns of the rows, in order. The archive's statement has them in the database's encoding,
 * the recorded relation in UTF-8. */
static void columns_of(const DiffPair *p, int side, StrList *out)
{
    AUTO(char) text = source_columns(p->entry[side]->copy_stmt);
    const char *at = text;
    for (;;) {
        SqlWord word = sql_word_next(&at);
        if (word.kind == SQL_END)
            break;
        if (word.kind == SQL_WORD || word.kind == SQL_QUOTED)
            strlist_own(out, sql_word_text(&word));
    }
    const Relation *r = p->relation[side];
    AUTO_VALUE(StrList) names = {0};
    for (size_t i = 0; r && i < r->column_count; i++)
        if (!r->columns[i].generated)
            strlist_add(&names, r->columns[i].name);
    if (names.count != out->count)
        return;
    strlist_free(out);
    *out = (StrList){0};
    strlist_copy(out, &names);
}

/* Whether equal bytes mean equal values: each common column has the same place on both sides. */
static bool aligned(const StrList *a, const StrList *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (strlist_has(b, a->items[i]) && (i >= b->count || strcmp(a->items[i], b->items[i])))
            return false;
    return true;
}

static bool has_all(const StrList *wanted, const StrList *there)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!strlist_has(there, wanted->items[i]))
            return false;
    return wanted->count > 0;
}

static bool is_key_of(const Relation *r, const StrList *columns)
{
    for (size_t i = 0; r && i < r->key_count; i++) {
        const RelationKey *k = &r->keys[i];
        if ((k->primary || k->not_null) && k->columns.count == columns->count &&
            has_all(columns, &k->columns))
            return true;
    }
    return false;
}

/* The first key of one side whose columns both have; best one that is a key on both. */
static const StrList *choose_key(const DiffPair *p, const StrList columns[2])
{
    for (int both = 1; both >= 0; both--)
        for (int side = 0; side < 2; side++) {
            const Relation *r = p->relation[side];
            for (size_t i = 0; r && i < r->key_count; i++) {
                const RelationKey *k = &r->keys[i];
                if ((k->primary || k->not_null) && has_all(&k->columns, &columns[0]) &&
                    has_all(&k->columns, &columns[1]) &&
                    (!both || is_key_of(p->relation[!side], &k->columns)))
                    return &k->columns;
            }
        }
    return NULL;
}

/* -- the rows of one table -------------------------------------------------------------------- */

static Error *read_live(Hand *h, const char *sql, LiveDiff *to, uint64_t *rows)
{
    TRY(copy_out_begin(h->conn, sql));
    for (;;) {
        const char *row;
        size_t n;
        bool end;
        TRY(copy_out_row(h->conn, &row, &n, &end));
        if (end)
            break;
        TRY(live_diff_feed(to, row, n));
        job_add_bytes(h->r->w->c->job, n);
    }
    *rows += copy_row_count(h->conn);
    return live_diff_end(to);
}

/* Pages as the stored stream was read, so that its chunks are met again. */
static Error *diff_live(Hand *h, StreamDiff *d, const DiffPair *p, const Stream *known,
                        uint64_t *rows)
{
    const Source *s = p->source;
    bool pieces = s->splittable && known && known->piece_pages;
    uint64_t width = pieces ? known->piece_pages : 0, count = 1;
    if (pieces) {
        count = (s->pages + width - 1) / width;
        if (count < known->piece_count)
            count = known->piece_count;
    }
    for (uint64_t i = 0; i < count; i++) {
        AUTO(LiveDiff) live = NULL;
        AUTO(char)
        sql = source_copy_sql(s, count > 1 ? i * width : 0, i + 1 < count ? (i + 1) * width : 0);
        TRY(live_diff_new(d, known, pieces ? (uint32_t)i : ALL_PIECES, &live));
        TRY_CTX(read_live(h, sql, live, rows), "table %s", s->qualified);
    }
    return NULL;
}

static Error *diff_both(Hand *h, const DiffPair *p, DiffTable *t, bool *same)
{
    DiffWork *w = h->r->w;
    AUTO_VALUE(StrList) a = {0};
    AUTO_VALUE(StrList) b = {0};
    columns_of(p, 0, &a);
    columns_of(p, 1, &b);
    DiffRowsSpec spec = {.columns = {&a, &b},
                         .key = choose_key(p, (StrList[]){a, b}),
                         .keep = w->o->rows,
                         .limit = w->o->limit ? w->o->limit : LIMIT,
                         .memory = h->r->memory};
    AUTO(DiffRows) rows = diff_rows_new(&spec, t);
    StreamDiff d = {.chunks = h->chunks,
                    .take = diff_rows_take,
                    .ctx = rows,
                    .cancel = group_cancel(h->r->group),
                    .keys = repo_keys(w->sides[0].backup.repo),
                    .database = w->sides[0].backup.manifest->info.database};
    bool by_chunks = aligned(&a, &b);
    if (!by_chunks)
        TRY(stream_hand_out(&d, 0, p->stream[0]));
    if (p->source)
        TRY(diff_live(h, &d, p, by_chunks ? p->stream[0] : NULL, &t->rows[1]));
    else if (by_chunks)
        TRY(stream_diff(&d, p->stream[0], p->stream[1]));
    else
        TRY(stream_hand_out(&d, 1, p->stream[1]));
    TRY(diff_rows_end(rows, &h->spilled));
    *same = !t->added && !t->removed && !t->changed && !t->only[0].count && !t->only[1].count;
    return NULL;
}

static Error *count_live(Hand *h, const Source *s, uint64_t *rows)
{
    AUTO(char) sql = source_copy_sql(s, 0, 0);
    TRY(copy_out_begin(h->conn, sql));
    for (bool end = false; !end;) {
        const char *row;
        size_t n;
        TRY(copy_out_row(h->conn, &row, &n, &end));
    }
    *rows = copy_row_count(h->conn);
    return NULL;
}

/* A table of one side only: all its rows went or came; or the other side has the table, and it is
 * not known what is in it. */
static Error *diff_one(Hand *h, const DiffPair *p, DiffTable *t)
{
    int here = p->entry[0] ? 0 : 1;
    t->missing[!here] = true;
    if (p->stream[here])
        t->rows[here] = p->stream[here]->rows;
    else
        TRY(count_live(h, p->source, &t->rows[here]));
    if (!p->defined[!here])
        *(here ? &t->added : &t->removed) = t->rows[here];
    return NULL;
}

static Error *note_missing(Run *r, const DiffPair *p)
{
    const DiffSide *other = &r->w->sides[p->entry[0] ? 1 : 0];
    strlist_own(
        &r->w->result->notes,
        mem_printf("%s.%s: its rows are not in %s", p->schema, p->name,
                   other->is_live ? "what is read of the live database" : other->backup.id));
    return NULL;
}

static Error *diff_pair(Hand *h, const DiffPair *p)
{
    DiffWork *w = h->r->w;
    AUTO(char) name = mem_printf("%s.%s", p->schema, p->name);
    job_object(w->c->job, name);
    DiffTable t = {.schema = mem_strdup(p->schema), .name = mem_strdup(p->name)};
    bool same = false, both = p->entry[0] && p->entry[1];
    for (int side = 0; side < 2; side++)
        if (p->stream[side])
            t.rows[side] = p->stream[side]->rows;
    Error *e = both ? diff_both(h, p, &t, &same) : diff_one(h, p, &t);
    if (!e && !both && p->defined[0] && p->defined[1])
        same = true;
    pthread_mutex_lock(&h->r->lock);
    DiffResult *r = w->result;
    if (!e && !both && p->defined[0] && p->defined[1])
        e = note_missing(h->r, p);
    else if (!e && same)
        r->same_tables++;
    if (e || same) {
        diff_table_clear(&t);
    } else {
        mem_grow(r->tables, r->table_count, r->table_cap);
        r->tables[r->table_count++] = t;
    }
    pthread_mutex_unlock(&h->r->lock);
    job_add_items(w->c->job, 1);
    return e ? error_context(e, "%s", name) : NULL;
}

/* -- all tables ------------------------------------------------------------------------------- */

static Error *hand(void *arg)
{
    Run *r = arg;
    const DiffWork *w = r->w;
    AUTO_VALUE(Hand) h = {.r = r, .chunks = chunk_reader_new(w->sides[0].backup.repo)};
    if (w->sides[1].is_live)
        TRY(live_read_join(&w->sides[1].live, w->sides[0].backup.encoding, group_cancel(r->group),
                           &h.conn));
    for (size_t i; (i = atomic_fetch_add(&r->next, 1)) < w->count;)
        TRY(diff_pair(&h, &w->pairs[i]));
    pthread_mutex_lock(&r->lock);
    w->result->spilled += h.spilled;
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static int compare_tables(const void *a, const void *b)
{
    const DiffTable *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

Error *diff_tables(DiffWork *w)
{
    Run r = {.w = w, .lock = PTHREAD_MUTEX_INITIALIZER};
    unsigned jobs = op_jobs(w->c);
    if (jobs > w->count)
        jobs = (unsigned)w->count;
    if (!jobs)
        return NULL;
    r.memory = (w->o->memory ? w->o->memory : MEMORY) / jobs;
    job_phase(w->c->job, "comparing", 0, w->count);
    TRY(group_new(job_cancel(w->c->job), &r.group));
    Error *e = NULL;
    for (unsigned i = 0; !e && i < jobs; i++)
        e = group_start(r.group, hand, &r);
    group_fail(r.group, e);
    e = group_join(r.group);
    group_free(r.group);
    mem_sort(w->result->tables, w->result->table_count, sizeof *w->result->tables, compare_tables);
    return e;
}
