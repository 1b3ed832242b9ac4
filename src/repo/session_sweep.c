/* Sessions of those that are gone. */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "repo/catalog.h"
#include "repo/repo_internal.h"

bool session_given_up(const SessionInfo *s, Instant now, int64_t limit_ms)
{
    SessionState state = session_state(s);
    return state == SESSION_DEAD || (state == SESSION_ELSEWHERE && now - s->started > limit_ms);
}

Error *session_finish_committed(Repo *r, const SessionInfo *s)
{
    AUTO(Manifest) m = NULL;
    Error *e = catalog_load(r, s->backup_id, &m);
    bool nothing_to_do = e && (error_kind(e) == ERR_NOT_FOUND || error_kind(e) == ERR_DAMAGED);
    if (!e)
        e = catalog_put_metadata(r, &m->info);
    bool stays = e && !nothing_to_do;
    if (e)
        log_debug("metadata of %s: %s", s->backup_id, error_message(e));
    error_drop(e);
    return stays ? NULL : session_end(r, s->id);
}

/* The tombstone comes first of all: from then on it cannot commit, whatever clocks said. */
static Error *sweep_writer(Repo *r, const SessionInfo *s, const SweepOptions *o, SweepResult *out)
{
    bool committed = false;
    bool old = o->now - s->started > o->keep_ms;
    if (o->dry_run) {
        out->ended += old;
        return NULL;
    }
    Error *e = session_fence(r, s, o->own, &committed);
    /* What cannot be read may be a backup that counts on these packs. */
    TRY_CTX(e, "a run that died was to make %s", s->backup_id);
    FAULT_POINT("prune.sweep.fenced");
    out->fenced += !committed;
    if (!committed && !old)
        return NULL;
    out->ended++;
    return committed ? session_finish_committed(r, s) : session_end(r, s->id);
}

Error *session_sweep(Repo *r, const SweepOptions *o, SweepResult *out)
{
    SessionInfo *list;
    size_t count;
    TRY(session_list(r, &list, &count));
    Error *e = NULL;
    for (size_t i = 0; i < count && !e; i++) {
        const SessionInfo *s = &list[i];
        if (!memcmp(s->id.b, o->own.b, SESSION_BYTES) || !session_given_up(s, o->now, o->limit_ms))
            continue;
        if (s->kind == SESSION_WRITER) {
            e = sweep_writer(r, s, o, out);
            continue;
        }
        out->ended++;
        if (!o->dry_run)
            e = session_end(r, s->id);
    }
    session_list_free(list, count);
    return e ? e : fault_reach("prune.sweep.end");
}
