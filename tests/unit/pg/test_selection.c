#include "../unit.h"

#include <libgen.h>

#include "base/file.h"
#include "pg/selection.h"

/* The table of contents of a small shop: keys, partitions, views, a policy, an identity ... */
static Toc *shop(void)
{
    Toc *t;
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) here = mem_strdup(__FILE__);
    AUTO(char) path = file_join(dirname(here), "data/shop15.toc");
    OK(file_read(path, 1 << 20, &b));
    OK(toc_parse(b.data, b.len, &t));
    return t;
}

static StrList one(const char *text)
{
    StrList l = {0};
    if (text)
        strlist_add(&l, text);
    return l;
}

/* "desc schema.tag" of all entries with this mark, one a line. */
static char *marked(const Selection *s, SelectionMark mark)
{
    AUTO_VALUE(Buf) b = {0};
    for (size_t i = 0; i < s->toc->count; i++) {
        const TocEntry *e = &s->toc->entries[i];
        if (selection_mark(s, e) == mark)
            buf_printf(&b, "%s %s.%s\n", e->desc, e->schema, e->tag);
    }
    return buf_steal_str(&b);
}

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *p = text; (p = strstr(p, line)); p++)
        if ((p == text || p[-1] == '\n') && p[n] == '\n')
            return true;
    return false;
}

static void expect(const char *text, const char *const *lines)
{
    for (; *lines; lines++) {
        if (!has_line(text, *lines))
            print_error("missing: %s\nin:\n%s", *lines, text);
        assert_true(has_line(text, *lines));
    }
}

typedef struct Case {
    Toc *toc;
    Selection s;
    char *chosen, *needed, *refers;
} Case;
static void case_clear(Case *c)
{
    selection_clear(&c->s);
    toc_free(c->toc);
    free(c->chosen);
    free(c->needed);
    free(c->refers);
}
DEFINE_AUTO_VALUE(Case, case_clear)

static Case choose(const char *table, const char *schema, const char *exclude, bool data_only,
                   bool schema_only)
{
    Case c = {.toc = shop()};
    AUTO_VALUE(StrList) tables = one(table);
    AUTO_VALUE(StrList) schemas = one(schema);
    AUTO_VALUE(StrList) excludes = one(exclude);
    OK(selection_make(c.toc,
                      &(SelectionOptions){.tables = &tables,
                                          .schemas = &schemas,
                                          .exclude_tables = &excludes,
                                          .data_only = data_only,
                                          .schema_only = schema_only},
                      &c.s));
    c.chosen = marked(&c.s, SELECTION_CHOSEN);
    c.needed = marked(&c.s, SELECTION_NEEDED);
    c.refers = marked(&c.s, SELECTION_REFERS);
    return c;
}

static void test_a_table_and_what_belongs_to_it(void **state)
{
    (void)state;
    AUTO_VALUE(Case) c = choose("orders", NULL, NULL, false, false);
    expect(c.chosen,
           (const char *[]){"TABLE shop.orders", "TABLE DATA shop.orders", "ACL shop.TABLE orders",
                            "SEQUENCE shop.orders_id_seq", "SEQUENCE SET shop.orders_id_seq",
                            "CONSTRAINT shop.orders orders_pkey", "INDEX shop.orders_note",
                            "COMMENT shop.INDEX orders_note", "STATISTICS shop.orders_st",
                            "RULE shop.orders r", "TRIGGER shop.orders t",
                            "COMMENT shop.TRIGGER t ON orders", "ROW SECURITY shop.orders",
                            "POLICY shop.orders pol", "ENCODING .ENCODING", NULL});
    assert_string_equal(c.refers, "FK CONSTRAINT shop.orders orders_customer_fkey\n");
    /* The policy asks the customers, the trigger has a function. */
    expect(c.needed, (const char *[]){"SCHEMA .shop", "SCHEMA .app", "FUNCTION app.trg()",
                                      "TABLE shop.customer", "COMMENT shop.TABLE customer",
                                      "TYPE app.mood", "EXTENSION .citext", NULL});
    assert_false(has_line(c.chosen, "TABLE DATA shop.customer"));
    assert_false(has_line(c.needed, "TABLE DATA shop.customer"));
    assert_null(strstr(c.chosen, "PUBLICATION"));
    assert_null(strstr(c.needed, "free"));
}

