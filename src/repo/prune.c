#include "repo/prune.h"

#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/catalog.h"
#include "repo/lineage.h"
#include "repo/origin.h"
#include "repo/repo_internal.h"
#include "repo/trash.h"

#define LOOK_AGAIN 64 /* packs that are deleted between two looks at the own session */
#define PASSES 10

/* A pack of the list that was made first. */
typedef struct Candidate {
    PackId id;
    uint64_t size;
    bool kept;
} Candidate;

typedef struct Prune {
    Repo *repo;
    const PruneOptions *o;
    Job *job;
    PruneResult *out;
    SessionInfo session;
    Candidate *packs; /* sorted by id */
    size_t count, cap;
} Prune;

void prune_result_clear(PruneResult *r)
{
    strlist_free(&r->purged);
    strlist_free(&r->waiting);
    *r = (PruneResult){0};
}

/* -- the trash -------------------------------------------------------------------------------- */

/* The id of the last of its lineage that is there, in the trash or not; NULL: itself. */
static const char *last_of_lineage(const BackupList *all, const TrashList *trash, const Trashed *t)
{
    const BackupInfo *last = &t->info;
    Lineage own = lineage_of(last);
    for (size_t i = 0; i < all->count + trash->count; i++) {
        bool marked = i >= all->count;
        const BackupInfo *x = marked ? &trash->items[i - all->count].info : &all->items[i];
        if (marked && !trash->items[i - all->count].there)
            continue;
        Lineage l = lineage_of(x);
        if (x->sequence > last->sequence && lineage_same(&l, &own))
            last = x;
    }
    return last == &t->info ? NULL : last->id;
}

static bool is_due(const Prune *p, const Trashed *t)
{
    return t->deleted && p->o->now - t->deleted >= p->o->trash_ms;
}

static Error *purge_one(Prune *p, const BackupList *all, const TrashList *trash, const Trashed *t)
{
    AUTO(char) why = NULL;
    bool purged = p->o->dry_run;
    PurgeOptions options = {.own = p->session.id,
                            .now = p->o->now,
                            .limit_ms = p->o->limit_ms,
                            .later = t->there ? last_of_lineage(all, trash, t) : NULL};
    job_object(p->job, t->id);
    if (!p->o->dry_run)
        TRY_CTX(trash_purge(p->repo, &options, t, &purged, &why), "purging %s", t->id);
    if (purged)
        strlist_add(&p->out->purged, t->id);
    else
        strlist_own(&p->out->waiting, mem_printf("%s: %s", t->id, why));
    job_add_items(p->job, 1);
    return NULL;
}

static Error *empty_trash(Prune *p)
{
    AUTO_VALUE(TrashList) trash = {0};
    AUTO_VALUE(BackupList) all = {0};
    size_t due = 0;
    TRY(trash_list(p->repo, true, &trash));
    FAULT_POINT("prune.trash");
    for (size_t i = 0; i < trash.count; i++)
        due += is_due(p, &trash.items[i]);
    if (p->o->dry_run && p->o->deleting && !p->o->trash_ms)
        strlist_copy(&p->out->purged, p->o->deleting);
    if (!due)
        return NULL;
    TRY(catalog_list(p->repo, NULL, &all));
    job_phase(p->job, "purging", 0, due);
    for (size_t i = 0; i < trash.count; i++) {
        TRY(cancel_check(job_cancel(p->job)));
        if (is_due(p, &trash.items[i]))
            TRY(purge_one(p, &all, &trash, &trash.items[i]));
    }
    return NULL;
}

/* -- packs ------------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    return pack_id_compare(((const Candidate *)a)->id, ((const Candidate *)b)->id);
}

static Error *add_pack(void *ctx, const char *name, uint64_t size)
{
    Prune *p = ctx;
    Candidate c = {.size = size};
    if (!name_parse_pack(name, &c.id)) /* not ours */
        return NULL;
    mem_grow(p->packs, p->count, p->cap);
    p->packs[p->count++] = c;
    return NULL;
}

/* One that is not in the list came later, or is missing: nothing to us. */
static void keep(Prune *p, PackId id)
{
    Candidate wanted = {.id = id};
    Candidate *c = p->count ? bsearch(&wanted, p->packs, p->count, sizeof *p->packs, by_id) : NULL;
    if (c)
        c->kept = true;
}

/* All that a session wrote: one run of the sorted list. */
static void keep_own(Prune *p, const SessionInfo *s)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(p->packs[middle].id.session.b, s->id.b, SESSION_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < p->count && !memcmp(p->packs[low].id.session.b, s->id.b, SESSION_BYTES); low++)
        p->packs[low].kept = true;
}

