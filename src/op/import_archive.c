#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "flow/rate.h"
#include "op/import_work.h"
#include "pg/archive_blocks.h"
#include "pg/large_object.h"
#include "repo/writer.h"

#define TOC_FILE_MAX ((size_t)1 << 30)
#define OBJECT_LIST_MAX ((size_t)1 << 30)
#define READ_SIZE ((size_t)256 << 10)

/* One archive on its way into the repository. */
typedef struct Archive {
    ImportWork *w;
    Repo *repo;
    Toc *toc;
    StrList files; /* directory: of each entry */
    Writer *writer;
    PieceWriter *pieces;
    uint32_t *streams; /* of each entry: its stream */
    const TocEntry *entry;
    uint64_t rows, objects; /* of the stream that is being written; of all */
    Buf block;              /* of a large object: what is not written of it yet */
    size_t block_size;      /* how long that block is to be */
} Archive;

static void archive_clear(Archive *a)
{
    if (a->pieces)
        piece_writer_free(a->pieces);
    writer_free(a->writer);
    if (a->toc)
        toc_free(a->toc);
    if (a->repo)
        repo_free(a->repo);
    strlist_free(&a->files);
    buf_free(&a->block);
    free(a->streams);
}
DEFINE_AUTO_VALUE(Archive, archive_clear)

/* -- what is read goes into streams ----------------------------------------------------------- */

static Error *stream_begin(void *ctx, const TocEntry *e)
{
    Archive *a = ctx;
    AUTO(char)
    name =
        toc_is_table_data(e) ? mem_printf("%s.%s", e->schema, e->tag) : mem_strdup("large objects");
    TRY(cancel_check(a->w->cancel));
    job_object(a->w->c->job, name);
    a->entry = e;
    a->rows = 0;
    return piece_begin(a->pieces, a->streams[e - a->toc->entries], 0);
}

static Error *write_u32(Archive *a, uint32_t v)
{
    AUTO_VALUE(Buf) b = {0};
    buf_u32(&b, v);
    return piece_write(a->pieces, b.data, b.len);
}

/* Of a large object, with its length before it. */
static Error *write_block(Archive *a)
{
    TRY(write_u32(a, (uint32_t)a->block.len));
    TRY(piece_write(a->pieces, a->block.data, a->block.len));
    a->block.len = 0;
    a->block_size = LARGE_OBJECT_NEXT;
    return NULL;
}

static Error *stream_bytes(void *ctx, const void *p, size_t n)
{
    Archive *a = ctx;
    job_add_bytes(a->w->c->job, n);
    if (toc_is_table_data(a->entry)) {
        const char *at = p, *end = at + n;
        while ((at = memchr(at, '\n', (size_t)(end - at)))) {
            a->rows++;
            at++;
        }
        return piece_write(a->pieces, p, n);
    }
    for (const uint8_t *at = p; n;) {
        size_t some = a->block_size - a->block.len < n ? a->block_size - a->block.len : n;
        buf_add(&a->block, at, some);
        at += some;
        n -= some;
        if (a->block.len == a->block_size)
            TRY(write_block(a));
    }
    return NULL;
}

static Error *stream_end(void *ctx)
{
    Archive *a = ctx;
    job_add_items(a->w->c->job, 1);
    return piece_end(a->pieces, a->rows);
}

static Error *object_begin(void *ctx, uint32_t oid)
{
    Archive *a = ctx;
    a->block.len = 0;
    a->block_size = LARGE_OBJECT_FIRST;
    return write_u32(a, oid);
}

static Error *object_end(void *ctx)
{
    Archive *a = ctx;
    if (a->block.len)
        TRY(write_block(a));
    a->rows++;
    a->objects++;
    return write_u32(a, 0);
}

static Error *add_streams(Archive *a)
{
    uint32_t stream;
    StreamSpec toc = {.kind = STREAM_TOC, .schema = "", .name = "table of contents", .pieces = 1};
    a->streams = mem_calloc(a->toc->count, sizeof *a->streams);
    TRY(writer_add_stream(a->writer, &toc, &stream));
    TRY(piece_begin(a->pieces, stream, 0));
    TRY(piece_write(a->pieces, a->toc->raw.data, a->toc->raw.len));
    TRY(piece_end(a->pieces, 0));
    for (size_t i = 0; i < a->toc->count; i++) {
        const TocEntry *e = &a->toc->entries[i];
        bool rows = toc_is_table_data(e);
        if (!toc_has_block(e))
            continue;
        StreamSpec spec = {.kind = rows ? STREAM_TABLE : STREAM_LARGE_OBJECTS,
                           .dump_id = (uint32_t)e->dump_id,
                           .oid = rows ? e->oid : 0,
                           .schema = rows ? e->schema : "",
                           .name = rows ? e->tag : "large objects",
                           .pieces = 1,
                           .rows_framed = rows};
        TRY(writer_add_stream(a->writer, &spec, &a->streams[i]));
    }
    return NULL;
}

