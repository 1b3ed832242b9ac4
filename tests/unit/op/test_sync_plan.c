/* What must fit before a sync moves anything; and what is taken of a peer's word on what it did. */
#include "../unit.h"

#include "op/sync_work.h"

#define TABLE(name)                                                                                \
    "{\"schema\":\"s\",\"name\":\"" name "\",\"oid\":1,\"kind\":\"r\",\"columns\":[{\"name\":"     \
    "\"id\",\"type\":\"int4\",\"base\":\"int4\"}],\"keys\":[{\"name\":\"k\",\"primary\":true,"     \
    "\"notNull\":true,\"columns\":[\"id\"]}]}"

static Doc *database(const char *tables)
{
    Doc *d = NULL;
    AUTO(char)
    text = mem_printf(
        "{\"schemaVersion\":1,\"database\":\"shop\",\"encoding\":\"UTF8\",\"tables\":[%s]}",
        tables);
    OK(doc_parse(text, strlen(text), "a description", &d));
    return d;
}

/* tables NULL: there is no such database. */
static Doc *side(const char *tables)
{
    Doc *d = tables ? database(tables) : doc_object();
    if (!tables)
        doc_set_bool(d, "missing", true);
    return d;
}

static Error *planned(const char *source, const char *target, const SyncOptions *o,
                      SyncMethod method, bool *restore)
{
    AUTO(Doc) a = side(source);
    AUTO(Doc) b = side(target);
    AUTO(Doc) differences = NULL;
    SyncPlan plan = {.method = method};
    Error *e = sync_plan(o, a, b, &plan, &differences);
    *restore = plan.restore;
    assert_int_equal(differences != NULL, !e && !plan.restore);
    return e;
}

