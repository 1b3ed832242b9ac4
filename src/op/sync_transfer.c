/* The way between two repositories: copy, one of them a peer's. */
#include <string.h>

#include "op/copy.h"
#include "op/sync_work.h"
#include "store/peer.h"

static Error *open_store(void *ctx, Store **out)
{
    const SyncWork *w = ctx;
    AUTO(char) where = mem_printf("peer:%s", w->o->peer);
    *out = store_open_peer(&(PeerStoreOptions){.link = w->peer->link,
                                               .session = w->remote.session,
                                               .where = where,
                                               .cancel = w->remote.cancel});
    return NULL;
}

/* Where both services have one repository there is nothing to send. */
static Error *is_one_repository(SyncWork *w, const char *backup, BackupInfo *copy, bool *one)
{
    const char *theirs = doc_str(w->remote.opened, "repositoryId", NULL);
    AUTO(Repo) here = NULL;
    AUTO(Manifest) m = NULL;
    *one = false;
    Error *e = op_open_repo(w->h->op, false, &here);
    if (e && error_kind(e) == ERR_REPO_NOT_FOUND) {
        error_drop(e);
        return NULL;
    }
    TRY(e);
    if (!theirs || strcmp(theirs, repo_id(here)) != 0)
        return NULL;
    *one = true;
    TRY(catalog_load(here, backup, &m));
    backup_info_copy(copy, &m->info);
    return NULL;
}

static Error *ask(void *ctx, const char *question)
{
    const SyncWork *w = ctx;
    if (w->h->ask)
        return w->h->ask(w->h->ctx, question);
    return error_hint(ERROR_NEW(ERR_CONFIRM, "%s", question), "--yes says that it is meant so");
}

Error *sync_transfer(SyncWork *w, const char *backup, BackupInfo *copy)
{
    const OpContext *here = w->h->op;
    AUTO_VALUE(StrList) names = {0};
    AUTO_VALUE(CopyResult) result = {0};
    bool pull = w->o->direction == SYNC_PULL, one;
    AUTO(char) where = mem_printf("peer:%s", w->o->peer);
    OpContext there = {.repo_dir = where,
                       .open_store = open_store,
                       .open_store_ctx = w,
                       .jobs = here->jobs,
                       .job = here->job,
                       .keys = key_input_source(w->peer->keys),
                       .key_given = key_input_given(w->peer->keys)};
    TRY(sync_session_step(w->session, SYNC_TRANSFERRING, NULL));
    sync_at(w, SYNC_TRANSFERRING);
    TRY(is_one_repository(w, backup, copy, &one));
    if (one) {
        sync_session_log(w->session, "info", "both have one repository: nothing is to be sent");
        return NULL;
    }
    strlist_add(&names, backup);
    Error *e = op_copy(pull ? &there : here,
                       &(CopyOptions){.names = &names,
                                      .to = pull ? here : &there,
                                      .max_rate = w->o->max_rate,
                                      .renumber = true,
                                      .ask = ask,
                                      .ctx = w},
                       &result);
    e = e ? e : copy_failures(&result);
    if (e && error_kind(e) == ERR_DAMAGED)
        e = error_hint(e,
                       "`pgstow verify` on the source's host marks what is damaged there, and the "
                       "backup of the next sync writes it anew");
    TRY(e);
    if (result.count != 1)
        FAIL(ERR_INTERNAL, "%zu backups were copied instead of one", result.count);
    const CopyOutcome *done = &result.items[0].outcome;
    backup_info_copy(copy, &done->info);
    w->out->packs = done->packs;
    w->out->reused = done->reused;
    sync_at(w, SYNC_TRANSFERRING);
    sync_session_log(w->session, "info", "sent: %llu pack%s; there already: %llu",
                     (unsigned long long)done->packs, done->packs == 1 ? "" : "s",
                     (unsigned long long)done->reused);
    return NULL;
}

Error *sync_compare(SyncWork *w)
{
    sync_session_verify(w->session, "counts, source against target");
    sync_at(w, SYNC_VERIFYING);
    if (w->out->applied.rows != w->out->rows)
        FAIL(ERR_MISMATCH, "%llu rows were sent, and the target says that it got %llu",
             (unsigned long long)w->out->rows, (unsigned long long)w->out->applied.rows);
    return NULL;
}

bool sync_wants_rows(const SyncWork *w, const Error *e)
{
    ErrorKind kind = error_kind(e);
    return w->o->method == SYNC_METHOD_AUTO && !w->plan.restore &&
           (kind == ERR_TOOL_MISSING || kind == ERR_TOOL_VERSION);
}
