#include "op/delete.h"

#include <stdio.h>

#include "cli/command.h"

static void tell(const Run *run, const char *what, const char *id)
{
    if (!run->json)
        printf("%s %s\n", what, id);
}

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
    tell(run, "deleted", id);
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

static Error *undelete_one(Run *run, const char *name, char **id)
{
    TRY(op_undelete(&run->op, name, id));
    tell(run, "undeleted", *id);
    return NULL;
}

static Error *pin_one(Run *run, const char *name, char **id)
{
    TRY(op_pin(&run->op, name, id));
    tell(run, "pinned", *id);
    return NULL;
}

static Error *unpin_one(Run *run, const char *name, char **id)
{
    bool was;
    TRY(op_unpin(&run->op, name, id, &was));
    if (was)
        tell(run, "unpinned", *id);
    else if (!run->json)
        printf("%s was not pinned\n", *id);
    return NULL;
}

/* For each word; as JSON the ids stand under `key`. What was done before an error is told. */
static Error *each_word(Run *run, const char *key,
                        Error *(*verb)(Run *run, const char *name, char **id))
{
    AUTO(Doc) result = doc_object();
    Doc *done = doc_array();
    Error *e = NULL;
    for (size_t i = 0; i < run->args->word_count && !e; i++) {
        AUTO(char) id = NULL;
        e = verb(run, run->args->words[i], &id);
        if (!e)
            doc_push_str(done, id);
    }
    doc_set(result, key, done);
    if (run->json)
        run_result(run, STEAL(result));
    return e;
}

Error *cmd_UNDELETE(Run *run)
{
    return each_word(run, "undeleted", undelete_one);
}

Error *cmd_PIN(Run *run)
{
    return each_word(run, "pinned", pin_one);
}

Error *cmd_UNPIN(Run *run)
{
    return each_word(run, "unpinned", unpin_one);
}
