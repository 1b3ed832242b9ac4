#include "op/restore_index.h"

#include <string.h>

#include "pg/sql_words.h"

#define NOWHERE SIZE_MAX
#define ANALYZE_BYTES ((uint64_t)1 << 20) /* smaller ones are sorted in no time */
#define ROWS_PER_KEY 6 /* a row is loaded in the time in which so many are indexed or compared */

struct IndexJob {
    const TocEntry *entry; /* borrowed from the Toc; for ANALYZE the TABLE DATA */
    bool analyze;
    char *name;      /* for people */
    uint64_t weight; /* bytes of its tables: the heaviest go first */
    bool urgent;     /* not even rows that could be loaded come before it */
    size_t *tables;  /* that it locks, by the places of their TABLE DATA (or TABLE) in the Toc */
    size_t table_count;
    size_t *after; /* jobs that must be done before it */
    size_t after_count;
    enum { WAITING, RUNNING, MADE, LEFT } state;
};

typedef struct Table {
    uint64_t bytes;
    bool own;          /* its rows come in by a COPY of its own */
    bool loaded;       /* they are in */
    bool empty;        /* none are to come: the root of partitions, mostly */
    unsigned indexing; /* CREATE INDEX statements that run on it */
    bool altering;     /* an ALTER TABLE or ANALYZE that runs on it */
    bool unfinished;   /* its statistics will need more than its rows and the jobs here */
    bool urgent;       /* index_plan_hurry */
    bool awaited;      /* by urgent jobs */
} Table;

struct IndexPlan {
    const Toc *toc;
    Table *tables;   /* by places in the Toc, of TABLE DATA entries; of TABLEs without */
    size_t *data_of; /* by places of TABLE entries: that of their TABLE DATA, or their own */
    size_t *job_of;  /* by places: the job, or NOWHERE */
    bool *made;
    IndexJob *jobs;
    size_t count, cap;
    size_t *order; /* of the jobs, the heaviest first */
    size_t first;  /* of `order`: those before it have begun */
};

void index_plan_free(IndexPlan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        free(p->jobs[i].name);
        free(p->jobs[i].tables);
        free(p->jobs[i].after);
    }
    free(p->jobs);
    free(p->order);
    free(p->tables);
    free(p->data_of);
    free(p->job_of);
    free(p->made);
    free(p);
}

static size_t place(const IndexPlan *p, const TocEntry *e)
{
    return (size_t)(e - p->toc->entries);
}

/* -- which ------------------------------------------------------------------------------------ */

static bool is_index(const TocEntry *e)
{
    return toc_is(e, "INDEX");
}

static bool is_foreign_key(const TocEntry *e)
{
    return toc_is(e, "FK CONSTRAINT");
}

/* Columns and nothing that is computed: what is in brackets has no brackets of its own (those of an
 * expression, a function, an operator class with options), and there is no condition. */
static bool is_plain(const char *sql, bool constraint)
{
    int depth = 0;
    bool known = !constraint;
    for (SqlWord w = sql_word_next(&sql); w.kind != SQL_END; w = sql_word_next(&sql)) {
        depth += sql_word_is_mark(&w, '(');
        depth -= sql_word_is_mark(&w, ')');
        if (depth > 1 || sql_word_is(&w, "WHERE") || sql_word_is(&w, "EXCLUDE"))
            return false;
        known = known || sql_word_is(&w, "PRIMARY") || sql_word_is(&w, "UNIQUE") ||
                sql_word_is(&w, "FOREIGN");
    }
    return known;
}

static bool add_table(const IndexPlan *p, IndexJob *job, size_t at)
{
    if (at == NOWHERE || !p->tables[at].own)
        return false;
    for (size_t i = 0; i < job->table_count; i++)
        if (job->tables[i] == at)
            return true;
    job->tables = mem_realloc(job->tables, job->table_count + 1, sizeof *job->tables);
    job->tables[job->table_count++] = at;
    job->weight += p->tables[at].bytes;
    return true;
}

static bool add_before(const IndexPlan *p, IndexJob *job, size_t before)
{
    if (before == NOWHERE)
        return false;
    job->after = mem_realloc(job->after, job->after_count + 1, sizeof *job->after);
    job->after[job->after_count++] = before;
    for (size_t i = 0; i < p->jobs[before].table_count; i++)
        if (!add_table(p, job, p->jobs[before].tables[i]))
            return false;
    return true;
}

