#include "op/export.h"

#include "op/backup_read.h"
#include "op/export_file.h"
#include "pg/archive_write.h"
#include "pg/load_objects.h"

typedef struct Export {
    BackupRead backup;
    ArchiveWriter *writer;
} Export;

static void export_clear(Export *x)
{
    if (x->writer)
        archive_writer_free(x->writer);
    backup_read_clear(&x->backup);
}
DEFINE_AUTO_VALUE(Export, export_clear)

void export_result_clear(ExportResult *r)
{
    free(r->backup_id);
    *r = (ExportResult){0};
}

static Error *pump(Export *x, const Stream *s, StreamTake take, void *to)
{
    return backup_read_stream(&x->backup, s, job_cancel(x->backup.c->job), take, to, NULL);
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
    const BackupRead *b = &x->backup;
    const Stream *s = manifest_find_stream(b->manifest, rows ? STREAM_TABLE : STREAM_LARGE_OBJECTS,
                                           (uint32_t)e->dump_id);
    if (!s)
        FAIL(ERR_DAMAGED, "backup %s has no data for its entry %d (%s %s)", b->id, e->dump_id,
             e->desc, e->tag);
    AUTO(char) name = rows ? mem_printf("%s.%s", e->schema, e->tag) : mem_strdup("large objects");
    job_object(b->c->job, name);
    TRY_CTX(rows ? export_rows(x, s) : export_objects(x, s), "exporting %s", name);
    job_add_items(b->c->job, 1);
    return NULL;
}

Error *op_export(const OpContext *c, const ExportOptions *o, ExportResult *out)
{
    AUTO_VALUE(Export) x = {0};
    AUTO_VALUE(ExportFile) file = {.file = {-1}};
    TRY(backup_read_open(c, o->backup, "export", &x.backup));
    const Toc *toc = x.backup.toc;
    TRY(export_file_open(o->output, o->overwrite, &file));
    ArchiveOutput output = {.write = export_file_write,
                            .rewrite = export_file_can_seek(&file) ? export_file_rewrite : NULL,
                            .ctx = &file};
    size_t blocks = 0;
    for (size_t i = 0; i < toc->count; i++)
        blocks += toc_has_block(&toc->entries[i]);
    job_phase(c->job, "exporting", x.backup.manifest->info.logical_size, blocks);
    TRY(archive_begin(toc, &output, &x.writer));
    for (size_t i = 0; i < toc->count; i++)
        if (toc_has_block(&toc->entries[i]))
            TRY(export_entry(&x, &toc->entries[i]));
    TRY(archive_finish(x.writer));
    TRY(export_file_finish(&file));
    *out = (ExportResult){.backup_id = STEAL(x.backup.id), .bytes = file.bytes};
    return NULL;
}
