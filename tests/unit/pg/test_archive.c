#include "../unit.h"

#include <libgen.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/text.h"
#include "pg/archive_write.h"

/* A table of contents by pg_dump 15, archive 1.14: a schema, a table with a key, an index and rows,
 * a table with an odd name, a function, two large objects, a comment, an ACL. */
static void golden(Buf *out)
{
    AUTO(char) here = mem_strdup(__FILE__);
    AUTO(char) path = file_join(dirname(here), "data/pg15.toc");
    OK(file_read(path, 1 << 20, out));
}

typedef struct Feed {
    const Buf *bytes;
    size_t at, portion;
} Feed;

static Error *feed(void *ctx, void *p, size_t n, size_t *got)
{
    Feed *f = ctx;
    size_t left = f->bytes->len - f->at;
    *got = left < f->portion ? left : f->portion;
    *got = *got < n ? *got : n;
    memcpy(p, f->bytes->data + f->at, *got);
    f->at += *got;
    return NULL;
}

static void test_golden(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    golden(&b);
    AUTO(Toc) t = NULL;
    OK(toc_parse(b.data, b.len, &t));
    assert_int_equal(t->minor, 14);
    assert_int_equal(t->compression, -1);
    assert_string_equal(t->dbname, "gold");
    assert_true(text_starts(t->dump_version, "15."));
    assert_int_equal(toc_restore_major(t), 12);
    AUTO(char) encoding = toc_encoding(t);
    assert_string_equal(encoding, "UTF8");

    const TocEntry *table = NULL, *data = NULL;
    for (size_t i = 0; i < t->count; i++) {
        const TocEntry *e = &t->entries[i];
        assert_ptr_equal(toc_find(t, e->dump_id), e);
        if (toc_is(e, "TABLE") && !strcmp(e->tag, "orders"))
            table = e;
        if (toc_is_table_data(e) && !strcmp(e->tag, "orders"))
            data = e;
    }
    assert_non_null(table);
    assert_non_null(data);
    assert_string_equal(table->schema, "app");
    assert_string_equal(table->tableam, "heap");
    assert_string_equal(table->owner, "postgres");
    assert_int_equal(table->section, TOC_PRE_DATA);
    assert_non_null(strstr(table->defn, "CREATE TABLE app.orders"));
    assert_true(text_starts(table->drop, "DROP TABLE app.orders"));
    assert_null(table->copy_stmt);
    assert_false(toc_has_block(table));
    assert_string_equal(data->copy_stmt, "COPY app.orders (id, note) FROM stdin;\n");
    assert_int_equal(data->section, TOC_DATA);
    assert_int_equal(data->oid, table->oid);
    assert_int_equal(data->dep_count, 1);
    assert_int_equal(data->deps[0], table->dump_id);
    assert_true(toc_has_block(data));
    assert_int_equal(data->offset_flag, TOC_OFFSET_UNSET);
    assert_int_equal(t->raw.data[data->offset_at], TOC_OFFSET_UNSET);
    const TocEntry *blobs = toc_first(t, "BLOBS");
    assert_non_null(blobs);
    assert_true(toc_has_block(blobs));
    assert_null(toc_first(t, "FOREIGN TABLE"));
    assert_null(toc_find(t, 1 << 30));
}

/* Through a pipe, in portions of any size; what follows is kept apart. */
static void test_portions(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    golden(&b);
    size_t whole = b.len;
    static const char data[] = "\1 and then the data";
    buf_add_str(&b, data);
    static const size_t portions[] = {1, 7, 4096, 1 << 20};
    for (size_t i = 0; i < 4; i++) {
        Feed f = {.bytes = &b, .portion = portions[i]};
        AUTO(Toc) t = NULL;
        OK(toc_read(feed, &f, &t));
        assert_int_equal(t->raw.len, whole);
        assert_memory_equal(t->raw.data, b.data, whole);
        assert_int_equal(t->rest.len, f.at - whole);
        assert_true(t->rest.len == 0 || !memcmp(t->rest.data, data, t->rest.len));
    }
    AUTO(Toc) t = NULL;
    FAILS(ERR_ARCHIVE, toc_parse(b.data, b.len, &t));
}