/* False where it is of no use before all rows are in. */
static bool add_dependency(const IndexPlan *p, IndexJob *job, const TocEntry *d)
{
    if (toc_is(d, "TABLE"))
        return add_table(p, job, p->data_of[place(p, d)]);
    if (toc_is_table_data(d))
        return add_table(p, job, place(p, d));
    if (is_index(d) || is_foreign_key(d) || toc_is(d, "CONSTRAINT"))
        return add_before(p, job, p->job_of[place(p, d)]);
    return d->section == TOC_PRE_DATA && !toc_is(d, "MATERIALIZED VIEW") &&
           !toc_is(d, "FOREIGN TABLE");
}

/* What a foreign key refers to has an index. Between roots of partitions it is one of them all. */
static bool refers_to_rows(const IndexPlan *p, const IndexJob *job)
{
    for (size_t i = 0; i < job->table_count; i++)
        if (p->tables[job->tables[i]].empty)
            return false;
    return job->after_count > 0;
}

static bool plan_job(const IndexPlan *p, const TocEntry *e, IndexJob *job)
{
    bool constraint = toc_is(e, "CONSTRAINT") || is_foreign_key(e);
    if ((!constraint && !is_index(e)) || !is_plain(e->defn, constraint))
        return false;
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *d = toc_find(p->toc, e->deps[i]);
        if (d && !add_dependency(p, job, d))
            return false;
    }
    return job->table_count && (!is_foreign_key(e) || refers_to_rows(p, job));
}

static void keep_job(IndexPlan *p, IndexJob job)
{
    const TocEntry *e = job.entry;
    AUTO(char) encoding = toc_encoding(p->toc);
    AUTO(char) name = mem_printf("%s %s.%s", job.analyze ? "ANALYZE" : e->desc, e->schema, e->tag);
    job.name = part_text(encoding, name);
    mem_grow(p->jobs, p->count, p->cap);
    p->jobs[p->count++] = job;
}

static void add_job(IndexPlan *p, const TocEntry *e)
{
    IndexJob job = {.entry = e};
    if (!plan_job(p, e, &job)) {
        free(job.tables);
        free(job.after);
        return;
    }
    if (!job.weight) /* done in no time, and others may wait for it */
        job.weight = UINT64_MAX;
    p->job_of[place(p, e)] = p->count;
    keep_job(p, job);
}

/* Statistics of expressions and of columns together, and those of a table's children, are made by
 * the ANALYZE at the end. */
static void find_unfinished(IndexPlan *p)
{
    for (size_t i = 0; i < p->toc->count; i++) {
        const TocEntry *e = &p->toc->entries[i];
        bool more = (is_index(e) && p->job_of[i] == NOWHERE) || toc_is(e, "STATISTICS") ||
                    toc_is(e, "TABLE") || toc_is(e, "FOREIGN TABLE") || toc_is(e, "TABLE ATTACH");
        for (size_t k = 0; more && k < e->dep_count; k++) {
            const TocEntry *d = toc_find(p->toc, e->deps[k]);
            if (d && p->data_of[place(p, d)] != NOWHERE)
                p->tables[p->data_of[place(p, d)]].unfinished = true;
        }
    }
}

static void add_analyze(IndexPlan *p)
{
    find_unfinished(p);
    for (size_t i = 0; i < p->toc->count; i++) {
        const Table *t = &p->tables[i];
        if (!t->own || t->unfinished || t->bytes < ANALYZE_BYTES)
            continue;
        IndexJob job = {.entry = &p->toc->entries[i], .analyze = true};
        add_table(p, &job, i);
        keep_job(p, job);
    }
}

/* Rows that are loaded through a partitioned table may belong into any of its partitions. */
static void disown_partitions(IndexPlan *p)
{
    for (size_t i = 0; i < p->toc->count; i++) {
        const TocEntry *e = &p->toc->entries[i];
        for (size_t k = 0; toc_is(e, "TABLE ATTACH") && k < e->dep_count; k++) {
            const TocEntry *d = toc_find(p->toc, e->deps[k]);
            if (d && p->data_of[place(p, d)] != NOWHERE)
                p->tables[p->data_of[place(p, d)]].own = false;
        }
    }
}

