#include "../unit.h"

#include "op/restore_index.h"

/* An archive of two tables, with entries as pg_dump makes them. */
enum { PATH, T, U, T_DATA, U_DATA, T_KEY, T_INDEX, T_LOWER, T_PART, U_KEY, U_REF, ENTRIES };
static const char *const tags[ENTRIES] = {"", "t", "u", "t", "u", "k", "i", "l", "p", "uk", "f"};

typedef struct World {
    TocEntry entries[ENTRIES];
    TocEntry *by_id[ENTRIES];
    Toc toc;
    Stream streams[2];
    const Stream *streams_by_id[2];
    Manifest m;
    LoadTable tables[2];
    const LoadTable *tables_by_id[2];
    LoadPlan load;
    int deps[ENTRIES][3];
    IndexPlan *plan;
} World;

static void entry(World *w, int id, const char *desc, TocSection section, const char *defn, int a,
                  int b)
{
    TocEntry *e = &w->entries[id];
    int *deps = w->deps[id];
    size_t n = 0;
    if (a)
        deps[n++] = a + 1;
    if (b)
        deps[n++] = b + 1;
    *e = (TocEntry){.dump_id = id + 1,
                    .desc = desc,
                    .tag = tags[id],
                    .schema = "s",
                    .defn = defn,
                    .tablespace = "",
                    .section = section,
                    .deps = deps,
                    .dep_count = n};
    w->by_id[id] = e;
}

static void make(World *w)
{
    entry(w, PATH, "SEARCHPATH", TOC_PRE_DATA, "SELECT set_config('search_path', '', false);", 0,
          0);
    entry(w, T, "TABLE", TOC_PRE_DATA, "CREATE TABLE s.t (a int);", 0, 0);
    entry(w, U, "TABLE", TOC_PRE_DATA, "CREATE TABLE s.u (a int);", 0, 0);
    entry(w, T_DATA, "TABLE DATA", TOC_DATA, "", T, 0);
    entry(w, U_DATA, "TABLE DATA", TOC_DATA, "", U, 0);
    entry(w, T_KEY, "CONSTRAINT", TOC_POST_DATA,
          "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k PRIMARY KEY (a);", T, 0);
    entry(w, T_INDEX, "INDEX", TOC_POST_DATA, "CREATE INDEX i ON s.t USING btree (a, b DESC);", T,
          0);
    entry(w, T_LOWER, "INDEX", TOC_POST_DATA, "CREATE INDEX l ON s.t USING btree (lower(b));", T,
          0);
    entry(w, T_PART, "INDEX", TOC_POST_DATA, "CREATE INDEX p ON s.t USING btree (b) WHERE a > 1;",
          T, 0);
    entry(w, U_KEY, "CONSTRAINT", TOC_POST_DATA,
          "ALTER TABLE ONLY s.u\n    ADD CONSTRAINT uk PRIMARY KEY (a);", U, 0);
    entry(w, U_REF, "FK CONSTRAINT", TOC_POST_DATA,
          "ALTER TABLE ONLY s.u\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s.t(a);", U,
          T_KEY);
    w->toc = (Toc){.entries = w->entries, .count = ENTRIES, .by_id = w->by_id};
    for (int i = 0; i < 2; i++) {
        w->streams[i] = (Stream){.kind = STREAM_TABLE,
                                 .dump_id = (uint32_t)(T_DATA + i + 1),
                                 .bytes = i ? 1000 : 10,
                                 .schema = "s",
                                 .name = "x"};
        w->streams_by_id[i] = &w->streams[i];
        w->tables[i] = (LoadTable){.entry = &w->entries[T_DATA + i], .truncate = "TRUNCATE"};
        w->tables_by_id[i] = &w->tables[i];
    }
    w->m = (Manifest){.streams = w->streams, .stream_count = 2, .by_dump_id = w->streams_by_id};
    w->load = (LoadPlan){.tables = w->tables, .count = 2, .by_dump_id = w->tables_by_id};
}

static void plan(World *w)
{
    w->plan = index_plan_new(&w->toc, &w->m, &w->load, false);
}

static IndexJob *take(World *w, int id)
{
    IndexJob *job = index_plan_take(w->plan, false);
    assert_non_null(job);
    char name[80];
    snprintf(name, sizeof name, "%s s.%s", w->entries[id].desc, tags[id]);
    assert_string_equal(index_job_name(job), name);
    return job;
}

static void none(World *w)
{
    assert_null(index_plan_take(w->plan, false));
}

