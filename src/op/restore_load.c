#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fault.h"
#include "flow/group.h"
#include "op/restore_work.h"
#include "pg/load.h"
#include "pg/load_objects.h"

/* A stream to be loaded, with where it goes. */
typedef struct Item {
    const Stream *stream;
    const LoadTable *table; /* NULL: large objects */
} Item;

typedef struct Load {
    RestoreWork *w;
    const char *dbname;
    Cancel *cancel;
    Item *items; /* the largest first */
    size_t count, cap;
    Item *serial; /* one after another, in the archive's order */
    size_t serial_count, serial_cap;
    atomic_size_t next;
    atomic_uint_fast64_t rows, bytes, fetched;
} Load;

static int larger_first(const void *a, const void *b)
{
    const Stream *x = ((const Item *)a)->stream, *y = ((const Item *)b)->stream;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->dump_id < y->dump_id ? -1 : x->dump_id > y->dump_id;
}

/* Every entry that has data must find its stream, and every stream its entry. */
static Error *plan(Load *l, const LoadPlan *tables, uint64_t *bytes)
{
    const Manifest *m = l->w->backup.manifest;
    for (size_t i = 0; i < m->stream_count; i++) {
        const Stream *s = &m->streams[i];
        if (s->kind != STREAM_TABLE && s->kind != STREAM_LARGE_OBJECTS)
            continue;
        Item item = {.stream = s};
        const TocEntry *e = toc_find(l->w->backup.toc, (int)s->dump_id);
        if (s->kind == STREAM_TABLE)
            item.table = load_plan_find(tables, (int)s->dump_id);
        if (!e || !toc_has_block(e) || (s->kind == STREAM_TABLE) != (item.table != NULL))
            FAIL(ERR_DAMAGED, "backup %s: the rows of %s.%s have no place in its archive",
                 l->w->backup.id, s->schema, s->name);
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

static Error *load_rows(Load *l, Conn *c, const Item *item)
{
    Error *e = load_table_begin(c, item->table);
    if (!e)
        e = pump(l, item->stream, take_rows, c);
    if (!e)
        e = fault_reach("restore.load.table");
    if (!e)
        return load_table_end(c, item->table, item->stream->rows);
    load_table_abort(c);
    return e;
}

static Error *load_item(Load *l, Conn *c, const Item *item)
{
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

static Error *worker(void *arg)
{
    Load *l = arg;
    AUTO(Conn) c = NULL;
    TRY(conn_open_like(l->w->admin, l->dbname, l->cancel, &c));
    TRY(load_session(c, l->w->backup.encoding, l->w->o->role));
    for (size_t i; (i = atomic_fetch_add(&l->next, 1)) < l->count;)
        TRY(load_item(l, c, &l->items[i]));
    return NULL;
}

static Error *run(Load *l, Conn *prepared)
{
    AUTO_VALUE(LoadPlan) tables = {0};
    uint64_t bytes = 0;
    TRY(load_plan_make(prepared, l->w->backup.toc, &tables));
    TRY(plan(l, &tables, &bytes));
    job_phase(l->w->c->job, "copying", bytes, l->count + l->serial_count);
    unsigned jobs = op_jobs(l->w->c);
    AUTO(Group) group = NULL;
    TRY(group_new(l->w->cancel, &group));
    l->cancel = group_cancel(group);
    Error *e = NULL;
    for (unsigned i = 0; !e && i < jobs && i < l->count; i++)
        e = group_start(group, worker, l);
    group_fail(group, e);
    TRY(group_join(group));
    l->cancel = l->w->cancel;
    for (size_t i = 0; i < l->serial_count; i++)
        TRY(load_item(l, prepared, &l->serial[i]));
    return NULL;
}

Error *restore_load(RestoreWork *w, const char *dbname, Conn *prepared)
{
    Load l = {.w = w, .dbname = dbname};
    Error *e = run(&l, prepared);
    w->rows = atomic_load(&l.rows);
    w->bytes = atomic_load(&l.bytes);
    w->fetched += atomic_load(&l.fetched);
    free(l.items);
    free(l.serial);
    return e;
}