static void test_truncated(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    golden(&b);
    for (size_t n = 0; n < b.len; n++) {
        AUTO(Toc) t = NULL;
        /* A copy of its own, so that the sanitizers see every byte read too far. */
        uint8_t *part = mem_dup(b.data, n);
        Error *e = toc_parse(part, n, &t);
        free(part);
        assert_non_null(e);
        assert_int_equal(error_kind(e), ERR_ARCHIVE);
        error_free(e);
    }
}

/* Any one byte changed: understood or refused, never more memory than the bytes can prove. */
static void test_mutated(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0};
    golden(&b);
    static const uint8_t values[] = {0, 1, 2, 4, 9, 127, 128, 255};
    for (size_t at = 0; at < b.len; at++) {
        for (size_t v = 0; v < sizeof values; v++) {
            uint8_t before = b.data[at];
            b.data[at] = values[v];
            AUTO(Toc) t = NULL;
            Error *e = toc_parse(b.data, b.len, &t);
            if (e)
                assert_int_equal(error_kind(e), ERR_ARCHIVE);
            error_free(e);
            b.data[at] = before;
        }
    }
}

/* ---- archives of every version, written here ---- */

static void put_int(Buf *b, int size, int v)
{
    buf_u8(b, v < 0);
    for (int i = 0; i < size; i++)
        buf_u8(b, (uint8_t)(i < 4 ? (unsigned)abs(v) >> (8 * i) : 0));
}

static void put_str(Buf *b, int size, const char *s)
{
    put_int(b, size, s ? (int)strlen(s) : -1);
    if (s)
        buf_add_str(b, s);
}

static void put_offset(Buf *b, int size, int flag, uint64_t v)
{
    buf_u8(b, (uint8_t)flag);
    for (int i = 0; i < size; i++)
        buf_u8(b, (uint8_t)(v >> (8 * i)));
}

typedef struct Shape {
    int minor, int_size, off_size;
} Shape;

static void put_header(Buf *b, Shape s, int count)
{
    buf_add_str(b, "PGDMP");
    buf_u8(b, 1);
    buf_u8(b, (uint8_t)s.minor);
    buf_u8(b, 0);
    buf_u8(b, (uint8_t)s.int_size);
    buf_u8(b, (uint8_t)s.off_size);
    buf_u8(b, 1);
    if (s.minor >= 15)
        buf_u8(b, 3);
    else
        put_int(b, s.int_size, 6);
    for (int i = 0; i < 7; i++)
        put_int(b, s.int_size, i);
    put_str(b, s.int_size, "db");
    put_str(b, s.int_size, "18.1");
    put_str(b, s.int_size, NULL);
    put_int(b, s.int_size, count);
}

static void put_entry(Buf *b, Shape s, int id, const char *tag, const char *desc, bool block,
                      const char *dependency)
{
    int n = s.int_size;
    put_int(b, n, id);
    put_int(b, n, block);
    put_str(b, n, "1259");
    put_str(b, n, "4294967295");
    put_str(b, n, tag);
    put_str(b, n, desc);
    put_int(b, n, block ? TOC_DATA : TOC_PRE_DATA);
    put_str(b, n, "CREATE it");
    put_str(b, n, "");
    put_str(b, n, block ? "COPY x FROM stdin;\n" : NULL);
    put_str(b, n, "public");
    put_str(b, n, NULL);
    if (s.minor >= 14)
        put_str(b, n, "heap");
    if (s.minor >= 16)
        put_int(b, n, 'p');
    put_str(b, n, "owner");
    put_str(b, n, "false");
    if (dependency)
        put_str(b, n, dependency);
    put_str(b, n, NULL);
    put_offset(b, s.off_size, block ? TOC_OFFSET_UNSET : TOC_OFFSET_NO_DATA, 0);
}

static void put_three(Buf *b, Shape s)
{
    put_header(b, s, 3);
    put_entry(b, s, 9, "t\nwo", "TABLE", false, NULL);
    put_entry(b, s, 4, "t\nwo", "TABLE DATA", true, "9");
    put_entry(b, s, 12, "BLOBS", "BLOBS", true, "4");
}

