#include "op/delete.h"

#include <stdio.h>

#include "cli/command.h"

/* One backup; with --ignore-missing one that is not there is told as a warning. */
static Error *delete_one(Run *run, const char *name, Doc *deleted, Doc *missing)
{
    AUTO(char) id = NULL;
    Error *e = op_delete(&run->op, name, &id);
    if (e && error_kind(e) == ERR_NOT_FOUND && config_bool(run->config, SETTING_IGNORE_MISSING)) {
        output_warning(error_message(e));
        error_drop(e);
        doc_push_str(missing, name);
        return NULL;
    }
    TRY(e);
    doc_push_str(deleted, id);
    if (!run->json)
        printf("deleted %s\n", id);
    return NULL;
}

Error *cmd_DELETE(Run *run)
{
    AUTO(Doc) result = doc_object();
    Doc *deleted = doc_array(), *missing = doc_array();
    Error *e = NULL;
    for (size_t i = 0; i < run->args->word_count && !e; i++)
        e = delete_one(run, run->args->words[i], deleted, missing);
    doc_set(result, "deleted", deleted);
    doc_set(result, "missing", missing);
    if (run->json)
        run_result(run, STEAL(result));
    return e;
}
