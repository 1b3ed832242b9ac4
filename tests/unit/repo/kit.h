/* For the tests of the repository: tables made of numbers, backups of them, and reading back. */
#ifndef PGSTOW_TESTS_REPO_KIT_H
#define PGSTOW_TESTS_REPO_KIT_H

#include "../unit.h"

#include "repo/reader.h"
#include "repo/writer.h"

/* A table: its rows by piece, as COPY's text would bring them. */
typedef struct KitTable {
    const char *name;
    uint32_t oid;
    uint32_t piece_pages; /* 0: cut by content, one piece here */
    Buf *pieces;
    uint32_t count;
    bool binary; /* no rows that end with '\n' */
} KitTable;

static inline uint64_t kit_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* `digits` of them, in any base up to 16; returns the place behind. By hand, because tests make
 * millions of rows. */
static inline char *kit_number(char *to, uint64_t v, unsigned base, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; v /= base)
        to[i] = "0123456789abcdef"[v % base];
    return to + digits;
}

/* Row `id` as it is at `version`: about 90 bytes, always the same. */
static inline void kit_row(Buf *b, uint64_t id, uint64_t version)
{
    char row[160], *at = row;
    uint64_t r = kit_mix(id * 31 + version);
    at = kit_number(at, id, 10, 9);
    *at++ = '\t';
    at = kit_number(at, r, 16, 16);
    *at++ = '\t';
    at = kit_number(at, kit_mix(r), 16, 16);
    memcpy(at, " name of it\t", 12);
    at = kit_number(at + 12, r % 100000, 10, 5);
    *at++ = '\t';
    at = kit_number(at, 0, 10, 1 + (unsigned)(r % 40));
    *at++ = '\n';
    buf_add(b, row, (size_t)(at - row));
}

/* A sanitizer multiplies memory and time. */
static inline bool kit_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

static inline void kit_free(KitTable *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        buf_free(&t->pieces[i]);
    free(t->pieces);
    *t = (KitTable){0};
}

/* `pieces` pieces of `rows` rows each, from the id `first` on. */
static inline KitTable kit_table(const char *name, uint32_t oid, uint32_t pieces, uint64_t rows,
                                 uint64_t first)
{
    KitTable t = {name, oid, pieces > 1 ? 8192 : 0, mem_calloc(pieces, sizeof(Buf)), pieces, false};
    for (uint32_t p = 0; p < pieces; p++)
        for (uint64_t i = 0; i < rows; i++)
            kit_row(&t.pieces[p], first + p * rows + i, 0);
    return t;
}

static inline uint64_t kit_count_rows(const Buf *b)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < b->len; i++)
        rows += b->data[i] == '\n';
    return rows;
}

static inline uint64_t kit_bytes(const KitTable *t)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < t->count; i++)
        bytes += t->pieces[i].len;
    return bytes;
}

/* With KIT_ENCRYPTED in the environment the tests run once more, in encrypted repositories. */
static inline bool kit_encrypted(void)
{
    return getenv("KIT_ENCRYPTED") != NULL;
}

static inline Error *kit_key(void *ctx, KeyUse use, const char *where, Key *out)
{
    (void)ctx;
    (void)use;
    (void)where;
    *out = (Key){.file = true,
                 .secret = secret_copy("0123456789abcdef0123456789abcdef", KEY_BYTES),
                 .from = mem_strdup("the tests")};
    return NULL;
}

static const KeySource kit_keys = {kit_key, NULL};

/* Opens one that is there, or makes it. Takes the store over. */
static inline Error *kit_open(Store *s, Repo **out)
{
    RepoOptions o = {.create = true, .encrypt = kit_encrypted(), .keys = &kit_keys};
    setenv("PGSTOW_FIXED_IDS", "c", 1); /* with these, small streams have several pieces */
    return repo_open(s, &o, out);
}

static inline Repo *kit_repo(void)
{
    Repo *r = NULL;
    OK(kit_open(store_open_memory(), &r));
    return r;
}

static inline WriterOptions kit_options(void)
{
    return (WriterOptions){.database = "shop",
                           .server = "localhost:5432",
                           .system_identifier = "7300000000000000001",
                           .database_oid = 16384,
                           .level = 1,
                           .timestamp = 1705314600000};
}

static inline uint32_t kit_add(Writer *w, const KitTable *t)
{
    StreamSpec spec = {.kind = STREAM_TABLE,
                       .dump_id = t->oid,
                       .oid = t->oid,
                       .schema = "public",
                       .name = t->name,
                       .piece_pages = t->piece_pages,
                       .pieces = t->count,
                       .rows_framed = !t->binary};
    uint32_t stream;
    OK(writer_add_stream(w, &spec, &stream));
    return stream;
}

/* A piece in slices of all sizes. */
static inline void kit_piece(PieceWriter *p, const KitTable *t, uint32_t stream, uint32_t piece)
{
    const Buf *b = &t->pieces[piece];
    OK(piece_begin(p, stream, piece));
    for (size_t at = 0, n; at < b->len; at += n) {
        n = 1 + (size_t)(kit_mix(at) % 300);
        if (n > b->len - at)
            n = b->len - at;
        OK(piece_write(p, b->data + at, n));
    }
    OK(piece_end(p, t->binary ? 0 : kit_count_rows(b)));
}

static inline void kit_tables(Writer *w, const KitTable *tables, size_t count)
{
    AUTO(PieceWriter) p = NULL;
    OK(piece_writer_new(w, &p));
    for (size_t i = 0; i < count; i++) {
        uint32_t stream = kit_add(w, &tables[i]);
        for (uint32_t k = 0; k < tables[i].count; k++)
            kit_piece(p, &tables[i], stream, k);
    }
    OK(piece_writer_finish(p));
}

static inline void kit_commit(Writer *w, BackupInfo *out)
{
    BackupInfo facts = {.database_version = (char *)"PostgreSQL 15.3",
                        .tool_version = (char *)"15.3",
                        .encoding = (char *)"UTF8",
                        .collate = (char *)"C",
                        .ctype = (char *)"C",
                        .started = 1705314600000,
                        .tables = 1};
    backup_info_clear(out);
    OK(writer_commit(w, &facts, out));
}

/* A whole backup. */
static inline void kit_backup(Repo *r, const WriterOptions *o, const KitTable *tables, size_t count,
                              BackupInfo *out)
{
    AUTO(Writer) w = NULL;
    OK(writer_open(r, o, NULL, &w));
    kit_tables(w, tables, count);
    kit_commit(w, out);
}

/* Every stream must come back as it was. */
static inline void kit_compare(Repo *r, const char *id, const KitTable *tables, size_t count)
{
    AUTO(Manifest) m = NULL;
    OK(catalog_load(r, id, &m));
    assert_int_equal(m->stream_count, count);
    for (size_t i = 0; i < count; i++) {
        AUTO(StreamReader) sr = NULL;
        OK(stream_reader_open(r, m, &m->streams[i], &sr));
        AUTO_VALUE(Buf) whole = {0};
        for (uint32_t k = 0; k < tables[i].count; k++)
            buf_add(&whole, tables[i].pieces[k].data, tables[i].pieces[k].len);
        const uint8_t *p;
        size_t n, at = 0;
        do {
            OK(stream_reader_next(sr, &p, &n));
            assert_true(at + n <= whole.len);
            assert_true(n == 0 || memcmp(whole.data + at, p, n) == 0);
            at += n;
        } while (n > 0);
        assert_int_equal(at, whole.len);
    }
}

#endif