static void test_versions(void **state)
{
    (void)state;
    static const Shape shapes[] = {{12, 4, 8}, {13, 4, 8}, {14, 4, 8}, {15, 4, 8},
                                   {16, 4, 8}, {16, 8, 8}, {14, 4, 4}, {16, 2, 1}};
    static const int majors[] = {9, 11, 12, 16, 17};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        Shape s = shapes[i];
        AUTO_VALUE(Buf) b = {0};
        put_three(&b, s);
        AUTO(Toc) t = NULL;
        OK(toc_parse(b.data, b.len, &t));
        assert_int_equal(t->count, 3);
        assert_int_equal(t->compression, s.minor >= 15 ? 3 : 6);
        assert_string_equal(t->server_version, "18.1");
        assert_string_equal(t->dump_version, "");
        assert_int_equal(toc_restore_major(t), majors[s.minor - 12]);
        assert_string_equal(t->entries[1].tableam, s.minor >= 14 ? "heap" : "");
        assert_int_equal(t->entries[1].relkind, s.minor >= 16 ? 'p' : 0);
        assert_true(t->entries[1].oid == UINT32_MAX);
        assert_int_equal(t->entries[1].deps[0], 9);
        assert_int_equal(t->entries[2].deps[0], 4);
        assert_ptr_equal(toc_find(t, 4), &t->entries[1]);
        AUTO(char) none = toc_encoding(t);
        assert_null(none);
    }
}

static void refused(const Buf *b, const char *message)
{
    AUTO(Toc) t = NULL;
    Error *e = toc_parse(b->data, b->len, &t);
    assert_non_null(e);
    assert_int_equal(error_kind(e), ERR_ARCHIVE);
    if (!strstr(error_message(e), message))
        print_error("%s\n", error_message(e));
    assert_non_null(strstr(error_message(e), message));
    error_free(e);
}

static void test_refused(void **state)
{
    (void)state;
    static const Shape newest = {16, 4, 8};
    static const int bad_minors[] = {11, 17, 200};
    for (size_t i = 0; i < 3; i++) {
        AUTO_VALUE(Buf) b = {0};
        put_three(&b, (Shape){bad_minors[i], 4, 8});
        refused(&b, "has version 1.");
    }
    AUTO_VALUE(Buf) text = {0};
    buf_add_str(&text, "--\n-- PostgreSQL database dump\n--\n");
    refused(&text, "not an archive");

    AUTO_VALUE(Buf) directory = {0};
    put_three(&directory, newest);
    directory.data[10] = 5;
    refused(&directory, "not in the custom format");

    AUTO_VALUE(Buf) many = {0};
    put_header(&many, newest, 10000001);
    refused(&many, "impossible number of entries");

    /* Ten million entries claimed, none there: refused before anything is allocated for them. */
    AUTO_VALUE(Buf) claimed = {0};
    put_header(&claimed, newest, 10000000);
    refused(&claimed, "ends too early");

    AUTO_VALUE(Buf) twice = {0};
    put_header(&twice, newest, 2);
    put_entry(&twice, newest, 5, "a", "TABLE", false, NULL);
    put_entry(&twice, newest, 5, "b", "TABLE", false, NULL);
    refused(&twice, "two entries have the number 5");

    AUTO_VALUE(Buf) word = {0};
    put_header(&word, newest, 1);
    put_entry(&word, newest, 5, "a", "TABLE", false, "six");
    refused(&word, "not a number");

    AUTO_VALUE(Buf) huge = {0};
    put_header(&huge, newest, 1);
    put_int(&huge, 4, 1);
    put_int(&huge, 4, 0);
    put_int(&huge, 4, (256 << 20) + 1);
    refused(&huge, "a string of impossible length");

    AUTO_VALUE(Buf) zero = {0};
    put_header(&zero, newest, 1);
    put_int(&zero, 4, 1);
    put_int(&zero, 4, 0);
    put_int(&zero, 4, 3);
    buf_add(&zero, "1\0002", 3);
    refused(&zero, "zero byte");
}

static bool not_table(void *ctx, const TocEntry *e)
{
    (void)ctx;
    return !toc_is(e, "TABLE");
}

static void test_list(void **state)
{
    (void)state;
    AUTO_VALUE(Buf) b = {0}, list = {0};
    put_three(&b, (Shape){16, 4, 8});
    AUTO(Toc) t = NULL;
    OK(toc_parse(b.data, b.len, &t));
    toc_list(t, not_table, NULL, &list);
    AUTO(char) text = buf_steal_str(&list);
    assert_string_equal(text, "4; TABLE DATA public t\\x0awo\n12; BLOBS public BLOBS\n");
}

/* ---- writing ---- */

static Error *collect(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
    return NULL;
}

static Error *overwrite(void *ctx, const void *p, size_t n)
{
    memcpy(((Buf *)ctx)->data, p, n);
    return NULL;
}

