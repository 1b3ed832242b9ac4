#include "../unit.h"

#include "base/text.h"
#include "pg/toc_write.h"

/* An archive of version 1.`minor`, written here: integers have 4 bytes, offsets 8. */
static void put_int(Buf *b, int v)
{
    buf_u8(b, v < 0);
    buf_u32(b, (uint32_t)(v < 0 ? -v : v));
}

static void put_str(Buf *b, const char *s)
{
    put_int(b, s ? (int)strlen(s) : -1);
    buf_add_str(b, s ? s : "");
}

static void put_head(Buf *b, int minor, int count)
{
    buf_add_str(b, "PGDMP");
    buf_u8(b, 1);
    buf_u8(b, (uint8_t)minor);
    buf_add(b, "\0\4\10\1", 4);
    if (minor >= 15)
        buf_u8(b, 1);
    else
        put_int(b, 6);
    for (int i = 0; i < 7; i++)
        put_int(b, 100 + i);
    put_str(b, "db");
    put_str(b, "17.1");
    put_str(b, NULL);
    put_int(b, count);
}

typedef struct Entry {
    int id;
    const char *tag, *desc, *defn, *schema, *tablespace, *owner;
    TocSection section;
    bool block;
    const char *deps[3];
} Entry;

static void put_entry(Buf *b, int minor, Entry e)
{
    put_int(b, e.id);
    put_int(b, e.block);
    put_str(b, "2613");
    put_str(b, "50001");
    put_str(b, e.tag);
    put_str(b, e.desc);
    put_int(b, e.section);
    put_str(b, e.defn);
    put_str(b, "");
    put_str(b, e.block ? "COPY x FROM stdin;\n" : NULL);
    put_str(b, e.schema);
    put_str(b, e.tablespace);
    if (minor >= 14)
        put_str(b, "heap");
    if (minor >= 16)
        put_int(b, 'r');
    put_str(b, e.owner);
    put_str(b, "false");
    for (int i = 0; e.deps[i]; i++)
        put_str(b, e.deps[i]);
    put_str(b, NULL);
    buf_u8(b, e.block ? TOC_OFFSET_UNSET : TOC_OFFSET_NO_DATA);
    buf_u64(b, 0);
}

#define ACL                                                                                        \
    "GRANT SELECT ON LARGE OBJECT 50001 TO \"x LARGE OBJECT 50001\";\n"                            \
    "REVOKE ALL ON LARGE OBJECT 50001 FROM y;\n"

