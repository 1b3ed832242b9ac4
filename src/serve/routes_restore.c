/* Restoring: what the command line would ask is asked here by the database's name. */
#include <string.h>

#include "serve/api_internal.h"
#include "serve/errand.h"

#define PLAN_MS 50000 /* for a look at what would be done */

typedef struct Mode {
    const char *name, *flag;
    bool replaces; /* a database with contents, about which the command line asks */
} Mode;
static const Mode modes[] = {{"replace", "--replace", true},
                             {"inPlace", "--in-place", true},
                             {"upsert", "--merge=upsert", false},
                             {"mirror", "--merge=mirror", false},
                             {"insert", "--merge=insert", false}};
#define MODES (sizeof modes / sizeof *modes)

/* NULL: into a database that is new or empty, or a part beside what is there. */
static const Mode *asked_mode(const Ask *a)
{
    const char *name = api_text(a, "mode");
    for (size_t i = 0; name && i < MODES; i++)
        if (!strcmp(modes[i].name, name))
            return &modes[i];
    return NULL;
}

/* -- where to -------------------------------------------------------------------------------------
 */

/* As it is to be sent. Caller frees. */
static char *member(const char *name, const char *value)
{
    AUTO(Doc) d = doc_object();
    doc_set_str(d, name, value);
    return doc_print(d, false);
}

static Error *find_target(const Ask *a, const ApiBackup *b, const ServiceEntry **entry,
                          const char **database)
{
    const char *name = api_text(a, "entry"), *to_db = api_text(a, "toDb");
    *entry = b->entry;
    if (name)
        TRY(api_entry(a, name, entry));
    if (strcmp(config_str((*entry)->config, SETTING_REPO),
               config_str(b->entry->config, SETTING_REPO)) != 0)
        FAIL(ERR_NOT_FOUND, "the repository of %s has no backup \"%s\"", name, b->info.id);
    *database = to_db ? to_db : (*entry)->database;
    /* A backup of a database that no entry names would go into one that another entry does. */
    bool meant = to_db || (**database && (name || !strcmp(*database, b->info.database)));
    if (meant)
        return NULL;
    AUTO(char) text = member("toDb", b->info.database);
    return error_hint(ERROR_NEW(ERR_USAGE, "it is not clear which database is meant"),
                      "name it: %s", text);
}

static Error *add_patterns(const Ask *a, const char *name, const char *flag, StrList *out)
{
    const Doc *list = api_list(a, name);
    /* A script whose list is empty: all of it is not what was meant. */
    if (list && !doc_count(list))
        FAIL(ERR_USAGE, "%s is empty", name);
    for (size_t i = 0; list && i < doc_count(list); i++)
        strlist_own(out, mem_printf("--%s=%s", flag, doc_text(doc_at(list, i))));
    return NULL;
}

static Error *add_words(const Ask *a, const ApiBackup *b, const Mode *mode, StrList *out)
{
    strlist_add(out, "restore");
    strlist_add(out, b->info.id);
    if (mode)
        strlist_add(out, mode->flag);
    if (api_text(a, "toDb"))
        strlist_own(out, mem_printf("--to-db=%s", api_text(a, "toDb")));
    TRY(add_patterns(a, "tables", "table", out));
    return add_patterns(a, "schemas", "schema", out);
}

/* -- whether it is meant --------------------------------------------------------------------------
 */

/* By the command line's own look: whether the database has contents that would be lost. */
static Error *look(const Ask *a, const ServiceEntry *entry, const StrList *words, bool *contents)
{
    AUTO_VALUE(StrList) trial = {0};
    AUTO(Errand) errand = NULL;
    AUTO(Doc) plan = NULL;
    strlist_copy(&trial, words);
    strlist_add(&trial, "--dry-run");
    TRY(errand_start(&(ErrandOptions){.runner = a->api->service->runner,
                                      .entry = entry->name,
                                      .words = &trial,
                                      .socket = http_call_socket(a->call),
                                      .stop = a->api->stop,
                                      .timeout_ms = PLAN_MS},
                     &errand));
    TRY(errand_result(errand, &plan));
    *contents = !plan ||
                (doc_bool(plan, "databaseExists", true) && !doc_bool(plan, "databaseEmpty", false));
    return NULL;
}

static Error *confirm(const Ask *a, const Mode *mode, const ServiceEntry *entry,
                      const char *database, StrList *words)
{
    const char *said = api_text(a, "confirm");
    bool contents = mode && !mode->replaces; /* to merge is to change what is there */
    if (mode && mode->replaces)
        TRY(look(a, entry, words, &contents));
    bool right = said && !strcmp(said, database);
    if (said ? !right : contents) {
        AUTO(char) text = member("confirm", database);
        Error *e =
            said ? ERROR_NEW(ERR_CONFIRM, "what was confirmed is not the database %s", database)
                 : ERROR_NEW(ERR_CONFIRM, "the database %s has contents, which would be %s",
                             database, mode->replaces ? "lost" : "changed");
        return error_hint(e, "send %s where that one is meant", text);
    }
    /* Where it had none, and gets some until the job runs, the command line refuses. */
    if (mode && mode->replaces && right)
        strlist_add(words, "--yes");
    return NULL;
}

Error *api_backup_restore(Ask *a)
{
    AUTO_VALUE(ApiBackup) b = {0};
    AUTO_VALUE(StrList) words = {0};
    const Mode *mode = asked_mode(a);
    const ServiceEntry *entry;
    const char *database;
    TRY(api_find_backup(a, a->part, &b));
    a->object = mem_strdup(b.info.id);
    TRY(find_target(a, &b, &entry, &database));
    free(a->object);
    a->object = mem_printf("%s into %s", b.info.id, database);
    TRY(add_words(a, &b, mode, &words));
    TRY(confirm(a, mode, entry, database, &words));
    return api_begin(
        a, &(JobRequest){
               .kind = "restore", .entry = entry->name, .database = database, .words = &words});
}