static ArchiveTake taker(Archive *a)
{
    return (ArchiveTake){.begin = stream_begin,
                         .bytes = stream_bytes,
                         .end = stream_end,
                         .object_begin = object_begin,
                         .object_end = object_end,
                         .ctx = a};
}

/* -- the files of a directory ----------------------------------------------------------------- */

/* "1234.dat" may lie there as "1234.dat.gz" ...; NULL where there is none, caller frees. */
static char *find_file(const Archive *a, const char *name)
{
    static const char *const endings[] = {"", ".gz", ".lz4", ".zst"};
    if (strchr(name, '/'))
        return NULL;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        AUTO(char) with_ending = mem_printf("%s%s", name, endings[i]);
        AUTO(char) path = file_join(a->w->path, with_ending);
        if (file_exists(path))
            return STEAL(path);
    }
    return NULL;
}

static Error *pour(Archive *a, const char *name, Error *(*take)(void *, const void *, size_t),
                   void *ctx)
{
    AUTO_VALUE(ImportInput) in = {.fd = {-1}};
    AUTO_VALUE(Buf) buf = {0};
    AUTO(char) path = find_file(a, name);
    if (!path) {
        AUTO(char) shown = text_printable(name);
        FAIL(ERR_ARCHIVE, "%s has no file %s, which its toc.dat names", a->w->path, shown);
    }
    TRY(import_input_open(path, &in));
    TRY(buf_reserve(&buf, READ_SIZE, READ_SIZE));
    for (;;) {
        size_t got;
        TRY(cancel_check(a->w->cancel));
        TRY(import_input_read(&in, buf.data, READ_SIZE, &got));
        if (!got)
            return NULL;
        TRY(take(ctx, buf.data, got));
    }
}

static Error *take_payload(void *ctx, const void *p, size_t n)
{
    return copy_payload_write(ctx, p, n);
}

static Error *read_table_file(Archive *a, const char *name)
{
    CopyPayload payload = {.bytes = stream_bytes, .ctx = a};
    TRY(pour(a, name, take_payload, &payload));
    return copy_payload_end(&payload);
}

static Error *take_list(void *ctx, const void *p, size_t n)
{
    TRY(buf_reserve(ctx, n, OBJECT_LIST_MAX));
    buf_add(ctx, p, n);
    return NULL;
}

/* Lines "oid file", as in blobs.toc. */
static Error *read_object_files(Archive *a, const char *list_name)
{
    AUTO_VALUE(Buf) bytes = {0};
    TRY(pour(a, list_name, take_list, &bytes));
    buf_u8(&bytes, 0);
    for (char *line = (char *)bytes.data, *next; *line; line = next) {
        size_t n = strcspn(line, "\n");
        next = line + n + (line[n] == '\n');
        line[n] = 0;
        char *name;
        unsigned long oid = strtoul(line, &name, 10);
        if (!oid || oid > UINT32_MAX || *name != ' ' || !name[1]) {
            AUTO(char) shown = text_printable(line);
            FAIL(ERR_ARCHIVE, "%s/%s: not understood: %s", a->w->path, list_name, shown);
        }
        TRY(object_begin(a, (uint32_t)oid));
        TRY(pour(a, name + 1, stream_bytes, a));
        TRY(object_end(a));
    }
    return NULL;
}

static Error *read_directory(Archive *a)
{
    for (size_t i = 0; i < a->toc->count; i++) {
        const TocEntry *e = &a->toc->entries[i];
        const char *file = a->files.items[i];
        if (!toc_has_block(e))
            continue;
        TRY(stream_begin(a, e));
        TRY_CTX(toc_is_table_data(e) ? read_table_file(a, file) : read_object_files(a, file),
                "%s %s", e->desc, e->tag);
        TRY(stream_end(a));
    }
    return NULL;
}

/* -- the whole -------------------------------------------------------------------------------- */

