/* pg_dump's directory format: toc.dat, a file per table and per large object. */
#include "op/export_work.h"

#include "codec/gzip.h"
#include "op/export_folder.h"
#include "pg/load_objects.h"
#include "pg/toc_write.h"

typedef struct Directory {
    ExportWork *work;
    ExportFolder folder;
    GzipWriter *gzip; /* or NULL */
    Buf list;         /* of the large objects: "OID FILE" lines */
} Directory;

static void directory_clear(Directory *d)
{
    if (d->gzip)
        gzip_writer_free(d->gzip);
    buf_free(&d->list);
    export_folder_clear(&d->folder);
}
DEFINE_AUTO_VALUE(Directory, directory_clear)

static Error *begin_file(Directory *d, const char *name)
{
    AUTO(char) full = mem_printf("%s%s", name, d->gzip ? ".gz" : "");
    return export_folder_begin(&d->folder, full);
}

static Error *take_bytes(void *to, const void *p, size_t n)
{
    Directory *d = to;
    return d->gzip ? gzip_writer_write(d->gzip, p, n) : export_folder_write(&d->folder, p, n);
}

static Error *end_file(Directory *d)
{
    if (d->gzip)
        TRY(gzip_writer_finish(d->gzip));
    return export_folder_end(&d->folder);
}

/* A file that is never compressed. */
static Error *put_file(Directory *d, const char *name, const Buf *bytes)
{
    TRY(export_folder_begin(&d->folder, name));
    TRY(export_folder_write(&d->folder, bytes->data, bytes->len));
    return export_folder_end(&d->folder);
}

static Error *put_rows(Directory *d, const TocEntry *e, const char *name)
{
    TRY(begin_file(d, name));
    TRY(export_entry_rows(d->work, e, take_bytes, d));
    TRY(take_bytes(d, "\\.\n\n\n", 5)); /* the end mark of COPY, as pg_dump writes it */
    return end_file(d);
}

static Error *object_begin(void *ctx, uint32_t oid)
{
    Directory *d = ctx;
    AUTO(char) name = mem_printf("blob_%u.dat", oid);
    buf_printf(&d->list, "%u %s\n", oid, name);
    return begin_file(d, name);
}

static Error *object_end(void *ctx)
{
    return end_file(ctx);
}

static Error *take_records(void *to, const void *p, size_t n)
{
    return object_records_feed(to, p, n);
}

static Error *put_objects(Directory *d, const Toc *shaped, const TocEntry *e, const char *name)
{
    ObjectRecords records = {
        .begin = object_begin, .bytes = take_bytes, .end = object_end, .ctx = d};
    d->list.len = 0;
    TRY(export_entry_objects(d->work, shaped, e, take_records, &records));
    TRY(object_records_end(&records));
    return put_file(d, name, &d->list);
}

Error *export_directory(ExportWork *w, const Toc *shaped)
{
    AUTO_VALUE(Directory) d = {.work = w, .folder = {.file = {-1}}};
    AUTO_VALUE(Buf) toc = {0};
    TRY(export_folder_open(w->o->output, w->o->overwrite, &d.folder));
    if (w->gzip)
        TRY(gzip_writer_open(GZIP_FILE, w->gzip, export_folder_write, &d.folder, &d.gzip));
    for (size_t i = 0; i < shaped->count; i++) {
        const TocEntry *e = &shaped->entries[i];
        AUTO(char) name = toc_file_name(shaped, e);
        if (name)
            TRY(toc_is_table_data(e) ? put_rows(&d, e, name) : put_objects(&d, shaped, e, name));
    }
    TRY(toc_directory(shaped, w->gzip != 0, &toc));
    TRY(put_file(&d, "toc.dat", &toc));
    TRY(export_folder_finish(&d.folder));
    w->result.bytes = d.folder.bytes;
    return NULL;
}
