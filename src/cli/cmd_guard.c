#include "op/guard.h"

#include <stdio.h>

#include "cli/cmd_backup.h"
#include "cli/command.h"

typedef struct Work {
    BackupOptions options;
    StrList command; /* with a NULL at the end */
    GuardResult result;
} Work;
static void work_clear(Work *w)
{
    backup_options_clear(&w->options);
    strlist_free(&w->command);
    guard_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_guard(Run *run, void *arg)
{
    Work *w = arg;
    return op_guard(&run->op, &w->options, w->command.items, &w->result);
}

static Doc *result_doc(const GuardResult *r)
{
    Doc *d = doc_object();
    doc_set_str(d, "id", r->backup_id);
    if (r->command_status >= 0)
        doc_set_int(d, "commandStatus", r->command_status);
    else
        doc_set_null(d, "commandStatus");
    doc_set_bool(d, "restored", r->restored);
    return d;
}

Error *cmd_GUARD(Run *run)
{
    AUTO_VALUE(Work) w = {.result = {.command_status = -1}};
    backup_options_from(run->config, &w.options); /* and no filters: it is to bring all back */
    strlist_copy(&w.command, &run->args->rest);
    strlist_own(&w.command, NULL);
    Error *e = run_with_progress(run, work_guard, &w);
    if (run->json)
        run_result(run, result_doc(&w.result));
    else if (!e && !run->quiet)
        fprintf(stderr, "the command succeeded; the backup from before it is %s\n",
                w.result.backup_id);
    return e;
}