static void test_order(void **state)
{
    (void)state;
    World w;
    make(&w);
    plan(&w);
    /* What is computed, or has a condition, comes after all rows. */
    assert_int_equal(index_plan_count(w.plan), 4);
    none(&w);
    index_plan_loaded(w.plan, &w.entries[U_DATA]);
    IndexJob *uk = take(&w, U_KEY);
    none(&w);
    index_plan_loaded(w.plan, &w.entries[T_DATA]);
    /* An ALTER TABLE alone, or several CREATE INDEX at once. */
    IndexJob *k = take(&w, T_KEY);
    none(&w);
    index_plan_done(w.plan, uk, true);
    none(&w);
    index_plan_done(w.plan, k, true);
    IndexJob *f = take(&w, U_REF);
    none(&w); /* the foreign key holds both tables */
    index_plan_done(w.plan, f, true);
    IndexJob *i = take(&w, T_INDEX);
    none(&w);
    index_plan_done(w.plan, i, false);
    none(&w);
    const bool *made = index_plan_made(w.plan);
    for (int at = 0; at < ENTRIES; at++)
        assert_int_equal(made[at], at == T_KEY || at == U_KEY || at == U_REF);
    index_plan_free(w.plan);
}

static void test_what_failed_stops_what_needs_it(void **state)
{
    (void)state;
    World w;
    make(&w);
    plan(&w);
    index_plan_loaded(w.plan, &w.entries[T_DATA]);
    index_plan_loaded(w.plan, &w.entries[U_DATA]);
    /* It weighs as much as the foreign key that waits for it. */
    index_plan_done(w.plan, take(&w, T_KEY), false);
    index_plan_done(w.plan, take(&w, U_KEY), true);
    index_plan_done(w.plan, take(&w, T_INDEX), true);
    none(&w);
    index_plan_free(w.plan);
}

/* The names in them tell nothing without the archive's search_path. */
static void test_old_archive(void **state)
{
    (void)state;
    World w;
    make(&w);
    w.entries[PATH].desc = "ENCODING";
    plan(&w);
    assert_int_equal(index_plan_count(w.plan), 0);
    index_plan_free(w.plan);
}

static void test_other_ways_in(void **state)
{
    (void)state;
    World w;
    make(&w);
    w.tables[0].truncate = NULL; /* an extension's, a foreign table's */
    plan(&w);
    assert_int_equal(index_plan_count(w.plan), 1);
    index_plan_free(w.plan);
    /* Rows through a partitioned table may belong into t, which is a partition. */
    make(&w);
    w.tables[1].truncate = NULL;
    w.tables[1].through_root = true;
    entry(&w, T_LOWER, "TABLE ATTACH", TOC_PRE_DATA, "", T, 0);
    plan(&w);
    assert_int_equal(index_plan_count(w.plan), 0);
    index_plan_free(w.plan);
}

static size_t jobs_beside(const char *desc, TocSection section)
{
    World w;
    make(&w);
    entry(&w, T_PART, desc, section, "", 0, 0);
    entry(&w, T_LOWER, "INDEX", TOC_POST_DATA, "CREATE INDEX l ON s.t USING btree (b);", T, T_PART);
    plan(&w);
    size_t count = index_plan_count(w.plan);
    index_plan_free(w.plan);
    return count;
}

/* What is there before the rows, or what is filled behind them. */
static void test_what_else_it_needs(void **state)
{
    (void)state;
    assert_int_equal(jobs_beside("OPERATOR CLASS", TOC_PRE_DATA), 5);
    assert_int_equal(jobs_beside("MATERIALIZED VIEW", TOC_PRE_DATA), 4);
    assert_int_equal(jobs_beside("FOREIGN TABLE", TOC_PRE_DATA), 4);
    assert_int_equal(jobs_beside("MATERIALIZED VIEW DATA", TOC_POST_DATA), 4);
}

static void test_rows_it_names(void **state)
{
    (void)state;
    World w;
    make(&w);
    entry(&w, T_LOWER, "INDEX", TOC_POST_DATA, "CREATE INDEX l ON s.t USING btree (b);", T_DATA, 0);
    plan(&w);
    assert_int_equal(index_plan_count(w.plan), 5);
    none(&w);
    index_plan_loaded(w.plan, &w.entries[T_DATA]);
    index_plan_done(w.plan, take(&w, T_KEY), true);
    take(&w, T_INDEX);
    take(&w, T_LOWER);
    index_plan_free(w.plan);
}

/* The root of partitions: its own indexes wait for nothing, and no foreign key is made of it. */
static void test_table_without_rows(void **state)
{
    (void)state;
    World w;
    make(&w);
    w.entries[U_DATA].desc = "COMMENT";
    plan(&w);
    assert_int_equal(index_plan_count(w.plan), 3);
    take(&w, U_KEY);
    none(&w);
    index_plan_free(w.plan);
}

