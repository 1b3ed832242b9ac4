/* sync VERB [PEER|SESSION] */
#include "cli/cmd_sync.h"

#include <string.h>

static const struct {
    const char *name;
    SyncVerb run;
} verbs[] = {
    {"rows", sync_run_rows},
    {"pull", sync_run_pull},
    {"push", sync_run_push},
    {"resume", sync_run_resume},
    {"test", sync_run_test},
    {"status", sync_status},
    {"history", sync_history},
    {"cancel", sync_cancel},
    {"clear-stuck", sync_clear_stuck},
    {"clear-locks", sync_clear_locks},
    {"backup", sync_run_backup}, /* what a service runs for its peer */
    {"apply", sync_run_apply},
    {NULL, NULL},
};

Error *sync_word(const Run *run, const char *what, const char **out)
{
    *out = run_word(run, 1);
    if (!*out)
        return error_hint(ERROR_NEW(ERR_USAGE, "sync %s: which %s?", run_word(run, 0), what),
                          !strcmp(what, "peer") ? "`pgstow peer list` shows them"
                                                : "`pgstow sync history` shows them");
    return NULL;
}

Error *cmd_SYNC(Run *run)
{
    AUTO_VALUE(Buf) all = {0};
    const char *verb = run_word(run, 0), *names[16];
    size_t count = 0;
    for (size_t i = 0; verbs[i].name; i++) {
        if (!strcmp(verbs[i].name, verb))
            return verbs[i].run(run);
        names[count++] = verbs[i].name;
        buf_printf(&all, "%s%s", i ? ", " : "", verbs[i].name);
    }
    AUTO(char) shown = text_printable(verb);
    AUTO(char) list = buf_steal_str(&all);
    const char *near = text_nearest(verb, names, count);
    Error *e = ERROR_NEW(ERR_USAGE, "sync does not know \"%s\"", shown);
    return near ? error_hint(e, "did you mean %s?", near) : error_hint(e, "there are %s", list);
}