static const Entry entries[] = {
    {.id = 9,
     .tag = "t",
     .desc = "TABLE",
     .defn = "CREATE",
     .schema = "s",
     .tablespace = "",
     .owner = "me",
     .section = TOC_PRE_DATA},
    {.id = 4,
     .tag = "t",
     .desc = "TABLE DATA",
     .schema = "s",
     .owner = "me",
     .section = TOC_DATA,
     .block = true,
     .deps = {"9"}},
    {.id = 20,
     .tag = "50001..50004",
     .desc = "BLOB METADATA",
     .defn = "50001\n50002\n50004\n",
     .owner = "them",
     .section = TOC_DATA},
    {.id = 21,
     .tag = "LARGE OBJECTS 50001..50004",
     .desc = "ACL",
     .defn = ACL,
     .owner = "them",
     .section = TOC_NONE,
     .deps = {"20"}},
    {.id = 22,
     .tag = "60000",
     .desc = "BLOB METADATA",
     .defn = "60000\n",
     .owner = "me",
     .section = TOC_DATA},
    {.id = 23,
     .tag = "LARGE OBJECT 50002",
     .desc = "COMMENT",
     .defn = "COMMENT ON ...",
     .owner = "",
     .section = TOC_NONE,
     .deps = {"20"}},
    {.id = 24, .tag = "BLOBS", .desc = "BLOBS", .section = TOC_DATA, .block = true, .deps = {"20"}},
    {.id = 25, .tag = "BLOBS", .desc = "BLOBS", .section = TOC_DATA, .block = true, .deps = {"22"}},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void make(int minor, Buf *out)
{
    put_head(out, minor, ENTRIES);
    for (int i = 0; i < ENTRIES; i++)
        put_entry(out, minor, entries[i]);
}

static void parsed(int minor, Toc **out)
{
    AUTO_VALUE(Buf) b = {0};
    make(minor, &b);
    OK(toc_parse(b.data, b.len, out));
}

static void test_as_it_is(void **state)
{
    (void)state;
    for (int minor = 14; minor <= 16; minor++) {
        AUTO(Toc) t = NULL;
        AUTO(Toc) same = NULL;
        parsed(minor, &t);
        OK(toc_rewrite(t, &(TocShape){0}, &same));
        /* Everything but the compression, which its writer sets. */
        size_t after = t->time_at;
        assert_int_equal(same->raw.len, t->raw.len);
        assert_memory_equal(same->raw.data + after, t->raw.data + after, t->raw.len - after);
        assert_int_equal(same->compression, 0);
    }
}

static bool tables(void *ctx, const TocEntry *e)
{
    (void)ctx;
    return text_starts(e->desc, "TABLE");
}

static void test_some(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    AUTO(Toc) some = NULL;
    parsed(16, &t);
    OK(toc_rewrite(t, &(TocShape){.want = tables}, &some));
    assert_int_equal(some->count, 2);
    assert_string_equal(some->entries[1].desc, "TABLE DATA");
    assert_int_equal(some->entries[1].deps[0], 9);
}

static void test_older(void **state)
{
    (void)state;
    for (int minor = 14; minor <= 15; minor++) {
        AUTO(Toc) t = NULL;
        AUTO(Toc) old = NULL;
        parsed(16, &t);
        OK(toc_rewrite(t, &(TocShape){.minor = minor}, &old));
        assert_int_equal(old->minor, minor);
        assert_int_equal(old->count, ENTRIES + 3); /* 2 objects, 2 ACLs more, one BLOBS less */
        const TocEntry *blob = &old->entries[2];
        static const char *const oids[] = {"50001", "50002", "50004"};
        for (int i = 0; i < 3; i++) {
            assert_string_equal(blob[i].desc, "BLOB");
            assert_string_equal(blob[i].tag, oids[i]);
            assert_string_equal(blob[i].owner, "them");
            assert_int_equal(blob[i].section, TOC_PRE_DATA);
            assert_int_equal(blob[i].oid, strtoul(oids[i], NULL, 10));
            assert_false(toc_has_block(&blob[i]));
            AUTO(char) defn = mem_printf("SELECT pg_catalog.lo_create('%s');\n", oids[i]);
            assert_string_equal(blob[i].defn, defn);
        }
        assert_int_equal(blob[0].dump_id, 20);
        const TocEntry *acl = &old->entries[5];
        for (int i = 0; i < 3; i++) {
            AUTO(char) tag = mem_printf("LARGE OBJECT %s", oids[i]);
            AUTO(char)
            defn = mem_printf("GRANT SELECT ON LARGE OBJECT %s TO \"x LARGE OBJECT 50001\";\n"
                              "REVOKE ALL ON LARGE OBJECT %s FROM y;\n",
                              oids[i], oids[i]);
            assert_string_equal(acl[i].desc, "ACL");
            assert_string_equal(acl[i].tag, tag);
            assert_string_equal(acl[i].defn, defn);
            assert_int_equal(acl[i].deps[0], blob[i].dump_id);
        }
        assert_string_equal(old->entries[8].tag, "60000");
        assert_string_equal(old->entries[9].desc, "COMMENT");
        assert_string_equal(old->entries[10].desc, "BLOBS");
        assert_int_equal(old->entries[10].dump_id, 24);
        assert_int_equal(old->entries[0].relkind, 0);
        assert_string_equal(old->entries[0].tableam, "heap");
    }
}

/* NULL and the empty string mean different things to pg_restore. */
static void test_null_stays_null(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    AUTO(Toc) old = NULL;
    parsed(16, &t);
    OK(toc_rewrite(t, &(TocShape){.minor = 14}, &old));
    for (int i = 0; i < 2; i++) {
        const TocEntry *before = &t->entries[i], *after = &old->entries[i];
        size_t n = before->relkind_at - before->at;
        assert_int_equal(after->relkind_at - after->at, n);
        assert_memory_equal(old->raw.data + after->at, t->raw.data + before->at, n);
    }
}

static void test_from_before_access_methods(void **state)
{
    (void)state;
    AUTO(Toc) t = NULL;
    AUTO(Toc) newer = NULL;
    parsed(12, &t);
    OK(toc_rewrite(t, &(TocShape){0}, &newer));
    assert_int_equal(newer->minor, 14);
    assert_int_equal(newer->count, ENTRIES);
    assert_string_equal(newer->entries[0].tableam, "");
    assert_string_equal(newer->entries[0].owner, "me");
}

static void test_directory(void **state)
{
    (void)state;
    for (int minor = 15; minor <= 16; minor++) {
        AUTO(Toc) t = NULL;
        AUTO_VALUE(Buf) out = {0};
        parsed(minor, &t);
        AUTO(char) none = toc_file_name(t, &t->entries[0]);
        AUTO(char) rows = toc_file_name(t, &t->entries[1]);
        AUTO(char) objects = toc_file_name(t, &t->entries[6]);
        assert_null(none);
        assert_string_equal(rows, "4.dat");
        assert_string_equal(objects, minor == 16 ? "blobs_24.toc" : "blobs.toc");
        OK(toc_directory(t, true, &out));
        assert_memory_equal(out.data, "PGDMP\1", 6);
        assert_int_equal(out.data[10], 3);
        assert_int_equal(out.data[11], 1);
        /* An entry ends with the name of its file, where the other format has nine bytes of place.
         */
        size_t names = strlen(rows) + strlen(objects) * 2;
        assert_int_equal(out.len, t->raw.len - ENTRIES * 9 + ENTRIES * 5 + names);
        assert_non_null(memmem(out.data, out.len,
                               "\0\5\0\0\0"
                               "4.dat",
                               10));
    }
}

static void test_versions_of_readers(void **state)
{
    (void)state;
    assert_int_equal(toc_minor_for(13), 14);
    assert_int_equal(toc_minor_for(15), 14);
    assert_int_equal(toc_minor_for(16), 15);
    assert_int_equal(toc_minor_for(17), 16);
    assert_int_equal(toc_minor_for(18), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_it_is),
        cmocka_unit_test(test_some),
        cmocka_unit_test(test_older),
        cmocka_unit_test(test_null_stays_null),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_from_before_access_methods),
        cmocka_unit_test(test_versions_of_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
