#include "repo/copy.h"

#include <string.h>

#include "repo/copy_work.h"

struct Copier {
    CopyEnds ends;
    BackupList there; /* in the target, when it began */
};

void copy_outcome_clear(CopyOutcome *o)
{
    backup_info_clear(&o->info);
    *o = (CopyOutcome){0};
}

void copier_free(Copier *c)
{
    if (!c)
        return;
    backup_list_clear(&c->there);
    free(c);
}

Error *copier_new(const CopyEnds *ends, Copier **out)
{
    if (!strcmp(repo_id(ends->from), repo_id(ends->to)))
        return error_hint(
            ERROR_NEW(ERR_CONFLICT, "%s and %s are the same repository", repo_where(ends->from),
                      repo_where(ends->to)),
            "name another folder with --to; a copy of a repository's files is still that "
            "repository");
    if (repo_keys(ends->from) && !keyring_full(repo_keys(ends->from)))
        return error_hint(ERROR_NEW(ERR_KEY,
                                    "the key at hand for %s may only write backups, not "
                                    "read their rows",
                                    repo_where(ends->from)),
                          "use the repository's passphrase, or a full key file");
    AUTO(Copier) c = mem_new(Copier);
    c->ends = *ends;
    TRY(repo_may(ends->to, REPO_WRITE));
    TRY(catalog_list(ends->to, NULL, &c->there));
    *out = STEAL(c);
    return NULL;
}

/* -- threads ----------------------------------------------------------------------------------- */

Error *copy_next(CopyTurns *t, size_t *i, bool *got)
{
    TRY(cancel_check(t->cancel));
    *i = atomic_fetch_add(&t->next, 1);
    *got = *i < t->count;
    return NULL;
}

Error *copy_parallel(CopyWork *c, size_t count, GroupWork work, const void *ctx)
{
    AUTO(Group) g = NULL;
    TRY(group_new(job_cancel(c->ends->job), &g));
    CopyTurns turns = {.work = c, .ctx = ctx, .cancel = group_cancel(g), .count = count};
    atomic_init(&turns.next, 0);
    Error *e = NULL;
    for (size_t i = 0; (!i || i < c->ends->jobs) && i < count && !e; i++)
        e = group_start(g, work, &turns);
    group_fail(g, e);
    return group_join(g);
}

/* -- is it there already? ---------------------------------------------------------------------- */

/* The source's own facts and the hash of its manifest, without the rest of it. */
static Error *read_source(Repo *r, const char *id, BackupInfo *out)
{
    char name[NAME_TEXT];
    uint64_t size;
    bool deleted;
    TRY(catalog_is_deleted(r, id, &deleted));
    if (deleted)
        return catalog_deleted_one(id);
    Error *e = store_size(repo_store(r), name_manifest(id, name), &size);
    if (!e)
        e = catalog_read_info(r, id, size, out);
    if (e && error_kind(e) == ERR_FENCED)
        e = error_rekind(e, ERR_NOT_FOUND);
    TRY_CTX(e, "%s", id);
    return catalog_checksum(r, id, &out->checksum);
}

static bool same_origin(const BackupInfo *a, const char *repository, const char *checksum)
{
    return a->copied_repository && repository && !strcmp(a->copied_repository, repository) &&
           !strcmp(a->copied_checksum, checksum);
}

/* Is `there`, in the target, this backup? A copy of it, what it is a copy of, or a copy of the
 * same. */
static Error *is_same(Copier *c, const BackupInfo *source, const BackupInfo *there, bool *same)
{
    *same = same_origin(there, repo_id(c->ends.from), source->checksum) ||
            (source->copied_repository &&
             same_origin(there, source->copied_repository, source->copied_checksum));
    if (*same || !source->copied_id || strcmp(source->copied_id, there->id) != 0)
        return NULL;
    AUTO(char) checksum = NULL;
    TRY(catalog_checksum(c->ends.to, there->id, &checksum));
    *same = same_origin(source, repo_id(c->ends.to), checksum);
    return NULL;
}

static Error *find_there(Copier *c, const BackupList *list, const BackupInfo *source,
                         CopyOutcome *out, bool *found)
{
    *found = false;
    for (size_t i = 0; i < list->count && !*found; i++) {
        if (strcmp(list->items[i].database, source->database) != 0)
            continue;
        TRY(is_same(c, source, &list->items[i], found));
        if (*found) {
            out->state = COPY_THERE;
            backup_info_copy(&out->info, &list->items[i]);
        }
    }
    return NULL;
}

