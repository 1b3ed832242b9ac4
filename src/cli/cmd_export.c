#include "op/export_filtered.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

typedef struct Work {
    ExportOptions options;
    ExportFilter filter;
    ExportResult result;
} Work;
static void work_clear(Work *w)
{
    export_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_export(Run *run, void *arg)
{
    Work *w = arg;
    if (w->filter.where->count || w->filter.masks->count)
        return op_export_filtered(&run->op, &w->options, &w->filter, &w->result);
    if (w->filter.cascade)
        FAIL(ERR_USAGE, "--cascade belongs to --where");
    return op_export(&run->op, &w->options, &w->result);
}

static Error *check_output(const Run *run, const char *output)
{
    if (!output)
        return error_hint(
            ERROR_NEW(ERR_USAGE, "export needs to know where to: --output is missing"),
            "-o FILE writes a file, -o - writes to standard output");
    if (strcmp(output, "-"))
        return NULL;
    int64_t format = config_int(run->config, SETTING_FORMAT);
    if (isatty(STDOUT_FILENO) && (format == EXPORT_AUTO || format == EXPORT_CUSTOM))
        return error_hint(
            ERROR_NEW(ERR_USAGE, "an archive is no text for a terminal"),
            "send it into a file or a program: pgstow export ... -o - | pg_restore -l");
    if (run->json)
        return error_hint(ERROR_NEW(ERR_USAGE, "--json and -o - both want standard output"),
                          "write to a file, or leave --json out");
    return NULL;
}

static ExportOptions options_of(const Run *run, const char *output)
{
    const Config *c = run->config;
    int64_t restore = config_int(c, SETTING_FOR_PG_RESTORE); /* any, 12, 13 ... */
    return (ExportOptions){.backup = run_word(run, 0),
                           .output = output,
                           .overwrite = config_bool(c, SETTING_OVERWRITE),
                           .format = (ExportFormat)config_int(c, SETTING_FORMAT),
                           .compression = (int)config_int(c, SETTING_EXPORT_COMPRESSION) - 1,
                           .restore_major = restore ? (int)restore + 11 : 0,
                           .select = {.tables = config_list(c, SETTING_TABLE),
                                      .schemas = config_list(c, SETTING_PART_SCHEMA),
                                      .exclude_tables = config_list(c, SETTING_PART_EXCLUDE_TABLE),
                                      .data_only = config_bool(c, SETTING_DATA_ONLY),
                                      .schema_only = config_bool(c, SETTING_SCHEMA_ONLY)}};
}

static Doc *result_doc(const ExportResult *r, const char *output)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", r->backup_id);
    doc_set_str(d, "output", output);
    doc_set_str(d, "format", export_format_name(r->format));
    if (r->filter)
        doc_set_str(d, "filter", r->filter);
    doc_set_int(d, "bytes", (int64_t)r->bytes);
    doc_set_int(d, "tables", (int64_t)r->tables);
    doc_set_int(d, "rows", (int64_t)r->rows);
    doc_set(d, "warnings", doc_texts(&r->warnings));
    return d;
}

Error *cmd_EXPORT(Run *run)
{
    const char *output = config_str(run->config, SETTING_OUTPUT);
    char size[32];
    TRY(check_output(run, output));
    AUTO_VALUE(Work) w = {.options = options_of(run, output)};
    w.filter = (ExportFilter){.where = config_list(run->config, SETTING_EXPORT_WHERE),
                              .masks = config_list(run->config, SETTING_EXPORT_MASK),
                              .cascade = config_bool(run->config, SETTING_EXPORT_CASCADE)};
    TRY(run_with_progress(run, work_export, &w));
    const ExportResult *r = &w.result;
    for (size_t i = 0; i < r->warnings.count; i++)
        output_warning(r->warnings.items[i]);
    if (run->json)
        run_result(run, result_doc(r, output));
    else if (strcmp(output, "-"))
        printf("exported %s to %s (%s%s), %s\n", r->backup_id, output,
               export_format_name(r->format), r->filter ? ", filtered" : "",
               text_size(r->bytes, size));
    return NULL;
}
