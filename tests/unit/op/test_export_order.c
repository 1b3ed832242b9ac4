#include "../unit.h"

#include "op/export_order.h"

/* Tables 1 .. n, each with foreign keys to the tables named. */
typedef struct World {
    RelationList relations;
    ExportTables tables;
} World;

static void world_clear(World *w)
{
    relation_list_clear(&w->relations);
    export_tables_clear(&w->tables);
}
DEFINE_AUTO_VALUE(World, world_clear)

static void add_table(World *w, uint32_t oid, uint32_t root, const uint32_t *targets)
{
    RelationList *l = &w->relations;
    mem_grow(l->items, l->count, l->cap);
    Relation *r = &l->items[l->count++];
    *r = (Relation){.oid = oid,
                    .root = root,
                    .schema = mem_strdup("s"),
                    .name = mem_printf("t%u", oid),
                    .kind = 'r'};
    for (; *targets; targets++) {
        mem_grow(r->foreigns, r->foreign_count, r->foreign_cap);
        r->foreigns[r->foreign_count++] =
            (RelationForeign){.name = mem_printf("to_%u", *targets), .target = *targets};
    }
}

/* Roots of partitions have no rows of their own: oids from 100 on are left out. */
static void finish(World *w)
{
    relation_list_index(&w->relations);
    for (size_t i = 0; i < w->relations.count; i++) {
        const Relation *r = &w->relations.items[i];
        if (r->oid >= 100)
            continue;
        mem_grow(w->tables.items, w->tables.count, w->tables.cap);
        w->tables.items[w->tables.count++] = (ExportTable){
            .relation = r, .root = r->root ? relation_find_oid(&w->relations, r->root) : r};
    }
}

static size_t place(const ExportOrder *o, uint32_t oid)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->tables[i]->relation->oid == oid)
            return i;
    fail();
    return 0;
}

static void test_chain(void **state)
{
    (void)state;
    AUTO_VALUE(World) w = {0};
    AUTO_VALUE(ExportOrder) o = {0};
    add_table(&w, 1, 0, (uint32_t[]){2, 3, 0});
    add_table(&w, 2, 0, (uint32_t[]){3, 3, 0});  /* twice to one table */
    add_table(&w, 3, 0, (uint32_t[]){4, 99, 0}); /* 99 is not in the export */
    add_table(&w, 4, 0, (uint32_t[]){0});
    add_table(&w, 5, 0, (uint32_t[]){1, 0});
    finish(&w);
    export_order_make(&w.relations, &w.tables, &o);
    assert_int_equal(o.count, 5);
    assert_int_equal(o.loop_count, 0);
    assert_int_equal(place(&o, 4), 0);
    assert_int_equal(place(&o, 3), 1);
    assert_int_equal(place(&o, 2), 2);
    assert_int_equal(place(&o, 1), 3);
    assert_int_equal(place(&o, 5), 4);
}

static void test_circles(void **state)
{
    (void)state;
    AUTO_VALUE(World) w = {0};
    AUTO_VALUE(ExportOrder) o = {0};
    add_table(&w, 1, 0, (uint32_t[]){2, 0});
    add_table(&w, 2, 0, (uint32_t[]){1, 0});
    add_table(&w, 3, 0, (uint32_t[]){3, 4, 0});
    add_table(&w, 4, 0, (uint32_t[]){0});
    finish(&w);
    export_order_make(&w.relations, &w.tables, &o);
    assert_int_equal(o.count, 4);
    /* Of the circle one foreign key, and the table's own. */
    assert_int_equal(o.loop_count, 2);
    bool own = false;
    for (size_t i = 0; i < 2; i++) {
        uint32_t from = o.loops[i].table->oid, to = o.loops[i].foreign->target;
        assert_true(place(&o, from) <= place(&o, to));
        own = own || (from == 3 && to == 3);
    }
    assert_true(own);
    assert_true(place(&o, 4) < place(&o, 3));
}

/* What refers to a partitioned table waits for all its partitions. */
static void test_partitions(void **state)
{
    (void)state;
    AUTO_VALUE(World) w = {0};
    AUTO_VALUE(ExportOrder) o = {0};
    add_table(&w, 1, 0, (uint32_t[]){100, 0});
    add_table(&w, 2, 100, (uint32_t[]){0});
    add_table(&w, 3, 0, (uint32_t[]){0});
    add_table(&w, 4, 100, (uint32_t[]){0});
    add_table(&w, 100, 0, (uint32_t[]){3, 0});
    finish(&w);
    export_order_make(&w.relations, &w.tables, &o);
    assert_int_equal(o.count, 4);
    assert_int_equal(o.loop_count, 0);
    assert_int_equal(place(&o, 3), 0);
    assert_int_equal(place(&o, 2), 1);
    assert_int_equal(place(&o, 4), 2);
    assert_int_equal(place(&o, 1), 3);
}

static void test_many(void **state)
{
    (void)state;
    AUTO_VALUE(World) w = {0};
    AUTO_VALUE(ExportOrder) o = {0};
    for (uint32_t i = 1; i <= 90; i++)
        add_table(&w, i, 0, (uint32_t[]){i < 90 ? i + 1 : 0, 0});
    finish(&w);
    export_order_make(&w.relations, &w.tables, &o);
    for (uint32_t i = 1; i <= 90; i++)
        assert_int_equal(place(&o, i), 90 - i);
    AUTO_VALUE(ExportOrder) none = {0};
    AUTO_VALUE(World) empty = {0};
    finish(&empty);
    export_order_make(&empty.relations, &empty.tables, &none);
    assert_int_equal(none.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_circles),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
