#include "op/import.h"

#include <stdio.h>

#include "cli/command.h"

typedef struct Work {
    ImportOptions options;
    ImportResult result;
} Work;
static void work_clear(Work *w)
{
    strlist_free(&w->options.tags);
    import_result_clear(&w->result);
}
DEFINE_AUTO_VALUE(Work, work_clear)

static Error *work_import(Run *run, void *arg)
{
    Work *w = arg;
    return op_import(&run->op, &w->options, &w->result);
}

static const char *state_name(ImportState s)
{
    static const char *const names[] = {"imported", "there", "failed"};
    return names[s];
}

static Doc *item_doc(const ImportItem *item)
{
    Doc *d = doc_object();
    doc_set_str(d, "path", item->path);
    doc_set_str(d, "form", item->form);
    doc_set_str(d, "state", state_name(item->state));
    if (item->error)
        doc_set(d, "error", doc_error(item->error));
    else
        doc_set_str(d, "id", item->info.id);
    doc_set(d, "notes", doc_texts(&item->notes));
    if (item->state == IMPORT_DONE)
        doc_set(d, "backup", backup_info_doc(&item->info));
    return d;
}

static void print_item(const ImportItem *item, bool quiet)
{
    char rows[32], size[32], new_bytes[32];
    const BackupInfo *b = &item->info;
    for (size_t i = 0; i < item->notes.count; i++)
        output_warning(item->notes.items[i]);
    if (item->state == IMPORT_FAILED)
        output_error(item->error);
    else if (quiet)
        puts(b->id);
    else if (item->state == IMPORT_THERE)
        printf("%s is there already: %s\n", item->path, b->id);
    else
        printf("%s (%s): %s rows, %s; new %s\n%s\n", item->path, item->form,
               output_count(b->rows, rows), text_size(b->logical_size, size),
               text_size(b->new_bytes, new_bytes), b->id);
}

/* One dump's failure is the command's; of several, the status says that some failed. */
static Error *outcome(ImportResult *r)
{
    size_t failed = 0;
    for (size_t i = 0; i < r->count; i++)
        failed += r->items[i].state == IMPORT_FAILED;
    if (!failed)
        return NULL;
    if (r->count == 1)
        return STEAL(r->items[0].error);
    return error_hint(
        ERROR_NEW(ERR_PARTIAL, "%zu of %zu dumps could not be imported", failed, r->count),
        "the others are in the repository; what is there already is passed over when "
        "this is run again");
}

static Error *report(Run *run, Work *w)
{
    AUTO(Doc) result = doc_object();
    Doc *items = doc_array();
    bool one = w->result.count == 1;
    for (size_t i = 0; i < w->result.count; i++) {
        const ImportItem *item = &w->result.items[i];
        doc_push(items, item_doc(item));
        if (!run->json && !(one && item->state == IMPORT_FAILED))
            print_item(item, run->quiet);
    }
    doc_set(result, "dumps", items);
    if (run->json)
        run_result(run, STEAL(result));
    return outcome(&w->result);
}

Error *cmd_IMPORT(Run *run)
{
    const Config *c = run->config;
    AUTO_VALUE(Work) w = {0};
    const char **paths = mem_calloc(run->args->word_count + 1, sizeof *paths);
    for (size_t i = 0; i < run->args->word_count; i++)
        paths[i] = run->args->words[i];
    w.options = (ImportOptions){
        .paths = paths,
        .database = config_str(c, SETTING_AS),
        .at_given = config_str(c, SETTING_MADE_AT) != NULL,
        .at = config_instant(c, SETTING_MADE_AT),
        .no_owner = config_bool(c, SETTING_NO_OWNER),
        .no_privileges = config_bool(c, SETTING_NO_PRIVILEGES),
        .parent = config_str(c, SETTING_PARENT),
        .level = (int)config_int(c, SETTING_COMPRESSION),
        .max_rate = config_size(c, SETTING_MAX_RATE),
        .timeout_ms = config_duration(c, SETTING_RESTORE_TIMEOUT),
    };
    strlist_copy(&w.options.tags, config_list(c, SETTING_TAG));
    Error *e = run_with_progress(run, work_import, &w);
    /* Also after a failure: what was done before it. */
    if (w.result.count)
        e = error_first(e, report(run, &w));
    free(paths);
    return e;
}