static void find_tables(IndexPlan *p, const Manifest *m, const LoadPlan *tables)
{
    bool through_root = false;
    for (size_t i = 0; i < p->toc->count; i++)
        p->data_of[i] = p->job_of[i] = NOWHERE;
    for (size_t i = 0; i < p->toc->count; i++) {
        const TocEntry *e = &p->toc->entries[i];
        const Stream *s = toc_is_table_data(e)
                              ? manifest_find_stream(m, STREAM_TABLE, (uint32_t)e->dump_id)
                              : NULL;
        const LoadTable *t = s ? load_plan_find(tables, e->dump_id) : NULL;
        if (!t)
            continue;
        p->tables[i] = (Table){.bytes = s->bytes, .own = t->truncate != NULL};
        through_root = through_root || t->through_root;
        for (size_t k = 0; k < e->dep_count; k++) {
            const TocEntry *d = toc_find(p->toc, e->deps[k]);
            if (d && toc_is(d, "TABLE"))
                p->data_of[place(p, d)] = i;
        }
    }
    for (size_t i = 0; i < p->toc->count; i++)
        if (toc_is(&p->toc->entries[i], "TABLE") && p->data_of[i] == NOWHERE) {
            p->tables[i] = (Table){.own = true, .loaded = true, .empty = true};
            p->data_of[i] = i;
        }
    if (through_root)
        disown_partitions(p);
}

typedef struct Weighed {
    bool urgent;
    uint64_t weight;
    size_t job;
} Weighed;

static int heavier_first(const void *a, const void *b)
{
    const Weighed *x = a, *y = b;
    if (x->urgent != y->urgent)
        return x->urgent ? -1 : 1;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->job > y->job) - (x->job < y->job);
}

/* What others wait for weighs as much as they: those come behind it in an archive. A table is
 * analyzed before what it is of use for, one that is urgent behind all that. */
static void weigh(const IndexPlan *p, Weighed *all)
{
    uint64_t *most = mem_calloc(p->toc->count, sizeof *most);
    for (size_t i = p->count; i-- > 0;) {
        const IndexJob *job = &p->jobs[i];
        all[i].job = i;
        all[i].urgent = all[i].urgent || job->urgent;
        if (job->weight > all[i].weight)
            all[i].weight = job->weight;
        for (size_t k = 0; k < job->after_count; k++) {
            Weighed *before = &all[job->after[k]];
            before->urgent = before->urgent || all[i].urgent;
            if (all[i].weight > before->weight)
                before->weight = all[i].weight;
        }
        for (size_t k = 0; k < job->table_count; k++)
            if (most[job->tables[k]] < job->weight)
                most[job->tables[k]] = job->weight;
    }
    for (size_t i = 0; i < p->count; i++)
        if (p->jobs[i].analyze) {
            const size_t table = p->jobs[i].tables[0];
            bool last = p->tables[table].urgent;
            all[i].urgent = !last && p->jobs[i].urgent;
            all[i].weight = last ? 0 : most[table] + 1;
        }
    free(most);
}

static void sort_jobs(IndexPlan *p)
{
    Weighed *all = mem_calloc(p->count, sizeof *all);
    free(p->order);
    p->order = mem_calloc(p->count, sizeof *p->order);
    weigh(p, all);
    for (size_t i = 0; i < p->count; i++)
        p->jobs[i].urgent = all[i].urgent;
    mem_sort(all, p->count, sizeof *all, heavier_first);
    for (size_t i = 0; i < p->count; i++)
        p->order[i] = all[i].job;
    free(all);
}

IndexPlan *index_plan_new(const Toc *toc, const Manifest *m, const LoadPlan *tables, bool analyze)
{
    IndexPlan *p = mem_new(IndexPlan);
    p->toc = toc;
    p->tables = mem_calloc(toc->count, sizeof *p->tables);
    p->data_of = mem_calloc(toc->count, sizeof *p->data_of);
    p->job_of = mem_calloc(toc->count, sizeof *p->job_of);
    p->made = mem_calloc(toc->count, sizeof *p->made);
    find_tables(p, m, tables);
    /* Archives from before 2018 give each entry a search_path; pg_restore knows which. */
    for (size_t i = 0; toc_first(toc, "SEARCHPATH") && i < toc->count; i++)
        add_job(p, &toc->entries[i]);
    if (analyze)
        add_analyze(p);
    sort_jobs(p);
    return p;
}