static void test_what_is_merged_and_what_is_restored(void **state)
{
    (void)state;
    const SyncOptions o = {0};
    bool restore;
    OK(planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    assert_false(restore);
    OK(planned(TABLE("a"), "", &o, SYNC_METHOD_AUTO, &restore));
    assert_true(restore);
    OK(planned(TABLE("a"), NULL, &o, SYNC_METHOD_AUTO, &restore));
    assert_true(restore);
    FAILS(ERR_DB_NOT_FOUND, planned(NULL, TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    /* Some are there and some are not: nothing is made by a sync. */
    FAILS(ERR_PREFLIGHT,
          planned(TABLE("a") "," TABLE("b"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    /* A database with other tables is somebody's, and not filled. */
    FAILS(ERR_PREFLIGHT, planned(TABLE("a"), TABLE("b"), &o, SYNC_METHOD_AUTO, &restore));
    /* Rows alone make no table. */
    FAILS(ERR_PREFLIGHT, planned(TABLE("a"), "", &o, SYNC_METHOD_HTTP, &restore));
    OK(planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_HTTP, &restore));
}

static void test_definitions_are_refused(void **state)
{
    (void)state;
    const SyncOptions o = {0};
    static const char *const targets[] = {"", NULL, TABLE("a")};
    for (size_t i = 0; i < 3; i++) {
        AUTO(Doc) source = side(TABLE("a"));
        AUTO(Doc) target = side(targets[i]);
        AUTO(Doc) differences = NULL;
        SyncPlan plan = {.method = SYNC_METHOD_AUTO};
        doc_set_bool(target, "noDefinitions", true);
        Error *e = sync_plan(&o, source, target, &plan, &differences);
        if (i < 2)
            FAILS(ERR_PREFLIGHT, e);
        else
            OK(e);
    }
}

static void test_masks_are_confirmed(void **state)
{
    (void)state;
    AUTO_VALUE(SyncOptions) o = {0};
    bool restore;
    strlist_add(&o.masks, "s.a.id: 0");
    FAILS(ERR_CONFIRM, planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    o.masked_too = true;
    OK(planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
}

/* Of a push the peer makes the tables, and has said by what. */
static void test_tools_of_the_target(void **state)
{
    (void)state;
    const SyncOptions o = {.direction = SYNC_PUSH, .peer = mem_strdup("b")};
    SyncWork w = {.o = &o, .remote = {.opened = doc_object()}};
    Doc *said = w.remote.opened;
    OK(sync_plan_tools(&w)); /* nothing is to be made */
    w.plan.restore = true;
    OK(sync_plan_tools(&w)); /* it does not say */
    doc_set_str(said, "pgRestore", NULL);
    FAILS(ERR_TOOL_MISSING, sync_plan_tools(&w));
    doc_set_str(said, "pgRestoreHint", "apt install it");
    Error *e = sync_plan_tools(&w);
    assert_string_equal(error_hint_text(e), "apt install it");
    error_free(e);
    doc_set_str(said, "pgRestore", "15.4");
    OK(sync_plan_tools(&w));
    doc_free(w.remote.opened);
    free(o.peer);
}

/* Wherever the filter is set. Into a target without tables there is nothing to delete. */
static void test_a_mirror_needs_all_rows(void **state)
{
    (void)state;
    AUTO_VALUE(SyncOptions) o = {.mode = MERGE_MIRROR};
    bool restore;
    OK(planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    o.cascade = true; /* of nothing */
    OK(planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    strlist_add(&o.exclude_tables, "s.b");
    FAILS(ERR_PREFLIGHT, planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    o.cascade = false;
    OK(planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_HTTP, &restore));
    strlist_add(&o.where, "s.a: id > 3");
    FAILS(ERR_PREFLIGHT, planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_HTTP, &restore));
    OK(planned(TABLE("a"), NULL, &o, SYNC_METHOD_AUTO, &restore));
    o.mode = MERGE_UPSERT;
    OK(planned(TABLE("a"), TABLE("a"), &o, SYNC_METHOD_AUTO, &restore));
    AUTO_VALUE(SyncOptions) all = {.mode = MERGE_MIRROR};
    AUTO(Doc) source = database(TABLE("a"));
    AUTO(Doc) target = database(TABLE("a"));
    AUTO(Doc) differences = NULL;
    SyncPlan plan = {0};
    doc_set_bool(target, "filtered", true); /* what never leaves the target is not asked for */
    OK(sync_plan(&all, source, target, &plan, &differences));
    doc_set_bool(source, "filtered", true);
    FAILS(ERR_PREFLIGHT, sync_plan(&all, source, target, &plan, &differences));
}

/* Of a source without pg_dump: rows, but only where they are wanted by themselves, and where there
 * are tables to take them. */
static void test_when_rows_are_the_way_out(void **state)
{
    (void)state;
    SyncOptions o = {.method = SYNC_METHOD_AUTO};
    SyncWork w = {.o = &o};
    AUTO(Error) tool = ERROR_NEW(ERR_TOOL_MISSING, "no pg_dump");
    AUTO(Error) old = ERROR_NEW(ERR_TOOL_VERSION, "an old pg_dump");
    AUTO(Error) other = ERROR_NEW(ERR_DB_PERMISSION, "not yours");
    assert_true(sync_wants_rows(&w, tool));
    assert_true(sync_wants_rows(&w, old));
    assert_false(sync_wants_rows(&w, other));
    w.plan.restore = true;
    assert_false(sync_wants_rows(&w, tool));
    w.plan.restore = false;
    o.method = SYNC_METHOD_BACKUP;
    assert_false(sync_wants_rows(&w, tool));
}

static Error *applied(const char *text, SyncApplied *out)
{
    AUTO(Doc) d = NULL;
    OK(doc_parse(text, strlen(text), "an answer", &d));
    return sync_applied_read(d, out);
}

static void test_what_a_peer_says_that_it_did(void **state)
{
    (void)state;
    AUTO_VALUE(SyncApplied) a = {0};
    AUTO_VALUE(SyncApplied) none = {0};
    OK(applied("{\"backupId\":\"b-1\",\"database\":\"shop\",\"rows\":7,\"restored\":true,"
               "\"safetyBackup\":\"s-1\",\"outcome\":{\"inserted\":7},\"warnings\":[\"one\",2]}",
               &a));
    assert_string_equal(a.backup, "b-1");
    assert_string_equal(a.database, "shop");
    assert_string_equal(a.safety_backup, "s-1");
    assert_true(a.rows == 7 && a.restored && a.warnings.count == 1);
    AUTO(Doc) again = sync_applied_doc(&a);
    assert_int_equal(doc_int(doc_get(again, "outcome"), "inserted", 0), 7);
    static const char *const wrong[] = {
        "[]",
        "{}",
        "{\"rows\":1,\"outcome\":{}}",
        "{\"backupId\":\"b\",\"outcome\":{}}",
        "{\"backupId\":\"b\",\"rows\":\"1\",\"outcome\":{}}",
        "{\"backupId\":\"b\",\"rows\":1}",
        "{\"backupId\":\"b\",\"rows\":1,\"outcome\":[]}",
        "{\"backupId\":2,\"rows\":1,\"outcome\":{}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        FAILS(ERR_REFUSED, applied(wrong[i], &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_merged_and_what_is_restored),
        cmocka_unit_test(test_definitions_are_refused),
        cmocka_unit_test(test_masks_are_confirmed),
        cmocka_unit_test(test_tools_of_the_target),
        cmocka_unit_test(test_a_mirror_needs_all_rows),
        cmocka_unit_test(test_when_rows_are_the_way_out),
        cmocka_unit_test(test_what_a_peer_says_that_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
