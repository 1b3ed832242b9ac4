#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "flow/cond.h"
#include "flow/group.h"
#include "op/restore_index.h"
#include "op/restore_split.h"
#include "pg/load_objects.h"
#include "pg/toc_search_path.h"

#define WAIT_MS 100 /* how often a waiting worker looks for a cancellation */

/* A stream to be loaded, with where it goes. */
typedef struct Item {
    const Stream *stream;
    const LoadTable *table; /* NULL: large objects */
    bool split;             /* by several connections at once */
    bool awaited;           /* by the keys of one that is */
    bool again;             /* the server refused it, and may take it later */
    bool by_name;           /* because some function did not find something by its name */
    Error *refused;         /* what it said; owned */
} Item;

typedef struct Load {
    RestoreWork *w;
    const char *dbname;
    Cancel *cancel;
    /* Those that are split, the others, those that come late; the largest first. */
    Item *items;
    size_t count, cap, split_to, late_from;
    Item *serial; /* one after another, in the archive's order */
    size_t serial_count, serial_cap;
    atomic_uint_fast64_t rows, bytes, fetched;
    pthread_mutex_t lock; /* of: */
    Item *refused;        /* tables to be tried again */
    size_t refused_count, refused_cap;
    IndexPlan *indexes; /* NULL: none beside the loading */
    size_t next, end;   /* of `items`: what the workers take */
    unsigned busy;      /* workers whose end may make an index possible */
    pthread_cond_t ended;
} Load;

static bool comes_late(const Item *item)
{
    return item->table && item->table->late;
}

static int larger_first(const void *a, const void *b)
{
    const Stream *x = ((const Item *)a)->stream, *y = ((const Item *)b)->stream;
    if (comes_late(a) != comes_late(b))
        return comes_late(a) ? 1 : -1;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->dump_id < y->dump_id ? -1 : x->dump_id > y->dump_id;
}

static int awaited_first(const void *a, const void *b)
{
    const Item *x = a, *y = b;
    if (x->awaited != y->awaited)
        return x->awaited ? -1 : 1;
    return x->awaited ? larger_first(b, a) : larger_first(a, b);
}

static int archive_order(const void *a, const void *b)
{
    const LoadTable *x = ((const Item *)a)->table, *y = ((const Item *)b)->table;
    return x < y ? -1 : x > y;
}

/* Every entry that has data must find its stream, and every stream its entry. */
static Error *plan(Load *l, const LoadPlan *tables, uint64_t *bytes)
{
    const Manifest *m = l->w->backup.manifest;
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        const TocEntry *e = NULL;
        if (part_is_data(s))
            TRY(part_entry(&l->w->part, &l->w->backup, s, &e));
        if (!e)
            continue;
        Item item = {.stream = s};
        if (s->kind == STREAM_TABLE)
            item.table = load_plan_find(tables, (int)s->dump_id);
        *bytes += s->bytes;
        if (item.table && item.table->serial) {
            mem_grow(l->serial, l->serial_count, l->serial_cap);
            l->serial[l->serial_count++] = item;
        } else {
            mem_grow(l->items, l->count, l->cap);
            l->items[l->count++] = item;
        }
    }
    for (size_t i = 0; i < l->w->backup.toc->count; i++) {
        const TocEntry *e = &l->w->backup.toc->entries[i];
        StreamKind kind = toc_is_table_data(e) ? STREAM_TABLE : STREAM_LARGE_OBJECTS;
        if (toc_has_block(e) && !manifest_find_stream(m, kind, (uint32_t)e->dump_id))
            FAIL(ERR_DAMAGED, "backup %s has no data for its entry %d (%s %s)", l->w->backup.id,
                 e->dump_id, e->desc, e->tag);
    }
    mem_sort(l->items, l->count, sizeof *l->items, larger_first);
    while (l->late_from < l->count && !comes_late(&l->items[l->late_from]))
        l->late_from++;
    mem_sort(l->serial, l->serial_count, sizeof *l->serial, archive_order);
    return NULL;
}