static bool has_table_at(const IndexJob *job, size_t at)
{
    for (size_t i = 0; i < job->table_count; i++)
        if (job->tables[i] == at)
            return true;
    return false;
}

void index_plan_hurry(IndexPlan *p, const TocEntry *data)
{
    p->tables[place(p, data)].urgent = true;
    for (size_t i = 0; i < p->count; i++) {
        IndexJob *job = &p->jobs[i];
        job->urgent = job->urgent || has_table_at(job, place(p, data));
        for (size_t k = 0; job->urgent && k < job->table_count; k++)
            p->tables[job->tables[k]].awaited = true;
    }
    /* Of what they refer to as well. */
    for (size_t i = 0; i < p->count; i++)
        if (p->jobs[i].analyze)
            p->jobs[i].urgent = p->tables[p->jobs[i].tables[0]].awaited;
    sort_jobs(p);
}

bool index_plan_is_awaited(const IndexPlan *p, const TocEntry *data)
{
    return p->tables[place(p, data)].awaited;
}

/* -- when ------------------------------------------------------------------------------------- */

size_t index_plan_count(const IndexPlan *p)
{
    return p->count;
}

uint64_t index_plan_besides(const IndexPlan *p, const TocEntry *data)
{
    uint64_t sum = 0;
    for (size_t i = 0; p && i < p->count; i++) {
        const IndexJob *job = &p->jobs[i];
        if (!job->analyze && job->weight != UINT64_MAX &&
            !(data && has_table_at(job, place(p, data))))
            sum += job->weight / ROWS_PER_KEY;
    }
    return sum;
}

const bool *index_plan_made(const IndexPlan *p)
{
    return p->made;
}

void index_plan_loaded(IndexPlan *p, const TocEntry *data)
{
    p->tables[place(p, data)].loaded = true;
}

static bool may_begin(const IndexPlan *p, const IndexJob *job)
{
    if (job->state != WAITING)
        return false;
    for (size_t i = 0; i < job->table_count; i++) {
        const Table *t = &p->tables[job->tables[i]];
        if (!t->loaded || t->altering || (t->indexing && !is_index(job->entry)))
            return false;
    }
    for (size_t i = 0; i < job->after_count; i++)
        if (p->jobs[job->after[i]].state != MADE)
            return false;
    return true;
}

static void count_use(IndexPlan *p, const IndexJob *job, bool begins)
{
    for (size_t i = 0; i < job->table_count; i++) {
        Table *t = &p->tables[job->tables[i]];
        if (is_index(job->entry))
            t->indexing += begins ? 1u : -1u;
        else
            t->altering = begins;
    }
}

IndexJob *index_plan_take(IndexPlan *p, bool urgent_only)
{
    while (p->first < p->count && p->jobs[p->order[p->first]].state != WAITING)
        p->first++;
    for (size_t i = p->first; i < p->count; i++) {
        IndexJob *job = &p->jobs[p->order[i]];
        if (urgent_only && !job->urgent)
            return NULL;
        if (!may_begin(p, job))
            continue;
        job->state = RUNNING;
        count_use(p, job, true);
        return job;
    }
    return NULL;
}

void index_plan_done(IndexPlan *p, IndexJob *job, bool made)
{
    count_use(p, job, false);
    job->state = made ? MADE : LEFT;
    p->made[place(p, job->entry)] = made;
}

const char *index_job_name(const IndexJob *job)
{
    return job->name;
}

Error *index_job_run(const RestoreWork *w, Conn *c, const IndexJob *job)
{
    job_object(w->c->job, job->name);
    if (job->analyze) {
        AUTO(char) schema = text_sql_ident(job->entry->schema);
        AUTO(char) table = text_sql_ident(job->entry->tag);
        return conn_execf(c, "ANALYZE %s.%s", schema, table);
    }
    const char *tablespace = w->o->no_tablespaces ? "" : job->entry->tablespace;
    AUTO(char) name = *tablespace ? text_sql_ident(tablespace) : mem_strdup("''");
    return conn_execf(c, "SET default_tablespace = %s; %s", name, job->entry->defn);
}
