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

/* One verb for each id; what was done before an error is told. */
typedef Error *(*Verb)(Run *run, const char *name, Doc *done);

static Error *each_word(Run *run, const char *what, Verb verb)
{
    Doc *result = doc_object(), *done = doc_array();
    Error *e = NULL;
    for (size_t i = 0; i < run->args->word_count && !e; i++)
        e = verb(run, run->args->words[i], done);
    doc_set(result, what, done);
    if (run->json)
        run_result(run, result);
    else
        doc_free(result);
    return e;
}

static Error *undelete_one(Run *run, const char *name, Doc *done)
{
    AUTO(char) id = NULL;
    TRY(op_undelete(&run->op, name, &id));
    doc_push_str(done, id);
    if (!run->json)
        printf("undeleted %s\n", id);
    return NULL;
}

Error *cmd_UNDELETE(Run *run)
{
    return each_word(run, "undeleted", undelete_one);
}

static Error *pin_one(Run *run, const char *name, Doc *done)
{
    AUTO(char) id = NULL;
    TRY(op_pin(&run->op, name, &id));
    doc_push_str(done, id);
    if (!run->json)
        printf("pinned %s\n", id);
    return NULL;
}

Error *cmd_PIN(Run *run)
{
    return each_word(run, "pinned", pin_one);
}

static Error *unpin_one(Run *run, const char *name, Doc *done)
{
    AUTO(char) id = NULL;
    bool was;
    TRY(op_unpin(&run->op, name, &id, &was));
    doc_push_str(done, id);
    if (!run->json)
        printf(was ? "unpinned %s\n" : "%s was not pinned\n", id);
    return NULL;
}

Error *cmd_UNPIN(Run *run)
{
    return each_word(run, "unpinned", unpin_one);
}