static Error *pump(Load *l, const Stream *s, StreamTake take, void *to)
{
    uint64_t fetched = 0;
    TRY(backup_read_stream(&l->w->backup, s, l->cancel, take, to, &fetched));
    atomic_fetch_add(&l->fetched, fetched);
    return NULL;
}

static Error *take_rows(void *to, const void *p, size_t n)
{
    return copy_in_write(to, p, n);
}

static Error *take_objects(void *to, const void *p, size_t n)
{
    return load_objects_feed(to, p, n);
}

static Error *load_split(Load *l, Conn *prepared, Item *item)
{
    SplitOutcome outcome;
    Error *e = restore_split_load(l->w, l->dbname, prepared, item->stream, item->table, &outcome);
    atomic_fetch_add(&l->fetched, outcome.fetched);
    item->again = outcome.again;
    item->by_name = outcome.by_name;
    item->split = false; /* where it is tried again */
    return e;
}

static Error *load_rows(Load *l, Conn *c, Item *item)
{
    if (item->split)
        return load_split(l, c, item);
    Error *e = load_table_begin(c, item->table);
    if (!e)
        e = pump(l, item->stream, take_rows, c);
    if (!e)
        e = fault_reach("restore.load.table");
    if (!e)
        e = load_table_end(c, item->table, item->stream->rows);
    if (e) {
        item->again = load_failed_on_rows(c);
        item->by_name = load_failed_on_name(c);
        load_table_abort(c);
    }
    return e;
}

static Error *load_item(Load *l, Conn *c, Item *item)
{
    item->again = false;
    if (item->table) {
        job_object(l->w->c->job, item->table->name);
        TRY_CTX(load_rows(l, c, item), "loading table %s", item->table->name);
        atomic_fetch_add(&l->rows, item->stream->rows);
    } else {
        job_object(l->w->c->job, "large objects");
        AUTO(LoadObjects) lo = load_objects_new(c);
        uint64_t count;
        TRY_CTX(pump(l, item->stream, take_objects, lo), "loading large objects");
        TRY_CTX(load_objects_end(lo, &count), "loading large objects");
    }
    atomic_fetch_add(&l->bytes, item->stream->bytes);
    job_add_items(l->w->c->job, 1);
    return NULL;
}

static void table_loaded(Load *l, const LoadTable *t)
{
    pthread_mutex_lock(&l->lock);
    if (l->indexes)
        index_plan_loaded(l->indexes, t->entry);
    pthread_mutex_unlock(&l->lock);
}

/* Takes the item, or keeps it in mind where a later attempt may go well. */
static Error *try_item(Load *l, Conn *c, Item *item)
{
    Error *e = load_item(l, c, item);
    if (!e && item->table)
        table_loaded(l, item->table);
    if (e && l->w->o->salvage && restore_is_damage(e)) {
        pthread_mutex_lock(&l->lock);
        restore_miss(l->w, item->stream, item->table ? item->table->name : "the large objects", e);
        pthread_mutex_unlock(&l->lock);
        return NULL;
    }
    if (!e || !item->again)
        return e;
    pthread_mutex_lock(&l->lock);
    mem_grow(l->refused, l->refused_count, l->refused_cap);
    l->refused[l->refused_count] = *item;
    l->refused[l->refused_count++].refused = e;
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* -- workers ---------------------------------------------------------------------------------- */

/* Rows first, as only where they are in can indexes be made, but for urgent ones. */
typedef struct Task {
    Item *item;
    IndexJob *index;
} Task;

static bool take_task(Load *l, Task *t)
{
    *t = (Task){0};
    if (l->indexes)
        t->index = index_plan_take(l->indexes, l->next < l->end);
    if (!t->index && l->next < l->end)
        t->item = &l->items[l->next++];
    return t->item || t->index;
}

/* Waits while others work, as what they end may be what an index waits for. */
static bool next_task(Load *l, Task *t)
{
    pthread_mutex_lock(&l->lock);
    bool any = false;
    while (!cancel_requested(l->cancel) && !(any = take_task(l, t)) && l->indexes && l->busy)
        cond_wait_until(&l->ended, &l->lock, clock_mono_ms() + WAIT_MS);
    l->busy += any;
    pthread_mutex_unlock(&l->lock);
    return any;
}

static void task_ended(Load *l)
{
    pthread_mutex_lock(&l->lock);
    l->busy--;
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->lock);
}

