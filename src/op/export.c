#include "op/export.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/gzip.h"
#include "op/export_file.h"
#include "op/export_work.h"
#include "pg/toc_write.h"

#define GZIP_LEVEL 6 /* where only the name asks for it, as gzip itself */

const char *export_format_name(ExportFormat f)
{
    static const char *const names[] = {"auto",   "custom", "directory", "plain",
                                        "upsert", "json",   "csv",       "globals"};
    return names[f];
}

void export_result_clear(ExportResult *r)
{
    free(r->backup_id);
    free(r->filter);
    strlist_free(&r->warnings);
    *r = (ExportResult){0};
}

static void export_work_clear(ExportWork *w)
{
    if (w->reduced)
        toc_free(w->reduced);
    backup_read_clear(&w->backup);
    export_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(ExportWork, export_work_clear)

void export_warn(ExportWork *w, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    strlist_own(&w->result.warnings, n < 0 ? mem_strdup(fmt) : text);
}

Error *export_stream(const ExportWork *w, const TocEntry *e, const Stream **out)
{
    const BackupRead *b = &w->backup;
    *out = manifest_find_stream(b->manifest,
                                toc_is_table_data(e) ? STREAM_TABLE : STREAM_LARGE_OBJECTS,
                                (uint32_t)e->dump_id);
    if (!*out)
        FAIL(ERR_DAMAGED, "backup %s has no data for its entry %d (%s %s)", b->id, e->dump_id,
             e->desc, e->tag);
    return NULL;
}

Error *export_source(const ExportWork *w, const TocEntry *e, const BackupRead **from,
                     const Stream **out)
{
    *from = &w->backup;
    TRY(export_stream(w, e, out));
    if (!w->o->rows || (*out)->kind != STREAM_TABLE)
        return NULL;
    const Stream *own = *out;
    *from = w->o->rows;
    *out = backup_read_table(w->o->rows, own->schema, own->name);
    if (!*out)
        FAIL(ERR_DAMAGED, "the filtered copy of backup %s has no table %s.%s", w->backup.id,
             own->schema, own->name);
    return NULL;
}

char *export_entry_name(const TocEntry *e)
{
    return toc_is_table_data(e) ? mem_printf("%s.%s", e->schema, e->tag)
                                : mem_strdup("large objects");
}

/* -- what is wanted ---------------------------------------------------------------------------- */

static bool is_gz(const char *name)
{
    return text_ends(name, ".gz");
}

static ExportFormat format_by_name(const char *name)
{
    static const struct {
        const char *ending;
        ExportFormat format;
    } endings[] = {{".sql", EXPORT_PLAIN},
                   {".json", EXPORT_JSON},
                   {".jsonl", EXPORT_JSON},
                   {".csv", EXPORT_CSV},
                   {"/", EXPORT_DIRECTORY}};
    AUTO(char) bare = mem_strndup(name, strlen(name) - (is_gz(name) ? 3 : 0));
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (text_ends(bare, endings[i].ending))
            return endings[i].format;
    return EXPORT_CUSTOM;
}

static bool is_archive(ExportFormat f)
{
    return f == EXPORT_CUSTOM || f == EXPORT_DIRECTORY;
}

static Error *check_wishes(ExportWork *w)
{
    const ExportOptions *o = w->o;
    ExportFormat f = o->format == EXPORT_AUTO ? format_by_name(o->output) : o->format;
    w->result.format = f;
    if (is_archive(f) && is_gz(o->output))
        return error_hint(ERROR_NEW(ERR_USAGE,
                                    "%s would not be a file that gzip knows: %s "
                                    "archives are compressed inside",
                                    o->output, export_format_name(f)),
                          "--compression 6 and a name without .gz; or --format plain");
    if (f == EXPORT_DIRECTORY && !strcmp(o->output, "-"))
        return error_hint(ERROR_NEW(ERR_USAGE, "a directory cannot go to standard output"),
                          "--format custom can");
    if (!is_archive(f) && is_gz(o->output) && o->compression == 0)
        FAIL(ERR_USAGE, "--compression 0 contradicts the name %s", o->output);
    w->gzip = o->compression >= 0                  ? o->compression
              : !is_archive(f) && is_gz(o->output) ? GZIP_LEVEL
                                                   : 0;
    if (o->restore_major && !is_archive(f) && f != EXPORT_PLAIN)
        FAIL(ERR_USAGE, "--for-pg-restore is for the formats custom, directory and plain");
    if ((o->select.data_only || o->select.schema_only) && !is_archive(f) && f != EXPORT_PLAIN)
        FAIL(ERR_USAGE, "the format %s holds rows, and nothing else", export_format_name(f));
    if (f == EXPORT_GLOBALS && selection_wanted(&o->select))
        FAIL(ERR_USAGE, "the format globals holds nothing of tables, so none can be chosen");
    return NULL;
}

/* Statistics for the planner name values: those of all rows, as they were. */
static bool is_no_statistics(void *ctx, const TocEntry *e)
{
    (void)ctx;
    return !toc_is(e, "STATISTICS DATA");
}

/* The one place where the exported entries are chosen. */
static Error *choose(ExportWork *w)
{
    if (w->o->rows) {
        AUTO(Toc) silent = NULL;
        TRY(toc_rewrite(w->backup.toc, &(TocShape){.want = is_no_statistics}, &silent));
        toc_free(w->backup.toc);
        w->backup.toc = STEAL(silent);
    }
    w->toc = w->backup.toc;
    if (!selection_wanted(&w->o->select))
        return NULL;
    AUTO_VALUE(Selection) chosen = {0};
    TRY(selection_make(w->backup.toc, &w->o->select, &chosen));
    if (chosen.rename_count)
        return error_hint(ERROR_NEW(ERR_USAGE, "an export does not rename tables"),
                          "restore can: pgstow restore ID --table a.b=c.d");
    AUTO_VALUE(StrList) notes = {0};
    selection_notes(&chosen, &notes);
    for (size_t i = 0; i < notes.count; i++)
        export_warn(w, "%s", notes.items[i]);
    TRY(selection_cut(&chosen, &w->reduced));
    w->toc = w->reduced;
    return NULL;
}

/* -- where it goes ------------------------------------------------------------------------------
 */

typedef struct Packed {
    ExportFile *file;
    GzipWriter *gzip; /* or NULL */
} Packed;

static Error *packed_write(void *ctx, const void *p, size_t n)
{
    Packed *t = ctx;
    return t->gzip ? gzip_writer_write(t->gzip, p, n) : export_file_write(t->file, p, n);
}

/* What belongs to the server, as SQL for one as new as that of the backup. */
static Error *export_globals(ExportWork *w, TextOut *out)
{
    AUTO_VALUE(Globals) globals = {0};
    AUTO_VALUE(Buf) script = {0};
    TRY(backup_read_globals(&w->backup, &globals));
    globals_script(&globals, atoi(w->backup.toc->server_version) * 10000, &script);
    return text_out_add(out, script.data, script.len);
}

static Error *write_text(ExportWork *w, TextOut *out)
{
    AUTO(Toc) shaped = NULL;
    switch (w->result.format) {
    case EXPORT_UPSERT:
        return export_upsert(w, out);
    case EXPORT_JSON:
        return export_json(w, out);
    case EXPORT_CSV:
        return export_csv(w, out);
    case EXPORT_GLOBALS:
        return export_globals(w, out);
    default:
        TRY(export_shape(w, &shaped));
        return export_plain(w, shaped, out);
    }
}

static Error *export_text(ExportWork *w, ExportFile *file)
{
    Packed packed = {.file = file};
    AUTO(GzipWriter) gzip = NULL;
    AUTO_VALUE(TextOut) out = {.take = packed_write, .ctx = &packed};
    if (w->gzip)
        TRY(gzip_writer_open(GZIP_FILE, w->gzip, export_file_write, file, &gzip));
    packed.gzip = gzip;
    TRY(write_text(w, &out));
    TRY(text_out_flush(&out));
    return gzip ? gzip_writer_finish(gzip) : NULL;
}

static Error *export_file(ExportWork *w)
{
    AUTO_VALUE(ExportFile) file = {.file = {-1}};
    TRY(export_file_open(w->o->output, w->o->overwrite, &file));
    if (w->result.format == EXPORT_CUSTOM) {
        AUTO(Toc) shaped = NULL;
        ArchiveOutput output = {.write = export_file_write,
                                .rewrite = export_file_can_seek(&file) ? export_file_rewrite : NULL,
                                .ctx = &file,
                                .gzip = w->gzip};
        TRY(export_shape(w, &shaped));
        TRY(export_custom(w, shaped, &output));
    } else {
        TRY(export_text(w, &file));
    }
    TRY(export_file_finish(&file));
    w->result.bytes = file.bytes;
    return NULL;
}

static Error *begin_phase(ExportWork *w)
{
    uint64_t bytes = 0, blocks = 0;
    for (size_t i = 0; i < w->toc->count && w->result.format != EXPORT_GLOBALS; i++) {
        const TocEntry *e = &w->toc->entries[i];
        const BackupRead *from;
        const Stream *s;
        if (!toc_has_block(e))
            continue;
        TRY(export_source(w, e, &from, &s));
        bytes += s->bytes;
        blocks++;
        if (s->kind == STREAM_TABLE) {
            w->result.tables++;
            w->result.rows += s->rows;
        }
    }
    job_phase(w->c->job, "exporting", bytes, blocks);
    return NULL;
}

Error *op_export(const OpContext *c, const ExportOptions *o, ExportResult *out)
{
    AUTO_VALUE(ExportWork) w = {.c = c, .o = o};
    TRY(check_wishes(&w));
    TRY(backup_read_open(c, o->backup, "export", &w.backup));
    TRY(choose(&w));
    TRY(begin_phase(&w));
    if (w.result.format == EXPORT_DIRECTORY) {
        AUTO(Toc) shaped = NULL;
        TRY(export_shape(&w, &shaped));
        TRY(export_directory(&w, shaped));
    } else {
        TRY(export_file(&w));
    }
    *out = w.result;
    w.result = (ExportResult){0};
    out->backup_id = STEAL(w.backup.id);
    return NULL;
}
