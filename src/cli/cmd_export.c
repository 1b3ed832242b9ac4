#include "op/export.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"

typedef struct Work {
    ExportOptions options;
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
    return op_export(&run->op, &w->options, &w->result);
}

Error *cmd_EXPORT(Run *run)
{
    const char *output = config_str(run->config, SETTING_OUTPUT);
    if (!output)
        return error_hint(
            ERROR_NEW(ERR_USAGE, "export needs to know where to: --output is missing"),
            "-o FILE writes a file, -o - writes to standard output");
    bool to_stdout = !strcmp(output, "-");
    if (to_stdout && isatty(STDOUT_FILENO))
        return error_hint(
            ERROR_NEW(ERR_USAGE, "an archive is no text for a terminal"),
            "send it into a file or a program: pgstow export ... -o - | pg_restore -l");
    if (to_stdout && run->json)
        return error_hint(ERROR_NEW(ERR_USAGE, "--json and -o - both want standard output"),
                          "write to a file, or leave --json out");
    AUTO_VALUE(Work)
    w = {.options = {.backup = run_word(run, 0),
                     .output = output,
                     .overwrite = config_bool(run->config, SETTING_OVERWRITE)}};
    TRY(run_with_progress(run, work_export, &w));
    char size[32];
    if (run->json) {
        Doc *d = doc_object();
        doc_set_str(d, "id", w.result.backup_id);
        doc_set_str(d, "output", output);
        doc_set_str(d, "format", config_str(run->config, SETTING_FORMAT));
        doc_set_int(d, "bytes", (int64_t)w.result.bytes);
        run_result(run, d);
    } else if (!to_stdout) {
        printf("exported %s to %s, %s\n", w.result.backup_id, output,
               text_size(w.result.bytes, size));
    }
    return NULL;
}