/* Of a dry run: a session that would have been removed. */
static bool would_be_removed(const Prune *p, const SessionInfo *s)
{
    return p->o->dry_run && session_given_up(s, p->o->now, p->o->limit_ms) &&
           (s->kind != SESSION_WRITER || p->o->now - s->started > p->o->trash_ms);
}

/* -- what must stay --------------------------------------------------------------------------- */

/* *gone: it is not there any more. */
typedef Error *(*Visit)(Prune *p, const char *name, bool *gone);

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool same_names(const StrList *a, const StrList *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = !strcmp(a->items[i], b->items[i]);
    return same;
}

/* A listing is no single moment: while it is made, one root may go to which another, that the
 * listing has passed by already, owes its packs. So it is made until it says the same twice. */
static Error *visit_all(Prune *p, const char *prefix, Visit visit)
{
    AUTO_VALUE(StrList) before = {0};
    for (int pass = 0; pass < PASSES; pass++) {
        AUTO_VALUE(StrList) now = {0};
        TRY(note_names(repo_store(p->repo), prefix, &now));
        bool stable = pass && same_names(&before, &now);
        for (size_t i = 0; i < now.count; i++) {
            bool gone = false;
            TRY(cancel_check(job_cancel(p->job)));
            if (!before.count ||
                !bsearch(&now.items[i], before.items, before.count, sizeof *before.items, by_text))
                TRY(visit(p, now.items[i], &gone));
            stable = stable && !gone;
        }
        if (stable)
            return NULL;
        strlist_free(&before);
        before = now;
        now = (StrList){0};
    }
    return error_hint(ERROR_NEW(ERR_BUSY, "%s changed all the time; no pack was deleted", prefix),
                      "run cleanup again when less is going on");
}

static Error *keep_of_session(Prune *p, const char *name, bool *gone)
{
    AUTO_VALUE(SessionInfo) s = {0};
    Error *e = session_read(p->repo, name, &s);
    if (e && error_kind(e) == ERR_NOT_FOUND) {
        error_drop(e);
        *gone = true;
        return NULL;
    }
    TRY(e);
    if (would_be_removed(p, &s))
        return NULL;
    keep_own(p, &s);
    for (size_t k = 0; k < s.pack_count; k++)
        keep(p, s.packs[k]);
    return NULL;
}

/* A marked backup keeps its packs as long as its manifest is there. */
static Error *keep_of_backup(Prune *p, const char *name, bool *gone)
{
    AUTO(Manifest) m = NULL;
    AUTO(char) id = catalog_id_of(name, ".manifest");
    uint64_t size;
    if (!id || (p->o->dry_run && strlist_has(&p->out->purged, id)))
        return NULL;
    Error *e = store_size(repo_store(p->repo), name, &size);
    if (!e)
        e = catalog_read_packs(p->repo, id, size, &m);
    if (e && (error_kind(e) == ERR_FENCED || error_kind(e) == ERR_NOT_FOUND)) {
        *gone = error_kind(e) == ERR_NOT_FOUND;
        error_drop(e); /* a tombstone names nothing */
        return NULL;
    }
    if (e)
        return error_hint(
            error_context(e, "no pack is deleted while a backup cannot be read, since it may need "
                             "any of them"),
            "`pgstow verify %s` says more; if it is beyond help, delete it, and run cleanup with "
            "--trash-days 0",
            id);
    for (size_t i = 0; i < m->pack_count; i++)
        keep(p, m->packs[i].id);
    job_add_items(p->job, 1);
    return NULL;
}

/* -- deleting --------------------------------------------------------------------------------- */

/* What was found damaged is forgotten first: nobody can name a pack again that nothing names. */
static Error *forget_damage(Prune *p, const Damage *damages, size_t count)
{
    char name[NAME_TEXT];
    for (size_t i = 0; i < count; i++) {
        Candidate wanted = {.id = damages[i].pack};
        const Candidate *c =
            p->count ? bsearch(&wanted, p->packs, p->count, sizeof *p->packs, by_id) : NULL;
        if (!c || c->kept)
            continue;
        Error *e =
            store_delete(repo_store(p->repo), name_damage(damages[i].pack, damages[i].frame, name));
        if (e && error_kind(e) != ERR_NOT_FOUND)
            return e;
        error_drop(e);
    }
    return NULL;
}

static Error *still_there(Prune *p)
{
    char name[NAME_TEXT];
    bool there;
    TRY(store_exists(repo_store(p->repo), name_session(p->session.id, name), &there));
    if (!there)
        FAIL(ERR_FENCED, "this prune was declared dead by another one");
    return NULL;
}

