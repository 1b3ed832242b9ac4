#include "../unit.h"

#include "pg/relation.h"

static const char two[] =
    "{\"schema\": \"shop\", \"name\": \"orders\", \"oid\": 20, \"root\": 0, \"kind\": \"r\", "
    "\"extension\": false, \"columns\": [{\"name\": \"id\", \"type\": \"bigint\", \"base\": "
    "\"int8\", \"number\": 1, \"notNull\": true, \"generated\": false, \"identity\": \"a\"}, "
    "{\"name\": \"O'Hara \\\"x\\\"\", \"type\": \"app.mood[]\", \"base\": \"\", \"number\": 3, "
    "\"notNull\": false, \"generated\": true, \"identity\": \"\"}], \"keys\": [{\"name\": "
    "\"orders_pkey\", \"primary\": true, \"constraint\": true, \"deferrable\": false, "
    "\"nullsDistinct\": true, \"notNull\": true, \"columns\": [\"id\"]}], \"foreignKeys\": "
    "[{\"name\": \"f\", \"columns\": [\"id\"], \"target\": 10, \"targetSchema\": \"app\", "
    "\"targetName\": \"users\", \"targetColumns\": [\"uid\"], \"validated\": false, "
    "\"deferrable\": true, \"match\": \"s\", \"onUpdate\": \"a\", \"onDelete\": \"c\"}]}\n"
    "{\"schema\": \"app\", \"name\": \"users\", \"oid\": 10, \"root\": 9, \"kind\": \"p\", "
    "\"extension\": true, \"columns\": [], \"keys\": [], \"foreignKeys\": []}\n";

static void test_decoded_and_found(void **state)
{
    (void)state;
    AUTO_VALUE(RelationList) l = {0};
    OK(relation_list_decode(two, strlen(two), &l));
    assert_int_equal(l.count, 2);
    assert_string_equal(l.items[0].schema, "app"); /* sorted */
    const Relation *r = relation_find(&l, "shop", "orders");
    assert_non_null(r);
    assert_ptr_equal(r, relation_find_oid(&l, 20));
    assert_null(relation_find(&l, "shop", "users"));
    assert_null(relation_find_oid(&l, 11));
    assert_int_equal(relation_find_oid(&l, 10)->root, 9);
    assert_true(relation_find_oid(&l, 10)->extension);
    assert_int_equal(r->column_count, 2);
    assert_int_equal(relation_column(r, "id")->identity, 'a');
    const RelationColumn *odd = relation_column(r, "O'Hara \"x\"");
    assert_non_null(odd);
    assert_true(odd->generated);
    assert_int_equal(odd->number, 3);
    assert_true(r->keys[0].primary && r->keys[0].not_null);
    assert_string_equal(r->foreigns[0].target_columns.items[0], "uid");
    assert_int_equal(r->foreigns[0].on_delete, 'c');
    assert_false(r->foreigns[0].validated);
}

static void test_encoded_again(void **state)
{
    (void)state;
    AUTO_VALUE(RelationList) l = {0};
    AUTO_VALUE(RelationList) again = {0};
    AUTO_VALUE(Buf) first = {0};
    AUTO_VALUE(Buf) second = {0};
    OK(relation_list_decode(two, strlen(two), &l));
    relation_list_encode(&l, &first);
    OK(relation_list_decode(first.data, first.len, &again));
    relation_list_encode(&again, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    assert_int_equal(again.items[1].foreigns[0].target, 10);
}

static void test_names_are_quoted(void **state)
{
    (void)state;
    Relation r = {.schema = (char *)"my \"s", .name = (char *)"t.x"};
    AUTO(char) name = relation_sql_name(&r);
    assert_string_equal(name, "\"my \"\"s\".\"t.x\"");
    AUTO_VALUE(StrList) columns = {0};
    strlist_add(&columns, "a");
    strlist_add(&columns, "b\"");
    AUTO(char) list = relation_sql_columns(&columns);
    assert_string_equal(list, "\"a\", \"b\"\"\"");
}

static void test_damaged(void **state)
{
    (void)state;
    AUTO_VALUE(RelationList) l = {0};
    FAILS(ERR_DAMAGED, relation_list_decode("{}", 2, &l)); /* no newline */
    FAILS(ERR_DAMAGED, relation_list_decode("{\n", 2, &l));
    static const char uneven[] =
        "{\"foreignKeys\": [{\"columns\": [\"a\"], \"targetColumns\": []}]}\n";
    FAILS(ERR_DAMAGED, relation_list_decode(uneven, strlen(uneven), &l));
    OK(relation_list_decode("", 0, &l));
    assert_int_equal(l.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoded_and_found),
        cmocka_unit_test(test_encoded_again),
        cmocka_unit_test(test_names_are_quoted),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
