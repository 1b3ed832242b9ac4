#include "cli/recorded.h"

#include <string.h>

#include "cli/cmd_drill.h"
#include "op/job_doc.h"

static bool changes(const Run *run)
{
    const Config *c = run->config;
    const char *word = run_word(run, 0);
    switch (run->args->command->id) {
    case COMMAND_BACKUP:
    case COMMAND_VERIFY: /* what it finds is remembered in the repository */
    case COMMAND_DELETE:
    case COMMAND_UNDELETE:
    case COMMAND_PIN:
    case COMMAND_UNPIN:
    case COMMAND_IMPORT:
    case COMMAND_COPY:
    case COMMAND_GUARD:
        return true;
    case COMMAND_RESTORE:
        return !config_bool(c, SETTING_DRY_RUN) && (word || config_str(c, SETTING_AT));
    case COMMAND_CLEANUP:
        return !config_bool(c, SETTING_DRY_RUN);
    case COMMAND_SYNC:
        return word && !config_bool(c, SETTING_DRY_RUN) &&
               (!strcmp(word, "pull") || !strcmp(word, "push") || !strcmp(word, "resume"));
    case COMMAND_KEY:
        return word && strcmp(word, "list") != 0;
    default:
        return false;
    }
}

const char *recorded_kind(const Run *run)
{
    if (!changes(run))
        return NULL;
    CommandId id = run->args->command->id;
    if (id == COMMAND_VERIFY && config_int(run->config, SETTING_LEVEL) == LEVEL_DRILL)
        return "drill";
    return run->args->command->name;
}

History *recorded_begin(const Run *run)
{
    const char *kind = recorded_kind(run);
    if (!kind)
        return NULL;
    AUTO(Doc) arguments = doc_object();
    Doc *words = doc_array();
    doc_push_str(words, run->args->command->name);
    /* A guarded command may have anything in it. */
    for (size_t i = 0; run->args->command->id != COMMAND_GUARD && i < run->args->word_count; i++)
        doc_push_str(words, run->args->words[i]);
    doc_set(arguments, "words", words);
    AUTO(char) text = doc_print(arguments, false);
    AUTO(char)
    database = config_bool(run->config, SETTING_ALL_DATABASES) ? NULL : op_database_name(&run->op);
    return history_begin(&(HistoryRun){.folder = config_str(run->config, SETTING_STATE_DIR),
                                       .kind = kind,
                                       .entry = config_str(run->config, SETTING_ENTRY),
                                       .database = database,
                                       .arguments = text});
}

void recorded_end(History *h, const Run *run, const Error *e)
{
    if (!h)
        return;
    const Doc *d = *run->result;
    JobProgress now;
    job_snapshot(run->op.job, &now);
    StateProgress progress = job_progress_of(&now);
    AUTO(char) result = d ? doc_print(d, false) : NULL;
    history_end(h, &(HistoryEnd){
                       .error = e, .backup = run->backup, .result = result, .progress = &progress});
}