static void test_table_that_refers_to_itself(void **state)
{
    (void)state;
    World w;
    make(&w);
    entry(&w, U_REF, "FK CONSTRAINT", TOC_POST_DATA,
          "ALTER TABLE ONLY s.u\n    ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES s.u(a);", U,
          U_KEY);
    plan(&w);
    index_plan_loaded(w.plan, &w.entries[U_DATA]);
    index_plan_done(w.plan, take(&w, U_KEY), true);
    take(&w, U_REF);
    none(&w);
    index_plan_free(w.plan);
}

static void analyzed(World *w, int id)
{
    IndexJob *job = index_plan_take(w->plan, false);
    assert_non_null(job);
    char name[80];
    snprintf(name, sizeof name, "ANALYZE s.%s", tags[id]);
    assert_string_equal(index_job_name(job), name);
    index_plan_done(w->plan, job, true);
}

/* Before what its statistics are of use for; not where more of it is made later. */
static void test_analyze(void **state)
{
    (void)state;
    World w;
    make(&w);
    w.streams[0].bytes = w.streams[1].bytes = 4 << 20;
    w.plan = index_plan_new(&w.toc, &w.m, &w.load, true);
    assert_int_equal(index_plan_count(w.plan), 5); /* t has an index on an expression */
    index_plan_loaded(w.plan, &w.entries[U_DATA]);
    analyzed(&w, U_DATA);
    assert_true(index_plan_made(w.plan)[U_DATA]);
    take(&w, U_KEY);
    index_plan_free(w.plan);
    w.streams[1].bytes = 1000; /* hardly any */
    w.plan = index_plan_new(&w.toc, &w.m, &w.load, true);
    assert_int_equal(index_plan_count(w.plan), 4);
    index_plan_free(w.plan);
}

/* u is what all will wait for: its key, then what of t its foreign key needs, then the rest. */
static void test_hurry(void **state)
{
    (void)state;
    World w;
    make(&w);
    w.entries[T_LOWER].desc = w.entries[T_PART].desc = "COMMENT";
    w.streams[0].bytes = 8 << 20;
    w.streams[1].bytes = 4 << 20;
    w.plan = index_plan_new(&w.toc, &w.m, &w.load, true);
    assert_false(index_plan_is_awaited(w.plan, &w.entries[T_DATA]));
    index_plan_hurry(w.plan, &w.entries[U_DATA]);
    assert_true(index_plan_is_awaited(w.plan, &w.entries[T_DATA]));
    index_plan_loaded(w.plan, &w.entries[U_DATA]);
    IndexJob *uk = index_plan_take(w.plan, true);
    assert_non_null(strstr(index_job_name(uk), tags[U_KEY]));
    index_plan_loaded(w.plan, &w.entries[T_DATA]);
    analyzed(&w, T_DATA);
    index_plan_done(w.plan, take(&w, T_KEY), true);
    index_plan_done(w.plan, uk, true);
    index_plan_done(w.plan, take(&w, U_REF), true);
    assert_null(index_plan_take(w.plan, true));
    index_plan_done(w.plan, take(&w, T_INDEX), true);
    analyzed(&w, U_DATA);
    none(&w);
    index_plan_free(w.plan);
}

/* A foreign key counts for both its tables: beside t there is u's key alone. */
static void test_besides(void **state)
{
    (void)state;
    World w;
    make(&w);
    w.streams[0].bytes = w.streams[1].bytes = 6 << 20;
    w.plan = index_plan_new(&w.toc, &w.m, &w.load, true);
    assert_int_equal(index_plan_besides(w.plan, &w.entries[T_DATA]), 1 << 20);
    assert_int_equal(index_plan_besides(w.plan, NULL), 5 << 20);
    assert_int_equal(index_plan_besides(NULL, NULL), 0);
    index_plan_free(w.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_what_failed_stops_what_needs_it),
                                       cmocka_unit_test(test_old_archive),
                                       cmocka_unit_test(test_other_ways_in),
                                       cmocka_unit_test(test_what_else_it_needs),
                                       cmocka_unit_test(test_rows_it_names),
                                       cmocka_unit_test(test_table_without_rows),
                                       cmocka_unit_test(test_table_that_refers_to_itself),
                                       cmocka_unit_test(test_analyze),
                                       cmocka_unit_test(test_hurry),
                                       cmocka_unit_test(test_besides)};
    return cmocka_run_group_tests_name("op/restore_index", tests, NULL, NULL);
}