/* One that fails here is made, and if need be told about, by pg_restore. */
static Error *make_index(Load *l, Conn *c, IndexJob *job)
{
    Error *e = index_job_run(l->w, c, job);
    pthread_mutex_lock(&l->lock);
    index_plan_done(l->indexes, job, !e);
    pthread_mutex_unlock(&l->lock);
    if (!e || conn_broken(c) || cancel_requested(l->cancel))
        return e;
    log_debug("%s is left for later: %s", index_job_name(job), error_message(e));
    error_free(e);
    return NULL;
}

static Error *worker(void *arg)
{
    Load *l = arg;
    AUTO(Conn) c = NULL;
    TRY(conn_open_like(l->w->admin, l->dbname, l->cancel, &c));
    TRY(load_session(c, l->w->backup.encoding, l->w->o->role));
    TRY(load_search_path(c, l->w->o->search_path));
    for (Task t; next_task(l, &t);) {
        Error *e = t.item ? try_item(l, c, t.item) : make_index(l, c, t.index);
        task_ended(l);
        TRY(e);
    }
    return cancel_check(l->cancel);
}

/* The items [from, to), by several workers. */
static Error *load_parallel(Load *l, size_t from, size_t to)
{
    unsigned jobs = op_jobs(l->w->c);
    AUTO(Group) group = NULL;
    TRY(group_new(l->w->cancel, &group));
    l->cancel = group_cancel(group);
    size_t tasks = to - from + (l->indexes ? index_plan_count(l->indexes) : 0);
    l->next = from;
    l->end = to;
    Error *e = NULL;
    for (size_t i = 0; !e && i < jobs && i < tasks; i++)
        e = group_start(group, worker, l);
    group_fail(group, e);
    e = group_join(group);
    l->cancel = l->w->cancel;
    return e;
}

