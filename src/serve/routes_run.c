/* Runs of the command line that are asked for: each is a job. */
#include <string.h>

#include "serve/api_internal.h"
#include "serve/plans.h"
#include "serve/stock.h"

/* What the entry is called in the audit log. */
static char *name_of(const ServiceEntry *entry)
{
    return mem_strdup(*entry->name ? entry->name : entry->database);
}

/* One of a kind at a time: who asks again and again does not fill the queue. */
static Error *submit(Ask *a, const char *kind, const ServiceEntry *entry, const StrList *words)
{
    a->object = name_of(entry);
    return api_begin(a, &(JobRequest){.kind = kind,
                                      .entry = entry->name,
                                      .database = entry->database,
                                      .words = words,
                                      .alone = true});
}

/* The command alone, for an entry. */
static Error *run_plain(Ask *a, const char *command)
{
    const ServiceEntry *entry;
    AUTO_VALUE(StrList) words = {0};
    TRY(api_asked_entry(a, &entry));
    strlist_add(&words, command);
    return submit(a, command, entry, &words);
}

Error *api_validate(Ask *a)
{
    return run_plain(a, "validate");
}

Error *api_doctor(Ask *a)
{
    return run_plain(a, "doctor");
}

static bool same_repository(const Ask *a, const ServiceEntry *x, const ServiceEntry *y)
{
    const ServiceEntry *first = a->config->entries;
    return stock_same(a->config, (size_t)(x - first), (size_t)(y - first));
}

/* A misspelt name would look like a cleanup that had nothing to do. */
static Error *has_backups(const Ask *a, const ServiceEntry *entry, const char *database)
{
    AUTO_VALUE(Stock) s = {0};
    TRY(stock_read(a->config, &s));
    for (size_t i = 0; i < s.item_count; i++)
        if (!strcmp(s.items[i].info->database, database) &&
            same_repository(a, s.items[i].entry, entry))
            return NULL;
    FAIL(ERR_NOT_FOUND, "there is no backup of the database \"%s\"", database);
}

/* Whose backups are meant: of one database, or (NULL) of all in a repository that is this entry's
 * alone, as others have rules of their own. */
static Error *find_database(const Ask *a, const ServiceEntry *entry, const char **out)
{
    *out = api_text(a, "database");
    if (*out)
        return has_backups(a, entry, *out);
    if (*entry->database)
        *out = entry->database;
    for (size_t i = 0; !*out && i < a->config->count; i++) {
        const ServiceEntry *other = &a->config->entries[i];
        if (other != entry && same_repository(a, entry, other))
            return error_hint(ERROR_NEW(ERR_USAGE,
                                        "%s and %s have one repository, and rules of "
                                        "their own",
                                        entry->name, other->name),
                              "name the \"database\" that is meant");
    }
    return NULL;
}

Error *api_cleanup(Ask *a)
{
    const ServiceEntry *entry;
    const char *database;
    AUTO_VALUE(StrList) words = {0};
    TRY(api_asked_entry(a, &entry));
    TRY(find_database(a, entry, &database));
    strlist_add(&words, "cleanup");
    if (api_bool(a, "dryRun"))
        strlist_add(&words, "--dry-run");
    if (database) {
        strlist_add(&words, "--");
        strlist_add(&words, database);
    }
    return submit(a, "cleanup", entry, &words);
}

/* -- verify ---------------------------------------------------------------------------------------
 */

/* The ids in the body, each of a backup that is there. Without "entry" the first one says which. */
static Error *add_ids(Ask *a, const ServiceEntry **entry, StrList *words)
{
    const Doc *ids = api_list(a, "ids");
    for (size_t i = 0; i < doc_count(ids); i++) {
        AUTO_VALUE(ApiBackup) b = {0};
        TRY(api_find_backup(a, doc_text(doc_at(ids, i)), &b));
        if (!*entry)
            *entry = b.entry;
        if (!same_repository(a, *entry, b.entry))
            return error_hint(ERROR_NEW(ERR_NOT_FOUND,
                                        "there is no backup \"%s\" in the repository"
                                        " of %s",
                                        b.info.id, (*entry)->name),
                              "ask for each repository by itself");
        strlist_add(words, b.info.id);
    }
    return NULL;
}

static Error *run_verify(Ask *a, const char *kind, const char *level)
{
    const ServiceEntry *entry = NULL;
    AUTO_VALUE(StrList) words = {0};
    strlist_add(&words, "verify");
    if (level) {
        strlist_add(&words, "--level");
        strlist_add(&words, level);
    }
    if (api_text(a, "entry"))
        TRY(api_asked_entry(a, &entry));
    TRY(add_ids(a, &entry, &words));
    if (!entry)
        TRY(api_asked_entry(a, &entry));
    return submit(a, kind, entry, &words);
}

Error *api_verify(Ask *a)
{
    return run_verify(a, "verify", api_text(a, "level"));
}

Error *api_drill(Ask *a)
{
    return run_verify(a, "drill", "drill");
}

/* -- schedules ------------------------------------------------------------------------------------
 */

Error *api_schedule_run(Ask *a)
{
    AUTO_VALUE(Plans) plans = {0};
    const Plan *p;
    TRY(plans_make(service_config(a->api->service), &plans));
    Error *e = plans_need(&plans, a->part, &p);
    if (e)
        return error_rekind(e, ERR_NOT_FOUND);
    return api_begin(a, &(JobRequest){.kind = p->kind,
                                      .entry = p->entry->name,
                                      .database = p->entry->database,
                                      .words = &p->words,
                                      .timeout_ms = p->timeout_ms,
                                      .alone = true});
}