static void test_serial_columns(void **state)
{
    (void)state;
    AUTO_VALUE(Case) c = choose("shop.customer", NULL, NULL, false, false);
    expect(c.chosen, (const char *[]){
                         "SEQUENCE shop.customer_id_seq", "SEQUENCE OWNED BY shop.customer_id_seq",
                         "SEQUENCE SET shop.customer_id_seq", "DEFAULT shop.customer id",
                         "COMMENT shop.COLUMN customer.name", "ACL shop.COLUMN customer.name",
                         "COMMENT shop.CONSTRAINT customer_pkey ON customer", NULL});
    /* The sequence by itself has no owner; an identity's is nothing without its table. */
    AUTO_VALUE(Case) alone = choose("shop.customer_id_seq", NULL, NULL, false, false);
    expect(alone.chosen, (const char *[]){"SEQUENCE shop.customer_id_seq",
                                          "SEQUENCE SET shop.customer_id_seq", NULL});
    assert_null(strstr(alone.chosen, "OWNED BY"));
    assert_null(strstr(alone.needed, "TABLE"));
    AUTO(Toc) t = shop();
    AUTO_VALUE(StrList) identity = one("orders_id_seq");
    Selection s = {0};
    FAILS(ERR_NOT_FOUND, selection_make(t, &(SelectionOptions){.tables = &identity}, &s));
    /* One that a default uses without owning it is needed, with its value. */
    AUTO_VALUE(Case) uses = choose("usesfree", NULL, NULL, false, false);
    expect(uses.needed, (const char *[]){"SEQUENCE shop.free", "SEQUENCE SET shop.free", NULL});
}

static void test_partitions(void **state)
{
    (void)state;
    AUTO_VALUE(Case) c = choose("ev", NULL, NULL, false, false);
    expect(c.chosen,
           (const char *[]){"TABLE shop.ev", "TABLE shop.ev_1", "TABLE shop.ev_2",
                            "TABLE ATTACH shop.ev_1", "TABLE DATA shop.ev_2",
                            "INDEX ATTACH shop.ev_1_at_idx", "INDEX ATTACH shop.ev_2_pkey", NULL});
    assert_string_equal(c.refers, "");
    /* One alone is a table by itself. */
    AUTO_VALUE(Case) leaf = choose("ev_1", NULL, NULL, false, false);
    expect(leaf.chosen, (const char *[]){"TABLE shop.ev_1", "CONSTRAINT shop.ev_1 ev_1_pkey",
                                         "INDEX shop.ev_1_at_idx", NULL});
    assert_string_equal(leaf.refers, "TABLE ATTACH shop.ev_1\n");
    assert_null(strstr(leaf.chosen, "INDEX ATTACH"));
    assert_string_equal(leaf.needed, "SCHEMA .shop\nCOMMENT .SCHEMA shop\n");
    /* With the parent left out its partitions are too. */
    AUTO_VALUE(Case) without = choose(NULL, NULL, "shop.ev", false, false);
    assert_null(strstr(without.chosen, " shop.ev"));
    assert_int_equal(without.s.left_out.count, 0);
}

static void test_needed_tables_have_no_rows(void **state)
{
    (void)state;
    AUTO_VALUE(Case) kid = choose("kid", NULL, NULL, false, false);
    expect(kid.needed, (const char *[]){"TABLE shop.base", NULL});
    AUTO_VALUE(Case) view = choose("shop.v", NULL, NULL, false, false);
    expect(view.chosen, (const char *[]){"VIEW shop.v", NULL});
    expect(view.needed, (const char *[]){"TABLE shop.customer", "TABLE shop.orders", NULL});
    assert_null(strstr(view.needed, "TABLE DATA"));
    AUTO_VALUE(StrList) notes = {0};
    selection_notes(&view.s, &notes);
    assert_int_equal(notes.count, 2);
}

static void test_schemas(void **state)
{
    (void)state;
    AUTO_VALUE(Case) c = choose(NULL, "shop", NULL, false, false);
    expect(c.chosen, (const char *[]){"SCHEMA .shop", "COMMENT .SCHEMA shop", "TABLE shop.orders",
                                      "FK CONSTRAINT shop.orders orders_customer_fkey",
                                      "MATERIALIZED VIEW DATA shop.mv",
                                      "DEFAULT ACL shop.DEFAULT PRIVILEGES FOR TABLES", NULL});
    expect(c.needed, (const char *[]){"SCHEMA .app", "EXTENSION .citext", "TYPE app.mood",
                                      "FUNCTION app.trg()", NULL});
    assert_string_equal(c.refers, "");
    assert_null(strstr(c.chosen, " app."));
    assert_null(strstr(c.chosen, "PUBLICATION"));
}