static void write_all(const Toc *t, bool seekable, Buf *out)
{
    AUTO(ArchiveWriter) w = NULL;
    ArchiveOutput output = {collect, seekable ? overwrite : NULL, out};
    OK(archive_begin(t, &output, &w));
    FAILS(ERR_INTERNAL, archive_bytes(w, "x", 1));
    FAILS(ERR_INTERNAL, archive_table_begin(w, 9));  /* has no block */
    FAILS(ERR_INTERNAL, archive_blobs_begin(w, 12)); /* 4 comes first */
    FAILS(ERR_INTERNAL, archive_finish(w));
    OK(archive_table_begin(w, 4));
    AUTO_VALUE(Buf) rows = {0};
    for (int i = 0; i < 300000; i++)
        buf_printf(&rows, "%07d\n", i);
    OK(archive_bytes(w, rows.data, 3));
    OK(archive_bytes(w, rows.data + 3, rows.len - 3));
    OK(archive_table_end(w));
    FAILS(ERR_INTERNAL, archive_table_begin(w, 4));
    FAILS(ERR_INTERNAL, archive_finish(w));
    OK(archive_blobs_begin(w, 12));
    OK(archive_blob_begin(w, 50001));
    OK(archive_bytes(w, "abc", 3));
    OK(archive_blob_end(w));
    OK(archive_blob_begin(w, 4000000000u));
    OK(archive_blob_end(w));
    OK(archive_blobs_end(w));
    OK(archive_finish(w));
}

/* One piece after another until its zero length; returns their bytes. */
static size_t take_pieces(const uint8_t **at, const uint8_t *end, Buf *out)
{
    for (;;) {
        assert_true(end - *at >= 5);
        assert_int_equal((*at)[0], 0);
        size_t n = (size_t)(*at)[1] | (size_t)(*at)[2] << 8 | (size_t)(*at)[3] << 16;
        *at += 5;
        if (!n)
            return out->len;
        assert_true(n <= 1 << 20 && n <= (size_t)(end - *at));
        buf_add(out, *at, n);
        *at += n;
    }
}

static void test_write(void **state)
{
    (void)state;
    static const int minors[] = {12, 14, 15, 16};
    for (size_t i = 0; i < 8; i++) {
        bool seekable = i % 2;
        AUTO_VALUE(Buf) b = {0}, out = {0}, rows = {0}, blob = {0}, empty = {0};
        put_three(&b, (Shape){minors[i / 2], 4, 8});
        AUTO(Toc) t = NULL;
        OK(toc_parse(b.data, b.len, &t));
        write_all(t, seekable, &out);
        AUTO(Toc) written = NULL;
        Feed f = {.bytes = &out, .portion = 1 << 20};
        OK(toc_read(feed, &f, &written));
        assert_int_equal(written->raw.len, t->raw.len);
        assert_int_equal(written->compression, 0);
        assert_int_equal(written->entries[0].offset_flag, TOC_OFFSET_NO_DATA);
        for (size_t k = 1; k < 3; k++) {
            const TocEntry *e = &written->entries[k];
            assert_int_equal(e->offset_flag, seekable ? TOC_OFFSET_SET : TOC_OFFSET_UNSET);
            if (seekable)
                assert_int_equal(out.data[e->offset], k == 1 ? 1 : 3);
        }
        const uint8_t *at = out.data + written->raw.len, *end = out.data + out.len;
        assert_memory_equal(at, "\1\0\4\0\0\0", 6);
        at += 6;
        assert_int_equal(take_pieces(&at, end, &rows), 300000 * 8 + 5);
        assert_memory_equal(rows.data, "0000000\n0000001\n", 16);
        assert_memory_equal(rows.data + rows.len - 13, "0299999\n\\.\n\n\n", 13);
        assert_memory_equal(at, "\3\0\14\0\0\0\0\x51\xc3\0\0", 11);
        at += 11;
        assert_int_equal(take_pieces(&at, end, &blob), 3);
        assert_memory_equal(at, "\1\0\xd8\x94\x11", 5); /* 4000000000 as pg_dump's int */
        at += 5;
        assert_int_equal(take_pieces(&at, end, &empty), 0);
        assert_memory_equal(at, "\0\0\0\0\0", 5);
        assert_ptr_equal(at + 5, end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_portions),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_versions),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_list),      cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
