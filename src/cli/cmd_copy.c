#include "op/copy.h"

#include <stdio.h>

#include "cli/command.h"
#include "cli/confirm.h"
#include "cli/keys_from.h"
#include "cli/progress.h"

typedef struct Work {
    Run *run;
    StrList names;
    OpContext to;
    CopyOptions options;
    CopyResult result;
} Work;
static void work_clear(Work *w)
{
    strlist_free(&w->names);
    copy_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *ask(void *ctx, const char *question)
{
    const Run *run = ((const Work *)ctx)->run;
    return confirm_ask(question, run->yes, false, run->cancel);
}

/* A line for each as soon as it is done: the whole may take a night. */
static void print_one(void *ctx, const CopyItem *item)
{
    const Work *w = ctx;
    const Run *run = w->run;
    const BackupInfo *b = &item->outcome.info;
    char rows[32], size[32], new_bytes[32];
    progress_hide();
    if (item->error && w->result.total == 1) /* it will be the command's */
        return;
    if (item->error) {
        AUTO(char) what = mem_printf("%s was not copied", item->id);
        output_warning(what);
        output_error(item->error);
        return;
    }
    if (run->json)
        return;
    if (run->quiet)
        puts(b->id);
    else if (item->outcome.state == COPY_THERE)
        printf("%s is there already\n", b->id);
    else
        printf("%s: %s rows, %s, new %s\n", b->id, output_count(b->rows, rows),
               text_size(b->logical_size, size), text_size(b->new_bytes, new_bytes));
    fflush(stdout);
}

static Error *work_copy(Run *run, void *arg)
{
    Work *w = arg;
    return op_copy(&run->op, &w->options, &w->result);
}

static Error *check_usage(const Run *run)
{
    bool all = config_bool(run->config, SETTING_COPY_ALL);
    if (!config_str(run->config, SETTING_TO))
        return error_hint(ERROR_NEW(ERR_USAGE, "it is not said where to copy to"),
                          "--to DIR names the repository to copy into");
    if (all == (run->args->word_count > 0))
        return error_hint(ERROR_NEW(ERR_USAGE, all ? "--all and single backups were both named"
                                                   : "it is not said what to copy"),
                          "name backups, or give --all");
    return NULL;
}

Error *cmd_COPY(Run *run)
{
    AUTO_VALUE(Work) w = {.run = run};
    TRY(check_usage(run));
    AUTO(KeyInput) keys = keys_of_target(run->config, run->cancel);
    for (size_t i = 0; i < run->args->word_count; i++)
        strlist_add(&w.names, run->args->words[i]);
    w.to = run->op;
    w.to.repo_dir = config_str(run->config, SETTING_TO);
    w.to.key_given = key_input_given(keys);
    /* What is typed is typed for each; what was named once may be meant for both. */
    if (w.to.key_given || !run->op.key_given)
        w.to.keys = key_input_source(keys);
    w.options = (CopyOptions){.names = &w.names,
                              .to = &w.to,
                              .max_rate = config_size(run->config, SETTING_MAX_RATE),
                              .ask = ask,
                              .done = print_one,
                              .ctx = &w};
    Error *e = run_with_progress(run, work_copy, &w);
    if (run->json)
        run_result(run, copy_doc(&w.result));
    return e ? e : copy_failures(&w.result);
}
