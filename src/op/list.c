#include "op/list.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "repo/lineage.h"

Error *op_list(const OpContext *c, const char *database, BackupList *out)
{
    AUTO(Repo) repo = NULL;
    TRY(op_open_repo(c, false, &repo));
    return catalog_list(repo, database, out);
}

Error *op_look(const OpContext *c, CatalogCache *cache, CatalogView **out)
{
    AUTO(Repo) repo = NULL;
    TRY(op_open_repo(c, false, &repo));
    return catalog_cache_look(cache, repo, out);
}

Error *op_show(const OpContext *c, const char *name, Manifest **out)
{
    AUTO(Repo) repo = NULL;
    AUTO(char) database = op_database_name(c);
    AUTO(char) id = NULL;
    TRY(op_open_repo(c, false, &repo));
    TRY(catalog_resolve(repo, name, database, &id));
    AUTO(Manifest) m = NULL;
    TRY(catalog_load(repo, id, &m));
    TRY(catalog_add_proof(repo, &m->info));
    *out = STEAL(m);
    return NULL;
}

/* How far a host's clock may be behind that of another one before a backup's age cannot be told. */
#define AHEAD_MS (3600 * INT64_C(1000))
#define AGE_UNKNOWN INT64_MAX

/* A second backup within one second bears the next one. But one of next year's would look young
 * until then, however long none is made any more. */
static int64_t age_of(const BackupInfo *b, Instant now)
{
    int64_t age = now - b->timestamp;
    return age < -AHEAD_MS ? AGE_UNKNOWN : age < 0 ? 0 : age;
}

/* One line about the newest good backup of a database. */
static char *check_line(const char *database, const BackupInfo *newest, int64_t age,
                        int64_t max_age)
{
    char span[32], limit[32], when[CLOCK_TEXT];
    if (!newest)
        return mem_printf("STALE: %s has no good backup", database);
    if (age == AGE_UNKNOWN)
        return mem_printf("STALE: %s: newest backup %s is dated in the future (%s): the clock of "
                          "this host or of the one that made it is wrong, and its age is not known",
                          database, newest->id, clock_human(newest->timestamp, when));
    return mem_printf("%s: %s: newest backup %s is %s old (%s), allowed are %s",
                      age > max_age ? "STALE" : "OK", database, newest->id,
                      text_duration(age, span), clock_human(newest->timestamp, when),
                      text_duration(max_age, limit));
}

Error *op_check(const OpContext *c, const char *database, int64_t max_age_ms, char **line)
{
    AUTO_VALUE(BackupList) list = {0};
    *line = NULL;
    TRY(op_list(c, database, &list));
    const BackupInfo *worst = NULL;
    Instant now = clock_now();
    /* The list is sorted by database, then by age: the last of each is its newest. Only whole
     * databases count, and none that was found damaged. */
    for (size_t i = 0; i < list.count;) {
        size_t end = i;
        const BackupInfo *newest = NULL;
        for (; end < list.count && !strcmp(list.items[end].database, list.items[i].database); end++)
            if (lineage_good(&list.items[end]))
                newest = &list.items[end];
        if (!newest && (!database || !worst)) {
            *line = check_line(list.items[i].database, NULL, 0, max_age_ms);
            FAIL(ERR_STALE, "%s has no good backup of the whole database", list.items[i].database);
        }
        if (newest && (!worst || age_of(newest, now) > age_of(worst, now)))
            worst = newest;
        i = end;
    }
    int64_t age = worst ? age_of(worst, now) : 0;
    *line = check_line(worst      ? worst->database
                       : database ? database
                                  : "the repository",
                       worst, age, max_age_ms);
    if (!worst || age > max_age_ms)
        FAIL(ERR_STALE, "%s", *line);
    return NULL;
}
