/* What a repository holds, and whether its backups are young enough: read in this process. */
#include "op/list.h"
#include "serve/api_internal.h"

static Error *read_stats(Ask *a, const ServiceEntry *entry, RepoStats *out)
{
    OpContext op = shelf_op(entry->shelf);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_stats(&op, out);
    pthread_mutex_unlock(&a->api->repository);
    return e;
}

Error *api_stats(Ask *a)
{
    const ServiceEntry *entry;
    AUTO_VALUE(RepoStats) stats = {0};
    TRY(api_asked_entry(a, &entry));
    TRY(read_stats(a, entry, &stats));
    api_reply(a, repo_stats_doc(&stats));
    return NULL;
}

Error *api_check(Ask *a)
{
    const ServiceEntry *entry;
    AUTO(char) line = NULL;
    TRY(api_asked_entry(a, &entry));
    int64_t most = api_span(a, "maxAge", config_duration(entry->config, SETTING_MAX_AGE));
    OpContext op = shelf_op(entry->shelf);
    pthread_mutex_lock(&a->api->repository);
    Error *e = op_check(&op, *entry->database ? entry->database : NULL, most, &line);
    pthread_mutex_unlock(&a->api->repository);
    TRY(e);
    api_reply(a, check_doc(line, true));
    return NULL;
}
