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

typedef Error *(*Verb)(const OpContext *c, const char *name, char **id);

/* One verb for each id; what was done before an error is told. NULL: op_unpin, which may find
 * nothing to do. */
static Error *each_word(Run *run, const char *what, Verb verb)
{
    AUTO(Doc) result = doc_object();
    Doc *done = doc_array();
    Error *e = NULL;
    for (size_t i = 0; i < run->args->word_count; i++) {
        AUTO(char) id = NULL;
        const char *name = run->args->words[i];
        bool did = true;
        e = verb ? verb(&run->op, name, &id) : op_unpin(&run->op, name, &id, &did);
        if (e)
            break;
        doc_push_str(done, id);
        if (run->json)
            continue;
        if (did)
            printf("%s %s\n", what, id);
        else
            printf("%s was not pinned\n", id);
    }
    doc_set(result, what, done);
    if (run->json)
        run_result(run, STEAL(result));
    return e;
}

Error *cmd_UNDELETE(Run *run)
{
    return each_word(run, "undeleted", op_undelete);
}

Error *cmd_PIN(Run *run)
{
    return each_word(run, "pinned", op_pin);
}

Error *cmd_UNPIN(Run *run)
{
    return each_word(run, "unpinned", NULL);
}
