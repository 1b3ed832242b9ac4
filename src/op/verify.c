#include "op/verify.h"

#include <math.h>
#include <stdio.h>

/* "5%", "2.5 %" */
static Error *parse_share(const char *text, double *out)
{
    double percent = 0;
    int end = -1;
    if (sscanf(text, "%lf %%%n", &percent, &end) != 1 || end < 0 || text[end] ||
        !isfinite(percent) || percent <= 0 || percent > 100)
        return error_hint(ERROR_NEW(ERR_USAGE, "--sample %s is no share of the packs", text),
                          "write a percentage greater than 0 and at most 100: --sample 5%%");
    *out = percent / 100;
    return NULL;
}

static Error *choice_of(const VerifyOptions *o, CheckChoice *out, bool *any)
{
    *any = o->sample || o->older_than_ms;
    *out = (CheckChoice){.share = 1};
    if (*any && o->level == CHECK_QUICK)
        return error_hint(ERROR_NEW(ERR_USAGE, "level quick reads no packs of which some could be "
                                               "left out"),
                          "--older-than and --sample go with level data");
    if (o->sample && o->level == CHECK_REBUILD)
        return error_hint(ERROR_NEW(ERR_USAGE, "level rebuild reads tables, of which --sample "
                                               "chooses none"),
                          "--sample goes with level data, --older-than with rebuild too");
    if (o->older_than_ms)
        out->since = clock_now() - o->older_than_ms;
    return o->sample ? parse_share(o->sample, &out->share) : NULL;
}

/* A healed backup may use a pack beside what is damaged in it: that is no damage of its own. */
bool verify_is_whole(const VerifyOptions *o, const CheckReport *r)
{
    return o->names && o->names->count ? !r->bad.count : !r->count;
}

Error *op_verify(const OpContext *c, const VerifyOptions *o, CheckReport *out)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) database = op_database_name(c);
    AUTO_VALUE(StrList) ids = {0};
    CheckChoice choice;
    bool choose;
    TRY(choice_of(o, &choice, &choose));
    TRY(op_open_repo(c, false, &repo));
    for (size_t i = 0; o->names && i < o->names->count; i++) {
        char *id;
        TRY(catalog_resolve(repo, o->names->items[i], database, &id));
        strlist_own(&ids, id);
    }
    TRY(check_run_part(repo, &ids, o->level, choose ? &choice : NULL, op_jobs(c), c->job, out));
    if (verify_is_whole(o, out))
        return NULL;
    return error_hint(
        ERROR_NEW(ERR_DAMAGED, "%zu problem%s found in %s; %zu of %llu backups are damaged",
                  out->count, out->count == 1 ? "" : "s", repo_where(repo), out->bad.count,
                  (unsigned long long)out->backups),
        "the next backup writes what is damaged again; restore from one that is listed as good, or "
        "what is whole of a damaged one with restore --salvage");
}