/* What cannot be loaded: all tables by name, and what the server said of the first. */
static Error *refused_error(Load *l)
{
    const Item *first = &l->refused[0];
    const char *hint = first->by_name
                           ? SEARCH_PATH_HINT
                           : "these rows break a rule of their own database, whatever the order; "
                             "`pgstow export` and pg_restore bring back all but such tables";
    /* In place of the server's hint, which knows nothing of restores. */
    Error *e = error_hint(
        ERROR_NEW(error_kind(first->refused), "%s", error_message(first->refused)), "%s", hint);
    if (l->refused_count == 1)
        return e;
    AUTO_VALUE(Buf) names = {0};
    for (size_t i = 0; i < l->refused_count && i < 10; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", l->refused[i].table->name);
    if (l->refused_count > 10)
        buf_add_str(&names, ", ...");
    AUTO(char) list = buf_steal_str(&names);
    return error_context(e, "the server refused the rows of %zu tables (%s)", l->refused_count,
                         list);
}

/* Tables that were refused, one after another in the archive's order, which is that of a stock
 * restore; as long as that brings at least one more in. Their rows are read from the repository
 * again. */
static Error *load_refused(Load *l, Conn *c)
{
    for (size_t before = SIZE_MAX; l->refused_count && l->refused_count < before;) {
        before = l->refused_count;
        mem_sort(l->refused, before, sizeof *l->refused, archive_order);
        uint64_t bytes = 0;
        for (size_t i = 0; i < before; i++)
            bytes += l->refused[i].stream->bytes;
        job_phase(l->w->c->job, "copying again", bytes, before);
        size_t left = 0;
        for (size_t i = 0; i < before; i++) {
            Item *item = &l->refused[i];
            Error *e = load_item(l, c, item);
            if (e && l->w->o->salvage && restore_is_damage(e)) {
                error_drop(STEAL(item->refused));
                restore_miss(l->w, item->stream, item->table->name, e);
                continue;
            }
            if (e && !item->again)
                return e;
            error_drop(STEAL(item->refused));
            if (!e)
                continue;
            l->refused[left] = *item;
            l->refused[left++].refused = e;
        }
        l->refused_count = left;
    }
    if (!l->w->o->salvage)
        return l->refused_count ? refused_error(l) : NULL;
    for (size_t i = 0; i < l->refused_count; i++)
        restore_miss(l->w, l->refused[i].stream, l->refused[i].table->name,
                     STEAL(l->refused[i].refused));
    l->refused_count = 0;
    return NULL;
}

/* Tables of which one COPY would still be running when all else is done, keys included: the largest
 * first, and each compared with what is there to be done beside it. */
static Error *choose_split(Load *l, Conn *prepared, uint64_t bytes)
{
    const RestoreOptions *o = l->w->o;
    while (!o->salvage && !o->keep_order && l->split_to < l->late_from) {
        Item *item = &l->items[l->split_to];
        bytes -= item->stream->bytes;
        uint64_t keys = index_plan_besides(l->indexes, item->table ? item->table->entry : NULL);
        if (!item->table || !restore_split_pays(l->w, item->stream->bytes, bytes + keys))
            break;
        TRY(load_may_share(prepared, item->table, &item->split));
        if (!item->split)
            break;
        l->split_to++;
    }
    return NULL;
}

/* What their keys refer to comes behind them, the smallest first: the sooner can one begin. */
static void hurry(Load *l)
{
    if (!l->split_to || !l->indexes)
        return;
    for (size_t i = 0; i < l->split_to; i++)
        index_plan_hurry(l->indexes, l->items[i].table->entry);
    for (size_t i = l->split_to; i < l->late_from; i++)
        l->items[i].awaited =
            l->items[i].table && index_plan_is_awaited(l->indexes, l->items[i].table->entry);
    mem_sort(l->items + l->split_to, l->late_from - l->split_to, sizeof *l->items, awaited_first);
}

static Error *load_tables(Load *l, Conn *prepared)
{
    for (size_t i = 0; i < l->serial_count; i++)
        TRY(try_item(l, prepared, &l->serial[i]));
    for (size_t i = 0; i < l->split_to; i++)
        TRY(try_item(l, prepared, &l->items[i]));
    TRY(load_parallel(l, l->split_to, l->late_from));
    return l->late_from < l->count ? load_parallel(l, l->late_from, l->count) : NULL;
}

static Error *run(Load *l, Conn *prepared)
{
    AUTO_VALUE(LoadPlan) tables = {0};
    uint64_t bytes = 0;
    TRY(load_plan_make(prepared, l->w->backup.toc, &tables));
    TRY(plan(l, &tables, &bytes));
    job_phase(l->w->c->job, "copying", bytes, l->count + l->serial_count);
    if (!l->w->o->salvage)
        l->indexes =
            index_plan_new(l->w->backup.toc, l->w->backup.manifest, &tables, !l->w->o->no_analyze);
    TRY(choose_split(l, prepared, bytes));
    hurry(l);
    TRY(load_tables(l, prepared));
    if (l->indexes)
        l->w->indexed = mem_dup(index_plan_made(l->indexes), l->w->backup.toc->count);
    return load_refused(l, prepared);
}

Error *restore_load(RestoreWork *w, const char *dbname, Conn *prepared)
{
    Load l = {.w = w, .dbname = dbname, .cancel = w->cancel};
    pthread_mutex_init(&l.lock, NULL);
    cond_init(&l.ended);
    Error *e = run(&l, prepared);
    pthread_mutex_destroy(&l.lock);
    pthread_cond_destroy(&l.ended);
    index_plan_free(l.indexes);
    w->rows = atomic_load(&l.rows);
    w->bytes = atomic_load(&l.bytes);
    w->fetched += atomic_load(&l.fetched);
    free(l.items);
    free(l.serial);
    for (size_t i = 0; i < l.refused_count; i++)
        error_free(l.refused[i].refused);
    free(l.refused);
    return e;
}
