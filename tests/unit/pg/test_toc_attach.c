#include "../unit.h"

#include <libgen.h>

#include "base/file.h"
#include "pg/toc_attach.h"

static void golden(const char *name, Toc **out)
{
    AUTO_VALUE(Buf) b = {0};
    AUTO(char) here = mem_strdup(__FILE__);
    AUTO(char) folder = file_join(dirname(here), "data");
    AUTO(char) path = file_join(folder, name);
    OK(file_read(path, 1 << 20, &b));
    OK(toc_parse(b.data, b.len, out));
}

static void shop(Toc **was, Toc **out)
{
    AUTO_VALUE(Buf) raw = {0};
    golden("shop15.toc", was);
    OK(toc_attach_alone(*was, &raw));
    OK(toc_parse(raw.data, raw.len, out));
}

static bool has(const TocEntry *e, int dep)
{
    for (size_t i = 0; i < e->dep_count; i++)
        if (e->deps[i] == dep)
            return true;
    return false;
}

/* Nothing else changes, and no dependency is lost. */
static void test_the_rest_stays(void **state)
{
    (void)state;
    AUTO(Toc) was = NULL;
    AUTO(Toc) t = NULL;
    shop(&was, &t);
    assert_int_equal(t->count, was->count);
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *x = &was->entries[i], *y = &t->entries[i];
        assert_int_equal(x->dump_id, y->dump_id);
        assert_string_equal(x->desc, y->desc);
        assert_string_equal(x->tag, y->tag);
        assert_string_equal(x->defn, y->defn);
        assert_string_equal(x->owner, y->owner);
        assert_int_equal(x->offset, y->offset);
        assert_true(y->dep_count >= x->dep_count);
        for (size_t k = 0; k < x->dep_count; k++)
            assert_int_equal(x->deps[k], y->deps[k]);
    }
}

/* Whether `e` waits for `on`, over any number of others. */
static bool waits(const Toc *t, const TocEntry *e, int on)
{
    if (has(e, on))
        return true;
    for (size_t i = 0; i < e->dep_count; i++) {
        const TocEntry *d = toc_find(t, e->deps[i]);
        if (d && d < e && waits(t, d, on))
            return true;
    }
    return false;
}

/* Of an INDEX ATTACH and any other entry behind the data, which is made in the same pass, one waits
 * for the other. */
static void test_never_beside_another(void **state)
{
    (void)state;
    AUTO(Toc) was = NULL;
    AUTO(Toc) t = NULL;
    size_t attached = 0, before = 0, behind = 0;
    shop(&was, &t);
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *a = &t->entries[i];
        if (!toc_is(a, "INDEX ATTACH"))
            continue;
        attached++;
        for (size_t k = 0; k < t->count; k++) {
            const TocEntry *e = &t->entries[k];
            if (k == i || e->section != TOC_POST_DATA || toc_is(e, "ACL") ||
                toc_is(e, "DEFAULT ACL") || toc_is(e, "MATERIALIZED VIEW DATA") ||
                toc_is(e, "EVENT TRIGGER"))
                continue;
            bool first = has(a, e->dump_id) || waits(t, a, e->dump_id);
            bool last = waits(t, e, a->dump_id);
            before += first;
            behind += last;
            assert_true(first != last);
        }
    }
    assert_true(attached > 1 && before > attached && behind > 0);
}

/* A foreign key that refers to a partitioned table waits for the last. A pass that comes later is
 * none of these: waiting for it nothing would ever be attached. */
static void test_turns(void **state)
{
    (void)state;
    AUTO(Toc) was = NULL;
    AUTO(Toc) t = NULL;
    AUTO_VALUE(Buf) raw = {0};
    const TocEntry *first = NULL, *last = NULL;
    golden("shop15.toc", &was);
    TocEntry *fk = NULL, *view = NULL;
    for (size_t i = 0; i < was->count; i++) {
        TocEntry *e = &was->entries[i];
        if (toc_is(e, "INDEX ATTACH")) {
            first = first ? first : e;
            last = e;
        } else if (toc_is(e, "FK CONSTRAINT")) {
            fk = e;
        } else if (toc_is(e, "TRIGGER")) {
            view = e;
        }
    }
    assert_non_null(fk);
    assert_non_null(view);
    assert_true(first != last);
    const int on[] = {first->dump_id};
    fk->deps = on;
    fk->dep_count = 1;
    view->desc = "MATERIALIZED VIEW DATA";
    OK(toc_attach_alone(was, &raw));
    OK(toc_parse(raw.data, raw.len, &t));
    assert_true(has(toc_find(t, fk->dump_id), last->dump_id));
    assert_false(has(toc_find(t, first->dump_id), fk->dump_id));
    assert_false(has(toc_find(t, first->dump_id), view->dump_id));
}

static void test_none(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    AUTO_VALUE(Buf) raw = {0};
    golden("pg15.toc", &t);
    OK(toc_attach_alone(t, &raw));
    assert_int_equal(raw.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rest_stays),
        cmocka_unit_test(test_never_beside_another),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
