/* The other side of a sync, as a job of its service. */
#include <string.h>

#include "base/fault.h"
#include "op/sync_rows.h"
#include "op/sync_spool.h"
#include "op/sync_work.h"

static Error *join(const SyncHost *h, const char *session, SyncOptions *o, SyncSession **out)
{
    SyncSession *s = NULL;
    AUTO(StateSession) row = NULL;
    AUTO(Doc) d = NULL;
    TRY(sync_session_join(&(SyncSessionOptions){.folder = h->state_dir,
                                                .state = {.id = session, .role = SYNC_REMOTE},
                                                .job = h->op->job},
                          &s));
    Error *e = state_session_get(sync_session_state(s), session, SYNC_REMOTE, &row);
    const char *text = !e && row->options ? row->options : "{}";
    e = e ? e : doc_parse(text, strlen(text), "the session's options", &d);
    e = e ? e : sync_options_read(d, o);
    if (e)
        return sync_session_close(s, e, NULL);
    *out = s;
    return NULL;
}

/* -- of a pull: the backup -----------------------------------------------------------------------
 */

static Error *make(const SyncHost *h, SyncSession *s, const SyncOptions *o, BackupInfo *out)
{
    TRY(sync_check_filters(&h->terms, o));
    FAULT_POINT("sync.serve.joined");
    TRY(sync_make_backup(h, s, o, sync_session_backup(s), out));
    FAULT_POINT("sync.serve.backed-up");
    StateSessionRef ref = {sync_session_id(s), SYNC_REMOTE, sync_session_attempt(s)};
    TRY(sync_session_step(s, SYNC_TRANSFERRING, "the peer fetches it"));
    return state_session_progress(
        sync_session_state(s), &ref,
        &(StateSessionProgress){.rows_total = out->rows, .bytes_total = out->logical_size},
        clock_now(), NULL);
}

Error *op_sync_serve_backup(const SyncHost *h, const char *session, BackupInfo *out)
{
    AUTO_VALUE(SyncOptions) o = {0};
    SyncSession *s = NULL;
    TRY(join(h, session, &o, &s));
    Error *e = make(h, s, &o, out);
    if (e)
        return sync_session_close(s, e, NULL);
    e = sync_session_leave(s);
    if (!e && !o.test)
        sync_clean_up(h, out->database, &out->warnings);
    return e;
}

/* -- of a push: what has arrived goes in ---------------------------------------------------------
 */

/* Rows that came by http become a backup first. */
static Error *spooled(const SyncHost *h, SyncSession *s, char **id)
{
    AUTO(char) folder = h->state_dir ? mem_strdup(h->state_dir) : state_default_folder();
    AUTO(char) database = op_database_name(h->op);
    AUTO_VALUE(BackupInfo) info = {0};
    SyncRowsApply a = {.state_dir = folder,
                       .session = sync_session_id(s),
                       .database = database,
                       .server = "",
                       .level = h->level};
    strlist_own(&a.tags, mem_printf(SYNC_TAG "=%s", sync_session_id(s)));
    Error *e = op_sync_rows_apply(h->op, &a, &info);
    strlist_free(&a.tags);
    TRY(e);
    *id = mem_strdup(info.id);
    TRY(sync_session_learn(s, &(StateSessionFacts){.backup = info.id, .method = "http"}));
    return sync_spool_remove(folder, sync_session_id(s));
}

Error *op_sync_serve_apply(const SyncHost *h, const char *session, SyncApplied *out)
{
    AUTO_VALUE(SyncOptions) o = {0};
    AUTO(char) backup = NULL;
    SyncSession *s = NULL;
    TRY(join(h, session, &o, &s));
    const char *sent = sync_session_backup(s);
    backup = sent && *sent ? mem_strdup(sent) : NULL;
    Error *e = backup ? NULL : spooled(h, s, &backup);
    e = e ? e : fault_reach("sync.serve.received");
    e = e ? e : sync_apply(h, s, &o, backup, out);
    e = e ? e : fault_reach("sync.serve.applied");
    if (!e)
        sync_session_verify(s, NULL);
    AUTO(Doc) result = e ? NULL : sync_applied_kept(out);
    AUTO(char) text = result ? doc_print(result, false) : NULL;
    e = sync_session_close(s, e, &(SyncSessionEnd){.backup = backup, .result = text});
    if (!e && !o.dry_run)
        sync_clean_up(h, out->database, &out->warnings);
    return e;
}
