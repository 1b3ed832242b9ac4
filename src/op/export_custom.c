/* pg_dump's custom format: the table of contents that pg_dump made, and the blocks. */
#include "op/export_work.h"

#include "pg/load_objects.h"
#include "pg/toc_write.h"

Error *export_shape(const ExportWork *w, Toc **out)
{
    int minor = w->o->restore_major ? toc_minor_for(w->o->restore_major) : w->toc->minor;
    /* Newer readers read older archives: what is old stays as it is. */
    TocShape shape = {.minor = minor < w->toc->minor ? minor : 0};
    return toc_rewrite(w->toc, &shape, out);
}

static Error *pump(ExportWork *w, const TocEntry *e, StreamTake take, void *to)
{
    const BackupRead *from;
    const Stream *s;
    TRY(export_source(w, e, &from, &s));
    AUTO(char) name = export_entry_name(e);
    job_object(w->c->job, name);
    TRY_CTX(backup_read_stream(from, s, job_cancel(w->c->job), take, to, NULL), "exporting %s",
            name);
    job_add_items(w->c->job, 1);
    return NULL;
}

Error *export_entry_rows(ExportWork *w, const TocEntry *e, StreamTake take, void *to)
{
    return pump(w, e, take, to);
}

Error *export_entry_objects(ExportWork *w, const Toc *shaped, const TocEntry *e, StreamTake take,
                            void *to)
{
    if (toc_groups_objects(shaped) || !toc_groups_objects(w->toc))
        return pump(w, e, take, to);
    for (size_t i = 0; i < w->toc->count; i++)
        if (toc_is(&w->toc->entries[i], "BLOBS"))
            TRY(pump(w, &w->toc->entries[i], take, to));
    return NULL;
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

static Error *put_objects(ExportWork *w, const Toc *shaped, const TocEntry *e, ArchiveWriter *a)
{
    ObjectRecords records = {
        .begin = object_begin, .bytes = take_bytes, .end = object_end, .ctx = a};
    TRY(archive_blobs_begin(a, e->dump_id));
    TRY(export_entry_objects(w, shaped, e, take_records, &records));
    TRY(object_records_end(&records));
    return archive_blobs_end(a);
}

static Error *put_rows(ExportWork *w, const TocEntry *e, ArchiveWriter *a)
{
    TRY(archive_table_begin(a, e->dump_id));
    TRY(export_entry_rows(w, e, take_bytes, a));
    return archive_table_end(a);
}

Error *export_custom(ExportWork *w, const Toc *shaped, const ArchiveOutput *output)
{
    AUTO(ArchiveWriter) a = NULL;
    TRY(archive_begin(shaped, output, &a));
    /* In the order of the table of contents, on which pg_restore -j relies. */
    for (size_t i = 0; i < shaped->count; i++) {
        const TocEntry *e = &shaped->entries[i];
        if (toc_has_block(e))
            TRY(toc_is_table_data(e) ? put_rows(w, e, a) : put_objects(w, shaped, e, a));
    }
    return archive_finish(a);
}
