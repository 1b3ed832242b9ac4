/* What must be true of a repository after the power failed, whatever was left of it. */
#ifndef PGSTOW_TESTS_REPO_SURVIVE_H
#define PGSTOW_TESTS_REPO_SURVIVE_H

#include "kit.h"

#include "repo/catalog.h"
#include "repo/check.h"
#include "repo/session.h"

/* A backup that was told to be complete. Moments are counts of events. */
typedef struct Told {
    char *id;
    const KitTable *tables;
    size_t count;
    size_t from;    /* told then: from then on it must be there */
    size_t deleted; /* just before it was deleted; SIZE_MAX: never */
} Told;

/* Nobody who wrote a session lives any more. */
static inline void all_dead(Repo *r)
{
    SessionInfo *list;
    size_t count;
    OK(session_list(r, &list, &count));
    for (size_t i = 0; i < count; i++) {
        free(list[i].host);
        list[i].host = mem_strdup("another");
        OK(session_end(r, list[i].id));
        OK(session_put(r, &list[i]));
        session_info_clear(&list[i]);
    }
    free(list);
}

static inline void survive_verify(Repo *r, size_t cut, int luck)
{
    AUTO_VALUE(CheckReport) report = {0};
    OK(check_run(r, NULL, CHECK_REBUILD, 1, NULL, &report));
    for (size_t i = 0; i < report.count; i++)
        print_error("cut after %zu, luck %d: %s: %s\n", cut, luck, report.problems[i].object,
                    report.problems[i].what);
    assert_int_equal(report.count, 0);
}

static inline bool is_listed(const BackupList *l, const char *id)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->items[i].id, id))
            return true;
    return false;
}

/* The store as it is found after a cut: everything told is there, all is whole, and the next backup
 * works. Takes the store over. */
static inline void survive(Store *found, const Told *told, size_t count, size_t cut, int luck,
                           const KitTable *next, size_t next_count)
{
    AUTO(Repo) r = NULL;
    AUTO_VALUE(BackupList) list = {0};
    OK(kit_open(found, &r));
    all_dead(r);
    survive_verify(r, cut, luck);
    OK(catalog_list(r, NULL, &list));
    assert_int_equal(list.damaged.count, 0);
    for (size_t i = 0; i < count; i++) {
        const Told *t = &told[i];
        bool listed = is_listed(&list, t->id);
        if (!listed && t->from <= cut && t->deleted >= cut)
            print_error("cut after %zu, luck %d: %s is gone\n", cut, luck, t->id);
        assert_true(listed || t->from > cut || t->deleted < cut);
        if (listed)
            kit_compare(r, t->id, t->tables, t->count);
    }
    AUTO_VALUE(BackupInfo) info = {0};
    WriterOptions o = kit_options();
    kit_backup(r, &o, next, next_count, &info);
    kit_compare(r, info.id, next, next_count);
    survive_verify(r, cut, luck);
}

#endif