static Error *delete_pack(Prune *p, const Candidate *c)
{
    char name[NAME_TEXT];
    Error *e = store_delete(repo_store(p->repo), name_pack(c->id, name));
    if (e && error_kind(e) == ERR_NOT_FOUND) { /* another prune was faster */
        error_drop(e);
        return NULL;
    }
    TRY(e);
    p->out->packs++;
    p->out->bytes += c->size;
    job_add_bytes(p->job, c->size);
    return NULL;
}

/* Not in the list, or to be deleted. */
static bool origin_gone(const void *ctx, PackId target)
{
    const Prune *p = ctx;
    Candidate wanted = {.id = target};
    const Candidate *c =
        p->count ? bsearch(&wanted, p->packs, p->count, sizeof *p->packs, by_id) : NULL;
    return !c || !c->kept;
}

static Error *delete_packs(Prune *p)
{
    Damage *damages = NULL;
    size_t damage_count = 0, due = 0;
    for (size_t i = 0; i < p->count; i++)
        due += !p->packs[i].kept;
    job_phase(p->job, "freeing", 0, due);
    Error *e = damage_list(p->repo, &damages, &damage_count);
    if (!e)
        e = forget_damage(p, damages, damage_count);
    free(damages);
    TRY(e);
    /* The manifests that are gone must be gone for good before their packs are: a power loss would
     * else bring them back without these. Another prune's are, too. */
    char any[NAME_TEXT];
    store_adopt(repo_store(p->repo), name_manifest("any", any));
    TRY(store_barrier(repo_store(p->repo)));
    FAULT_POINT("prune.packs.barrier");
    for (size_t i = 0, done = 0; i < p->count; i++) {
        if (p->packs[i].kept)
            continue;
        TRY(cancel_check(job_cancel(p->job)));
        if (done++ % LOOK_AGAIN == 0)
            TRY(still_there(p));
        TRY(delete_pack(p, &p->packs[i]));
        job_add_items(p->job, 1);
        FAULT_POINT("prune.packs.deleted");
    }
    TRY(origin_sweep(p->repo, origin_gone, p));
    return store_barrier(repo_store(p->repo));
}

static Error *free_packs(Prune *p)
{
    job_phase(p->job, "listing", 0, 0);
    TRY(store_list(repo_store(p->repo), "packs/", add_pack, p));
    mem_sort(p->packs, p->count, sizeof *p->packs, by_id);
    FAULT_POINT("prune.packs.listed");
    TRY(visit_all(p, "sessions/", keep_of_session));
    FAULT_POINT("prune.packs.sessions");
    job_phase(p->job, "reading manifests", 0, 0);
    TRY(visit_all(p, "backups/", keep_of_backup));
    FAULT_POINT("prune.packs.backups");
    for (size_t i = 0; i < p->count; i++) {
        bool kept = p->packs[i].kept;
        p->out->packs_kept += kept;
        p->out->bytes_kept += kept ? p->packs[i].size : 0;
        if (p->o->dry_run && !kept) {
            p->out->packs++;
            p->out->bytes += p->packs[i].size;
        }
    }
    return p->o->dry_run ? NULL : delete_packs(p);
}

/* -- the whole -------------------------------------------------------------------------------- */

static Error *run(Prune *p)
{
    SweepOptions sweep = {.own = p->session.id,
                          .now = p->o->now,
                          .limit_ms = p->o->limit_ms,
                          .keep_ms = p->o->trash_ms,
                          .dry_run = p->o->dry_run};
    SweepResult swept = {0};
    job_phase(p->job, "sessions", 0, 0);
    Error *e = session_sweep(p->repo, &sweep, &swept);
    p->out->sessions_ended = swept.ended;
    p->out->sessions_fenced = swept.fenced;
    TRY(e);
    TRY(empty_trash(p));
    TRY(free_packs(p));
    return store_sweep(repo_store(p->repo), p->o->limit_ms, p->o->dry_run, &p->out->files,
                       &p->out->file_bytes);
}

Error *prune_run(Repo *r, const PruneOptions *o, Job *job, PruneResult *out)
{
    Prune p = {.repo = r, .o = o, .job = job, .out = out};
    Error *e = repo_may(r, REPO_DELETE);
    p.session = (SessionInfo){
        .kind = SESSION_PRUNE, .backup_id = mem_strdup(""), .what = mem_strdup("cleanup")};
    session_info_here(&p.session);
    if (!e && !o->dry_run)
        e = session_put(r, &p.session);
    bool put = !e && !o->dry_run;
    if (!e)
        e = fault_reach("prune.session");
    if (!e)
        e = run(&p);
    if (put)
        e = error_first(e, session_end(r, p.session.id));
    session_info_clear(&p.session);
    free(p.packs);
    return e;
}