/* Another backup under the id, or a deleted one, would only be found at the end. */
static Error *check_id(Copier *c, const char *id)
{
    AUTO_VALUE(BackupInfo) info = {0};
    char name[NAME_TEXT];
    uint64_t size;
    bool deleted;
    TRY(catalog_is_deleted(c->ends.to, id, &deleted));
    if (deleted)
        return error_hint(ERROR_NEW(ERR_EXISTS, "%s was deleted in %s", id, repo_where(c->ends.to)),
                          "\"pgstow undelete\" brings it back; once it is purged it can be copied");
    Error *e = store_size(repo_store(c->ends.to), name_manifest(id, name), &size);
    if (!e)
        e = catalog_read_info(c->ends.to, id, size, &info);
    if (e && (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_FENCED)) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    return error_hint(
        ERROR_NEW(ERR_EXISTS, "%s has another backup with the id %s", repo_where(c->ends.to), id),
        "copy it into another repository");
}

/* -- one backup -------------------------------------------------------------------------------- */

static void work_clear(CopyWork *w)
{
    writer_free(w->w);
    if (w->before)
        manifest_free(w->before);
    free(w->before_streams);
    copy_moves_clear(w);
    copy_units_free(w->units);
    pthread_mutex_destroy(&w->lock);
}
DEFINE_AUTO_VALUE(CopyWork, work_clear)

static Error *open_writer(CopyWork *w)
{
    const BackupInfo *i = &w->m->info;
    WriterCopy copy = {repo_id(w->ends->from), w->m, w->origins, w->ends->renumber};
    WriterOptions o = {.database = i->database,
                       .server = i->server,
                       .system_identifier = i->system_identifier,
                       .database_oid = i->database_oid,
                       .filter = i->filter,
                       .rate = w->ends->rate,
                       .timestamp = i->timestamp,
                       .id = i->id,
                       .copy = &copy};
    return writer_open(w->ends->to, &o, w->ends->job, &w->w);
}

static Error *commit(CopyWork *w, CopyOutcome *out)
{
    AUTO_VALUE(BackupInfo) facts = {0};
    const BackupInfo *i = &w->m->info;
    backup_info_copy(&facts, i);
    free(facts.copied_repository);
    free(facts.copied_id);
    free(facts.copied_checksum);
    facts.copied_repository = mem_strdup(repo_id(w->ends->from));
    facts.copied_id = mem_strdup(i->id);
    facts.copied_checksum = mem_strdup(i->checksum);
    return writer_commit(w->w, &facts, &out->info);
}

static Error *copy_one(Copier *c, const char *id, CopyOutcome *out)
{
    AUTO(Manifest) m = NULL;
    AUTO_VALUE(OriginList) origins = {0};
    TRY(catalog_load(c->ends.from, id, &m));
    TRY(origin_list(c->ends.to, repo_id(c->ends.from), &origins));
    AUTO_VALUE(CopyWork)
    w = {.ends = &c->ends,
         .m = m,
         .origins = &origins,
         .same_ids = !repo_keys(c->ends.from) && !repo_keys(c->ends.to),
         .far = store_is_far(repo_store(c->ends.to))};
    bool sparse;
    pthread_mutex_init(&w.lock, NULL);
    TRY(open_writer(&w));
    TRY(copy_streams_begin(&w));
    TRY(copy_moves(&w, &sparse));
    if (sparse)
        TRY(copy_needs(&w));
    TRY(copy_packs(&w, out));
    TRY(copy_streams(&w));
    return commit(&w, out);
}

/* Somebody else may have copied it meanwhile. */
static Error *explain(Copier *c, const BackupInfo *source, Error *e, CopyOutcome *out)
{
    AUTO_VALUE(BackupList) now = {0};
    bool found = false;
    if (!e || error_kind(e) != ERR_EXISTS)
        return e;
    Error *bad = catalog_list(c->ends.to, source->database, &now);
    if (!bad)
        bad = find_there(c, &now, source, out, &found);
    error_drop(bad);
    if (!found)
        return e;
    error_drop(e);
    return NULL;
}

Error *copier_run(Copier *c, const char *id, CopyOutcome *out)
{
    AUTO(ReadSession) session = NULL;
    AUTO_VALUE(BackupInfo) source = {0};
    bool found;
    *out = (CopyOutcome){0};
    job_phase(c->ends.job, "looking", 0, 0);
    TRY(read_session_open(c->ends.from, id, "copy", &session));
    TRY(read_source(c->ends.from, id, &source));
    TRY(find_there(c, &c->there, &source, out, &found));
    if (found)
        return NULL;
    Error *e = c->ends.renumber ? NULL : check_id(c, id);
    e = explain(c, &source, e ? e : copy_one(c, id, out), out);
    return e && error_kind(e) == ERR_DAMAGED ? damage_hint(e, id) : e;
}
