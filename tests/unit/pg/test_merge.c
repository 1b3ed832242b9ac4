#include "../unit.h"

#include "pg/merge_foreign.h"
#include "pg/merge_sql.h"

static bool fits(const char *from, const char *from_base, const char *to, const char *to_base)
{
    RelationColumn a = {.type = (char *)from, .base = (char *)from_base};
    RelationColumn b = {.type = (char *)to, .base = (char *)to_base};
    return merge_type_fits(&a, &b);
}

static void test_types(void **state)
{
    (void)state;
    assert_true(fits("app.mood", "enum", "app.mood", "enum"));
    assert_false(fits("app.mood", "enum", "app.color", "enum"));
    assert_false(fits("app.a", "composite", "app.b", "composite"));
    assert_true(fits("integer", "int4", "bigint", "int8"));
    assert_false(fits("bigint", "int8", "integer", "int4"));
    assert_true(fits("app.email", "text", "text", "text"));
    assert_true(fits("character varying(9)", "varchar", "character varying(3)", "varchar"));
    assert_true(fits("character varying(9)", "varchar", "text", "text"));
    /* What would be rounded without a word is refused. */
    assert_true(fits("numeric(10,2)", "numeric", "numeric", "numeric"));
    assert_false(fits("numeric", "numeric", "numeric(10,2)", "numeric"));
    assert_false(fits("numeric[]", "_numeric", "numeric(10,2)[]", "_numeric"));
    assert_false(fits("timestamp without time zone", "timestamp", "timestamp(0) without time zone",
                      "timestamp"));
    assert_false(fits("bigint", "int8", "numeric(5,2)", "numeric"));
}

/* Tables 0 to n - 1, and foreign keys as pairs (from, to). */
typedef struct World {
    Relation relations[5];
    MergeTables tables;
    MergeForeigns foreigns;
    MergeUnique key;
} World;

static void make(World *w, size_t n, const size_t pairs[][2], size_t keys)
{
    *w = (World){.key = {.name = (char *)"pkey", .plain = true}};
    strlist_add(&w->key.columns, "id");
    for (size_t i = 0; i < n; i++) {
        w->relations[i] = (Relation){
            .oid = (uint32_t)i + 1, .schema = (char *)"s", .name = (char *)"t", .kind = 'r'};
        merge_tables_add(&w->tables, &w->relations[i], "scratch")->key = &w->key;
    }
    for (size_t i = 0; i < keys; i++) {
        mem_grow(w->foreigns.items, w->foreigns.count, w->foreigns.cap);
        MergeForeign *f = &w->foreigns.items[w->foreigns.count++];
        *f = (MergeForeign){.from = &w->tables.items[pairs[i][0]],
                            .to = &w->tables.items[pairs[i][1]],
                            .validated = true,
                            .on_delete = 'a',
                            .on_update = 'a'};
        strlist_add(&f->target_columns, "id");
    }
}

static void clear(World *w)
{
    merge_foreigns_clear(&w->foreigns);
    merge_tables_clear(&w->tables);
    merge_unique_clear(&(MergeUnique){.columns = w->key.columns});
}

static void test_order(void **state)
{
    (void)state;
    World w;
    /* 0 -> 2 -> 1, and 3 <-> 4 in a cycle that 1 refers to. */
    make(&w, 5, (const size_t[][2]){{0, 2}, {2, 1}, {3, 4}, {4, 3}, {1, 3}, {2, 2}}, 6);
    size_t *order = merge_foreigns_order(&w.foreigns, &w.tables);
    size_t place[5];
    for (size_t i = 0; i < 5; i++)
        place[order[i]] = i;
    assert_true(place[1] < place[2] && place[2] < place[0]);
    free(order);
    clear(&w);
}

static ForeignWay way(World *w, size_t key)
{
    size_t *order = merge_foreigns_order(&w->foreigns, &w->tables);
    merge_foreigns_plan(&w->foreigns, &w->tables, order);
    free(order);
    return w->foreigns.items[key].way;
}

static void test_ways(void **state)
{
    (void)state;
    World w;
    make(&w, 2, (const size_t[][2]){{1, 0}}, 1);
    MergeTable *child = &w.tables.items[1], *parent = &w.tables.items[0];
    MergeForeign *f = w.foreigns.items;
    /* In order of the tables nothing is checked too early. */
    child->counts.inserted = child->counts.updated = parent->counts.inserted = 1;
    assert_int_equal(way(&w, 0), FOREIGN_AS_IS);
    /* A parent goes before its child has another one. */
    parent->counts.deleted = 1;
    assert_int_equal(way(&w, 0), FOREIGN_DEFER);
    f->deferrable = true;
    assert_int_equal(way(&w, 0), FOREIGN_AS_IS);
    /* Its action would take rows that the backup has. */
    f->on_delete = 'c';
    assert_int_equal(way(&w, 0), FOREIGN_SUSPEND);
    f->on_delete = 'r';
    assert_int_equal(way(&w, 0), FOREIGN_SUSPEND);
    parent->counts.deleted = 0;
    assert_int_equal(way(&w, 0), FOREIGN_AS_IS);
    /* Rows that are matched by the key keep it; other unique values may change. */
    f->on_update = 'c';
    parent->counts.updated = 1;
    parent->rekeyed = true;
    assert_int_equal(way(&w, 0), FOREIGN_AS_IS);
    strlist_free(&f->target_columns);
    strlist_add(&f->target_columns, "code");
    assert_int_equal(way(&w, 0), FOREIGN_SUSPEND);
    /* A child that is not of the merge follows its own key, but not rows that only seem to go. */
    f->from = NULL;
    f->on_delete = 'c';
    assert_int_equal(way(&w, 0), FOREIGN_AS_IS);
    parent->rewritten = 1;
    assert_int_equal(way(&w, 0), FOREIGN_SUSPEND);
    clear(&w);
}

/* Names never end a statement. */
static void test_names_are_quoted(void **state)
{
    (void)state;
    World w;
    make(&w, 1, NULL, 0);
    RelationColumn columns[] = {{.name = (char *)"i\"d; --", .type = (char *)"int"},
                                {.name = (char *)"id", .type = (char *)"int"}};
    w.relations[0].columns = columns;
    w.relations[0].column_count = 2;
    MergeTable *t = &w.tables.items[0];
    strlist_add(&t->columns, columns[0].name);
    strlist_add(&t->columns, columns[1].name);
    AUTO(char) insert = merge_sql_insert(t);
    assert_non_null(strstr(insert, "(\"i\"\"d; --\", \"id\")"));
    AUTO(char) copy = merge_sql_copy(t, MERGE_INTO_SOURCE, &t->columns, "LAT'IN");
    assert_non_null(strstr(copy, "ENCODING 'LAT''IN')"));
    AUTO(char) update = merge_sql_update(t);
    assert_non_null(strstr(update, "SET \"i\"\"d; --\" = s.\"i\"\"d; --\""));
    clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_names_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
