#include "op/verify.h"

Error *op_verify(const OpContext *c, const StrList *names, CheckLevel level, CheckReport *out)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) database = op_database_name(c);
    AUTO_VALUE(StrList) ids = {0};
    TRY(op_open_repo(c, false, &repo));
    for (size_t i = 0; names && i < names->count; i++) {
        char *id;
        TRY(catalog_resolve(repo, names->items[i], database, &id));
        strlist_own(&ids, id);
    }
    TRY(check_run(repo, &ids, level, op_jobs(c), c->job, out));
    /* A healed backup may use a pack beside what is damaged in it: that is no damage of its own. */
    if (ids.count ? !out->bad.count : !out->count)
        return NULL;
    return error_hint(
        ERROR_NEW(ERR_DAMAGED, "%zu problem%s found in %s; %zu of %llu backups are damaged",
                  out->count, out->count == 1 ? "" : "s", repo_where(repo), out->bad.count,
                  (unsigned long long)out->backups),
        "the next backup writes what is damaged again; restore from one that is listed as good");
}
