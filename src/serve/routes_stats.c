/* What a repository holds, and whether its backups are young enough: read in this process. */
#include "op/list.h"
#include "serve/api_internal.h"
#include "serve/entry_op.h"

static Error *read_stats(Ask *a, const EntryOp *entry, RepoStats *out)
{
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_stats(&entry->op, out);
    pthread_mutex_unlock(&a->api->repository);
    return e;
}

Error *api_stats(Ask *a)
{
    const ServiceEntry *entry;
    AUTO_VALUE(EntryOp) op = {0};
    AUTO_VALUE(RepoStats) stats = {0};
    TRY(api_asked_entry(a, &entry));
    entry_op_open(entry->config, &op);
    TRY(read_stats(a, &op, &stats));
    api_reply(a, repo_stats_doc(&stats));
    return NULL;
}

Error *api_check(Ask *a)
{
    const ServiceEntry *entry;
    AUTO_VALUE(EntryOp) op = {0};
    AUTO(char) line = NULL;
    TRY(api_asked_entry(a, &entry));
    int64_t most = api_span(a, "maxAge", config_duration(entry->config, SETTING_MAX_AGE));
    entry_op_open(entry->config, &op);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_check(&op.op, *entry->database ? entry->database : NULL, most, &line);
    pthread_mutex_unlock(&a->api->repository);
    TRY(e);
    api_reply(a, check_doc(line, true));
    return NULL;
}
