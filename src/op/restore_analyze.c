#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "flow/group.h"
#include "op/restore_work.h"
#include "pg/load.h"
#include "sql.h"

typedef struct Analyze {
    RestoreWork *w;
    const char *dbname;
    Cancel *cancel;
    const char **names; /* "schema.table", quoted */
    size_t count;
    atomic_size_t next;
    pthread_mutex_t lock; /* of w->warnings */
} Analyze;

static Error *analyze_one(Analyze *a, Conn *c, const char *name)
{
    job_object(a->w->c->job, name);
    Error *e = conn_execf(c, "ANALYZE %s", name);
    if (e && (conn_broken(c) || cancel_requested(a->cancel)))
        return e;
    if (e) { /* the data are there and right: a plan may be slow, nothing is wrong */
        pthread_mutex_lock(&a->lock);
        strlist_own(&a->w->warnings, mem_printf("%s was not analyzed: %s", name, error_message(e)));
        pthread_mutex_unlock(&a->lock);
        error_drop(e);
    }
    job_add_items(a->w->c->job, 1);
    return NULL;
}

static Error *worker(void *arg)
{
    Analyze *a = arg;
    AUTO(Conn) c = NULL;
    TRY(conn_open_like(a->w->admin, a->dbname, a->cancel, &c));
    TRY(load_session(c, NULL, a->w->o->role));
    TRY(load_search_path(c, a->w->o->search_path));
    for (size_t i; (i = atomic_fetch_add(&a->next, 1)) < a->count;)
        TRY(analyze_one(a, c, a->names[i]));
    return NULL;
}

static Error *run(Analyze *a)
{
    AUTO(Group) group = NULL;
    TRY(group_new(a->w->cancel, &group));
    a->cancel = group_cancel(group);
    unsigned jobs = op_jobs(a->w->c);
    Error *e = NULL;
    for (unsigned i = 0; !e && i < jobs && i < a->count; i++)
        e = group_start(group, worker, a);
    group_fail(group, e);
    return group_join(group);
}

/* Those of the archive that were analyzed while others were loaded. */
static size_t find_done(const RestoreWork *w, const TocEntry **out)
{
    size_t count = 0;
    for (size_t i = 0; w->indexed && i < w->backup.toc->count; i++)
        if (w->indexed[i] && toc_is_table_data(&w->backup.toc->entries[i]))
            out[count++] = &w->backup.toc->entries[i];
    return count;
}

static bool is_among(const TocEntry *const *done, size_t count, const char *schema,
                     const char *table)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(done[i]->tag, table) && !strcmp(done[i]->schema, schema))
            return true;
    return false;
}

static void choose(Analyze *a, const Rows *tables)
{
    const TocEntry **done = mem_calloc(a->w->backup.toc->count + 1, sizeof(TocEntry *));
    size_t count = find_done(a->w, done);
    for (size_t i = 0; i < rows_count(tables); i++)
        if (!is_among(done, count, rows_text(tables, i, 1), rows_text(tables, i, 2)))
            a->names[a->count++] = rows_text(tables, i, 0);
    free(done);
}

Error *restore_analyze(RestoreWork *w, const char *dbname, Conn *prepared)
{
    AUTO(Rows) tables = NULL;
    TRY(conn_use_utf8(prepared));
    TRY(conn_query(prepared, sql_analyze_tables, 0, NULL, &tables));
    Analyze a = {.w = w, .dbname = dbname};
    a.names = mem_calloc(rows_count(tables) + 1, sizeof *a.names);
    choose(&a, tables);
    job_phase(w->c->job, "analyzing", 0, a.count);
    pthread_mutex_init(&a.lock, NULL);
    Error *e = run(&a);
    pthread_mutex_destroy(&a.lock);
    free(a.names);
    return e;
}
