#include "op/export.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pg/archive_write.h"
#include "pg/load_objects.h"
#include "repo/reader.h"
#include "repo/session.h"

#define TOC_MAX ((size_t)1 << 30) /* as toc_parse allows */

void export_result_clear(ExportResult *r)
{
    free(r->backup_id);
    *r = (ExportResult){0};
}

/* Where the archive goes: standard output, or a temporary file beside the one wanted. */
typedef struct Target {
    Fd file;
    int fd;
    const char *name; /* for messages */
    char *temp;       /* NULL for standard output */
    uint64_t bytes;
} Target;

static void target_clear(Target *t)
{
    if (t->temp)
        unlink(t->temp);
    fd_close(&t->file);
    free(t->temp);
}
DEFINE_AUTO_VALUE(Target, target_clear)

static Error *target_write(void *ctx, const void *p, size_t n)
{
    Target *t = ctx;
    t->bytes += n;
    return file_write_all(t->fd, p, n, t->name);
}

static Error *target_rewrite(void *ctx, const void *p, size_t n)
{
    Target *t = ctx;
    if (lseek(t->fd, 0, SEEK_SET) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot seek in %s", t->name);
    return file_write_all(t->fd, p, n, t->name);
}

static Error *refuse_existing(const ExportOptions *o)
{
    struct stat st;
    if (lstat(o->output, &st) < 0)
        return NULL;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return error_hint(ERROR_NEW(ERR_EXISTS, "%s is not a regular file", o->output),
                          "-o - writes to standard output");
    if (!o->overwrite)
        return error_hint(ERROR_NEW(ERR_EXISTS, "%s exists already", o->output),
                          "choose another name, or --overwrite");
    return NULL;
}

static Error *target_open(const ExportOptions *o, Target *t)
{
    t->name = o->output;
    if (!strcmp(o->output, "-")) {
        t->name = "standard output";
        t->fd = STDOUT_FILENO;
        return NULL;
    }
    TRY(refuse_existing(o));
    AUTO(char) temp = mem_printf("%s.XXXXXX", o->output);
    t->fd = t->file.n = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
    if (t->fd < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot create %s", o->output);
    t->temp = STEAL(temp);
    return NULL;
}

static Error *sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO(char)
    folder =
        slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
    AUTO_VALUE(Fd) fd = {open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (fd.n < 0 || fsync(fd.n) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot sync folder %s", folder);
    return NULL;
}

/* The file gets its name when everything is in it. */
static Error *target_finish(const ExportOptions *o, Target *t)
{
    if (!t->temp)
        return NULL;
    if (fsync(t->fd) < 0)
        return error_errno(ERR_IO, ERR_IO, "cannot write %s", o->output);
    /* link() never replaces a file that came meanwhile. Where links are not to be had: */
    bool linked = !o->overwrite && link(t->temp, o->output) == 0;
    if (!linked) {
        TRY(refuse_existing(o));
        if (rename(t->temp, o->output) < 0)
            return error_errno(ERR_IO, ERR_IO, "cannot rename the archive to %s", o->output);
        free(STEAL(t->temp));
    }
    return sync_folder(o->output);
}

typedef struct Export {
    const OpContext *c;
    Repo *repo;
    ReadSession *session;
    Manifest *manifest;
    Toc *toc;
    ArchiveWriter *writer;
    char *id;
} Export;

static void export_clear(Export *x)
{
    if (x->writer)
        archive_writer_free(x->writer);
    if (x->toc)
        toc_free(x->toc);
    if (x->manifest)
        manifest_free(x->manifest);
    if (x->session)
        read_session_close(x->session);
    if (x->repo)
        repo_free(x->repo);
    free(x->id);
}
DEFINE_AUTO_VALUE(Export, export_clear)

static Error *open_backup(Export *x, const char *name)
{
    AUTO(char) database = op_database_name(x->c);
    AUTO_VALUE(Buf) toc = {0};
    TRY(op_open_repo(x->c, false, &x->repo));
    TRY(catalog_resolve(x->repo, name, database, &x->id));
    TRY(read_session_open(x->repo, x->id, "export", &x->session));
    TRY(catalog_load(x->repo, x->id, &x->manifest));
    const Stream *s = manifest_find_stream(x->manifest, STREAM_TOC, 0);
    if (!s)
        FAIL(ERR_DAMAGED, "backup %s has no table of contents", x->id);
    TRY(stream_read_all(x->repo, x->manifest, s, TOC_MAX, &toc));
    TRY_CTX(toc_parse(toc.data, toc.len, &x->toc), "backup %s", x->id);
    return NULL;
}

typedef Error *(*Take)(void *to, const void *p, size_t n);

static Error *pump(Export *x, const Stream *s, Take take, void *to)
{
    AUTO(StreamReader) r = NULL;
    TRY(stream_reader_open(x->repo, x->manifest, s, &r));
    for (;;) {
        const uint8_t *p;
        size_t n;
        TRY(cancel_check(job_cancel(x->c->job)));
        TRY(stream_reader_next(r, &p, &n));
        if (!n)
            return NULL;
        TRY(take(to, p, n));
        job_add_bytes(x->c->job, n);
    }
}

static Error *take_bytes(void *to, const void *p, size_t n)
{
    return archive_bytes(to, p, n);
}

static Error *object_begin(void *ctx, uint32_t oid)
{
    return archive_blob_begin(ctx, oid);
}

static Error *object_end(void *ctx)
{
    return archive_blob_end(ctx);
}

static Error *take_records(void *to, const void *p, size_t n)
{
    return object_records_feed(to, p, n);
}

static Error *export_objects(Export *x, const Stream *s)
{
    ObjectRecords records = {
        .begin = object_begin, .bytes = take_bytes, .end = object_end, .ctx = x->writer};
    TRY(archive_blobs_begin(x->writer, (int)s->dump_id));
    TRY(pump(x, s, take_records, &records));
    TRY(object_records_end(&records));
    return archive_blobs_end(x->writer);
}

static Error *export_rows(Export *x, const Stream *s)
{
    TRY(archive_table_begin(x->writer, (int)s->dump_id));
    TRY(pump(x, s, take_bytes, x->writer));
    return archive_table_end(x->writer);
}

/* One entry's block, in the order of the table of contents, on which pg_restore -j relies. */
static Error *export_entry(Export *x, const TocEntry *e)
{
    bool rows = toc_is_table_data(e);
    const Stream *s = manifest_find_stream(x->manifest, rows ? STREAM_TABLE : STREAM_LARGE_OBJECTS,
                                           (uint32_t)e->dump_id);
    if (!s)
        FAIL(ERR_DAMAGED, "backup %s has no data for its entry %d (%s %s)", x->id, e->dump_id,
             e->desc, e->tag);
    AUTO(char) name = rows ? mem_printf("%s.%s", e->schema, e->tag) : mem_strdup("large objects");
    job_object(x->c->job, name);
    TRY_CTX(rows ? export_rows(x, s) : export_objects(x, s), "exporting %s", name);
    job_add_items(x->c->job, 1);
    return NULL;
}

Error *op_export(const OpContext *c, const ExportOptions *o, ExportResult *out)
{
    AUTO_VALUE(Export) x = {.c = c};
    AUTO_VALUE(Target) t = {.file = {-1}, .fd = -1};
    TRY(open_backup(&x, o->backup));
    TRY(target_open(o, &t));
    ArchiveOutput output = {
        .write = target_write, .rewrite = t.temp ? target_rewrite : NULL, .ctx = &t};
    job_phase(c->job, "exporting", x.manifest->info.logical_size, x.manifest->stream_count - 1);
    TRY(archive_begin(x.toc, &output, &x.writer));
    for (size_t i = 0; i < x.toc->count; i++)
        if (toc_has_block(&x.toc->entries[i]))
            TRY(export_entry(&x, &x.toc->entries[i]));
    TRY(archive_finish(x.writer));
    TRY(target_finish(o, &t));
    *out = (ExportResult){.backup_id = STEAL(x.id), .bytes = t.bytes};
    return NULL;
}