static Error *read_toc(Archive *a)
{
    if (a->w->form == DUMP_CUSTOM) {
        TRY(toc_read(import_input_read, &a->w->input, &a->toc));
    } else {
        AUTO_VALUE(Buf) bytes = {0};
        AUTO(char) path = file_join(a->w->path, "toc.dat");
        TRY(file_read(path, TOC_FILE_MAX, &bytes));
        TRY(toc_parse_directory(bytes.data, bytes.len, &a->files, &a->toc));
    }
    toc_forget_offsets(a->toc);
    return NULL;
}

/* Rows that are INSERT statements (pg_dump --inserts) have no COPY statement. */
static bool has_inserts(const Toc *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (toc_is_table_data(&t->entries[i]) && toc_has_block(&t->entries[i]) &&
            (!t->entries[i].copy_stmt || !*t->entries[i].copy_stmt))
            return true;
    return false;
}

/* The archive's time is that of a clock on the wall, of a zone that it does not say: ours. */
static Instant made_at(const Toc *t)
{
    struct tm tm = {.tm_sec = t->time[0],
                    .tm_min = t->time[1],
                    .tm_hour = t->time[2],
                    .tm_mday = t->time[3],
                    .tm_mon = t->time[4],
                    .tm_year = t->time[5],
                    .tm_isdst = t->time[6]};
    time_t seconds = mktime(&tm);
    return seconds < 0 ? 0 : (Instant)seconds * 1000;
}

static void fill_facts(const Archive *a, BackupInfo *f)
{
    const ImportFacts *known = &a->w->facts;
    f->database_version =
        known->database_version
            ? mem_strdup(known->database_version)
            : mem_printf("PostgreSQL %.*s", (int)strcspn(a->toc->server_version, " "),
                         a->toc->server_version);
    f->tool_version = mem_strndup(a->toc->dump_version, strcspn(a->toc->dump_version, " "));
    f->encoding = toc_encoding(a->toc);
    f->collate = mem_strdup("");
    f->ctype = mem_strdup("");
    f->started = clock_now();
    strlist_copy(&f->tags, &a->w->o->tags);
}

static Error *write_all(Archive *a, const BackupInfo *facts, BackupInfo *out)
{
    const ImportWork *w = a->w;
    BackupInfo whole = {0};
    AUTO(Rate) rate = rate_new(w->o->max_rate);
    AUTO(char) parent = NULL;
    const char *database = w->facts.database ? w->facts.database : a->toc->dbname;
    TRY(op_find_parent(a->repo, w->o->parent, database, &parent));
    WriterOptions options = {.database = database,
                             .server = IMPORT_SERVER,
                             .system_identifier = "",
                             .filter = "",
                             .parent = parent,
                             .level = w->o->level,
                             .rate = rate,
                             .timestamp = w->facts.at_given ? w->facts.at : made_at(a->toc),
                             .id = w->facts.id};
    TRY(writer_open(a->repo, &options, w->c->job, &a->writer));
    TRY(piece_writer_new(a->writer, &a->pieces));
    TRY(add_streams(a));
    ArchiveTake take = taker(a);
    TRY(w->form == DUMP_CUSTOM ? archive_blocks_read(a->toc, import_input_read, &a->w->input, &take)
                               : read_directory(a));
    TRY(piece_writer_finish(a->pieces));
    backup_info_copy(&whole, facts);
    for (size_t i = 0; i < a->toc->count; i++)
        whole.tables +=
            toc_is_table_data(&a->toc->entries[i]) && toc_has_block(&a->toc->entries[i]);
    whole.large_objects = a->objects;
    job_phase(w->c->job, "committing", 0, 0);
    Error *e = cancel_check(w->cancel);
    if (!e)
        e = writer_commit(a->writer, &whole, out);
    backup_info_clear(&whole);
    return e;
}

Error *import_archive(ImportWork *w, bool *fits, BackupInfo *out)
{
    AUTO_VALUE(Archive) a = {.w = w};
    AUTO_VALUE(BackupInfo) facts = {0};
    TRY_CTX(read_toc(&a), "%s", w->path);
    *fits = !has_inserts(a.toc);
    if (!*fits)
        return NULL;
    size_t blocks = 0;
    for (size_t i = 0; i < a.toc->count; i++)
        blocks += toc_has_block(&a.toc->entries[i]);
    job_phase(w->c->job, "importing", 0, blocks);
    TRY(op_open_repo(w->c, true, &a.repo));
    fill_facts(&a, &facts);
    TRY_CTX(write_all(&a, &facts, out), "%s", w->path);
    return NULL;
}