static void test_excluded(void **state)
{
    (void)state;
    AUTO_VALUE(Case) c = choose(NULL, NULL, "shop.orders", false, false);
    assert_null(strstr(c.chosen, "orders"));
    assert_null(strstr(c.needed, "orders"));
    assert_null(strstr(c.chosen, "VIEW shop.v"));
    assert_int_equal(c.s.left_out.count, 2); /* the two views that need it */
    expect(c.chosen, (const char *[]){"PUBLICATION .pub", "EXTENSION .citext", NULL});
    AUTO_VALUE(Case) parent = choose(NULL, NULL, "customer", false, false);
    assert_string_equal(parent.refers, "FK CONSTRAINT shop.orders orders_customer_fkey\n");
}

static void test_rows_or_definitions_alone(void **state)
{
    (void)state;
    AUTO_VALUE(Case) rows = choose("shop.*", NULL, NULL, true, false);
    expect(rows.chosen, (const char *[]){"TABLE DATA shop.orders", "SEQUENCE SET shop.free", NULL});
    assert_false(has_line(rows.chosen, "TABLE shop.orders"));
    assert_string_equal(rows.needed, "");
    AUTO_VALUE(Case) all = choose(NULL, NULL, NULL, false, true);
    assert_null(strstr(all.chosen, " DATA "));
    assert_null(strstr(all.chosen, "SEQUENCE SET"));
    expect(all.chosen, (const char *[]){"TABLE shop.orders", "PUBLICATION .pub", NULL});
}

static void test_cut(void **state)
{
    (void)state;
    AUTO_VALUE(Case) c = choose("orders", NULL, NULL, false, false);
    AUTO(Toc) cut = NULL;
    OK(selection_cut(&c.s, &cut));
    size_t wanted = 0;
    for (size_t i = 0; i < c.toc->count; i++) {
        const TocEntry *e = &c.toc->entries[i];
        SelectionMark mark = selection_mark(&c.s, e);
        bool in = mark == SELECTION_CHOSEN || mark == SELECTION_NEEDED;
        const TocEntry *found = toc_find(cut, e->dump_id);
        assert_int_equal(in, found != NULL);
        wanted += in;
        if (found)
            assert_string_equal(found->defn, e->defn);
    }
    assert_int_equal(cut->count, wanted);
}

static void refused(ErrorKind kind, const char *table, const char *near)
{
    AUTO(Toc) t = shop();
    AUTO_VALUE(StrList) tables = one(table);
    Selection s = {0};
    AUTO(Error) e = selection_make(t, &(SelectionOptions){.tables = &tables}, &s);
    assert_non_null(e);
    assert_int_equal(error_kind(e), kind);
    if (near)
        assert_non_null(strstr(error_hint_text(e), near));
}

static void test_refused(void **state)
{
    (void)state;
    refused(ERR_NOT_FOUND, "ordres", "orders");
    refused(ERR_NOT_FOUND, "shop.custmer", "shop.customer");
    refused(ERR_NOT_FOUND, "app.orders", NULL);
    refused(ERR_NOT_FOUND, "\"Orders\"", NULL);
    refused(ERR_USAGE, "a.b.c", NULL);
    refused(ERR_USAGE, "shop.*=x", NULL);
    refused(ERR_USAGE, "shop.v=x", NULL);
    refused(ERR_USAGE, "orders=", NULL);
    AUTO(Toc) t = shop();
    Selection s = {0};
    FAILS(ERR_USAGE,
          selection_make(t, &(SelectionOptions){.data_only = true, .schema_only = true}, &s));
    assert_false(selection_wanted(&(SelectionOptions){0}));
    assert_true(selection_wanted(&(SelectionOptions){.data_only = true}));
}

static void test_renames(void **state)
{
    (void)state;
    AUTO_VALUE(Case) c = choose("orders=Orders_Old", NULL, NULL, false, false);
    assert_int_equal(c.s.rename_count, 1);
    assert_string_equal(c.s.renames[0].entry->tag, "orders");
    assert_string_equal(c.s.renames[0].schema, "shop");
    assert_string_equal(c.s.renames[0].name, "orders_old");
    AUTO_VALUE(Case) moved = choose("shop.orders=\"App 2\".\"O=o\"", NULL, NULL, false, false);
    assert_string_equal(moved.s.renames[0].schema, "App 2");
    assert_string_equal(moved.s.renames[0].name, "O=o");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_and_what_belongs_to_it),
        cmocka_unit_test(test_serial_columns),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_needed_tables_have_no_rows),
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_excluded),
        cmocka_unit_test(test_rows_or_definitions_alone),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_renames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
