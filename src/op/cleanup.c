#include "op/cleanup.h"

#include <string.h>

#include "base/fault.h"
#include "repo/lineage.h"
#include "repo/trash.h"

void cleanup_result_clear(CleanupResult *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->items[i].id);
        free(r->items[i].database);
        strlist_free(&r->items[i].why);
    }
    free(r->items);
    strlist_free(&r->deleted);
    strlist_free(&r->unreadable);
    prune_result_clear(&r->prune);
    *r = (CleanupResult){0};
}

typedef struct Cleanup {
    const OpContext *c;
    const CleanupOptions *o;
    const BackupInfo *of; /* only the lineage of this one; or NULL */
    Repo *repo;
    Instant now;
    BackupList list;
    size_t *lineage;
    RetentionVerdict *verdicts;
    CleanupResult *out;
} Cleanup;

static void cleanup_clear(Cleanup *c)
{
    for (size_t i = 0; c->verdicts && i < c->list.count; i++)
        retention_verdict_clear(&c->verdicts[i]);
    free(c->verdicts);
    free(c->lineage);
    backup_list_clear(&c->list);
    if (c->repo)
        repo_free(c->repo);
}
DEFINE_AUTO_VALUE(Cleanup, cleanup_clear)

/* Whoever names a rule of their own does not mean the default one. */
static RetentionPolicy policy_of(const CleanupOptions *o)
{
    RetentionPolicy p = o->policy;
    bool others = p.within_ms || (p.tags && p.tags->count);
    for (int i = 0; i < RETENTION_PERIODS; i++)
        others = others || p.keep[i];
    if (others && !o->days_given)
        p.days = 0;
    return p;
}

static bool in_scope(const Cleanup *c, size_t i)
{
    const BackupInfo *b = &c->list.items[i];
    if (!c->of)
        return !c->o->database || !strcmp(b->database, c->o->database);
    for (size_t k = 0; k < c->list.count; k++)
        if (!strcmp(c->list.items[k].id, c->of->id))
            return c->lineage[k] == c->lineage[i];
    return false;
}

static void judge(Cleanup *c)
{
    RetentionPolicy policy = policy_of(c->o);
    c->verdicts = mem_calloc(c->list.count, sizeof *c->verdicts);
    c->lineage = mem_calloc(c->list.count, sizeof *c->lineage);
    lineage_groups(c->list.items, c->list.count, c->lineage);
    retention_decide(&c->list, &policy, c->now, c->verdicts);
    for (size_t i = 0; i < c->list.count; i++) {
        const BackupInfo *b = &c->list.items[i];
        if (!in_scope(c, i))
            continue;
        mem_grow(c->out->items, c->out->count, c->out->cap);
        CleanupItem *item = &c->out->items[c->out->count++];
        *item = (CleanupItem){.id = mem_strdup(b->id),
                              .database = mem_strdup(b->database),
                              .timestamp = b->timestamp,
                              .keep = c->verdicts[i].keep};
        strlist_copy(&item->why, &c->verdicts[i].why);
    }
    strlist_copy(&c->out->unreadable, &c->list.damaged);
}

/* The good ones for whose sake it may go must still be there: somebody may be deleting those. */
static Error *others_stand(const Cleanup *c, size_t going, bool *stand)
{
    bool any = false;
    *stand = true;
    for (size_t i = c->list.count; i-- > 0;) {
        const BackupInfo *b = &c->list.items[i];
        if (c->lineage[i] != c->lineage[going] || !c->verdicts[i].keep || !lineage_good(b))
            continue;
        bool deleted;
        any = true;
        TRY(catalog_is_deleted(c->repo, b->id, &deleted));
        if (!deleted)
            return NULL;
    }
    *stand = !any; /* filtered ones have no good one */
    return NULL;
}

/* Pinned or deleted since it was judged: so be it. */
static Error *delete_one(Cleanup *c, const char *id)
{
    Error *e = c->o->dry_run ? NULL : trash_put(c->repo, id);
    if (e && (error_kind(e) == ERR_PINNED || error_kind(e) == ERR_NOT_FOUND)) {
        error_drop(e);
        return NULL;
    }
    TRY_CTX(e, "deleting %s", id);
    strlist_add(&c->out->deleted, id);
    return NULL;
}

static Error *delete_by_policy(Cleanup *c)
{
    TRY(catalog_list(c->repo, NULL, &c->list));
    judge(c);
    job_phase(c->c->job, "deleting", 0, 0);
    for (size_t i = 0; i < c->list.count; i++) {
        bool stand;
        TRY(cancel_check(job_cancel(c->c->job)));
        if (c->verdicts[i].keep || !in_scope(c, i))
            continue;
        TRY(others_stand(c, i, &stand));
        if (stand)
            TRY(delete_one(c, c->list.items[i].id));
        FAULT_POINT("cleanup.deleted");
    }
    return NULL;
}

static Error *run(const OpContext *c, const CleanupOptions *o, const BackupInfo *of,
                  CleanupResult *out)
{
    AUTO_VALUE(Cleanup) work = {.c = c, .o = o, .of = of, .now = clock_now(), .out = out};
    TRY(op_open_repo(c, false, &work.repo));
    TRY(repo_may(work.repo, REPO_DELETE));
    store_use_reserve(repo_store(work.repo));
    if (!o->prune_only)
        TRY(delete_by_policy(&work));
    FAULT_POINT("cleanup.judged");
    PruneOptions prune = {.now = clock_now(),
                          .trash_ms = o->trash_ms,
                          .limit_ms = o->limit_ms,
                          .dry_run = o->dry_run,
                          .deleting = &out->deleted};
    TRY(prune_run(work.repo, &prune, c->job, &out->prune));
    if (!o->dry_run)
        store_keep_reserve(repo_store(work.repo));
    return NULL;
}

Error *op_cleanup(const OpContext *c, const CleanupOptions *options, CleanupResult *out)
{
    return run(c, options, NULL, out);
}

Error *op_backup_and_cleanup(const OpContext *c, const BackupOptions *backup,
                             const CleanupOptions *cleanup, BackupInfo *info,
                             CleanupResult *cleaned)
{
    TRY(op_backup(c, backup, info));
    if (!cleanup)
        return NULL;
    Error *e = run(c, cleanup, info, cleaned);
    if (e) {
        const char *hint = error_hint_text(e);
        strlist_own(&info->warnings,
                    mem_printf("the backup is made, but the cleanup after it failed: %s%s%s",
                               error_message(e), hint ? "; " : "", hint ? hint : ""));
    }
    error_drop(e);
    return NULL;
}
